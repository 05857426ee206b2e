"""What uv is told of PyPI's pages, and of nobody else's."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from tierproof.guard.resolve.index_settings import DEFAULT_INDEX, read_index_settings
from tierproof.guard.resolve.run_uv import find_uv
from tierproof.guard.resolve.uv_config import write_uv_config

NOTHING = {"PIP_CONFIG_FILE": "/dev/null", "HOME": "/nonexistent"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PIP_INDEX_URL": "https://pypi.org/simple/"},
        {"UV_DEFAULT_INDEX": "https://pypi.org/simple"},
        {"UV_INDEX": "https://example.org/simple"},
        {"PIP_EXTRA_INDEX_URL": "https://example.org/simple"},
    ],
)
def test_pypi_is_configured_with_its_own_headers(tmp_path: Path, environment: dict[str, str]) -> None:
    settings = read_index_settings(NOTHING | environment)
    option, path = write_uv_config(settings, tmp_path)
    assert option == "--config-file"
    (index,) = tomllib.loads(Path(path).read_text())["index"]
    assert (index["url"], index["default"]) == (DEFAULT_INDEX, True)
    assert index["cache-control"] == {"api": "max-age=600", "files": "max-age=365000000, immutable"}
    # Named on the command line or in the environment, it would take the place of the configured one.
    assert "--default-index" not in settings.options
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(settings.environment)


@pytest.mark.parametrize(
    "environment",
    [
        {"PIP_INDEX_URL": "https://example.org/simple"},
        {"PIP_INDEX_URL": "https://me:secret@pypi.org/simple"},
        {"UV_DEFAULT_INDEX": "https://example.org/simple"},
        {"PIP_NO_INDEX": "1"},
        {"UV_NO_INDEX": "1"},
    ],
)
def test_any_other_index_speaks_for_itself(tmp_path: Path, environment: dict[str, str]) -> None:
    assert write_uv_config(read_index_settings(NOTHING | environment), tmp_path) == ["--no-config"]
    assert list(tmp_path.iterdir()) == []


def test_uv_takes_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("")
    options = write_uv_config(read_index_settings(NOTHING), tmp_path)
    done = subprocess.run(
        [find_uv(), "pip", "compile", "requirements.in", "--quiet", "--offline", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "unknown" not in done.stderr
