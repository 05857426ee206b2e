"""The configuration that uv is given: nothing of the user's, and how long PyPI's answers may be kept."""

from __future__ import annotations

from pathlib import Path

from tierproof.guard.resolve.index_settings import DEFAULT_INDEX, IndexSettings

_FILE = "uv.toml"
# What PyPI itself says of its pages and files. Proxies and mirrors that stand in for it often drop these
# headers, and uv then fetches the metadata of every candidate again in every run (astral-sh/uv#10444).
_PYPI = f"""[[index]]
url = "{DEFAULT_INDEX}"
default = true
cache-control = {{ api = "max-age=600", files = "max-age=365000000, immutable" }}
"""


def write_uv_config(settings: IndexSettings, folder: Path) -> list[str]:
    """Write what uv needs into `folder`, and give the options that have it read that and nothing else."""
    if not settings.defaults_to_pypi:
        return ["--no-config"]
    path = folder / _FILE
    path.write_text(_PYPI, encoding="utf-8")
    return ["--config-file", str(path.absolute())]
