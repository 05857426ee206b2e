"""Check each case in a process of its own, with a limit of processor time; JSON lines as it goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweep_records import Record, append_record, fingerprint_code, read_records, read_until

from strangers.check_case import answer

_HERE = Path(__file__).resolve().parent
LIMIT_S = 60.0
# A child that sleeps, or is starved by others, is ended after so many times the limit by the clock.
_BY_THE_CLOCK = 6


def sweep(names: Iterable[str], packages: Path, out: Path, *, limit_s: float = LIMIT_S) -> list[Record]:
    """Check each named case that the present code has not left in `out` already, and give all their records."""
    code = fingerprint_code(_HERE.parents[1] / "src" / "tierproof", _HERE / "cases")
    done = {record["name"]: record for record in read_records(out) if record["code"] == code}
    names = list(names)
    if any(name not in done for name in names):
        prepare_process()
    for name in names:
        if name in done:
            continue
        record = {"name": name, **check_in_child(name, packages, limit_s), "code": code}
        done[name] = record
        append_record(out, record)
        print(f"{len(done):4}  {describe(record)}", flush=True)
    return [done[name] for name in names]


def prepare_process() -> None:
    """Import once what every child needs; one thread, so that forks inherit no pool of them."""
    sys.path.insert(0, str(_HERE.parents[1] / "src"))
    import torch

    import tierproof

    torch.set_num_threads(1)
    # What a check imports on its way is then there in every child, and an edit meanwhile reaches none.
    tierproof.check(torch.nn.TransformerEncoderLayer(8, 2, 16), progress=False)


def check_in_child(name: str, packages: Path, limit_s: float) -> Record:
    """The record of a fork of this process; `state` is `over time` or `died` where it leaves none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            answer(name, str(packages), limit_s, writing)
        finally:
            os._exit(1)
    os.close(writing)
    text = read_until(reading, time.monotonic() + _BY_THE_CLOCK * limit_s)
    os.close(reading)
    if text is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if text:
        return json.loads(text)
    if text is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return {"state": "over time", "why": f"not done after {limit_s:.0f} s of processor time"}
    return {"state": "died", "why": f"ended with status {status}"}


def find_loud(record: Record) -> list[dict[str, Any]]:
    """The errors and warnings of a record."""
    return [f for f in record.get("findings", ()) if f["severity"] in {"error", "warning"}]


def describe(record: Record) -> str:
    """One line: name, state, seconds, memory, findings."""
    peak = record.get("peak_bytes", 0) / 2**20
    if record["state"] != "judged":
        return f"{record['name']:34} {record['state'].upper():9} {peak:5.0f} MiB  {record['why'][:200]!r}"
    codes = sorted({f"{f['severity'][0].upper()}:{f['code']}" for f in find_loud(record)})
    codes += [f"errored {code}" for code in record["errored"]]
    helped = " helped" if record["helped"] else ""
    return (
        f"{record['name']:34} {record['verdict']:8}{helped} {record['cpu_seconds']:6.2f} s {peak:5.0f} MiB  "
        f"{record['kind']}  {' '.join(codes)}"
    )
