"""Is this kernel torn, and mend it: as boxes of a notebook.

The tone of a box tells how the kernel is afterwards: good is whole, a note is mended just now, bad is torn.
"""

from __future__ import annotations

from tierproof.api.packages.doctor import doctor
from tierproof.api.packages.heal import heal
from tierproof.core.addresses import TROUBLESHOOTING
from tierproof.errors import TierproofError
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.heal_result import Healing
from tierproof.guard.mend.torn import Remedy
from tierproof.session.box import Box, Tone

_WHOLE = "This kernel is healthy: the loaded packages match those on disk."
_TITLES = ("package", "loaded", "on disk")
_MOST_PACKAGES = 6
_RESTART = (
    "Restart the kernel (Runtime → Restart session on Colab, Kernel → Restart elsewhere), then run the "
    "recovery cell, or this notebook from the top. Nothing has to be installed again."
)
_LINKS = (("Troubleshooting", TROUBLESHOOTING),)


def examine_kernel() -> Box:
    """Say what is torn, and what tore it."""
    found = doctor()
    if found.healthy:
        return Box(_WHOLE, Tone.GOOD, found.notes)
    return _show_torn(
        found,
        f"This kernel runs other versions than those on disk: {_names(found)}.",
        ("Run the next cell to repair it.",),
    )


def heal_kernel() -> Box:
    """Mend what is torn, and say what is left to do."""
    found = doctor()
    if found.healthy:
        return Box(_WHOLE, Tone.GOOD, found.notes)
    if all(each.remedy is not Remedy.HEAL for each in found.torn):
        return _show_beyond(found)
    try:
        healing = heal()
    except TierproofError as error:
        return Box(
            f"This kernel runs other versions than those on disk ({_names(found)}), and could not be repaired.",
            Tone.BAD,
            (error.message,),
            advice=(_RESTART,),
            links=_LINKS,
        )
    return _show_healing(healing)


def _show_healing(healing: Healing) -> Box:
    healed = tuple(
        f"{each.package} {each.version}, which this kernel has loaded, is on disk again"
        + (
            f" in place of {each.replaced_version}."
            if each.replaced_version
            else "; the disk had no version of it."
        )
        for each in healing.healed
    )
    if healing.ok:
        names = ", ".join(each.package for each in healing.healed)
        return Box(
            "This kernel ran other versions than those on disk, and was repaired without a restart"
            + (f": {names}." if names else "."),
            Tone.NOTE,
            healed,
        )
    failed = tuple(f"{each.package}: {each.reason}" for each in healing.failed)
    return _show_beyond(healing.diagnosis, (*healed, *failed))


def _show_beyond(found: Diagnosis, lines: tuple[str, ...] = ()) -> Box:
    remedies = {each.remedy for each in found.torn}
    if remedies == {Remedy.REINSTALL}:
        title = f"Files of {_names(found)} are damaged on disk."
        advice = (f"Install {_names(found)} again, then restart the kernel.",)
    elif Remedy.REINSTALL in remedies:
        title = (
            f"This kernel runs other versions than those on disk ({_names(found)}), and a restart alone would not "
            "repair it."
        )
        advice = (
            "Call tp.doctor(): it names the command that reinstalls each damaged package. Then restart the kernel.",
        )
    else:
        title = (
            f"This kernel runs other versions than those on disk ({_names(found)}) and cannot be repaired: it has to "
            "be restarted."
        )
        advice = (_RESTART,)
    shown = _show_torn(found, title, advice)
    return Box(title, Tone.BAD, (*lines, *shown.lines), shown.titles, shown.rows, advice, _LINKS)


def _show_torn(found: Diagnosis, title: str, advice: tuple[str, ...]) -> Box:
    shown = found.torn[:_MOST_PACKAGES]
    rows = tuple((each.package, each.loaded_version, each.disk_version) for each in shown)
    details = tuple(each.detail for each in shown)
    return Box(title, Tone.BAD, (*details, *found.notes), _TITLES if rows else (), rows, advice, _LINKS)


def _names(found: Diagnosis) -> str:
    return ", ".join(dict.fromkeys(each.package for each in found.torn))
