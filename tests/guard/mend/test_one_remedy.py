"""The remedy that doctor and heal give together, in processes of their own over synthetic distributions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guard.fake_site import install

SOURCE = Path(__file__).resolve().parents[3] / "src"
TESTS = Path(__file__).resolve().parents[2]
PACK = {"pack/__init__.py": "def f():\n    return 1\n", "pack/late.py": "def g():\n    return 1\n"}
NEWER = {"pack/__init__.py": "def f():\n    return 2\n", "pack/late.py": "def g():\n    return 2\n"}
PRELUDE = """
import importlib, json, os, shutil, sys
from pathlib import Path
from guard.fake_site import install
import tierproof as tp
root = Path(sys.argv[1])
def replace(name, old, new, files, requires=()):
    shutil.rmtree(root / f"{name}-{old}.dist-info")
    for path in files:
        (root / path).unlink(missing_ok=True)
    metadata = install(root, name, new, files)
    importlib.invalidate_caches()
def show(told):
    print(json.dumps(told.to_dict()))
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    root = tmp_path / "site-packages"
    root.mkdir()
    install(root, "pack", "1.0", PACK)
    require(install(root, "user", "1.0", {"user.py": "from pack import f\n"}), "pack<2")
    return root


def require(metadata: Path, *lines: str) -> None:
    text = (metadata / "METADATA").read_text().rstrip("\n")
    (metadata / "METADATA").write_text(
        "\n".join([text, *(f"Requires-Dist: {line}" for line in lines)]) + "\n\n"
    )


def run(site: Path, code: str) -> list[dict[str, Any]]:
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, str(site)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(SOURCE), str(TESTS)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def test_a_version_that_only_the_disk_told_is_healed(site: Path) -> None:
    found, healing, after = run(
        site,
        f"""
import pack
tp.doctor(); tp.snapshot()
replace("pack", "1.0", "2.0", {NEWER!r})
show(tp.doctor()); show(tp.heal()); show(tp.doctor())
""",
    )
    (torn,) = found["torn"]
    assert (torn["loaded_version"], torn["disk_version"], torn["remedy"]) == ("1.0", "2.0", "heal")
    assert healing["ok"] is True
    assert after["healthy"] is True


def test_what_was_imported_while_torn_is_told_after_the_heal_and_never_healed_again(site: Path) -> None:
    healing, after, again = run(
        site,
        f"""
import pack
tp.doctor(); tp.snapshot()
replace("pack", "1.0", "2.0", {NEWER!r})
import pack.late
show(tp.heal()); show(tp.doctor()); show(tp.heal())
""",
    )
    for diagnosis in (healing["diagnosis"], after, again["diagnosis"]):
        (torn,) = diagnosis["torn"]
        assert (torn["evidence"], torn["remedy"]) == (["imported-while-torn"], "restart")
        assert torn["modules"] == ["pack.late"]
    assert again["healed"] == []


def test_a_heal_settles_which_version_is_loaded(site: Path) -> None:
    """Where only `__version__` told it: afterwards a module of the other version is what is out of place."""
    modules = {
        "pack/__init__.py": "__version__ = '1.0'\ndef f():\n    return 1\n",
        "pack/late.py": PACK["pack/late.py"],
    }
    newer = {
        "pack/__init__.py": "__version__ = '2.0'\ndef f():\n    return 2\n",
        "pack/late.py": NEWER["pack/late.py"],
    }
    before, healing, after = run(
        site,
        f"""
replace("pack", "1.0", "1.0", {modules!r})
import pack
tp.doctor(); tp.snapshot()
replace("pack", "1.0", "2.0", {newer!r})
import pack.late
from tierproof.guard.capture.disk_history import HISTORY
HISTORY._versions.clear(), HISTORY._loaded.clear()  # as where tierproof is imported after the install
shutil.rmtree(Path(os.environ["XDG_DATA_HOME"], "tierproof", "baselines"))
show(tp.doctor()); show(tp.heal()); show(tp.doctor())
""",
    )
    (torn,) = before["torn"]
    assert (torn["loaded_version"], torn["remedy"]) == ("1.0", "heal")
    assert "then restart" in torn["detail"]  # announced before the heal
    for diagnosis in (healing["diagnosis"], after):
        (torn,) = diagnosis["torn"]
        assert (torn["loaded_version"], torn["evidence"], torn["remedy"]) == (
            "1.0",
            ["imported-while-torn"],
            "restart",
        )
        assert torn["modules"] == ["pack.late"]
        assert "pack.late" in torn["detail"]


def test_a_restart_is_not_advised_where_a_fresh_process_fails(site: Path) -> None:
    broken = {**NEWER, "pack/__init__.py": "def other():\n    return 2\n"}
    found, healing = run(
        site,
        f"""
import user
replace("pack", "1.0", "2.0", {broken!r})
sys.modules["pack"].__dict__.pop("__version__", None)
from tierproof.guard.capture.disk_history import HISTORY
HISTORY._versions.clear()
show(tp.doctor()); show(tp.heal())
""",
    )
    for diagnosis in (found, healing["diagnosis"]):
        (torn,) = diagnosis["torn"]
        assert torn["remedy"] == "reinstall"
        assert "user cannot be imported" in torn["detail"]
        assert 'pip install --no-deps "pack<2"' in torn["detail"]
    assert [each["owner"] for each in found["unmet"]] == ["user"]


