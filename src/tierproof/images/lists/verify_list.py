"""Whether what came as a freeze list is one, and whole: pages, binary files and cut ends are refused."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass

from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FreezeFile, SkippedLine, parse_freeze

LARGEST_LIST_BYTES = 5_000_000  # a list of 700 packages has 15 kB
_PAGE = ("<!doctype", "<html", "<head", "<?xml")
_REPEATED = "already"  # how the reason for a repeated package ends
_NO_LINE_END = "the last line has no line end, which pip always writes: is the list complete?"


@dataclass(frozen=True, slots=True)
class VerifiedList:
    """A freeze list that was read.

    Attributes:
        text: of it, decoded.
        file: what it says.
        notes: what is odd about it, and yet no reason to refuse it.
    """

    text: str
    file: FreezeFile
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Its digest, as the index keeps it."""
        return digest_list(self.text.encode())


def digest_list(content: bytes) -> str:
    """Give the SHA-256 of a list; a line ends alike on every system."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def verify_list(content: bytes, *, source: str, promised: int = 0, sha256: str = "") -> VerifiedList:
    """Read a freeze list, or say what is wrong with it.

    Args:
        content: of the file.
        source: what it is called in an error.
        promised: how many packages its index says that it has; 0 where nobody says.
        sha256: its digest according to its index; empty where nobody says.

    Raises:
        UsageError: it is empty, too large, binary, a web page, another kind of file, damaged or cut off.
    """
    if not content.strip():
        raise UsageError(f"{source} is empty", hint="It must be what `pip freeze` prints.")
    if len(content) > LARGEST_LIST_BYTES:
        raise UsageError(
            f"{source} is too large for a freeze list: over {LARGEST_LIST_BYTES // 1_000_000} MB"
        )
    text = _decode(content, source)
    if text.lstrip().lower().startswith(_PAGE):
        raise UsageError(
            f"{source} is a web page, not a freeze list",
            hint="It may be an error or login page that was saved in place of the list; fetch the list again.",
        )
    file = parse_freeze(text, source=source)
    _refuse_other_kinds(file, source)
    cut = not text.endswith(("\n", "\r"))
    _refuse_cut_lists(file, source, promised, last_line=len(text.splitlines()) if cut else 0)
    if sha256 and sha256.lower() not in (digest_list(content), digest_list(text.encode())):
        raise UsageError(
            f"{source} is not the list that its index names: the digest differs",
            hint="It was changed or damaged. `tierproof images sync` fetches it again.",
        )
    return VerifiedList(text, file, (_NO_LINE_END,) if cut else ())


def _decode(content: bytes, source: str) -> str:
    """Decode UTF-8, or the UTF-16 that Windows' shells write."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_text(source, f"byte {error.start} cannot be read") from error
    if "\0" in text:
        raise _no_text(source, f"character {text.index(chr(0))} is a zero byte")
    return text


def _no_text(source: str, reason: str) -> UsageError:
    return UsageError(
        f"{source} is no text: {reason}",
        hint="A freeze list is plain text, one name==version a line, as `pip freeze` prints it.",
    )


def _is_repeated(line: SkippedLine) -> bool:
    return line.reason.endswith(_REPEATED)


def _refuse_other_kinds(file: FreezeFile, source: str) -> None:
    unread = [line for line in file.skipped if not _is_repeated(line)]
    if len(unread) > len(file.packages):
        first = unread[0]
        raise UsageError(
            f"{source} is no freeze list: {len(unread)} of its lines name no package with a version, "
            f"{len(file.packages)} do",
            hint=f"Line {first.line}, for one: {first.reason}: {first.text[:80]}\n"
            "A freeze list is what `pip freeze` prints.",
        )


def _refuse_cut_lists(file: FreezeFile, source: str, promised: int, last_line: int) -> None:
    hint = "The list is incomplete; fetch or make it again."
    for line in file.skipped:
        if line.line == last_line and not _is_repeated(line):
            raise UsageError(f"{source} is cut off in line {last_line}: {line.text[:80]}", hint=hint)
    found = len(file.packages) + len(file.skipped)
    if found < promised:
        raise UsageError(
            f"{source} is cut off: {found} packages where its index promises {promised}", hint=hint
        )
