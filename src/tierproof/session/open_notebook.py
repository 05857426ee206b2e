"""`tierproof.open_notebook` and `tierproof.recover_notebook`: what the install and recovery cells call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tierproof._version import __version__
from tierproof.session.box import Box, Tone
from tierproof.session.carry_out import carry_out
from tierproof.session.export_results import restore_from
from tierproof.session.kernel_health import examine_kernel, heal_kernel
from tierproof.session.live_line import open_live_line
from tierproof.session.reattach_packages import reattach_packages
from tierproof.session.results_folder import ResultsFolder
from tierproof.session.runtime import find_runtime
from tierproof.session.session import Session

_sessions: dict[Path, Session] = {}


def open_notebook(notebook: str, *, heal: bool = True) -> Session:
    """Open the session of a notebook: describe this runtime, and repair it if it is torn.

    A second call in the same kernel returns the open session. It displays its last step.

    Args:
        notebook: `validate`, `quickstart`, `rescue`, or a name of your own.
        heal: repair a torn kernel at once; False only says what is torn.
    """
    session = _find_session(notebook)

    def step() -> Box:
        with open_live_line() as show:
            show("examining the kernel")
            runtime = find_runtime()
            health = heal_kernel() if heal else examine_kernel()
            kept = _describe_kept(session)
        return Box(
            f"tierproof {__version__} is ready. {health.title}",
            health.tone,
            (*runtime.describe(), *health.lines, *kept),
            health.titles,
            health.rows,
            health.advice,
            health.links,
        )

    session.latest = carry_out("The kernel could not be examined.", step, session._keep)
    return session


def recover_notebook(
    notebook: str = "validate", *, saved: str = "", lock: str = "", trust: bool = False
) -> Session:
    """Continue after a restart, on this runtime or a new one. It is safe to call at any time.

    Args:
        notebook: as for `open_notebook`.
        saved: folder that the export cell wrote to, on a drive; empty uses what this runtime has.
        lock: a copy of the lock that you trust; the archive in `saved` is verified against it.
        trust: accept the archive although nothing verifies it, and run a model's code that lies in `saved`.
    """
    session = _find_session(notebook)

    def step() -> Box:
        with open_live_line() as show:
            return _recover(session, saved, lock, trust=trust, show=show)

    session.latest = carry_out("Not everything could be recovered.", step, session._keep)
    return session


def _recover(session: Session, saved: str, lock: str, *, trust: bool, show: Callable[[str], None]) -> Box:
    show("examining the kernel")
    lines: list[str] = []
    health = heal_kernel()
    if health.tone is Tone.BAD:
        return health
    if health.tone is Tone.NOTE:
        lines.append(health.title)
    folder = Path(saved.strip()).expanduser() if saved.strip() else None
    foreign = False
    if folder is not None:
        foreign, sentence = restore_from(folder, session.folder)
        lines.append(sentence)
    packages = None if folder is None else folder / session.folder.packages_folder.name
    well, sentence = reattach_packages(packages, lock.strip(), trust=trust, on_step=show)
    show("restoring the results")
    lines += [sentence, *session.restore(run_code=trust or not foreign)]
    title = "Recovered; go on with the next cell." if well else "Recovered in part."
    return Box(title, Tone.GOOD if well else Tone.WARN, tuple(lines))


def _find_session(notebook: str) -> Session:
    folder = ResultsFolder.find()
    return _sessions.setdefault(folder.path, Session(notebook, folder))


def _describe_kept(session: Session) -> tuple[str, ...]:
    if session.report is None and session.folder.report_file.is_file():
        restore = f"session = tp.recover_notebook({session.notebook!r})"
        return (
            f"There are results of an earlier run here. To restore them, run the recovery cell, or  {restore}",
        )
    return ()
