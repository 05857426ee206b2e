"""What a failed forward pass teaches about its inputs: sizes that must be equal, ranks, dtypes, multiples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Sizes that were one and must be another: pairs of (got, want), to be mended together."""

    pairs: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        """In words, for messages."""
        return ", ".join(f"a size of {want} instead of {got}" for got, want in self.pairs)


@dataclass(frozen=True)
class Multiple:
    """A size that must be a multiple of another."""

    got: int
    of: int

    def __str__(self) -> str:
        """In words, for messages."""
        return f"a size that is a multiple of {self.of} instead of {self.got}"


@dataclass(frozen=True)
class Rank:
    """A tensor of `got` axes that must have `want`; `got` is None where it was not told."""

    got: int | None
    want: int

    def __str__(self) -> str:
        """In words, for messages."""
        return f"{self.want} axes" + ("" if self.got is None else f" instead of {self.got}")


@dataclass(frozen=True)
class MoreAxes:
    """A tensor that needs more axes (or fewer, where negative)."""

    more: int

    def __str__(self) -> str:
        """In words, for messages."""
        return f"{abs(self.more)} {'more' if self.more > 0 else 'fewer'} axes"


@dataclass(frozen=True)
class Kind:
    """A tensor that must hold "int", "float" or "bool" values."""

    dtype: str

    def __str__(self) -> str:
        """In words, for messages."""
        return f"{self.dtype} values"


@dataclass(frozen=True)
class Whole:
    """Floats that the model makes ids of, and that must therefore be whole numbers from 0."""

    def __str__(self) -> str:
        """In words, for messages."""
        return "integer ids"


@dataclass(frozen=True)
class Larger:
    """Sizes that are too small for a window or a pooling."""

    def __str__(self) -> str:
        """In words, for messages."""
        return "larger sizes"


@dataclass(frozen=True)
class Needed:
    """An argument that must be passed; an empty name stands for an optional one that was None."""

    name: str = ""

    def __str__(self) -> str:
        """In words, for messages."""
        return f"the argument {self.name}" if self.name else "a value for an argument that was None"


@dataclass(frozen=True)
class Keys:
    """An argument that must be a dict with these keys."""

    name: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        """In words, for messages."""
        return f"{self.name} as a dict with the keys {', '.join(self.keys)}"


Lesson = Sizes | Multiple | Rank | MoreAxes | Kind | Larger | Whole | Needed | Keys
