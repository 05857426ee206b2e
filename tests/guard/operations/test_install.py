"""Installs into a real environment: what they add, what they refuse, and that the base stays as it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from guard.throwaway import Throwaway

LIVE = """
import json, sys
import tierproof as tp
{body}
"""


@pytest.fixture
def here(tmp_path: Path) -> Throwaway:
    throwaway = Throwaway(tmp_path)
    for version in ("1.0", "2.0"):
        throwaway.index.add("basement", version)
    throwaway.index.add("upstairs", "1.0", "basement<2")
    throwaway.index.add("extra", "1.0", "basement", "helper>=1")
    throwaway.index.add("helper", "1.0")
    throwaway.index.add("helper", "1.5")
    throwaway.index.add("needs-new", "1.0", "basement>=2")
    throwaway.index.add(
        "tool",
        "1.0",
        files={
            "tool.py": "__version__ = '1.0'\ndef main():\n    print('tool runs')\n",
            "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool-run = tool:main\n[group]\nx = tool:main\n",
            "tool-1.0.data/data/share/tool/text.txt": "data\n",
        },
    )
    throwaway.add_base("basement==1.0", "upstairs")
    return throwaway


def test_an_addition_is_usable_at_once_in_children_and_after_a_restart(here: Throwaway) -> None:
    before = here.stamp_base()
    live = here.ask(
        LIVE.format(
            body="""
receipt = tp.install("extra", "tool")
import extra, tool, subprocess
from importlib.metadata import entry_points, version
child = subprocess.run([sys.executable, "-c", "import extra, helper; print(helper.__version__)"],
                       capture_output=True, text=True)
print(json.dumps({
    "receipt": receipt.to_dict(), "path": sys.path, "child": child.stdout.strip(), "html": receipt._repr_html_(),
    "group": [each.name for each in entry_points(group="group")], "version": version("extra"),
}))"""
        )
    )
    receipt = live["receipt"]
    assert receipt["plan"]["verdict"] == "additive"
    assert [item["name"] for item in receipt["added"]] == ["extra", "helper", "tool"]
    assert not receipt["restart_needed"]
    assert live["child"] == "1.5"
    assert live["group"] == ["x"]
    assert live["version"] == "1.0"
    assert "extra" in live["html"]
    # A fresh process has '' where `python -c` has it: both were started alike, so they are equal.
    assert here.read_path() == live["path"]
    assert here.find_version("helper") == "1.5"
    assert here.stamp_base() == before
    script = here.python.parent / "tool-run"
    assert subprocess.run([script], capture_output=True, text=True, check=True).stdout == "tool runs\n"


def test_the_generation_cannot_be_uninstalled_by_pip_and_says_whose_it_is(here: Throwaway) -> None:
    entry = Path(here.install("extra")["path_entry"])
    metadata = entry / "extra-1.0.dist-info"
    assert (metadata / "INSTALLER").read_text() == "tierproof\n"
    assert not (metadata / "RECORD").exists()
    assert not (metadata / "REQUESTED").exists()
    assert json.loads((entry.parent / "inventory.json").read_text())["packages"]["extra"]["version"] == "1.0"


def test_what_is_there_already_is_said_and_changes_nothing(here: Throwaway) -> None:
    first = here.install("extra")
    again = here.install("extra")
    assert again["plan"]["verdict"] == "satisfied"
    assert not again["changed"]
    assert again["generation"] == first["generation"]
    assert here.install("basement")["generation"] == first["generation"]


def test_a_second_install_keeps_the_first(here: Throwaway) -> None:
    first = here.install("extra")
    second = here.install("tool")
    assert second["previous"] == first["generation"] != second["generation"]
    assert [here.find_version(name) for name in ("extra", "helper", "tool")] == ["1.0", "1.5", "1.0"]
    listed = json.loads(here.command("list", "--json").stdout)["packages"]
    assert {item["name"]: item["requested_by"] for item in listed} == {
        "extra": ["extra"],
        "helper": ["extra"],
        "tool": ["tool"],
    }


def test_an_added_package_that_nobody_loaded_may_change_within_what_was_asked_before(here: Throwaway) -> None:
    here.install("extra")
    assert json.loads(here.command("plan", "helper<1.5", "--json").stdout)["verdict"] == "additive"
    receipt = here.install("helper<1.5")
    assert receipt["plan"]["verdict"] == "additive"
    assert [(item["name"], item["version"]) for item in receipt["added"]] == [("helper", "1.0")]
    refused = here.command("install", "helper>=9")
    assert refused.returncode == 1
    assert here.find_version("helper") == "1.0"


def test_an_added_package_that_is_loaded_stays(here: Throwaway) -> None:
    said = here.ask(
        LIVE.format(
            body="""
