"""Public reports of kernels that an install broke, in real kernels again: what is stopped, what is advised.

Each is run twice in an environment of its own: with the watch, and without it, tierproof being imported after the
break. Then the advice is followed to its end.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from kernels_reports import LOCAL_WHEELS, REPORTS, Report
from table import format_table

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from guard.notebook_kernel import Kernel, make_environment, start_kernel  # noqa: E402 - behind the path
from guard.wheelhouse import write_wheel  # noqa: E402

LEAST_RIGHT = 0.95
_MOST_WAITS = 300
_BASE_NAMES = """
numpy==2.0.2 pandas==2.2.2 scipy==1.15.3 scikit-learn==1.6.1 matplotlib==3.10.0 pillow==11.3.0 protobuf==5.29.6
pydantic==2.12.5 typing-extensions==4.15.0 setuptools==75.2.0 opencv-python==4.12.0.88 requests==2.32.4 urllib3==2.5.0
six==1.17.0 pbr==6.1.0 pyzmq==27.0.0 prompt-toolkit==3.0.51 ipython==7.34.0
ipykernel==6.17.1 jupyter-client==7.4.9 packaging click rich uv
"""
BASE = _BASE_NAMES.split()
# The distributions whose files a fresh look finds changed; kept apart from the product's own judgement.
_LOADED = """
import importlib.metadata as _m, json as _j, os as _o, sys as _s
def _look():
    found = {}
    named = [getattr(m, '__file__', None) for m in list(_s.modules.values())]
    files = {_o.path.realpath(f) for f in named if isinstance(f, str)}
    for d in _m.distributions():
        for f in d.files or ():
            p = _o.path.realpath(_o.path.join(str(d._path.parent), str(f)))
            if p in files and '_distutils_hack' not in p:
                try:
                    found[p] = open(p, 'rb').read()
                except OSError:
                    found[p] = b''
    return found
"""
_COMMAND = re.compile(r"(pip install [^\n]*?\".*?\")")


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of one report."""

    source: str
    replaces: bool
    stopped: bool
    broke: bool
    first_word: str
    first_word_held: bool
    steps: tuple[str, ...]
    works: bool
    seconds: float

    @property
    def is_stopped_rightly(self) -> bool:
        """Stopped where something loaded would be replaced, and let through elsewhere."""
        return self.stopped == self.replaces


