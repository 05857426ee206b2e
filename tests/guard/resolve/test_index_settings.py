"""Which index is asked, from the settings of pip and uv."""

from __future__ import annotations

import os
from pathlib import Path

from tierproof.guard.resolve.index_settings import DEFAULT_INDEX, read_index_settings


def test_without_settings_the_default_index_is_asked(tmp_path: Path) -> None:
    settings = read_index_settings({"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull})
    assert settings.index_urls == (DEFAULT_INDEX,)


def test_pip_files_and_variables(tmp_path: Path) -> None:
    named = tmp_path / "named.conf"
    named.write_text(
        "[global]\nindex-url = https://one/simple\nextra-index-url =\n  https://two/simple\n  https://three/simple\n[install]\ntrusted-host = one\n"
    )
    settings = read_index_settings(
        {
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": str(named),
            "PIP_CERT": "/c.pem",
            "PIP_PROXY": "http://p:1",
            "PIP_FIND_LINKS": "/w",
        }
    )
    assert settings.index_urls[-1] == "https://one/simple"
    assert {"https://two/simple", "https://three/simple"} <= set(settings.index_urls)
    assert settings.environment["SSL_CERT_FILE"] == "/c.pem"
    assert settings.environment["HTTPS_PROXY"] == "http://p:1"
    assert "unsafe-best-match" in settings.options
    assert "--allow-insecure-host" in settings.options
    assert settings.find_links == ("/w",)


def test_uv_variables_stay_and_others_go() -> None:
    settings = read_index_settings(
        {
            "UV_INDEX": "mine=https://one/simple",
            "UV_NO_CACHE": "1",
            "PIP_INDEX_URL": "https://two",
            "PYTHONPATH": "/x",
            "KEEP": "1",
        }
    )
    assert settings.index_urls == ("https://one/simple", DEFAULT_INDEX)
    assert settings.environment == {"UV_INDEX": "mine=https://one/simple", "KEEP": "1"}
    assert settings.options == ()


def test_a_file_of_pips_that_is_a_pipe_or_begins_with_a_mark(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.conf"
    os.mkfifo(pipe)
    assert read_index_settings({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(pipe)}).index_urls == (
        DEFAULT_INDEX,
    )
    marked = tmp_path / "marked.conf"
    marked.write_text("\ufeff[global]\nindex-url = https://one/simple\n", encoding="utf-8")
    settings = read_index_settings({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(marked)})
    assert settings.index_urls == ("https://one/simple",)