def test_a_heal_that_failed_is_not_advised_again(site: Path) -> None:
    found, healing, after = run(
        site,
        f"""
import os, pack
os.environ |= {{"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "PIP_NO_INDEX": "1"}}
tp.doctor()
replace("pack", "1.0", "2.0", {NEWER!r})
show(tp.doctor()); show(tp.heal()); show(tp.doctor())
""",
    )
    assert [each["remedy"] for each in found["torn"]] == ["heal"]
    assert [each["package"] for each in healing["failed"]] == ["pack"]
    for diagnosis in (healing["diagnosis"], after):
        (torn,) = diagnosis["torn"]
        assert torn["remedy"] == "restart"
        assert "An earlier attempt to put the loaded version back failed" in torn["detail"]


def test_files_that_another_distribution_has_overwritten_are_healed(site: Path) -> None:
    time.sleep(0.3)  # what is put there just before a process starts may have come after it
    found, healing, after = run(
        site,
        f"""
import pack
tp.doctor(); tp.snapshot()
for path in ("pack/__init__.py", "pack/late.py"):  # an installer makes new files
    (root / path).unlink()
install(root, "twin", "9.0", {NEWER!r})
importlib.invalidate_caches()
show(tp.doctor()); show(tp.heal()); show(tp.doctor())
""",
    )
    (torn,) = found["torn"]
    assert (torn["package"], torn["loaded_version"], torn["remedy"]) == ("pack", "1.0", "heal")
    assert "runs pack 1.0, whose files twin 9.0 has overwritten" in torn["detail"]
    assert healing["healed"] == [{"package": "pack", "version": "1.0", "replaced_version": "1.0"}]
    assert after["healthy"] is True
    assert "twin 9.0 and pack 1.0 contain the same files" in " ".join(after["notes"])


def test_an_environment_whose_bound_an_install_broke_is_not_healthy_without_a_word(site: Path) -> None:
    told = run(
        site,
        f"""
from tierproof.guard.mend.doctor import diagnose_environment
show(diagnose_environment())
replace("pack", "1.0", "2.0", {NEWER!r})
show(diagnose_environment())
replace("pack", "2.0", "3.0", {{"pack/__init__.py": "x = 1\\n"}})
show(diagnose_environment())
""",
    )
    assert [each["unmet"] == [] for each in told] == [True, False, False]
    assert [each["healthy"] for each in told] == [True, True, False]
    (torn,) = told[2]["torn"]
    assert (torn["package"], torn["evidence"], torn["remedy"]) == ("pack", ["import-fails"], "reinstall")


def test_vendored_packages_and_start_hooks_are_not_distributions(site: Path) -> None:
    files = {
        "kit/__init__.py": "def k():\n    return 1\n",
        "kit/_vendor/more/__init__.py": "__version__ = '10.3.0'\ndef m():\n    return 1\n",
        "_kit_hook.py": "def h():\n    return 1\n",
        "kit-start.pth": "import _kit_hook\n",
    }
    install(site, "kit", "75.2", files)
    newer = {name: text.replace("return 1", "return 2") for name, text in files.items()}
    idle, used = run(
        site,
        f"""
import _kit_hook
replace("kit", "75.2", "80.9", {newer!r})
show(tp.doctor())
replace("kit", "80.9", "75.2", {files!r})
sys.path.append(str(root / "kit/_vendor"))
import kit, more
from tierproof.guard.capture.loaded_distributions import find_loaded_here
from tierproof.guard.capture.installed import capture_installed
assert "kit" in find_loaded_here(capture_installed()).names
replace("kit", "75.2", "81.0", {newer!r})
show(tp.doctor())
""",
    )
    assert idle["healthy"] is True
    (torn,) = used["torn"]
    assert torn["package"] == "kit"
    assert torn["loaded_version"] != "10.3.0"
    assert {"kit", "more"} <= set(torn["modules"])


def test_what_came_after_the_loaded_version_is_never_taken_for_it(site: Path) -> None:
    """tierproof comes after the install: 2.0 is no candidate when 3.0 replaces it in its turn."""
    first, then = run(
        site,
        f"""
import pack
for name in [name for name in sys.modules if name.partition(".")[0] == "tierproof"]:
    del sys.modules[name]
import time; time.sleep(2.1)  # the clock of a process's start has whole seconds
replace("pack", "1.0", "2.0", {NEWER!r})
import tierproof as tp
show(tp.doctor())
replace("pack", "2.0", "3.0", {{"pack/__init__.py": "def f():\\n    return 3\\n", "pack/late.py": ""}})
show(tp.doctor())
""",
    )
    for told in (first, then):
        (torn,) = told["torn"]
        assert (torn["loaded_version"], torn["remedy"]) == ("", "restart")


