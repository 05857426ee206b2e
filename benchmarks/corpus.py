"""Part (corpus): the install lines of real notebooks against every runtime that Colab lets a notebook be pinned to.

The lines and the images lie in a folder beside the repository (`TIERPROOF_SHARED`, else `../shared`); without it
this part is skipped. A line is read as a notebook's cell, with its flags; where a shell would take an unquoted
bound for a redirection, the collected requirements count. Answers are of one day, so that they can be had again.
`infeasible` is what no index has for that Python; `unknown` what is not worked out: what only a build could serve, a
name that nobody knows, or a command without a package. Lines of source `unknown` are left out, as the corpus asks.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from reach import find_shared, read_corpus
from table import format_table

from tierproof.guard.commands.pip_command import Action, PipCommand, Program, parse_pip_commands
from tierproof.images.base.hosted_base import open_image
from tierproof.images.judge.judge_install import QuestionOptions
from tierproof.images.judge.preflight import preflight
from tierproof.images.judge.preflight_result import TargetVerdict
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind
from tierproof.images.store.image_store import list_images
from tierproof.images.store.open_source import open_source
from tierproof.images.store.sync_images import sync_images
from tierproof.plots.plan_verdict_colours import VERDICTS

DAY = "2026-11-01"
LIMIT_S = 60.0
FIGURE = Path(__file__).resolve().parent / "corpus.svg"


def run() -> tuple[str, bool]:
    """The table; there is no bar."""
    shared = find_shared()
    if shared is None:
        return "skipped: the corpus and the images lie in no ../shared and TIERPROOF_SHARED names none", True
    targets = [read_line(entry) for entry in read_corpus(shared) if entry["source"] != "unknown"]
    with tempfile.TemporaryDirectory(prefix="tierproof-corpus-") as folder:
        sync_images(open_source(str(shared / "runtimes" / "colab")), Path(folder))
        stored = [image for image in list_images(Path(folder)) if image.pinned and image.hardware == "cpu"]
        images = sorted(stored, key=lambda image: image.date)
        found = preflight(
            targets,
            [open_image(image) for image in images],
            QuestionOptions(exclude_newer=DAY, limit_s=LIMIT_S),
            lambda done, total, name: print(f"[{done}/{total}] {name}", file=sys.stderr, flush=True),
        )
    by_image = {
        image.label: [each for each in found.results if each.image == image.label] for image in images
    }
    draw(by_image)
    return describe(by_image, found.duration_s), True


def read_line(entry: dict[str, object]) -> PreflightTarget:
    """A line as one target."""
    line = str(entry["line"])
    commands = parse_pip_commands(line, {})
    if "unquoted-specifier" in entry["flags"] or not commands:  # type: ignore[operator]
        commands = (PipCommand(Program.PIP, Action.INSTALL, tuple(map(str, entry["requirements"]))),)  # type: ignore[arg-type,call-overload]
    installs = tuple(FoundInstall(each, line) for each in commands if each.requirements)
    return PreflightTarget(line, TargetKind.NOTEBOOK, installs)


def describe(by_image: dict[str, list[TargetVerdict]], duration_s: float) -> str:
    counts = {label: Counter(each.verdict for each in verdicts) for label, verdicts in by_image.items()}
    total = len(next(iter(by_image.values())))
    rows = [
        (name, *(f"{count[name]} ({count[name] / total:.0%})" for count in counts.values()))
        for name in VERDICTS
        if any(count[name] for count in counts.values())
    ]
    aged = [
        sum(any(i.answer.plan and i.answer.plan.aged for i in each.installs) for each in v)
        for v in by_image.values()
    ]
    rows.append(("of them aged", *map(str, aged)))
    changed = [
        [each for each in v if any(change.installed for change in each.replaced)] for v in by_image.values()
    ]
    rows.append(("pip would replace", *(f"{len(each)} ({len(each) / total:.0%})" for each in changed)))
    rows.append(
        (
            "packages, median",
            *(f"{statistics.median([len(v.replaced) for v in each] or [0]):.0f}" for each in changed),
        )
    )
    lines = zip(*by_image.values(), strict=True)
    moving = [line for line in lines if len({each.verdict for each in line}) > 1]
    table = format_table(("verdict", *by_image), rows)
    notes = [
        f"{total} lines, {len(by_image)} images, answers of {DAY}; {duration_s:.0f} s in all.",
        f"{len(moving)} lines have another verdict on another image; the first of them:",
        *(
            f"- {' → '.join(each.verdict for each in line)}: {line[0].target.name[:90]}"
            for line in moving[:12]
        ),
    ]
    return "\n".join([table, *notes])


def is_aged(verdict: TargetVerdict) -> bool:
    return any(each.answer.plan is not None and each.answer.plan.aged for each in verdict.installs)


def draw(by_image: dict[str, list[TargetVerdict]]) -> None:
    """Stacked bars, one an image."""
    from matplotlib.figure import Figure

    from tierproof.plots.load_matplotlib import chart_style
    from tierproof.plots.save_figure import save_figure

    with chart_style():
        figure = Figure(figsize=(7.2, 0.42 * len(by_image) + 1.1), layout="constrained")
        axes = figure.add_subplot()
        total = len(next(iter(by_image.values())))
        for row, verdicts in enumerate(by_image.values()):
            left, count = 0.0, Counter(each.verdict for each in verdicts)
            for name, style in VERDICTS.items():
                share = 100 * count[name] / total
                bars = axes.barh(
                    row, share, left=left, color=style.colour, height=0.72, label=name if row == 0 else None
                )
                if share >= 4:
                    axes.bar_label(
                        bars, [f"{share:.0f} %"], label_type="center", color=style.ink, fontsize=8.5
                    )
                left += share
        axes.set_yticks(range(len(by_image)), list(by_image))
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(f"share of {total} install lines of real notebooks, %")
        figure.legend(loc="outside upper center", ncols=len(VERDICTS), handlelength=1.0, columnspacing=1.0)
    save_figure(figure, FIGURE)
