"""Whether a mutant is detected and located: what the report says of it beside what it says of its host."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict, dataclass, field
from multiprocessing.pool import Pool
from typing import Any

import torch

import tierproof
from faultbench.mutant import Mutant, build_host


@dataclass(frozen=True)
class Judgement:
    """What the checks said of one mutant.

    Attributes:
        found: findings that the sound host does not have, as (code, severity, where), errors first.
        errored: checks that crashed, with the reason.
        seconds: of the whole check.
    """

    name: str
    host: str
    kind: str
    equivalent: bool
    expected: tuple[str, ...]
    found: tuple[tuple[str, str, str], ...]
    errored: tuple[str, ...] = ()
    seconds: float = 0.0
    refused: str = ""
    messages: tuple[str, ...] = field(default=())

    @property
    def detected(self) -> bool:
        """Whether there is an error or a warning that the host does not have, or the model was refused."""
        return bool(self.found or self.refused)

    @property
    def located(self) -> bool:
        """Whether the first finding names a guilty place."""
        return bool(self.found) and any(_matches(self.found[0][2], pattern) for pattern in self.expected)

    def to_dict(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Judgement:
        """Read what `to_dict` wrote."""
        tuples = {
            key: tuple(tuple(item) if isinstance(item, list) else item for item in value)
            for key, value in document.items()
            if isinstance(value, list)
        }
        return cls(**(document | tuples))


def _matches(where: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"\d+"), where) is not None


Alarm = tuple[str, str, str]


def judge_host(name: str, seed: int = 0) -> tuple[frozenset[Alarm], float]:
    """The alarms of a sound host, and the seconds it took."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    started = time.perf_counter()
    report = tierproof.check(build_host(name), seed=seed, progress=False)
    return frozenset(alarm for alarm, _ in _list_alarms(report)), time.perf_counter() - started


def judge_mutant(mutant: Mutant, of_host: frozenset[Alarm], seed: int = 0) -> Judgement:
    """Check one mutant, on one thread: the models are tiny."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    started = time.perf_counter()
    common = {
        "name": mutant.name,
        "host": mutant.host,
        "kind": mutant.kind,
        "equivalent": mutant.equivalent,
        "expected": mutant.where,
    }
    try:
        report = tierproof.check(mutant.build(), seed=seed, progress=False)
    except tierproof.TierproofError as error:
        return Judgement(**common, found=(), refused=f"{error}", seconds=time.perf_counter() - started)
    alarms = [(alarm, message) for alarm, message in _list_alarms(report) if alarm not in of_host]
    return Judgement(
        **common,
        found=tuple(alarm for alarm, _ in alarms),
        errored=tuple(f"{r.code}: {r.reason}" for r in report.results if r.outcome == "errored"),
        seconds=time.perf_counter() - started,
        messages=tuple(message for _, message in alarms),
    )


def _list_alarms(report: tierproof.Report) -> list[tuple[Alarm, str]]:
    found = [
        ((finding.code, finding.severity.value, finding.where), finding.message)
        for finding in report.findings
        if finding.severity.value != "info"
    ]
    return sorted(found, key=lambda item: item[0][1] != "error")


def judge_all(pool: Pool, mutants: list[Mutant]) -> list[Judgement]:
    """Check every mutant, with a line of progress for each on stderr."""
    hosts = sorted({mutant.host for mutant in mutants})
    alarms = dict(zip(hosts, pool.map(judge_host, hosts), strict=True))
    found = []
    for judgement in pool.imap(_judge, [(mutant, alarms[mutant.host][0]) for mutant in mutants]):
        found.append(judgement)
        state = "found" if judgement.located else "found elsewhere" if judgement.detected else "missed"
        if judgement.equivalent:
            state = "false alarm" if judgement.detected else "silent"
        print(f"[{len(found)}/{len(mutants)}] {judgement.name}: {state}", file=sys.stderr, flush=True)
    return found


def _judge(task: tuple[Mutant, frozenset[tuple[str, str, str]]]) -> Judgement:
    return judge_mutant(*task)