def run(reports: Sequence[Report] = REPORTS) -> tuple[str, bool]:
    """The table, and whether the bars are met."""
    endings = []
    with tempfile.TemporaryDirectory(prefix="broken-kernels-") as name:
        folder = Path(name)
        base = folder / "base"
        make_environment(base, *BASE)
        house = folder / "house"
        for wheel, (version, requires, text) in LOCAL_WHEELS.items():
            write_wheel(house, wheel, version, requires, files={f"{wheel.replace('-', '_')}.py": text})
        os.environ |= {
            "PIP_FIND_LINKS": str(house),
            "UV_FIND_LINKS": str(house),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for number, report in enumerate(reports):
            try:
                ending = bring_about(report, base, folder / str(number))
            except RuntimeError as error:  # the kernel could not be started, say: shown as what it is
                steps = (f"the report could not be brought about: {str(error)[-160:]}",)
                ending = Ending(report.source, False, False, False, "", False, steps, False, 0.0)
            finally:
                shutil.rmtree(folder / str(number), ignore_errors=True)
            print(f"  {number + 1}/{len(reports)} {ending}", file=sys.stderr, flush=True)
            endings.append(ending)
    return describe(endings)


def describe(endings: Sequence[Ending]) -> tuple[str, bool]:
    """One row for each report, and the counts."""
    rows = [
        (
            each.source,
            f"{'replaces' if each.replaces else 'adds'}, {'stopped' if each.stopped else 'ran'}",
            "yes" if each.is_stopped_rightly else "NO",
            each.first_word,
            "yes" if each.first_word_held else "NO",
            " > ".join(each.steps),
            "yes" if each.works else "NO",
        )
        for each in endings
    ]
    head = ("report", "install, watch", "rightly", "first word", "right", "followed", "works")
    count = len(endings)
    rightly = sum(each.is_stopped_rightly for each in endings)
    first = sum(each.first_word_held for each in endings)
    works = sum(each.works for each in endings)
    announced = sum(
        each.first_word_held and len(each.steps) > 1 and each.steps[-1] == "restart" for each in endings
    )
    table = format_table(head, rows)
    bar = f"bar {LEAST_RIGHT:.0%}"
    table += (
        f"\n\n{count} reports\nstopped or let through rightly: {rightly} ({rightly / count:.0%}, {bar})\n"
        f"first word right: {first} ({first / count:.0%}, {bar}), "
        f"{announced} of them with a restart after it, which it had announced\n"
        f"works after following the advice: {works} (bar: all)"
    )
    met = count >= 25 and rightly >= LEAST_RIGHT * count and first >= LEAST_RIGHT * count and works == count
    return table, met


def bring_about(report: Report, base: Path, folder: Path) -> Ending:
    """Run one report with the watch, and without it; then follow the advice."""
    began = time.monotonic()
    stopped = _ask_watch(report, base, folder / "watched")
    place = _Place(report, base, folder / "plain")
    with place.start() as kernel:
        _must(kernel, _LOADED)
        _must(kernel, report.load)
        _must(kernel, "_before = _look()")
        _run(kernel, report.install)
        replaces = bool(
            _ask(
                kernel,
                place,
                "[p for p, content in _before.items() if not _o.path.exists(p) or open(p, 'rb').read() != content]",
            )
        )
        broke = bool(_run(kernel, report.use))
        died = not kernel.manager.is_alive()
        if not died:
            _must(kernel, "import tierproof as tp")
            steps, first_word, held, works = _follow(kernel, place, report)
    if died:  # the use ended the process, so the doctor is asked before it
        place = _Place(report, base, folder / "again")
        with place.start() as kernel:
            _must(kernel, report.load)
            _run(kernel, report.install)
            _must(kernel, "import tierproof as tp")
            steps, first_word, held, works = _follow(kernel, place, report)
    seconds = time.monotonic() - began
    return Ending(report.source, replaces, stopped, broke, first_word, held, tuple(steps), works, seconds)


def _follow(kernel: Kernel, place: _Place, report: Report) -> tuple[list[str], str, bool, bool]:
    """Do what the doctor says until it says healthy or restart; the first word is right if it was enough."""
    steps: list[str] = []
    first_word, promised = "", ""
    for _ in range(4):
        told = _ask(kernel, place, "tp.doctor().to_dict()")
        if told["healthy"]:
            word = "healthy"
        else:
            remedies = [each["remedy"] for each in told["torn"]]
            word = next(each for each in ("reinstall", "heal", "restart") if each in remedies)
        details = " ".join(each["detail"] for each in told["torn"])
        steps.append(word)
        if not first_word:
            first_word, promised = word, details
        if word == "healthy":
            works = not _run(kernel, report.use)
            # Healthy at once, in a kernel that fails: then nothing was told.
            return steps, first_word, works, works
        if word == "restart":
            works = place.works_after_restart()
            held = works and (first_word == "restart" or "then restart" in promised)
            return steps, first_word, held, works
        if word == "heal":
            _ask(kernel, place, "tp.heal().to_dict()")
        for command in dict.fromkeys(_COMMAND.findall(details)) if word == "reinstall" else ():
            _run(kernel, f"!{command}")
    return steps, first_word, False, False


def _ask_watch(report: Report, base: Path, folder: Path) -> bool:
    with _Place(report, base, folder).start() as kernel:
        _must(kernel, report.load)
        _must(kernel, "%load_ext tierproof")
        return "InstallStopped" in _run(kernel, report.install)


class _Place:
    """An environment of its own for one report: the base by hard links, which installers break and never write to."""

    def __init__(self, report: Report, base: Path, folder: Path) -> None:
        self._report = report
        self.root, self.data = folder / "env", folder / "data"
        self.data.mkdir(parents=True)
        shutil.copytree(base, self.root, symlinks=True, copy_function=os.link)
        for script in (self.root / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                content = script.read_bytes()
                if str(base).encode() in content:
                    mode = script.stat().st_mode
                    script.unlink()
                    script.write_bytes(content.replace(str(base).encode(), str(self.root).encode()))
                    script.chmod(mode)
        self.python = self.root / "bin" / "python"
        if report.before:
            subprocess.run(
                [self.python, "-m", "pip", "install", "-q", "--no-deps", *report.before],
                check=True,
                capture_output=True,
            )
        time.sleep(2)  # a link changes a file's time, and what changed before the kernel started is no break

    def start(self):  # type: ignore[no-untyped-def]
        """A kernel in it, with its programs first on PATH."""
        known = os.environ["PATH"].split(os.pathsep)
        others = [each for each in known if not each.startswith(tempfile.gettempdir())]
        os.environ["PATH"] = os.pathsep.join([str(self.root / "bin"), *others])
        return start_kernel(self.python, self.data)

    def works_after_restart(self) -> bool:
        """Whether a fresh kernel loads and uses what the report does."""
        with self.start() as kernel:
            return not _run(kernel, self._report.load) and not _run(kernel, self._report.use)


def _run(kernel: Kernel, code: str) -> str:
    """Run a cell; the error that it ended in. A kernel that dies is one."""
    asked = kernel.client.execute(code)
    for _ in range(_MOST_WAITS):
        try:
            reply = kernel.client.get_shell_msg(timeout=1)
        except queue.Empty:
            if not kernel.manager.is_alive():
                kernel.client.context = zmq.Context()  # the old one would wait for what nobody reads
                return "the kernel died"
            continue
        if reply["parent_header"].get("msg_id") != asked:
            continue
        content = reply["content"]
        if content["status"] == "aborted":  # it came too soon after a cell that failed
            asked = kernel.client.execute(code)
            continue
        return f"{content['ename']}: {content['evalue']}" if content["status"] == "error" else ""
    return "no answer"


def _ask(kernel: Kernel, place: _Place, expression: str) -> Any:
    """The value of an expression, by way of a file: what a kernel under load prints may come too late."""
    answer = place.data / "answer.json"
    answer.unlink(missing_ok=True)
    _must(
        kernel, f"import json as _json; open({str(answer)!r}, 'w').write(_json.dumps({expression})) and None"
    )
    return json.loads(answer.read_text(encoding="utf-8"))


def _must(kernel: Kernel, code: str) -> None:
    error = _run(kernel, code)
    if error:
        raise RuntimeError(f"{code!r} failed: {error}")


if __name__ == "__main__":
    wanted = [
        each for each in REPORTS if not sys.argv[1:] or any(part in each.source for part in sys.argv[1:])
    ]
    told, is_met = run(wanted)
    print(told)
    sys.exit(not is_met)
