"""Which modules of an added package are tried, and how."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tierproof.guard.capture.inventory import FileStamp, PackageFiles
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.stage import import_trial
from tierproof.guard.stage.import_trial import ImportTrial, find_modules


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        (["pack/__init__.py", "pack/part/__init__.py", "pack/one.py"], ("pack",)),
        (["single.py"], ("single",)),
        (["native.cpython-312-x86_64-linux-gnu.so"], ("native",)),
        (["space/part/__init__.py", "space/one.py"], ("space.one", "space.part")),
        (["shown/__init__.py", "_hidden.py"], ("shown",)),
        (["_only.abi3.so"], ("_only",)),
        (["faiss/__init__.py", "faiss_cpu.libs/libgomp-1.so", "faiss_cpu-1.dist-info/x.py"], ("faiss",)),
    ],
)
def test_the_modules_at_the_top(files: list[str], modules: tuple[str, ...]) -> None:
    stamps = {path: FileStamp("", 0) for path in files}
    assert find_modules(PackageFiles("1", stamps)) == modules


def write_modules(folder: Path, **sources: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return str(folder)


def hold(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: dict[str, str],
    added: dict[str, str],
    warm: list[str],
) -> tuple[list[str], list[str]]:
    """Try every added module; gives what failed, and the processes in which an added module began."""
    monkeypatch.setenv("PYTHONPATH", write_modules(tmp_path / "base", **base))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    note = 'import os; open(os.environ["SEEN"], "a").write(f"{os.getpid()}\\n")\n'
    site = write_modules(tmp_path / "site", **{name: note + source for name, source in added.items()})
    with ImportTrial(warm=[warm]) as trial:
        failures = trial.try_imports(
            {name: [name] for name in added}, [*sys.path, str(tmp_path / "base"), site], limit_s=30
        )
    seen = (tmp_path / "seen").read_text().split() if (tmp_path / "seen").exists() else []
    return [f"{each.module}: {each.reason}" for each in failures], seen


def test_the_warm_process_tries_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = f"open({str(tmp_path / 'warmed')!r}, 'a').write('x')"
    failed, seen = hold(
        tmp_path, monkeypatch, {"heavy": marks}, {"one": "import heavy", "two": "import one"}, ["heavy"]
    )
    assert failed == []
    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert (tmp_path / "warmed").read_text() == "x"


def test_what_fails_beside_warm_modules_is_tried_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = "import sys\nassert 'heavy' not in sys.modules"
    failed, seen = hold(tmp_path, monkeypatch, {"heavy": ""}, {"one": alone}, ["heavy"])
    assert failed == []
    assert len(set(seen)) == 2
    failed, _ = hold(tmp_path, monkeypatch, {"heavy": ""}, {"two": "import os; os.abort()"}, ["heavy"])
    assert failed == ["two: the import ended the process with signal SIGABRT"]


@pytest.mark.parametrize(
    ("heavy", "added"),
    [
        ("raise ValueError", {"one": ""}),
        ("import os; os.abort()", {"one": ""}),
        ("import sys; sys.exit(3)", {"one": ""}),
        ("import sys; sys.stdin.read()", {"one": ""}),
        ("import twin", {"twin": ""}),
    ],
    ids=["raises", "dies", "exits", "reads stdin", "loads another of that name"],
)
def test_a_warm_module_never_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: str, added: dict[str, str]
) -> None:
    write_modules(tmp_path / "elsewhere", twin="")
    heavy = heavy.replace(
        "import twin", f"import sys; sys.path.insert(0, {str(tmp_path / 'elsewhere')!r}); import twin"
    )
    failed, seen = hold(tmp_path, monkeypatch, {"heavy": heavy}, added, ["heavy"])
    assert failed == []
    assert len(seen) == 1


def test_a_trial_that_is_given_up_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", write_modules(tmp_path, heavy="import time; time.sleep(600)"))
    with ImportTrial(warm=[["heavy"], []]) as trial:
        processes = [child._process for child in trial._children]
    assert len(processes) == 2
    assert all(process.returncode is not None for process in processes)


def test_a_module_that_never_ends_is_refused(tmp_path: Path) -> None:
    site = write_modules(tmp_path, slow="import time; time.sleep(600)")
    with ImportTrial() as trial, pytest.raises(InstallError, match="within 1 seconds"):
        trial.try_imports({"slow": ["slow"]}, [*sys.path, site], limit_s=1)


def test_a_fork_has_what_this_process_has_loaded_and_holds_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "loaded_here", ModuleType("loaded_here"))
    source = f"""
