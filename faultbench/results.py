"""The fault bench's figures as a table, a chart, and a section of RESULTS.md."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from multiprocessing.pool import Pool
from pathlib import Path

from faultbench.judge import Judgement
from faultbench.mutant import Mutant, build_host
from faultbench.peers import PEERS, ask_peers

DETECTION_BAR, LOCALISATION_BAR = 0.95, 0.80

PeerAnswers = dict[str, dict[str, str]]


def ask_all_peers(pool: Pool, mutants: list[Mutant]) -> PeerAnswers:
    """What each peer says of each mutant and of each host, by name."""
    hosts = sorted({mutant.host for mutant in mutants})
    answers: PeerAnswers = dict(zip(hosts, pool.map(_ask_host, hosts), strict=True))
    for index, (mutant, said) in enumerate(zip(mutants, pool.imap(_ask_mutant, mutants), strict=True)):
        answers[mutant.name] = said
        print(f"[{index + 1}/{len(mutants)}] peers on {mutant.name}", file=sys.stderr, flush=True)
    return answers


def _ask_host(host: str) -> dict[str, str]:
    return ask_peers(lambda: build_host(host), host)


def _ask_mutant(mutant: Mutant) -> dict[str, str]:
    return ask_peers(mutant.build, mutant.host)


def summarize(judgements: list[Judgement], peers: PeerAnswers) -> tuple[str, bool]:
    """The tables, and whether both bars are met."""
    faults = [j for j in judgements if not j.equivalent]
    controls = [j for j in judgements if j.equivalent]
    names = [name for name in PEERS if any(name in said for said in peers.values())]
    kinds = list(dict.fromkeys(j.kind for j in faults))
    head = ["class", "mutants", "detected", "located", "median s", *(f"[{i + 1}]" for i in range(len(names)))]
    rows = [_make_row(kind, [j for j in faults if j.kind == kind], peers, names) for kind in kinds]
    rows.append(_make_row("all", faults, peers, names))
    text = [_format(head, rows), ""]
    text += [f"[{index + 1}] {name}" for index, name in enumerate(names)]
    detected = _share(faults, lambda j: j.detected)
    located = _share(faults, lambda j: j.located)
    alarms = [j.name for j in controls if j.detected]
    errored = [j.name for j in judgements if j.errored]
    summary = (
        f"detection {detected:.1%} (bar {DETECTION_BAR:.0%}), localisation {located:.1%} "
        f"(bar {LOCALISATION_BAR:.0%}), false alarms on {len(alarms)} of {len(controls)} controls{_list(alarms)}, "
        f"crashed checks in {len(errored)}{_list(errored)}"
    )
    text += ["", summary, *(f"missed: {j.name} ({j.host})" for j in faults if not j.detected)]
    text += [_describe_elsewhere(j) for j in faults if j.detected and not j.located]
    return "\n".join(text), detected >= DETECTION_BAR and located >= LOCALISATION_BAR and not alarms


def _describe_elsewhere(judgement: Judgement) -> str:
    code, where = (judgement.found[0][0], judgement.found[0][2]) if judgement.found else ("refused", "")
    expected = " or ".join(f"`{place}`" for place in judgement.expected)
    return f"located elsewhere: {judgement.name}: {code} in `{where}`, expected {expected}"


def _make_row(kind: str, judgements: list[Judgement], peers: PeerAnswers, names: list[str]) -> list[str]:
    return [
        kind,
        str(len(judgements)),
        f"{_share(judgements, lambda j: j.detected):.0%}",
        f"{_share(judgements, lambda j: j.located):.0%}",
        f"{statistics.median(j.seconds for j in judgements):.1f}" if judgements else "",
        *(f"{_share(judgements, lambda j, n=name: _detects(peers, n, j)):.0%}" for name in names),
    ]


def _detects(peers: PeerAnswers, name: str, judgement: Judgement) -> bool:
    return bool(peers[judgement.name].get(name)) and not peers[judgement.host].get(name)


def _share(judgements: list[Judgement], holds) -> float:  # type: ignore[no-untyped-def]
    return sum(map(holds, judgements)) / len(judgements) if judgements else 0.0


def _list(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _format(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
        for cells in (head, ["-" * width for width in widths], *rows)
    )


def draw(judgements: list[Judgement], peers: PeerAnswers, path: Path) -> None:
    """Shares of mutants by class: located and detected here, and detected by the best peer."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "faultbench"
    from matplotlib import pyplot as plt

    faults = [j for j in judgements if not j.equivalent]
    kinds = [*dict.fromkeys(j.kind for j in faults), "all"]
    groups = [[j for j in faults if kind in ("all", j.kind)] for kind in kinds]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(kinds) + 1.4), layout="constrained")
    places = range(len(kinds))
    bars = [
        ("detected", [_share(g, lambda j: j.detected) for g in groups], "#9ecae1", 0.8),
        ("located", [_share(g, lambda j: j.located) for g in groups], "#2171b5", 0.45),
    ]
    for label, shares, colour, height in bars:
        axes.barh(places, [100 * s for s in shares], height=height, color=colour, label=label)
    names = [name for name in PEERS if any(name in said for said in peers.values())]
    if names:
        best = max(names, key=lambda n: _share(faults, lambda j: _detects(peers, n, j)))
        shares = [100 * _share(g, lambda j: _detects(peers, best, j)) for g in groups]
        axes.scatter(shares, places, marker="D", color="#d94801", zorder=3, label=f"detected by {best}")
    axes.set_yticks(places, [f"{kind} ({len(group)})" for kind, group in zip(kinds, groups, strict=True)])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of mutants")
    axes.set_title("Planted bugs, by class")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08 - 0.6 / len(kinds)), ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def write(root: Path, name: str, title: str, text: str) -> None:
    """Put the text into benchmarks/RESULTS.md, as `make bench` parts do."""
    path = root / "benchmarks" / "run.py"
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("benchmarks_run", path)
    assert spec is not None
    assert spec.loader is not None
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    option = " --seeds 50" if name.endswith("seeds") else ""
    command = f"python -m faultbench{option} --write"
    run.write_section(run.RESULTS, name, title, f"{run.describe_machine()}\n\n{text}", command=command)