def test_a_version_that_explains_none_of_the_loaded_code_is_not_put_back(site: Path) -> None:
    (healing,) = run(
        site,
        f"""
import pack
tp.snapshot()
from tierproof.guard.capture.disk_history import HISTORY
pack.f.__code__ = pack.f.__code__.replace(co_firstlineno=77)
HISTORY.note_loaded("pack", "1.0")
replace("pack", "1.0", "2.0", {NEWER!r})
show(tp.heal())
""",
    )
    (failed,) = healing["failed"]
    assert "the loaded modules differ from the code of pack 1.0" in failed["reason"]
    assert (site / "pack/__init__.py").read_text() == NEWER["pack/__init__.py"]


TWO = {
    "part.py": "def p():\n    return 1\n",
    "kit/__init__.py": "__version__ = '75.2'\ndef k():\n    return 1\n",
}
NEWER_TWO = {
    "part.py": "def p():\n    return 2\n",
    "kit/__init__.py": "__version__ = '80.9'\ndef k():\n    return 2\n",
}
WITHOUT_TIERPROOF = """
for name in [name for name in sys.modules if name.partition(".")[0] == "tierproof"]:
    del sys.modules[name]
import time; time.sleep(2.1)  # the clock of a process's start has whole seconds
"""


@pytest.mark.parametrize(
    ("before", "loaded"),
    [("", ""), ("tp.doctor()", "75.2")],
    ids=["never seen", "seen by a doctor"],
)
def test_a_module_imported_after_the_install_does_not_tell_what_was_loaded_before(
    site: Path, before: str, loaded: str
) -> None:
    """`part` is of the version before, `kit` of the one on disk: its `__version__` is that of the disk."""
    install(site, "kit", "75.2", TWO)
    first, again = run(
        site,
        f"""
import part
{before}
{WITHOUT_TIERPROOF}
replace("kit", "75.2", "80.9", {NEWER_TWO!r})
import kit, tierproof as tp
show(tp.doctor()); show(tp.doctor())
""",
    )
    for told in (first, again):
        (torn,) = told["torn"]
        assert (torn["loaded_version"], torn["disk_version"]) == (loaded, "80.9")
        assert (torn["evidence"], torn["remedy"]) == (["version", "imported-while-torn"], "restart")
        assert torn["modules"] == ["part"]
        assert f"kit {loaded or '(version unknown)'}; the disk has 80.9" in torn["detail"]
        assert "has also loaded kit of version 80.9" in torn["detail"]


def test_the_version_that_a_running_process_has_seen_is_the_loaded_one(site: Path) -> None:
    install(site, "kit", "75.2", TWO)
    found, healing = run(
        site,
        f"""
import part
from tierproof.guard.capture.disk_history import HISTORY
HISTORY.look()
replace("kit", "75.2", "80.9", {NEWER_TWO!r})
import kit
show(tp.doctor()); show(tp.heal())
""",
    )
    (torn,) = found["torn"]
    assert (torn["loaded_version"], torn["disk_version"], torn["remedy"]) == ("75.2", "80.9", "restart")
    assert [each["remedy"] for each in healing["diagnosis"]["torn"]] == ["restart"]


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ('(root / "part.py").write_text("def p():\\n    return 3\\n")', "restart"),
        (f'replace("kit", "80.9", "81.0", {NEWER_TWO!r} | {{"part.py": ""}})', "heal"),
    ],
    ids=["a file was edited", "another version came"],
)
def test_what_was_imported_after_an_install_is_told_by_its_own_version(
    site: Path, change: str, remedy: str
) -> None:
    """The ordinary session: installed in it, then imported; the version on disk, or of before, is the loaded one."""
    install(site, "kit", "75.2", TWO)
    (told,) = run(
        site,
        f"""
{WITHOUT_TIERPROOF}
replace("kit", "75.2", "80.9", {NEWER_TWO!r})
import kit, part
{change}
import tierproof as tp
show(tp.doctor())
""",
    )
    (torn,) = told["torn"]
    assert (torn["loaded_version"], torn["remedy"]) == ("80.9", remedy)


def test_what_a_package_carries_along_is_not_installed_on_any_path(site: Path) -> None:
    """Also where the path is chosen, as for a plan, and where only `sys.path` names the folder above."""
    vendored = site / "kit/_vendor"
    install(site, "kit", "75.2", {"kit/__init__.py": ""})
    vendored.mkdir()
    install(vendored, "more", "10.3.0", {"more/__init__.py": "__version__ = '10.3.0'\n"})
    told = run(
        site,
        """
vendored = str(root / "kit/_vendor")
sys.path.append(vendored)
import more
from tierproof.guard.capture.base import capture_base
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.present_base import capture_present_base
from tierproof.guard.capture.loaded_distributions import find_loaded_here
bases = [
    capture_base(),
    capture_base(paths=[str(root), vendored]),
    capture_base(paths=[vendored]),
    capture_present_base(GenerationStore(root / "store"), find_loaded_here).base,
]
HISTORY.look()
print(json.dumps({"found": ["more" in base.by_name for base in bases], "seen": HISTORY.find_versions("more")}))
""",
    )
    assert told == [{"found": [False] * 4, "seen": []}]
