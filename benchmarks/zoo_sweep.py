"""Check every model of the healthy zoo, each in a forked child with a time limit; JSON lines as it goes.

`python benchmarks/zoo_sweep.py OUT.jsonl [--only NAME]… [--seeds N] [--first N]` goes on where it stopped: what
the present code has left in the file already is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep_records import Record, append_record, fingerprint_code, read_records, read_until

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT / "tests"))

if TYPE_CHECKING:
    from zoo.healthy import ZooModel

LIMIT_S = 120.0


def sweep(
    models: Sequence[ZooModel],
    out: Path,
    *,
    seeds: Sequence[int] = (0,),
    skip: Sequence[str] = (),
    limit_s: float = LIMIT_S,
) -> list[Record]:
    """Check each model at each seed that `out` does not hold yet, and give every record of the two.

    What other code than the present left in `out` counts as not done. Every model is checked at one seed before any
    is at the next.

    Args:
        skip: codes of checks to leave out.
    """
    code = fingerprint_code(_ROOT / "src" / "tierproof", _ROOT / "tests" / "zoo")
    done = {
        (record["name"], record["seed"]): record for record in read_records(out) if record["code"] == code
    }
    for seed in seeds:
        for model in models:
            if (model.name, seed) in done:
                continue
            record = {**check_in_child(model, seed, limit_s, skip), "code": code}
            done[model.name, seed] = record
            append_record(out, record)
            print(f"{len(done):4}  {describe(record)}", flush=True)
    return [done[model.name, seed] for seed in seeds for model in models]


def check_in_child(model: ZooModel, seed: int, limit_s: float, skip: Sequence[str] = ()) -> Record:
    """Check one model in a fork of this process, which is killed after `limit_s` seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(model, seed, skip, writing)
    os.close(writing)
    text = read_until(reading, time.monotonic() + limit_s)
    os.close(reading)
    if text is None:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    facts = {"name": model.name, "family": model.family, "seed": seed}
    if not text:
        return {**facts, "verdict": "none", "failure": f"over {limit_s:.0f} s" if text is None else "died"}
    return {**facts, **json.loads(text)}


def _answer(model: ZooModel, seed: int, skip: Sequence[str], writing: int) -> None:
    """In the child: check, write the record, and leave without running anybody's clean-up."""
    try:
        record = check_one(model, seed, skip)
    except BaseException as error:  # noqa: BLE001 - it is the record; the child ends here
        what = f"{type(error).__name__}: {error}"[:1500]
        record = {"verdict": "none", "failure": what, "at": traceback.format_exc(limit=-3)[-1200:]}
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        json.dump(record, pipe)
    os._exit(0)


def check_one(model: ZooModel, seed: int, skip: Sequence[str] = ()) -> Record:
    """Build a model, check it, and give what counts of the report."""
    import tierproof

    module = model.build(seed)
    inputs = model.draw_inputs(seed) if model.draw_inputs else None
    started, worked = time.perf_counter(), time.process_time()
    report = tierproof.check(module, inputs=inputs, seed=seed, skip=skip, progress=False)
    return {
        "verdict": report.verdict.value,
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(time.process_time() - worked, 3),
        "class": type(module).__name__,
        "parameters": report.model.parameters,
        "kind": report.model.kind,
        "inputs": list(report.model.inputs),
        "findings": [
            {**finding.to_dict(), "check": result.code} for result in report.results for finding in result.findings
        ],
        "errored": {result.code: result.reason for result in report.results if result.outcome.value == "errored"},
        "skipped": {result.code: result.reason for result in report.results if result.outcome.value == "skipped"},
        "times": {result.code: round(result.duration_s, 3) for result in report.results},
    }  # fmt: skip


def find_codes(record: Record, severity: str) -> list[str]:
    """The codes of the findings of a severity, sorted and without repeats."""
    return sorted({f["code"] for f in record.get("findings", ()) if f["severity"] == severity})


def describe(record: Record) -> str:
    """One line: name, family, verdict, seconds, errors, warnings, errored."""
    if "failure" in record:
        return f"{record['name']:34} {record['family']:16} NOT CHECKED  {record['failure'][:120]}"
    words = [*find_codes(record, "error"), *(f"({code})" for code in find_codes(record, "warning"))]
    words += [f"errored {code}" for code in record["errored"]]
    return (
        f"{record['name']:34} {record['family']:16} {record['verdict']:8} {record['seconds']:6.2f} s  "
        f"{' '.join(words)}"
    )


def prepare_process(threads: int = 1) -> None:
    """Import once what every child needs; one thread, so that forks inherit no pool of them."""
    import warnings

    import torch
    import transformers
    import transformers.generation
    import transformers.modeling_utils
    import transformers.models.auto.modeling_auto

    import tierproof

    torch.set_num_threads(threads)
    # What a check imports on its way is then there in every child, and an edit meanwhile reaches none.
    tierproof.check(torch.nn.Linear(2, 2), progress=False)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", action="append", help="a model's name; may be repeated")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 … N - 1")
    parser.add_argument("--first", type=int, help="the first N models only")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for one model")
    options = parser.parse_args(None if arguments is None else list(arguments))
    prepare_process()
    from zoo.healthy import list_zoo

    models = [model for model in list_zoo() if not options.only or model.name in options.only]
    sweep(models[: options.first], options.out, seeds=range(options.seeds), limit_s=options.limit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
