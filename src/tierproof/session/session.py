"""The session of a notebook: one method for each cell. A user's mistake becomes a box, never an exception."""

from __future__ import annotations

import contextlib
import time
import traceback
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from tierproof.api.audit.audit import audit as audit_step
from tierproof.api.check import check as check_model
from tierproof.api.show.progress import ProgressOption
from tierproof.core.json_value import JsonValue
from tierproof.core.report import Report
from tierproof.errors import TierproofError, UsageError
from tierproof.guard.judge.plan import Plan
from tierproof.session.add_packages import add_packages, carry_out_plan
from tierproof.session.box import Box, Tone
from tierproof.session.carry_out import carry_out
from tierproof.session.choose_model import ChosenModel, load_choice, user_variables
from tierproof.session.conclusion import conclude
from tierproof.session.export_results import ExportRequest, export_results
from tierproof.session.held_output import hold_output
from tierproof.session.kernel_health import examine_kernel, heal_kernel
from tierproof.session.live_line import open_live_line
from tierproof.session.model_choice import ModelChoice, Source, read_choice
from tierproof.session.results_folder import ResultsFolder
from tierproof.session.shown_report import ShownReport

if TYPE_CHECKING:
    from torch import nn

KERNEL = uuid.uuid4().hex  # tells this kernel from the one before a restart
_MOST_NAMES = 40
# What the notebooks' own cells assign: its loss is no news. A test compares this with the recipes.
NOTEBOOK_NAMES = frozenset(
    {
        "download", "drive_folder", "ensure_tierproof", "install", "lock", "packages", "saved", "session", "source",
        "tier", "to_drive", "tp", "trust_archive", "trust_its_code", "value",
    }
)  # fmt: skip

Shown = TypeVar("Shown", bound=Box | ShownReport)