import json, os, loaded_here
open({str(tmp_path / "told")!r}, "w").write(json.dumps([os.getppid(), sorted(os.listdir("/proc/self/fd"))]))
print("said to nobody")
"""
    site = write_modules(tmp_path / "site", one=source)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ImportTrial(warm=[[]], fork=True) as trial:
            assert trial.try_imports({"one": ["one"]}, [*sys.path, site], limit_s=30) == ()
    parent, descriptors = json.loads((tmp_path / "told").read_text())
    assert parent == os.getpid()
    assert (
        len(descriptors) <= 7
    )  # three streams, the answers, the folder that is listed and the file that is written
    assert "one" not in sys.modules


@pytest.mark.parametrize(
    "source", ["assert 'loaded_here' not in sys.modules", "'loaded_here' in sys.modules and os.abort()",
               "'loaded_here' in sys.modules and time.sleep(600)"], ids=["fails", "dies", "hangs"],
)  # fmt: skip
def test_what_goes_wrong_in_a_fork_is_tried_in_a_fresh_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setitem(sys.modules, "loaded_here", ModuleType("loaded_here"))
    monkeypatch.setattr(import_trial, "_IN_A_FORK_S", 1.0)
    site = write_modules(tmp_path, one=f"import os, sys, time\n{source}", two="raise ImportError('no')")
    with ImportTrial(warm=[[]], fork=True) as trial:
        assert trial.try_imports({"one": ["one"]}, [*sys.path, site], limit_s=30) == ()
    with ImportTrial(warm=[[]], fork=True) as trial:
        (failure,) = trial.try_imports({"two": ["two"]}, [*sys.path, site], limit_s=30)
    assert failure.reason == "ImportError: no"


def test_where_no_fork_is_had_a_fresh_process_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(os, "fork", refuse)
    site = write_modules(tmp_path, one="")
    with ImportTrial(warm=[[]], fork=True) as trial:
        assert trial.try_imports({"one": ["one"]}, [*sys.path, site], limit_s=30) == ()


@pytest.mark.parametrize("fork", [True, False], ids=["forks", "fresh processes"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_two_children_share_the_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, *, fork: bool
) -> None:
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    note = 'import os; open(os.environ["SEEN"], "a").write(f"{__name__} {os.getpid()}\\n")\n'
    names = [f"part_{number}" for number in range(count)]
    site = write_modules(tmp_path / "site", **dict.fromkeys(names, note))
    with ImportTrial(warm=[[], []], fork=fork) as trial:
        assert trial.try_imports({name: [name] for name in names}, [*sys.path, site], limit_s=30) == ()
    seen = dict(line.split() for line in (tmp_path / "seen").read_text().splitlines())
    assert sorted(seen) == names
    assert len((tmp_path / "seen").read_text().splitlines()) == count
    assert len({seen[names[0]], seen[names[-1]]}) == min(count, 2)


@pytest.mark.parametrize("ill", [0, 1, 2])
@pytest.mark.parametrize(
    "source", ["raise ImportError('no')", "import os; os._exit(0)", "import os; os.abort()"]
)
def test_what_fails_in_one_of_two_children_is_tried_alone(tmp_path: Path, ill: int, source: str) -> None:
    sources = {f"piece_{number}": source if number == ill else "" for number in range(3)}
    site = write_modules(tmp_path, **sources)
    with ImportTrial(warm=[[], []]) as trial:
        (failure,) = trial.try_imports({name: [name] for name in sources}, [*sys.path, site], limit_s=30)
    assert failure.module == f"piece_{ill}"
