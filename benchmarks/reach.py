"""Part (c): how many of the install lines of real notebooks end usable in a live kernel of a hosted image.

The lines and the image lie in a folder beside the repository (`TIERPROOF_SHARED`, else `../shared`); without it
this part is skipped. A line *resolves at all* where its requirements resolve by themselves, with nothing installed
and every version free, on the image's Python and platform, from wheels of the configured index. What does not is
left out of the rates: a package that is gone or misspelled, releases without a wheel for that Python, and what only
a build could plan (`git+…`: a plan never builds unasked). Lines of source `unknown` are left out as well, as the
corpus asks.

Flags: `--upgrade` is planned twice. *As written* the requirement alone counts, and what is installed satisfies it.
*To the latest* each package that the line names and the image has must come in the release that it takes alone.
Index and find-links addresses are not in the corpus: the configured index answers. `--no-deps` and `--pre` are
planned without, which asks for more.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from table import format_table

from tierproof.errors import TierproofError
from tierproof.guard.capture.base import Base
from tierproof.guard.commands.requirement import RequestedPackage, Source, parse_requirements
from tierproof.guard.judge.judge_plan import make_plan
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.resolve import Freedom, open_resolver
from tierproof.images.base.image_base import make_image_base
from tierproof.images.store.image_store import find_stored_image

IMAGE = "colab:2026.01"
LEAST_USABLE, LEAST_WITH_ISOLATED = 0.85, 0.98
_USABLE = ("satisfied", "additive", "shadow")
_SERVED = (*_USABLE, "waiver", "isolated")
_LOST = ("infeasible", "no plan in time")
_NOTHING = ("no wheel or no such release", "needs a build", "cannot be read", "no answer by itself")


@dataclass(frozen=True)
class Answer:
    """What became of one line: `verdict` is a plan's, or the reason why the line does not resolve at all."""

    line: str
    verdict: str
    reason: str
    seconds: float
    upgrade: bool = False
    counted: bool = True
    aged: bool = False


def run() -> tuple[str, bool]:
    """The table, and whether both bars are met."""
    shared = find_shared()
    if shared is None:
        return "skipped: the corpus and the images lie in no ../shared and TIERPROOF_SHARED names none", True
    base = make_image_base(find_stored_image(IMAGE, shared / "runtimes" / "colab")).base
    entries = read_corpus(shared)
    written = [judge_line(entry, base) for entry in entries]
    latest = [
        judge_line(entry, base, latest=True) if answer.upgrade else answer
        for entry, answer in zip(entries, written, strict=True)
    ]
    return describe(written, latest, base)