class Session:
    """What one notebook has chosen, found and written, and the steps that its cells call.

    Args:
        notebook: its name.
        folder: where results are kept, for after a restart.
    """

    def __init__(self, notebook: str, folder: ResultsFolder) -> None:
        self.notebook = notebook
        self.folder = folder
        self.choice: ModelChoice | None = None
        self.report: Report | None = None
        self.latest: Box | ShownReport = Box("This notebook is ready.", Tone.NOTE)
        self.problem = ""
        self._begun = False
        self._chosen: ChosenModel | None = None
        self._in_memory: nn.Module | None = None
        self._waiting: Plan | None = None
        self._error: BaseException | None = None
        self._measured_s: dict[str, float] = {}

    # What a cell calls

    def choose(self, source: str, value: str = "", *, trust: bool = False) -> Box:
        """Choose and load the model.

        Args:
            source: example, path, upload, gist, hub or variable.
            value: what the source needs: a path, an id, a name.
            trust: run code that comes with a gist or a hub model.
        """
        self.choice, self._chosen, self.report, self.problem = None, None, None, ""
        self._in_memory = None
        self._begin()

        def step() -> Box:
            with hold_output():
                self._chosen = load_choice(
                    read_choice(source, value, trust=trust), self.folder.path / "uploads"
                )
            self.choice = self._chosen.choice
            self._write_state()
            return _describe_model(self._chosen)

        return self._show(carry_out("The model could not be loaded.", step, self._keep_problem))

    def check(self, model: nn.Module | None = None, *, tier: int | str = 1) -> ShownReport | Box:
        """Check the chosen model, or one that is in memory; keep the report and the weights.

        Args:
            tier: 1 looks for bugs, 2 shows what the model does inside; "all" does both.
        """
        self.report, self._in_memory = None, model
        self._begin()

        def step() -> ShownReport:
            with open_live_line() as show, hold_output() as held:
                target = "the model in memory" if model is not None else ""
                report = self._check(
                    model,
                    _read_tier(tier),
                    target,
                    lambda done, total, name: show(_count(done, total, name)),
                )
            self.report, self.problem = report, ""
            return ShownReport(report, (*held.describe(), *self._keep_results()))

        return self._show(carry_out("The model could not be checked.", step, self._keep_problem))

    def audit(self, step: Any, batches: Iterable[Any] | None = None, **parts: Any) -> ShownReport | Box:
        """Audit a training step, or a trainer; `parts` are the other arguments of `tierproof.audit`."""
        self._begin()

        def carry() -> ShownReport:
            with open_live_line() as show, hold_output() as held:
                report = audit_step(
                    step,
                    batches,
                    **parts,
                    progress=lambda done, total, name: show(_count(done, total, name)),
                )
            return ShownReport(report, held.describe())

        return self._show(carry_out("The training step could not be audited.", carry, self._keep))

    def add_packages(self, packages: str, install: str = "auto") -> Box:
        """Plan the requested packages, show the plan, and add them if the switch says auto and the plan is safe.

        Args:
            packages: requirements, separated by spaces.
            install: auto, ask or never.
        """
        self._waiting = None

        def step() -> Box:
            began = time.perf_counter()
            with open_live_line() as show:
                done = add_packages(packages, install, show)
            if packages.strip():
                self._measured_s["packages"] = time.perf_counter() - began
            self._waiting = done.waiting
            self._write_state()
            return done.box

        return self._show(carry_out("Nothing was added.", step, self._keep))

    def confirm(self) -> Box:
        """Confirm the plan that was shown last, with the consent that it needs."""

        def step() -> Box:
            if self._waiting is None:
                raise UsageError(
                    "no plan is waiting for confirmation", hint="Run the cell that adds packages first."
                )
            plan, self._waiting = self._waiting, None
            with open_live_line() as show:
                return carry_out_plan(plan, show)

        return self._show(carry_out("Nothing was added.", step, self._keep))

    def export(self, *, download: bool = False, to_drive: bool = False, drive_folder: str = "") -> Box:
        """Write the report, its figures and the added packages; offer them to the browser and to a drive.

        Args:
            download: hand one archive to the browser.
            to_drive: copy everything to Google Drive.
            drive_folder: copy it there instead.
        """

        def step() -> Box:
            self._write_state()
            with open_live_line() as show:
                done = export_results(
                    self.report, self.folder, ExportRequest(download, to_drive, drive_folder.strip()), show
                )
            if done.figures_s is not None:
                self._measured_s["figures"] = done.figures_s
            return done.box

        return self._show(carry_out("The results could not be exported.", step, self._keep))

    def conclude(self) -> Box:
        """Show the verdict, which follows from the results, and what else can be done."""

        def step() -> Box:
            with open_live_line():
                return conclude(self.report, self.problem, self._measured_s)

        return self._show(carry_out("The verdict could not be given.", step, self._keep))

    def examine(self) -> Box:
        """Say whether this kernel is torn, and by what."""
        return self._show(carry_out("The kernel could not be examined.", examine_kernel, self._keep))

    def heal(self) -> Box:
        """Repair this kernel without a restart."""
        return self._show(carry_out("The kernel could not be repaired.", heal_kernel, self._keep))

    def show_traceback(self) -> None:
        """Print the traceback of the last error."""
        text = "No step has failed.\n"
        if self._error is not None:
            text = "".join(traceback.format_exception(self._error))
        print(text, end="")  # noqa: T201 - asked for

    @property
    def model(self) -> nn.Module:
        """The model in memory that was checked last, or the chosen one.

        Raises:
            UsageError: there is none.
        """
        if self._in_memory is not None:
            return self._in_memory
        if self._chosen is None:
            raise UsageError(
                f"no model is chosen{': ' + self.problem if self.problem else ''}",
                hint="Run the cell that chooses the model.",
            )
        return self._chosen.loaded.model

    # After a restart

    def restore(self, *, run_code: bool = True) -> tuple[str, ...]:
        """Restore what the kernel before the restart left; say what is restored and what is lost.

        Args:
            run_code: load the model, which runs its code; False where that came from a folder of others.
        """
        state = self.folder.read_state()
        if self._begun or state.get("kernel") == KERNEL:
            return ("Nothing was lost since the last step.",)
        if not state:
            return ("Nothing was chosen or checked yet, so nothing had to be restored.",)
        lines = [_describe_lost(state)]
        self.report = self.folder.read_report() if state.get("checked") else None
        if self.report is not None:
            lines.append(f"The last report is restored: {self.report.target}, {self.report.verdict.value}.")
        self.problem = str(state.get("problem", ""))
        lines.append(self._restore_model(state.get("choice"), run_code=run_code))
        self._write_state()
        return tuple(lines)

    def _restore_model(self, document: JsonValue, *, run_code: bool) -> str:
        if not isinstance(document, dict):
            return "No model was chosen yet."
        try:
            choice = ModelChoice.from_dict(document)
        except (KeyError, ValueError):
            return "The saved choice cannot be read: choose the model again in step 3."
        if not run_code and choice.source is not Source.EXAMPLE:
            return (
                "The model was not loaded: anyone who can write to the saved folder could have changed its code. "
                "Choose the model again in step 3, or set trust_archive and run this cell again."
            )
        try:
            self._chosen = load_choice(choice, self.folder.path / "uploads")
        except TierproofError as error:
            return f"The model could not be restored: {error.message}. {error.hint}"
        self.choice = self._chosen.choice
        if self.report is None:
            return f"The model is loaded again: {_name(self._chosen)}."
        why_not = self.folder.load_weights(self._chosen.loaded.model)
        weights = (
            f"without its checked weights ({why_not})" if why_not else "with the weights that were checked"
        )
        return f"The model is loaded again, {weights}: {_name(self._chosen)}."

    # Details

    def _begin(self) -> None:
        """From here on this kernel's results count, and none of a kernel before it."""
        self._begun = True
        with contextlib.suppress(TierproofError):  # `_keep_results` says so where the disk cannot be written
            self._write_state()

    def _check(
        self, model: nn.Module | None, tier: int | str, target: str, progress: ProgressOption
    ) -> Report:
        if model is not None:
            return check_model(model, tier=tier, progress=progress, target=target)
        loaded = self._require_chosen().loaded
        with loaded.scope:
            return check_model(
                loaded.model,
                tier=tier,
                progress=progress,
                target=_name(self._require_chosen()),
                assumptions=loaded.assumptions,
            )

    def _require_chosen(self) -> ChosenModel:
        if self._chosen is None:
            _ = self.model  # says why there is none
        assert self._chosen is not None
        return self._chosen

    def _keep_results(self) -> tuple[str, ...]:
        """Write what a restart would lose; a disk that cannot be written is said, and costs no result."""
        assert self.report is not None
        try:
            self.folder.write_report(self.report)
            lost = self.folder.write_weights(self.model)
            self._write_state()
        except TierproofError as error:
            return (f"A restart would lose this result: {error.message}",)
        return (f"A restart would lose the model's weights: {lost}.",) if lost else ()

    def _write_state(self) -> None:
        names = sorted(user_variables().keys() - NOTEBOOK_NAMES)
        self.folder.write_state(
            {
                "notebook": self.notebook,
                "kernel": KERNEL,
                "choice": None if self.choice is None else self.choice.to_dict(),
                "checked": self.report is not None,
                "problem": self.problem,
                "variables": names[:_MOST_NAMES],
            }
        )

    def _keep(self, error: BaseException) -> None:
        self._error = error

    def _keep_problem(self, error: BaseException) -> None:
        self._error = error
        self.problem = (
            error.message if isinstance(error, TierproofError) else f"{type(error).__name__}: {error}"
        )

    def _show(self, shown: Shown) -> Shown:
        self.latest = shown
        return shown

    def __repr__(self) -> str:
        return repr(self.latest)

    def _repr_html_(self) -> str:
        return self.latest._repr_html_()


def _read_tier(tier: int | str) -> int | str:
    """A tier as a form gives it, as a number."""
    return int(tier) if isinstance(tier, str) and tier.isdigit() else tier


def _describe_model(chosen: ChosenModel) -> Box:
    model = chosen.loaded.model
    parameters = sum(parameter.numel() for parameter in model.parameters())
    lines = [f"{type(model).__name__} with {parameters:,} parameters: {_name(chosen)}."]
    return Box("The model is loaded.", Tone.GOOD, (*lines, *chosen.loaded.assumptions))


def _name(chosen: ChosenModel) -> str:
    if chosen.choice.source is Source.EXAMPLE:
        return f"the example, {type(chosen.loaded.model).__name__}"
    return chosen.loaded.target


def _describe_lost(state: dict[str, JsonValue]) -> str:
    names = state.get("variables")
    if not isinstance(names, list) or not names:
        return "The kernel was restarted. No variables of yours were lost."
    more = " and more" if len(names) == _MOST_NAMES else ""
    lost = ", ".join(map(str, names))
    return f"The kernel was restarted. These variables were lost, as in any restart: {lost}{more}."


def _count(done: int, total: int, name: str) -> str:
    return f"{name} ({done + 1} of {total})" if total else name
