from __future__ import annotations

import pytest

from tierproof.core.addresses import REPOSITORY, page_address
from tierproof.core.finding import Finding, Severity


def test_the_page_of_a_finding():
    address = f"https://github.com/{REPOSITORY}/blob/main/docs/checks/T1-GRAD.md#T1-GRAD-003"
    assert page_address("T1-GRAD-003") == address
    assert Finding("T1-GRAD-003", Severity.ERROR, "m").to_dict()["page"] == address


@pytest.mark.parametrize("code", ["", "T1-GRAD", "T1-GRAD-003\n", 'T1-"><b>-001', "javascript:alert(1)"])
def test_what_is_no_code_of_a_finding_has_no_page(code):
    assert page_address(code) == ""
