"""The error that ends a cell before an installer changes what is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.core.addresses import troubleshooting_address
from tierproof.core.plain_text import clean_text
from tierproof.errors import TierproofError
from tierproof.guard.foresee.foreseen import Foreseen
from tierproof.guard.judge.plan import Plan


class InstallStopped(TierproofError):  # noqa: N818 - what happened, as the user reads it
    """An install command was not run: it would have replaced or removed something that this kernel has loaded.

    Attributes:
        foreseen: the commands that would have done so.
        plan: how tierproof would serve the same request; None where that could not be worked out.
    """

    slug = "install-stopped"

    def __init__(
        self, message: str, *, hint: str, foreseen: tuple[Foreseen, ...] = (), plan: Plan | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.foreseen = foreseen
        self.plan = plan

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return render(self)


def describe_stop(what: str, harmful: Sequence[Foreseen]) -> str:
    """Say that something was not run, and which loaded packages it would have changed.

    Args:
        what: "the command", or "the cell" where no line of the cell ran.
        harmful: the commands that would change them.
    """
    names = ", ".join(dict.fromkeys(change.name for each in harmful for change in each.harms))
    return f"{what} was not run: it would change {names}, which this kernel has loaded."


def render(error: TierproofError) -> list[str]:
    """Give an error as the lines that a notebook shows: message, next step and page, without a traceback."""
    first, *rest = clean_text(error.message).splitlines() or [""]
    address = troubleshooting_address(error.slug)
    return [
        f"{type(error).__name__}: {first}",
        *rest,
        *(["", *clean_text(error.hint).splitlines()] if error.hint else []),
        *([f"More: {address}"] if address else []),
    ]