tp.install("helper==1.0")
import helper
try:
    tp.install("helper==1.5")
except tp.PlanRefused as error:
    print(json.dumps(error.plan.to_dict()))"""
        )
    )
    assert said["verdict"] == "isolated"
    assert said["conflicts"] == [
        {"package": "helper", "installed": "1.0", "required": "==1.5", "required_by": "the request"}
    ]
    assert said["touches_loaded"] == ["helper"]


def test_what_conflicts_with_a_loaded_package_is_refused_with_the_plan(here: Throwaway) -> None:
    before = here.stamp_base()
    said = here.ask(
        LIVE.format(
            body="""
import basement
try:
    tp.install("needs-new")
except tp.PlanRefused as error:
    print(json.dumps([error.plan.to_dict(), str(error)]))"""
        )
    )
    assert said[0]["verdict"] in ("isolated", "waiver")
    assert "needs-new needs basement ≥ 2; this kernel has 1.0 (loaded)" in said[1]
    assert here.stamp_base() == before
    assert not (here.site / "tierproof-packages.pth").exists()


def test_a_waived_bound_is_tried_and_then_installed(here: Throwaway) -> None:
    receipt = here.ask(
        LIVE.format(
            body="""
import basement
print(json.dumps(tp.install("needs-new", waive=["basement"]).to_dict()))"""
        )
    )
    assert [item["name"] for item in receipt["added"]] == ["needs-new"]
    assert here.find_version("needs_new") == "1.0"
    assert here.find_version("basement") == "1.0"
    # The waived bound is part of the base now: it hinders nothing else.
    assert here.install("tool")["plan"]["verdict"] == "additive"


def test_a_shadow_needs_consent_and_where_there_is_no_user_site_holds_in_the_process(here: Throwaway) -> None:
    said = here.ask(
        LIVE.format(
            body="""
try:
    tp.install("basement==2.0")
except tp.PlanRefused as error:
    refused = error.plan.to_dict()
print(json.dumps(refused))"""
        )
    )
    # upstairs, which nobody has loaded, would be unhappy with basement 2: it cannot be shadowed.
    assert said["verdict"] == "isolated"
    here.index.add("lone", "1.0")
    here.index.add("lone", "2.0")
    here.add_base("lone==1.0")
    said = here.ask(
        LIVE.format(
            body="""
try:
    tp.install("lone==2.0")
except tp.PlanRefused as error:
    refused = error.plan.to_dict()
