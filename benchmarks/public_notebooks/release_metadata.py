"""The metadata of a wheel or a source release on an index, kept by its address. Standard library only.

Of a wheel only METADATA is fetched, by ranges. Of a source release PKG-INFO is read, with the requires.txt that
setuptools puts beside it where PKG-INFO names no requirements; its code is never run.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import urllib.request
import zipfile
from pathlib import Path

FOLDER_VARIABLE = "NOTEBOOKS_METADATA"
_TAIL_BYTES, _TIMEOUT_S = 128_000, 60.0
_NAMES = ("PKG-INFO", ".egg-info/requires.txt")


class _RangedFile(io.RawIOBase):
    """A remote file of which only the parts that are read are fetched; its tail at once."""

    def __init__(self, url: str) -> None:
        self.url, self.at = url, 0
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Range": f"bytes=-{_TAIL_BYTES}"}), timeout=_TIMEOUT_S
        ) as answer:
            self.tail = answer.read()
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        self.size = int(total) if total else len(self.tail)
        self.start = self.size - len(self.tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence] + offset
        return self.at

    def read(self, count: int = -1) -> bytes:
        end = self.size if count < 0 else min(self.size, self.at + count)
        if self.at >= end:
            return b""
        if self.at >= self.start:
            data = self.tail[self.at - self.start : end - self.start]
        else:
            wanted = {"Range": f"bytes={self.at}-{end - 1}"}
            with urllib.request.urlopen(
                urllib.request.Request(self.url, headers=wanted), timeout=_TIMEOUT_S
            ) as answer:
                data = answer.read()
        self.at = end
        return data


def read_metadata(url: str) -> str | None:
    """Give the text of the metadata of the file at `url`; None where it has none or cannot be read."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    kept = folder / f"{hashlib.sha256(url.encode()).hexdigest()}.txt"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    try:
        text = _read_wheel(url) if url.endswith(".whl") else _read_source(url)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError):
        return None
    if text is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(kept)
    return text


def _read_wheel(url: str) -> str | None:
    with zipfile.ZipFile(_RangedFile(url)) as wheel:
        names = [each for each in wheel.namelist() if each.endswith(".dist-info/METADATA")]
        names = [each for each in names if each.count("/") == 1]
        return wheel.read(names[0]).decode("utf-8", "replace") if names else None


def _read_source(url: str) -> str | None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
        data = io.BytesIO(answer.read())
    files: dict[str, str] = {}
    if url.endswith(".zip"):
        with zipfile.ZipFile(data) as archive:
            for name in archive.namelist():
                if name.endswith(_NAMES):
                    files[name] = archive.read(name).decode("utf-8", "replace")
    else:
        with tarfile.open(fileobj=data) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(_NAMES):
                    file = archive.extractfile(member)
                    files[member.name] = file.read().decode("utf-8", "replace") if file else ""
    infos = sorted((name for name in files if name.endswith("PKG-INFO")), key=lambda name: name.count("/"))
    if not infos:
        return None
    text = files[infos[0]].replace("\r\n", "\n")
    requires = [name for name in files if name.endswith("requires.txt")]
    if requires and "\nRequires-Dist:" not in text:
        head, part, body = text.partition("\n\n")
        lines = [f"Requires-Dist: {line}" for line in _read_requires(files[requires[0]])]
        text = "\n".join([head.rstrip("\n"), *lines]) + (part or "\n\n") + body
    return text


def _read_requires(text: str) -> list[str]:
    """Read setuptools' requires.txt: lines, and sections `[extra:marker]`."""
    found, condition = [], ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
            parts = [f"({marker})"] if marker else []
            parts += [f'extra == "{extra}"'] if extra else []
            condition = " and ".join(parts)
        elif line:
            found.append(f"{line} ; {condition}" if condition else line)
    return found
