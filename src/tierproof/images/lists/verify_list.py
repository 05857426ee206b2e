"""Check that a file is a complete freeze list: web pages, binary files and truncated lists are refused."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass

from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FreezeFile, parse_freeze

LARGEST_LIST_BYTES = 5_000_000  # a list of 700 packages has 15 kB
_PASS_FREEZE = "Pass the output of `pip freeze`: plain text with one `name==version` per line."
_PAGE = ("<!doctype", "<html", "<head", "<?xml")
_NO_LINE_END = (
    "the last line does not end with a newline, which pip always writes; the list may be incomplete"
)


@dataclass(frozen=True, slots=True)
class VerifiedList:
    """A freeze list that was read.

    Attributes:
        text: of it, decoded.
        file: what it says.
        notes: oddities that are no reason to refuse it.
    """

    text: str
    file: FreezeFile
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Its digest, as the index keeps it."""
        return digest_list(self.text.encode())


def digest_list(content: bytes) -> str:
    """Return the SHA-256 of a list, with Windows line ends read as newlines."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def verify_list(content: bytes, *, source: str, promised: int = 0, sha256: str = "") -> VerifiedList:
    """Read a freeze list and check that it is complete.

    Args:
        content: of the file.
        source: what it is called in an error.
        promised: how many packages its index announces; 0 if unknown.
        sha256: its digest according to its index; empty if unknown.

    Raises:
        UsageError: it is empty, too large, binary, a web page, another kind of file, damaged or cut off.
    """
    if not content.strip():
        raise UsageError(f"{source} is empty", hint=_PASS_FREEZE)
    if len(content) > LARGEST_LIST_BYTES:
        raise UsageError(
            f"{source} is too large for the output of `pip freeze`: over {LARGEST_LIST_BYTES // 1_000_000} MB",
            hint=_PASS_FREEZE,
        )
    text = _decode(content, source)
    if text.lstrip().lower().startswith(_PAGE):
        raise UsageError(
            f"{source} is a web page, not the output of `pip freeze`",
            hint="An error or login page was probably saved instead of the list. Download the list again.",
        )
    file = parse_freeze(text, source=source)
    _refuse_other_kinds(file, source)
    cut = not text.endswith(("\n", "\r"))
    _refuse_cut_lists(file, source, promised, last_line=len(text.splitlines()) if cut else 0)
    if sha256 and sha256.lower() not in (digest_list(content), digest_list(text.encode())):
        raise UsageError(
            f"{source} does not have the SHA-256 digest that the image index gives for this list",
            hint="The list of packages was changed or damaged. Run `tierproof images sync` to fetch it again.",
        )
    return VerifiedList(text, file, (_NO_LINE_END,) if cut else ())


def _decode(content: bytes, source: str) -> str:
    """Decode UTF-8, or the UTF-16 that Windows' shells write."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_text(source, f"byte {error.start} cannot be decoded") from error
    if "\0" in text:
        raise _no_text(source, f"character {text.index(chr(0))} is a zero byte")
    return text


def _no_text(source: str, reason: str) -> UsageError:
    return UsageError(
        f"{source} is not a text file: {reason}",
        hint=_PASS_FREEZE,
    )


def _refuse_other_kinds(file: FreezeFile, source: str) -> None:
    unread = [line for line in file.skipped if not line.repeated]
    if len(unread) > len(file.packages):
        first = unread[0]
        raise UsageError(
            f"{source} is not the output of `pip freeze`: {len(file.packages)} of its lines name a package and its "
            f"version, {len(unread)} do not",
            hint=f"For example line {first.line} ({first.reason}): {first.text[:80]}\n{_PASS_FREEZE}",
        )


def _refuse_cut_lists(file: FreezeFile, source: str, promised: int, last_line: int) -> None:
    hint = "The list is incomplete. Download or create it again."
    for line in file.skipped:
        if line.line == last_line and not line.repeated:
            raise UsageError(f"{source} is cut off on line {last_line}: {line.text[:80]}", hint=hint)
    found = len(file.packages) + len(file.skipped)
    if found < promised:
        raise UsageError(
            f"{source} is cut off: it lists {found} packages, but its index announces {promised}", hint=hint
        )
