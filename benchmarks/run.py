"""Run the benchmarks and print their tables: `make bench`, or `python benchmarks/run.py [--only PART] [--write]`."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

import agreement
import attention_cost
import attention_page
import audit_cost
import broken_kernels
import corpus
import corruption
import doctor_speed
import given_zoo
import half_zoo
import healthy_zoo
import images_speed
import install_speed
import plan_speed
import reach
import renamed_zoo
import start_time
import tier1_cost
import tier2_cost
import truth
import watch_commands

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
PARTS: dict[str, tuple[str, Callable[[], tuple[str, bool]]]] = {
    "start": ("Start of the package and the command", start_time.run),
    "agreement": ("Figures against equations", agreement.run),
    "cost": ("Cost of Tier 1", tier1_cost.run),
    "cost-tier2": ("Cost of Tier 2", tier2_cost.run),
    "cost-audit": ("Cost of auditing a training step", audit_cost.run),
    "attention-page": ("Size of the attention page", attention_page.run),
    "attention": ("Cost of capturing attention", attention_cost.run),
    "zoo": ("Tier 1 on healthy models", healthy_zoo.run),
    "zoo-seeds": ("Tier 1 on healthy models at fifty seeds", healthy_zoo.run_seeds),
    "zoo-renamed": ("Tier 1 on healthy models under other names", renamed_zoo.run),
    "zoo-given": ("Tier 1 on healthy models with given inputs", given_zoo.run),
    "zoo-half": ("Tier 1 on healthy models in bfloat16", half_zoo.run),
    "install": ("An addition into a live kernel", install_speed.run),
    "plan": ("A plan in an environment of 660 packages", plan_speed.run),
    "doctor": ("The doctor on a large environment", doctor_speed.run),
    "corruption": ("Real requests on a real base", corruption.run),
    "corruption-more": ("More real requests on a real base", corruption.run_more),
    "reach": ("Install lines of real notebooks that end usable in a live kernel", reach.run),
    "watch": ("What the watch stops, against a recording pip", watch_commands.run),
    "kernels": ("Public reports of broken kernels, in real kernels again", broken_kernels.run),
    "images": ("Answers about hosted images", images_speed.run),
    "corpus": ("Install lines of real notebooks on every pinned Colab runtime", corpus.run),
    "truth": ("What preflight foresees, against real installs", truth.run),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {RESULTS.name}")
    options = parser.parse_args()
    facts = describe_machine()
    print(facts)
    missed = []
    for name in options.only or PARTS:
        title, run = PARTS[name]
        print(f"\n== {title}", flush=True)
        table, met = run()
        print(table, flush=True)
        if not met:
            missed.append(name)
        if options.write:
            write_section(RESULTS, name, title, f"{facts}\n\n{table}")
    return 1 if missed else 0


def describe_machine() -> str:
    """What the numbers were taken on."""
    import torch

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {_find_cpu_name()}, {os.cpu_count()} cores, {memory:.0f} GiB; "
        f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


def _find_cpu_name() -> str:
    try:
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def write_section(path: Path, name: str, title: str, text: str, *, command: str = "") -> None:
    """Replace one part's section between its marks, or add it at the end; `command` made it."""
    old = (
        path.read_text(encoding="utf-8")
        if path.exists()
        else "# Benchmark results\n\nWritten by `make bench` parts run with `--write`.\n"
    )
    command = command or f"python benchmarks/run.py --only {name} --write"
    section = f"<!-- {name} -->\n## {title}\n\n`{command}`\n\n```\n{text}\n```\n<!-- end {name} -->\n"
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- end {name} -->\n", re.DOTALL)
    new = pattern.sub(lambda _: section, old) if pattern.search(old) else f"{old.rstrip()}\n\n{section}"
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
