"""Whether what is found of a mutant rests on names: the same mutants with every name at random, or misleading."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import Pool

import torch
from torch import nn

import tierproof
from faultbench.mutant import Mutant, load_builder, read_host
from faultbench.rename import rename_source

NAMINGS = ("as written", "random", "misleading")
_Alarms = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class _Answer:
    """What the checks said: codes and severities of findings that the sound host, named alike, does not have."""

    name: str
    naming: str
    found: _Alarms
    refused: bool = False

    @property
    def detected(self) -> bool:
        return bool(self.found) or self.refused


def compare_namings(pool: Pool, mutants: list[Mutant]) -> tuple[str, bool]:
    """A table of what is found under each naming, and whether no error is new and nothing measured is lost."""
    hosts = sorted({mutant.host for mutant in mutants})
    errors = [
        f"{host}, {naming}: {code}"
        for host, naming, alarms in pool.imap(_judge_host, [(h, n) for h in hosts for n in NAMINGS])
        for code, severity in sorted(alarms)
        if severity == "error"
    ]
    tasks = [(mutant, naming) for mutant in mutants for naming in NAMINGS]
    answers: dict[str, dict[str, _Answer]] = {}
    for answer in pool.imap(_judge, tasks, chunksize=3):
        answers.setdefault(answer.name, {})[answer.naming] = answer
        print(f"{answer.name}, {answer.naming}: {sorted(answer.found)}", file=sys.stderr, flush=True)
    faults = [answers[m.name] for m in mutants if not m.equivalent]
    controls = [answers[m.name] for m in mutants if m.equivalent]
    lines = [
        f"{naming:12} {sum(a[naming].detected for a in faults)} of {len(faults)} found, "
        f"{sum(a[naming].detected for a in controls)} of {len(controls)} controls alarmed"
        for naming in NAMINGS
    ]
    lost = [
        f"lost under {naming} names: {answer['as written'].name} "
        f"({', '.join(code for code, _ in sorted(answer['as written'].found)) or 'refused'})"
        for answer in faults
        for naming in NAMINGS[1:]
        if answer["as written"].detected and not answer[naming].detected
    ]
    told = [f"error on a sound host: {each}" for each in errors]
    alarmed = any(a[naming].detected for a in controls for naming in NAMINGS)
    return "\n".join([*lines, *lost, *told]), not lost and not errors and not alarmed


def _judge_host(task: tuple[str, str]) -> tuple[str, str, _Alarms]:
    host, naming = task
    return host, naming, _find_host_alarms(host, naming)


@cache
def _find_host_alarms(host: str, naming: str) -> _Alarms:
    return _list_alarms(_build(read_host(host), f"faultbench.renamed_{host}", naming)) or frozenset()


def _judge(task: tuple[Mutant, str]) -> _Answer:
    mutant, naming = task
    torch.set_num_threads(1)
    alarms = _list_alarms(_build(mutant.read_source(), f"faultbench.renamed_{mutant.name}", naming))
    if alarms is None:
        return _Answer(mutant.name, naming, frozenset(), refused=True)
    return _Answer(mutant.name, naming, alarms - _find_host_alarms(mutant.host, naming))


def _build(source: str, module_name: str, naming: str) -> nn.Module:
    if naming != NAMINGS[0]:
        source = rename_source(source, seed=0, mislead=naming == NAMINGS[2]).source
    torch.manual_seed(0)
    return load_builder(source, module_name)()


def _list_alarms(model: nn.Module) -> _Alarms | None:
    """None: the model was refused."""
    try:
        report = tierproof.check(model, progress=False)
    except tierproof.TierproofError:
        return None
    return frozenset((f.code, f.severity.value) for f in report.findings if f.severity.value != "info")
