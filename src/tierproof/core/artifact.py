"""What a check measured that is too large for the report's document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file beside the report.

    Attributes:
        name: what it holds, such as `attention_maps`; unique within one result.
        suffix: of its file, with the dot: `.npz`, `.csv`, `.svg`.
        content: the whole file.
    """

    name: str
    suffix: str
    content: bytes

    def file_name(self, stem: str, code: str) -> str:
        """The name of its file beside the report `stem.*`, for the result of the check `code`."""
        return f"{stem}.{code}.{self.name}{self.suffix}"