def find_shared() -> Path | None:
    """The folder with the corpus and the images, or None."""
    named = os.environ.get("TIERPROOF_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "corpus" / "colab-installs.jsonl").is_file() else None


def read_corpus(shared: Path) -> list[dict[str, object]]:
    text = (shared / "corpus" / "colab-installs.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def judge_line(entry: dict[str, object], base: Base, *, latest: bool = False) -> Answer:
    """Resolve a line by itself, then plan it on the base."""
    requirements = [str(each) for each in entry["requirements"]]  # type: ignore[attr-defined]
    upgrade = "--upgrade" in entry["flags"]  # type: ignore[operator]
    counted = entry["source"] != "unknown"

    def answer(verdict: str, reason: str, seconds: float = 0.0, *, aged: bool = False) -> Answer:
        return Answer(str(entry["line"]), verdict, reason, seconds, upgrade, counted, aged)

    try:
        requested = parse_requirements(requirements)
        if any(item.source is Source.BUILD for item in requested):
            return answer("needs a build", "")
        with open_resolver(base) as resolver:
            alone = resolver.resolve([item.line for item in requested], Freedom())
        if not isinstance(alone, Lock):
            return answer("no wheel or no such release", " ".join(alone.words.split())[:300])
        if latest:
            requirements = list_latest(requested, base, alone)
    except PlanError as error:
        return answer("no answer by itself", str(error))
    except TierproofError as error:
        return answer("cannot be read", str(error))
    try:
        plan = make_plan(requirements, base)
    except PlanError as error:
        return answer("no plan in time", str(error))
    return answer(plan.verdict.value, _explain(plan), plan.duration_s, aged=bool(plan.aged))


def list_latest(requested: Sequence[RequestedPackage], base: Base, alone: Lock) -> list[str]:
    """Give the requirements, and with them what the base has of them in the version that they take alone."""
    named = [item.name for item in requested if item.name in base.by_name]
    pins = [f"{name}=={found.version}" for name in named if (found := alone.get(name)) is not None]
    return [*(item.line for item in requested), *pins]


def _explain(plan: Plan) -> str:
    if plan.verdict in (PlanVerdict.SATISFIED, PlanVerdict.ADDITIVE, PlanVerdict.SHADOW):
        return ""
    return plan.explanation.partition(" It can run isolated")[0].partition(" If you ignore (waive)")[0]


def describe(written: Sequence[Answer], latest: Sequence[Answer], base: Base) -> tuple[str, bool]:
    """The tables of both readings, and the lines that do not end in the kernel."""
    kept = [[each for each in answers if each.counted] for answers in (written, latest)]
    counts = [Counter(each.verdict for each in answers) for answers in kept]
    totals = [sum(count[name] for name in (*_SERVED, *_LOST)) for count in counts]
    rows = [
        (name, "", *(str(count[name]) for count in counts))
        for name in (*_SERVED, *_LOST, *_NOTHING)
        if any(count[name] for count in counts)
    ]
    met = True
    for name, verdicts, bar in (
        ("frozen base alone", ("satisfied", "additive"), None),
        ("usable in the kernel", _USABLE, LEAST_USABLE),
        ("with waivers", (*_USABLE, "waiver"), None),
        ("with isolated", _SERVED, LEAST_WITH_ISOLATED),
    ):
        shares = [
            (sum(count[each] for each in verdicts), total)
            for count, total in zip(counts, totals, strict=True)
        ]
        met = met and (bar is None or all(hits >= bar * total for hits, total in shares))
        rows.append((name, f"bar {bar:.0%}" if bar else "", *(_format_share(*share) for share in shares)))
    fresh = [sum(each.verdict in _USABLE and not each.aged for each in answers) for answers in kept]
    rows.append(("usable, none aged", "", *map(_format_share, fresh, totals)))
    times = sorted(each.seconds for answers in kept for each in answers if each.seconds)
    aged = [sum(each.aged for each in answers) for answers in kept]
    table = format_table(("verdict", "", "as written", "to the latest"), rows)
    notes = [
        f"{len(kept[0])} lines; {totals[0]} resolve at all.",
        f"Base: {base.name}, {len(base.by_name)} packages, {len(base.loaded.names)} loaded.",
        f"Aged, and so with a consent: {aged[0]} and {aged[1]}.",
        f"Seconds for a plan: p50 {statistics.median(times):.2f}, p95 {times[int(0.95 * len(times))]:.2f}."
        if times
        else "",
        "Not usable in the kernel, as written:",
        *_list_others(kept[0]),
        "And to the latest:",
        *_list_others([each for each, other in zip(kept[1], kept[0], strict=True) if each != other]),
    ]
    return "\n".join([table, *notes]), met


def _list_others(answers: Sequence[Answer]) -> list[str]:
    return [
        f"- {each.verdict}: {each.line}\n    {each.reason}"
        for each in answers
        if each.verdict not in (*_USABLE, *_NOTHING)
    ]


def _format_share(hits: int, total: int) -> str:
    low, high = find_interval(hits, total)
    return f"{hits / max(total, 1):.1%} ({low:.0%}-{high:.0%})"


def find_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share = hits / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return (middle - half) / scale, (middle + half) / scale


def to_dict(answer: Answer) -> dict[str, object]:
    return asdict(answer)
