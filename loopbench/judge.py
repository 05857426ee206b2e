"""Whether a fault is found and located, and whether a sound loop gets alarms."""

from __future__ import annotations

import importlib.util
import random
import time
import warnings
from dataclasses import dataclass
from typing import Any

import torch

import tierproof
from loopbench.digest import take_digest
from loopbench.fault import Fault
from loopbench.load_loop import load_loop
from tierproof.training.audit.trials import step_runner


@dataclass(frozen=True)
class Alarm:
    """An error or a warning: what was said, and of which line or part."""

    code: str
    severity: str
    where: str
    line: str
    message: str


@dataclass(frozen=True)
class Audited:
    """What the audit made of one loop.

    Attributes:
        alarms: errors, then warnings.
        errored: rules that crashed, with the reason.
        refused: the message, where the audit could not be made.
        unlike: paths of what was not left as it came.
        steps: how many calls of the step were made.
        seconds: of the whole audit.
        lacking: a package that the loop needs and that is not installed.
    """

    name: str
    alarms: tuple[Alarm, ...] = ()
    errored: tuple[str, ...] = ()
    refused: str = ""
    unlike: tuple[str, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    lacking: str = ""

    def list_alarms(self, severity: str) -> tuple[Alarm, ...]:
        """Those of one severity."""
        return tuple(each for each in self.alarms if each.severity == severity)


@dataclass(frozen=True)
class Judgement:
    """What was found of one fault; `own` are the alarms that the sound loop does not have."""

    fault: Fault
    audited: Audited
    own: tuple[Alarm, ...]

    @property
    def found(self) -> bool:
        """Whether there is an error or a warning that the sound loop does not have, or the step is refused."""
        return bool(self.own or self.audited.refused)

    @property
    def located(self) -> bool:
        """Whether one of them names the line, or the parameter or part."""
        if any(name in self.audited.refused for name in self.fault.names):
            return True
        return any(_names(alarm, self.fault) for alarm in self.own)

    @property
    def is_error(self) -> bool:
        """Whether one of them is an error."""
        return any(alarm.severity == "error" for alarm in self.own)


def _names(alarm: Alarm, fault: Fault) -> bool:
    if any(line in alarm.line for line in fault.lines if alarm.line):
        return True
    return any(name in alarm.where or name in alarm.message for name in fault.names)


def audit_loop(name: str, source: str, seed: int = 0) -> Audited:
    """Audit a loop that is given by its source, on one thread: the models are tiny."""
    torch.set_num_threads(1)
    needed = "accelerate import" in source or ("transformers import" in source and "Trainer" in source)
    if needed and importlib.util.find_spec("accelerate") is None:
        return Audited(name, lacking="accelerate")
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = load_loop(name, source, seed)
        random.seed(seed + 1)
        before = take_digest(arguments)
        with _CountedSteps() as steps:
            try:
                report = tierproof.audit(**arguments, seed=seed, progress=False)
            except tierproof.TierproofError as error:
                refused = f"{error.message} {error.hint}".strip()
                return Audited(name, refused=refused, unlike=_compare(before, take_digest(arguments)))
            except Exception as error:  # noqa: BLE001 - told as a rule that crashed
                return Audited(
                    name, errored=(f"the audit raised {type(error).__name__}: {str(error)[:300]}",)
                )
    unlike = _compare(before, take_digest(arguments))
    alarms = [_read(finding) for finding in report.findings if finding.severity.value != "info"]
    return Audited(
        name,
        tuple(sorted(alarms, key=lambda each: each.severity != "error")),
        tuple(f"{each.code}: {each.reason}" for each in report.results if each.outcome == "errored"),
        unlike=unlike,
        steps=steps.count,
        seconds=time.perf_counter() - started,
    )


def _read(finding: Any) -> Alarm:
    line = str(finding.evidence.get("source", ""))
    return Alarm(finding.code, finding.severity.value, finding.where, line, finding.message)


def _compare(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    return tuple(path for path in sorted({*before, *after}) if before.get(path) != after.get(path))


class _CountedSteps:
    """Counts the calls of the user's step while it is active."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> _CountedSteps:
        self._record = step_runner.record_step

        def record(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            return self._record(*arguments, **options)

        step_runner.record_step = record
        return self

    def __exit__(self, *_: object) -> None:
        step_runner.record_step = self._record


def judge_fault(fault: Fault, sound: Audited) -> Judgement:
    """Audit a loop with a fault in it, beside what was said of it without."""
    audited = audit_loop(fault.name, fault.read_source())
    known = {(alarm.code, alarm.severity) for alarm in sound.alarms}
    own = tuple(alarm for alarm in audited.alarms if (alarm.code, alarm.severity) not in known)
    return Judgement(fault, audited, own)
