"""Check each case in a process of its own, with a limit of processor time; JSON lines as it goes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
LIMIT_S = 60.0
# A child that sleeps, or is starved by others, is ended after so many times the limit by the clock.
_BY_THE_CLOCK = 6
Record = dict[str, Any]


def sweep(names: Iterable[str], packages: Path, out: Path, *, limit_s: float = LIMIT_S) -> list[Record]:
    """Check each named case that the present code has not left in `out` already, and give all their records."""
    code = fingerprint_code()
    done = {record["name"]: record for record in read_records(out) if record["code"] == code}
    names = list(names)
    for name in names:
        if name in done:
            continue
        record = {"name": name, **check_in_child(name, packages, limit_s), "code": code}
        done[name] = record
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"{len(done):4}  {describe(record)}", flush=True)
    return [done[name] for name in names]


def check_in_child(name: str, packages: Path, limit_s: float) -> Record:
    """The record that a child leaves; `state` is `over time` or `died` where it leaves none."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "record.json"
        command = [
            sys.executable,
            str(_HERE / "check_case.py"),
            name,
            str(packages),
            str(answer),
            str(limit_s),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, timeout=_BY_THE_CLOCK * limit_s, capture_output=True, text=True, check=False
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"state": "over time", "why": f"not done after {_BY_THE_CLOCK * limit_s:.0f} s"}
        if done.returncode == -signal.SIGXCPU:
            return {"state": "over time", "why": f"not done after {limit_s:.0f} s of processor time"}
        if not answer.exists():
            return {"state": "died", "why": f"exit code {done.returncode}", "at": done.stderr[-2000:]}
        return json.loads(answer.read_text(encoding="utf-8"))


def fingerprint_code() -> str:
    """A digest of the package and of the cases."""
    digest = hashlib.sha256()
    for folder in (_HERE.parents[1] / "src" / "tierproof", _HERE / "cases"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_records(path: Path) -> list[Record]:
    """The records in a file; none where it does not exist. A line that a kill cut short is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


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
