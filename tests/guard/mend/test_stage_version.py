"""The loaded version is fetched as the user has set up the index, and with nothing else of the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guard.notebook_kernel import find_uv
from guard.wheelhouse import Wheelhouse
from tierproof.guard.mend.heal_error import HealError
from tierproof.guard.mend.stage_version import stage_version
from tierproof.guard.resolve.run_uv import UvAnswer


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    find_uv()
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder


def test_pips_index_is_asked_and_what_would_change_the_answer_is_left_out(
    stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = Wheelhouse(tmp_path / "house")
    house.add("pack", "1.0")
    house.add("pack", "2.0")
    monkeypatch.setenv("PIP_INDEX_URL", house.url)
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("UV_TARGET", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("UV_PYTHON", "2.7")
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "absent.txt"))
    staged = stage_version("pack", "1.0", stage)
    assert (staged.name, staged.version, staged.root) == ("pack", "1.0", stage)
    assert not (tmp_path / "elsewhere").exists()


def test_find_links_alone_are_enough(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Wheelhouse(tmp_path / "house").add("pack", "1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    assert stage_version("pack", "1.0", stage).version == "1.0"


def test_credentials_are_not_printed(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://somebody:s3cret@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(HealError) as caught:
        stage_version("pack", "1.0", stage)
    assert "could not be fetched" in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "somebody" not in str(caught.value)


def test_the_users_proxy_and_certificates_reach_uv(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def note(_arguments: object, *, environment: dict[str, str], **_: object) -> UvAnswer:
        seen.update(environment)
        return UvAnswer(2, "", "no")

    monkeypatch.setattr("tierproof.guard.mend.stage_version.run_uv", note)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("PIP_CERT", "/certificates.pem")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    with pytest.raises(HealError, match=r"pack 1\.0 could not be fetched: no"):
        stage_version("pack", "1.0", stage, interpreter=sys.executable)
    assert seen["HTTPS_PROXY"] == "http://proxy:3128"
    assert seen["SSL_CERT_FILE"] == "/certificates.pem"
    assert not [name for name in seen if name.startswith(("PYTHON", "PIP_"))]