receipt = tp.install("lone==2.0", allow_shadow=True)
import lone
print(json.dumps([refused, receipt.to_dict(), lone.__version__]))"""
        )
    )
    refused, receipt, version = said
    assert refused["verdict"] == "shadow"
    assert refused["shadows"] == [{"name": "lone", "base": "1.0", "version": "2.0", "dependents": []}]
    assert version == "2.0"
    assert receipt["session_only"]
    assert "only this process uses the added versions" in " ".join(receipt["notes"])
    assert here.find_version("lone") == "1.0"
    assert here.command("install", "lone==2.0", "--allow-shadow").returncode == 1


def test_an_existing_script_is_never_overwritten(here: Throwaway) -> None:
    script = here.python.parent / "tool-run"
    script.write_text("mine")
    receipt = here.install("tool")
    assert script.read_text() == "mine"
    assert receipt["launchers"]["taken"] == ["tool-run"]


def test_uninstall_takes_away_what_only_the_package_needed(here: Throwaway) -> None:
    here.install("extra", "tool")
    needed = here.command("uninstall", "helper")
    assert needed.returncode == 2
    assert "helper is needed by extra" in needed.stderr
    assert here.command("uninstall", "basement").returncode == 2
    done = json.loads(here.command("uninstall", "extra", "--json").stdout)
    assert done["removed"] == ["extra", "helper"]
    assert here.find_version("extra") is None
    assert here.find_version("tool") == "1.0"
    last = json.loads(here.command("uninstall", "tool", "--json").stdout)
    assert last["generation"] == ""
    assert here.find_version("tool") is None
    assert not (here.site / "tierproof-packages.pth").exists()
    assert not (here.python.parent / "tool-run").exists()
    assert here.command("uninstall", "tool").returncode == 2


def test_rollback_and_history(here: Throwaway) -> None:
    assert here.command("history").stdout == "No packages have been added to this environment yet.\n"
    assert here.command("rollback").returncode == 2
    here.install("helper==1.0")
    here.install("helper==1.5")
    assert here.find_version("helper") == "1.5"
    assert json.loads(here.command("rollback", "--json").stdout)["added"][0]["version"] == "1.0"
    assert here.find_version("helper") == "1.0"
    assert here.command("rollback", "99").returncode == 2
    assert here.command("rollback", "2").returncode == 0
    assert here.find_version("helper") == "1.5"
    entries = json.loads(here.command("history", "--json").stdout)["entries"]
    assert [entry["action"] for entry in entries] == ["install", "install", "rollback", "rollback"]
    assert "(present)" in here.command("history").stdout.splitlines()[-1]


def test_a_kernel_that_has_loaded_the_newer_version_keeps_it_over_a_rollback(here: Throwaway) -> None:
    said = here.ask(
        LIVE.format(
            body="""
