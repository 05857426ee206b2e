"""`%load_ext tierproof`: puts the watch into a kernel, and takes it out again."""

from __future__ import annotations

from typing import Any

from tierproof.extension.audit_hook import clear_watch, set_watch
from tierproof.extension.cell_commands import CellJudge
from tierproof.extension.magic import TierproofMagic
from tierproof.extension.shell_calls import ShellCalls
from tierproof.extension.stopped import InstallStopped, describe_stop
from tierproof.extension.watch import Watch

# What a terminal shows of these, which have a page for a notebook.
_PLAIN = (
    ("tierproof.guard.judge.plan", "Plan"),
    ("tierproof.guard.operations.receipt", "Receipt"),
    ("tierproof.guard.mend.diagnosis", "Diagnosis"),
    ("tierproof.guard.mend.heal_result", "Healing"),
    ("tierproof.guard.operations.history_listing", "History"),
    ("tierproof.guard.operations.history_listing", "Additions"),
    ("tierproof.guard.operations.save", "Saved"),
    ("tierproof.guard.operations.collect_garbage", "Collected"),
)
_ATTRIBUTE = "_tierproof_extension"


class Extension:
    """What one shell was given, and what must be taken back.

    Args:
        shell: an InteractiveShell.
        watch: judges; made here by default.
    """

    def __init__(self, shell: Any, watch: Watch | None = None) -> None:
        self.shell = shell
        self.watch = watch or Watch()
        self._calls = ShellCalls(shell, self.watch)
        self._judge = CellJudge(self.watch, make_rejection)
        self._magic = TierproofMagic(self.watch)

    def load(self) -> None:
        """Register everything; what the environment looks like is noted first."""
        self.watch.begin()
        try:
            self._register()
        except BaseException:
            self.unload()
            raise

    def _register(self) -> None:
        self._calls.wrap()
        self.shell.ast_transformers.append(self._judge)
        self.shell.events.register("pre_run_cell", self._before_cell)
        self.shell.events.register("post_run_cell", self._after_cell)
        self.shell.register_magic_function(self._magic.run, magic_kind="line", magic_name="tierproof")
        for module, name in _PLAIN:
            self._plain.for_type_by_name(module, name, _print_plainly)
        set_watch(self.watch)

    def unload(self) -> None:
        """Take everything back."""
        clear_watch()
        self.watch.enabled = False  # somebody may have kept a wrapper
        self._calls.unwrap()
        if self._judge in self.shell.ast_transformers:
            self.shell.ast_transformers.remove(self._judge)
        for event, callback in (("pre_run_cell", self._before_cell), ("post_run_cell", self._after_cell)):
            try:
                self.shell.events.unregister(event, callback)
            except ValueError:  # somebody has taken it out already
                continue
        self.shell.magics_manager.magics["line"].pop("tierproof", None)
        for module, name in _PLAIN:
            self._plain.pop(f"{module}.{name}", None)

    @property
    def _plain(self) -> Any:
        return self.shell.display_formatter.formatters["text/plain"]

    def _before_cell(self, info: Any) -> None:
        self.watch.before_cell(str(getattr(info, "raw_cell", "") or ""))

    def _after_cell(self, _result: Any) -> None:
        self.watch.after_cell()


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext tierproof`."""
    if getattr(shell, _ATTRIBUTE, None) is None:
        extension = Extension(shell)
        extension.load()
        setattr(shell, _ATTRIBUTE, extension)


def unload_ipython_extension(shell: Any) -> None:
    """Called by `%unload_ext tierproof`."""
    extension = getattr(shell, _ATTRIBUTE, None)
    if extension is not None:
        setattr(shell, _ATTRIBUTE, None)
        extension.unload()


def _print_plainly(value: Any, printer: Any, cycle: bool) -> None:  # noqa: ARG001 - as IPython calls it
    tell = getattr(value, "describe", None) or value.to_text
    printer.text(tell())


def make_rejection(stop: InstallStopped) -> Exception:
    """Make of a stop the error that IPython takes as a cell rejected: any other would unregister its source."""
    from IPython.core.error import InputRejected

    class InstallStoppedBeforeTheCell(InputRejected, InstallStopped):
        """The cell was not run at all."""

    InstallStoppedBeforeTheCell.__name__ = InstallStopped.__name__
    InstallStoppedBeforeTheCell.__qualname__ = InstallStopped.__qualname__
    message = describe_stop("the cell", stop.foreseen)
    return InstallStoppedBeforeTheCell(message, hint=stop.hint, foreseen=stop.foreseen, plan=stop.plan)
