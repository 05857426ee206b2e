"""Carry out a step of a notebook: every error becomes a box, so that *Run all* goes on."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from tierproof.core.addresses import FEEDBACK, troubleshooting_address
from tierproof.errors import TierproofError
from tierproof.session.box import Box, Tone

Shown = TypeVar("Shown")


def carry_out(title: str, step: Callable[[], Shown], keep: Callable[[BaseException], None]) -> Shown | Box:
    """Give what `step` gives; of an error, a box that says what is wrong and what to do.

    Args:
        title: of that box.
        step: to be carried out.
        keep: told the error, so that its traceback can be looked at. Ctrl-C passes.
    """
    try:
        return step()
    except TierproofError as error:
        keep(error)
        address = troubleshooting_address(error.slug)
        return Box(
            title,
            Tone.BAD,
            (error.message,),
            advice=(error.hint,) if error.hint else (),
            links=(("More", address),) if address else (),
        )
    except Exception as error:  # noqa: BLE001 - shown, and kept with its traceback
        keep(error)
        return Box(
            title,
            Tone.BAD,
            (f"Unexpected error: {type(error).__name__}: {error}", f"It was raised in {_place(error)}."),
            advice=("Run `session.show_traceback()` to see the whole traceback, and please report it.",),
            links=(("Report it", FEEDBACK),),
        )


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "an unknown place"