tp.install("helper==1.0")
tp.install("helper==1.5")
import helper
path = list(sys.path)
receipt = tp.rollback()
print(json.dumps([receipt.to_dict(), path == sys.path, helper.__version__]))"""
        )
    )
    assert said[0]["restart_needed"]
    assert said[1]
    assert here.find_version("helper") == "1.0"


def test_garbage_is_what_no_process_can_have(here: Throwaway) -> None:
    first = here.install("helper==1.0")["generation"]
    second = here.install("helper==1.5")["generation"]
    kept = json.loads(here.command("gc", "--json").stdout)
    assert kept["removed"] == []
    assert {item["generation"] for item in kept["kept"]} == {first, second}
    with subprocess.Popen(
        [here.python, "-c", "import helper; print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=here.environment,
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        here.command("rollback")
        kept = json.loads(here.command("gc", "--keep", "0", "--json").stdout)
        assert second not in kept["removed"], "a live process may yet import from it"
        user.communicate(b"\n")
    here.command("rollback", "2")
    assert json.loads(here.command("gc", "--keep", "0", "--json").stdout)["removed"] == [first]
    gone = here.command("rollback", "1")
    assert gone.returncode == 2
    assert "removed" in gone.stderr
    lock = gone.stderr.rpartition("--lock ")[2].splitlines()[0].strip()
    assert here.command("recover", "--lock", lock).returncode == 0
    assert here.find_version("helper") == "1.0"


def test_a_requirements_file_is_read(here: Throwaway) -> None:
    (here.folder / "more.txt").write_text("tool  # a comment\n")
    (here.folder / "all.txt").write_text("# header\nhelper\\\n==1.0\n-r more.txt\n\n")
    receipt = here.install("-r", str(here.folder / "all.txt"))
    assert [item["name"] for item in receipt["added"]] == ["helper", "tool"]
    (here.folder / "bad.txt").write_text("--index-url https://elsewhere\n")
    bad = here.command("install", "-r", str(here.folder / "bad.txt"))
    assert bad.returncode == 2
    assert "line 1" in bad.stderr
    (here.folder / "loop.txt").write_text("-r loop.txt\n")
    assert "includes itself" in here.command("install", "-r", str(here.folder / "loop.txt")).stderr


def test_a_package_that_does_not_import_is_refused_unless_asked_for_without_trial(here: Throwaway) -> None:
    here.index.add("broken", "1.0", files={"broken.py": "raise RuntimeError('not today')\n"})
    refused = here.command("install", "broken")
    assert refused.returncode == 2
    assert "broken cannot be imported in this environment: RuntimeError: not today" in refused.stderr
    assert not (here.site / "tierproof-packages.pth").exists()
    assert here.command("install", "broken", "--no-trial").returncode == 0


def test_a_package_that_kills_its_importer_is_refused_and_named(here: Throwaway) -> None:
    here.index.add(
        "killer", "1.0", files={"killer.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"}
    )
    refused = here.command("install", "killer")
    assert refused.returncode == 2
    assert "SIGSEGV" in refused.stderr


def test_an_optional_module_that_is_missing_in_a_dependency_is_a_note(here: Throwaway) -> None:
    here.index.add("leaning", "1.0", files={"leaning.py": "import nowhere_at_all\n"})
    here.index.add("onward", "1.0", "leaning")
    receipt = here.install("onward")
    assert "leaning" in receipt["notes"][0]
    assert here.command("install", "leaning").returncode == 0


def test_a_module_beside_the_one_named_as_the_package_may_want_something_optional(here: Throwaway) -> None:
    here.index.add(
        "ducks", "1.0", files={"ducks.py": "x = 1\n", "adapter_of_ducks.py": "import nowhere_at_all\n"}
    )
    assert "adapter_of_ducks" in here.install("ducks")["notes"][0]
    here.index.add(
        "geese", "1.0", files={"adapter_of_geese.py": "x = 1\n", "geese.py": "import nowhere_at_all\n"}
    )
    assert "geese cannot be imported in this environment" in here.command("install", "geese").stderr


def test_works_from_a_damaged_generation_and_mends_it(here: Throwaway) -> None:
    receipt = here.install("helper==1.5")
    Path(receipt["path_entry"], "helper.py").unlink()
    assert here.find_version("helper") is None
    assert here.command("recover").returncode == 0
    assert here.find_version("helper") == "1.5"


@pytest.mark.slow
def test_a_project_is_built_only_with_leave(here: Throwaway) -> None:
    """Building needs its backend from a real index."""
    project = here.folder / "project"
    project.mkdir()
    (project / "sourced.py").write_text('"""A project."""\n__version__ = "0.3"\n')
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "sourced"\ndynamic = ["version", "description"]\n'
    )
    refused = here.command("install", str(project))
    assert refused.returncode == 2
    assert "--allow-build sourced" in refused.stderr
    real = {**here.environment, "UV_DEFAULT_INDEX": "https://pypi.org/simple"}
    done = here.run(
        "-m", "tierproof", "install", str(project), "--allow-build", "sourced", "--json", env=real
    )
    if "Failed to fetch" in done.stderr or "error sending request" in done.stderr:
        pytest.skip("no package index")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"][0]["version"] == "0.3"
    assert here.find_version("sourced") == "0.3"


def test_a_running_process_sees_what_another_has_added(here: Throwaway) -> None:
    """As in a notebook: `!tierproof install` in a cell, then `tp.install` of the same, as the docs say."""
    here.index.add("first", "1.0")
    here.index.add("second", "1.0")
    answer = here.ask(
        "import json, subprocess, sys\nimport tierproof as tp\n"
        "def add(name): subprocess.run([sys.executable, '-m', 'tierproof', 'install', name], check=True,\n"
        "                              stdout=subprocess.DEVNULL)\n"
        "add('first')\n"
        "receipt = tp.install('first')\n"
        "import first\n"
        "add('second')\n"
        "again = tp.install('second')\n"
        "import second\n"
        "third = tp.install('second')\n"
        "print(json.dumps([receipt.changed, list(receipt.notes), first.__version__, again.changed,\n"
        "                  second.__version__, list(third.notes), sys.path]))"
    )
    assert [answer[0], answer[2], answer[3], answer[4]] == [False, "1.0", False, "1.0"]
    assert "This process can import them now" in answer[1][0]
    assert answer[5] == []
    assert answer[6] == here.read_path()
