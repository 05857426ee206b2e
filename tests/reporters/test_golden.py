"""What each report looks like, word for word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reporters import fake_reports
from tierproof.core.report import Report
from tierproof.reporters.junit import render_junit
from tierproof.reporters.markdown import render_markdown
from tierproof.reporters.terminal import render_text

RENDERERS = {"txt": render_text, "md": render_markdown, "xml": render_junit}


@pytest.mark.parametrize("suffix", RENDERERS)
@pytest.mark.parametrize("name", ["passing", "failing", "inconclusive", "empty", "skipped", "nasty"])
def test_golden(name: str, suffix: str, golden: Callable[[str, str], None]) -> None:
    report: Report = getattr(fake_reports, f"{name}_report")()
    golden(f"{name}.{suffix}", RENDERERS[suffix](report))
