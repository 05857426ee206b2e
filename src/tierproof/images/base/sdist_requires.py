"""What a source archive declares that it needs, read without building it."""

from __future__ import annotations

import email.parser
import email.policy
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tierproof.guard.resolve.wheel_metadata import fetch

_LARGEST_BYTES = 60_000_000
_LARGEST_TEXT_BYTES = 4_000_000


def read_sdist_requires(url: str, bytes_: int, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Give the Requires-Dist lines of the archive at `url`, or None if it cannot be read.

    Static metadata where it lists requirements, else the `requires.txt` that setuptools left beside it.

    Args:
        url: http, https or file.
        bytes_: its size; one over 60 MB is not fetched.
        environment: its SSL_CERT_FILE is honoured.
    """
    if bytes_ > _LARGEST_BYTES:
        return None
    try:
        texts = dict(_iterate_texts(urlsplit(url).path, fetch(url, environment)))
    except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile):
        return None
    metadata = texts.get("PKG-INFO")
    if metadata is None:
        return None
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(metadata, headersonly=True)
    lines = tuple(str(line) for line in message.get_all("Requires-Dist", []))
    return lines or tuple(parse_requires_txt(texts.get("requires.txt", "")))


def parse_requires_txt(text: str) -> Iterator[str]:
    """Yield the lines of an egg-info's `requires.txt` as Requires-Dist; its sections are `[extra:marker]`."""
    suffix = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            parts = [f"({marker})"] if marker else []
            parts += [f'extra == "{extra}"'] if extra else []
            suffix = f"; {' and '.join(parts)}" if parts else ""
        else:
            yield f"{line}{' ' if suffix and ' @ ' in line else ''}{suffix}"


def _iterate_texts(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the archive's own PKG-INFO and its egg-info's requires.txt."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                if (name := _choose(entry.filename)) and entry.file_size <= _LARGEST_TEXT_BYTES:
                    yield name, archive.read(entry).decode("utf-8", "replace")
        return
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as bundle:
        for member in bundle:
            name = _choose(member.name)
            if name and member.isfile() and member.size <= _LARGEST_TEXT_BYTES:
                stream = bundle.extractfile(member)
                if stream is not None:
                    yield name, stream.read().decode("utf-8", "replace")


def _choose(path: str) -> str:
    parts = path.strip("/").split("/")
    if len(parts) == 2 and parts[1] == "PKG-INFO":
        return "PKG-INFO"
    if parts[-1] == "requires.txt" and len(parts) >= 3 and parts[-2].endswith(".egg-info"):
        return "requires.txt"
    return ""
