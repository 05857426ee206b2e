"""What tests of the session share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tierproof.session.results_folder import ResultsFolder
from tierproof.session.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session("validate", ResultsFolder(tmp_path / "results"))
