"""Whether what is found of a mutant rests on names: the same mutants with every name at random, or misleading."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import Pool

import torch
from torch import nn

import tierproof
from faultbench.mutant import Mutant, load_builder, read_host
from faultbench.rename import rename_source

NAMINGS = ("as written", "random", "misleading")
# What a check knows of a model by names alone, by the codes that rest on it.
_KNOWN_BY_NAME = {
    "T1-PAD": "which argument is a padding mask",
    "T1-STAB-010": "which argument is a mask",
    "T1-STAB-018": "which argument is a mask",
    "T1-CACHE": "which argument is a cache, or a position",
    "T1-LOSS": "which argument holds the labels",
    "T1-TARGET": "which argument holds the labels",
    "T1-GRAD-016": "which layer is a router",
    "T1-GRAD-014": "which unused part does not wait for an optional input (told as an info then)",
    "T1-INIT-004": "which layer is the head",
    "T1-INPUT-003": "which argument holds segments",
    "T1-INPUT-004": "which argument holds positions",
    "T1-SHAPE": "which attribute declares the longest input",
    "T1-CAUSAL": "that the model means to be causal",
    "T1-CROSS": "which of two sequences is the decoder's",
    "T1-REG": "the keys that the mutant's own state_dict spells out, so that the renamed one has no fault",
}
_Alarms = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class _Answer:
    """What the checks said: codes and severities of findings that the sound host, named alike, does not have."""

    name: str
    naming: str
    found: _Alarms
    refused: bool = False

    @property
    def outcome(self) -> str:
        """The gravest thing that was said."""
        if self.refused:
            return "refused"
        said = {severity for _, severity in self.found}
        return next((word for word in ("error", "warning", "info") if word in said), "silent")

    @property
    def detected(self) -> bool:
        return self.outcome in ("error", "warning", "refused")

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(sorted({code for code, severity in self.found if severity != "info"}))


def compare_namings(pool: Pool, mutants: list[Mutant]) -> tuple[str, bool]:
    """A table of what is found under each naming; met if no error is new, and what is lost was known by a name."""
    hosts = sorted({mutant.host for mutant in mutants})
    new = [
        f"error on a sound host: {host}, {naming}: {code}"
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
    alarmed = [f"control alarmed: {a[n].name}, {n}" for a in controls for n in NAMINGS if a[n].detected]
    lost, unexplained = _explain_losses(faults)
    lines = [_tabulate(faults), f"Of the {len(controls)} controls {len(alarmed)} are alarmed.", *lost]
    return "\n".join([*lines, *unexplained, *new, *alarmed]), not (unexplained or new or alarmed)


def _tabulate(faults: list[dict[str, _Answer]]) -> str:
    outcomes = ("error", "warning", "refused", "info", "silent")
    rows = [f"{'names':12}{''.join(f'{each:>9}' for each in outcomes)}"]
    for naming in NAMINGS:
        counts = Counter(fault[naming].outcome for fault in faults)
        rows.append(f"{naming:12}{''.join(f'{counts[each]:>9}' for each in outcomes)}")
    return "\n".join(rows)


def _explain_losses(faults: list[dict[str, _Answer]]) -> tuple[list[str], list[str]]:
    """Under each naming, the faults that became less than a warning, by what no longer was known; and the others."""
    lines, unexplained = [], []
    for naming in NAMINGS[1:]:
        reasons: dict[str, list[str]] = defaultdict(list)
        for fault in faults:
            plain = fault["as written"]
            if not plain.detected or fault[naming].detected:
                continue
            known = {why for start, why in _KNOWN_BY_NAME.items() for c in plain.codes if c.startswith(start)}
            if known:
                reasons[min(known)].append(plain.name)
            else:
                unexplained.append(f"lost under {naming} names: {plain.name} ({', '.join(plain.codes)})")
        lines.append(f"Under {naming} names these are found no longer, because it is not known")
        lines += [f"  {why} ({len(names)}): {', '.join(names)}" for why, names in sorted(reasons.items())]
    return lines, unexplained


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
    return frozenset((finding.code, finding.severity.value) for finding in report.findings)
