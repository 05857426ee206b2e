"""What pip would really change, on an index made here; and once against pip itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from guard.notebook_kernel import environment, make_environment
from guard.wheelhouse import Wheelhouse, make_base, write_wheel
from tierproof.guard.capture.base import Base
from tierproof.guard.commands.gap import GapReason
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee.foresee_pip import foresee
from tierproof.guard.foresee.foreseen import Foreseen

pytest.importorskip("uv")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv takes the environment in `.venv` of the current folder or above, whichever Python asks."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    for version in ("1.0", "2.0", "3.0rc1"):
        house.add("numb", version)
    house.add("pand", "1.0", "numb>=1")
    house.add("pand", "1.5", "numb>=1")
    house.add("capt", "0.9", "numb>=2")
    house.add("plain", "1.0")
    return house


BASE = make_base({"numb": "1.0", "pand": "1.0"}, {"pand": ["numb>=1"]}, loaded=["numb", "pand"])


def look(house: Wheelhouse, text: str, base: Base = BASE, **options: object) -> Foreseen:
    (command,) = parse_pip_commands(text, {})
    variables = {**house.environment, "PATH": "", "PIP_INDEX_URL": house.url, "PIP_CONFIG_FILE": "/dev/null"}
    return foresee(command, base, environment=variables, **options)  # type: ignore[arg-type]


def changes(found: Foreseen) -> list[str]:
    return [change.describe() for change in found.changes]


@pytest.mark.parametrize(
    ("text", "expected", "added"),
    [
        ("pip install plain", [], ("plain 1.0",)),
        ("pip install numb", [], ()),
        ("pip install 'numb>=1'", [], ()),
        ("pip install numb==2.0", ["numb 1.0 -> 2.0"], ()),
        ("pip install -U numb", ["numb 1.0 -> 2.0"], ()),
        ("pip install -U --pre numb", ["numb 1.0 -> 3.0rc1"], ()),
        ("pip install -U pand", ["pand 1.0 -> 1.5"], ()),
        ("pip install -U --upgrade-strategy eager pand", ["numb 1.0 -> 2.0", "pand 1.0 -> 1.5"], ()),
        ("uv pip install -U pand", ["numb 1.0 -> 2.0", "pand 1.0 -> 1.5"], ()),
        ("uv pip install -P numb pand", ["numb 1.0 -> 2.0"], ()),
        ("pip install --force-reinstall pand", ["numb 1.0 -> 2.0", "pand 1.0 -> 1.5"], ()),
        ("pip install --force-reinstall --no-deps pand==1.0", [], ()),
        ("pip install capt", ["numb 1.0 -> 2.0"], ("capt 0.9",)),
        ("pip install --no-deps capt", [], ("capt 0.9",)),
        ("pip uninstall -y numb other", ["numb 1.0 -> (removed)"], ()),
        ("pip install 'plain; python_version < \"3\"'", [], ()),
    ],
)
def test_pip_and_uv_each_in_their_way(
    house: Wheelhouse, text: str, expected: list[str], added: tuple[str, ...]
) -> None:
    found = look(house, text)
    assert sorted(changes(found)) == expected
    assert found.added == added
    assert found.unforeseen == ""
    assert found.harms == found.changes


def test_what_nobody_has_loaded_may_be_replaced(house: Wheelhouse) -> None:
    base = make_base({"numb": "1.0", "setuptools": "1"}, loaded=["setuptools"])
    found = look(house, "pip install capt", base)
    assert changes(found) == ["numb 1.0 -> 2.0"]
    assert found.harms == ()


def test_requirement_files_and_bounds(house: Wheelhouse, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("capt\n")
    (tmp_path / "c.txt").write_text("numb<2\n")
    assert changes(look(house, f"cd {tmp_path} && pip install -r r.txt")) == ["numb 1.0 -> 2.0"]
    bounded = look(house, f"cd {tmp_path} && pip install -r r.txt -c c.txt")
    assert bounded.changes == ()
    assert "no combination of versions satisfies this request" in bounded.unforeseen
    missing = look(house, "pip install -r missing.txt plain")
    assert "missing.txt" in missing.unforeseen
    assert missing.added == ("plain 1.0",)


def test_a_wheel_on_disk_counts(house: Wheelhouse, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "numb", "2.0")
    assert changes(look(house, f"pip install {wheel}")) == ["numb 1.0 -> 2.0"]


@pytest.mark.parametrize(
    "text",
    [
        "pip install git+https://example.invalid/o/numb.git@v2",
        "pip install -e {project}",
        "pip install {project}",
    ],
)
def test_what_must_be_built_is_known_by_its_name(house: Wheelhouse, tmp_path: Path, text: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\nname = 'numb'\nversion = '9'\n")
    found = look(house, text.format(project=project))
    assert [change.name for change in found.harms] == ["numb"]
    assert "would build" in found.unforeseen
    assert [gap.cause for gap in found.gaps] == [GapReason.BUILD]


def test_what_cannot_be_resolved_still_shows_what_is_certain(house: Wheelhouse) -> None:
    house.add("past", "1.0", "numb<2")
    found = look(house, "pip install numb==2.0 past plain")
    assert changes(found) == ["numb 1.0 -> ==2.0"]
    assert "no combination of versions satisfies this request" in found.unforeseen
    assert "cannot be parsed" in look(house, "pip install '=='").unforeseen


@pytest.mark.parametrize("program", ["pip install --only-binary :all:", "uv pip install --no-build"])
def test_what_cannot_be_resolved_changes_nothing_where_nothing_may_be_built(
    house: Wheelhouse, program: str
) -> None:
    house.add("past", "1.0", "numb<2")
    found = look(house, f"{program} numb==2.0 past plain")
    assert (found.changes, found.added) == ((), ())
    assert "no combination of versions satisfies this request" in found.unforeseen


def test_what_no_release_serves_is_refused_by_pip_and_harms_nothing(house: Wheelhouse) -> None:
    house.add("late", "1.0", requires_python=">=3.99")
    house.add("early", "1.0", requires_python="<3")
    house.add("early", "0.9", requires_python="<3")
    house.add("native", "1.0", tag="cp38-cp38-win_amd64")
    for text, reason in (
        ("numb==9", "no release satisfies numb==9; the newest is 2.0"),
        ("numb==2.0 late", "late 1.0 needs Python >=3.99"),
        ("early numb==2.0", "early 1.0 needs Python <3"),
        ("numb==2.0 native", "no wheel of native 1.0 fits"),
    ):
        found = look(house, f"pip install {text}")
        assert (found.changes, found.added, found.gaps) == ((), (), ()), text
        assert reason in found.refused
        assert found.refused in found.harmless
    assert changes(look(house, "pip install --ignore-requires-python early numb==2.0")) == ["numb 1.0 -> 2.0"]


def test_a_release_for_another_python_is_passed_over_as_pip_passes_it(house: Wheelhouse) -> None:
    house.add("tool", "2.0", "numb>=2", requires_python="<3")
    house.add("tool", "1.0", "plain")
    house.add("user", "1.0", "tool")
    assert look(house, "pip install tool").added == ("plain 1.0", "tool 1.0")
    assert look(house, "pip install user").added == ("plain 1.0", "tool 1.0", "user 1.0")


def test_a_source_release_is_judged_by_what_it_declares_and_named(house: Wheelhouse, tmp_path: Path) -> None:
    built = tmp_path / "built"
    house.add_source("alone", "1.0", built, ["numb>=2"])
    house.add("mixed", "1.0")
    house.add_source("mixed", "2.0", built)
    house.add("needs", "1.0", "alone")
    for text, added in (
        ("alone plain", ("alone 1.0", "plain 1.0")),
        ("needs", ("alone 1.0", "needs 1.0")),
    ):
        found = look(house, f"pip install {text}")
        assert changes(found) == ["numb 1.0 -> 2.0"]
        assert found.added == added
        assert [gap.what for gap in found.gaps] == ["alone 1.0"]
        assert "pip would build alone from source" in found.unforeseen
    house.add("held", "1.0", "numb<2")
    house.add("held", "2.0", "held-part")
    house.add("held-part", "1.0", "alone")
    held = look(house, "pip install held")
    assert held.added == ("alone 1.0", "held 2.0", "held-part 1.0")
    assert changes(held) == ["numb 1.0 -> 2.0"]
    newer = look(house, "pip install mixed")
    assert (newer.added, [gap.what for gap in newer.gaps]) == (("mixed 2.0",), ["mixed 2.0"])
    assert look(house, "pip install 'mixed<2'").gaps == ()
    assert look(house, "pip install --only-binary :all: mixed").added == ("mixed 1.0",)
    assert not built.exists()


def test_a_limit_on_time_is_kept(house: Wheelhouse) -> None:
    found = look(house, "pip install plain", limit_s=0.0)
    assert "could not be resolved within" in found.unforeseen


def test_where_packages_come_from_is_what_the_command_says(house: Wheelhouse, tmp_path: Path) -> None:
    other = Wheelhouse(tmp_path / "other")
    other.add("special", "1.0")
    assert look(house, f"pip install -i {other.url} special").added == ("special 1.0",)
    assert look(house, f"pip install --extra-index-url {other.url} special").added == ("special 1.0",)
    assert look(house, f"PIP_INDEX_URL={other.url} pip install special").added == ("special 1.0",)
    assert look(house, f"uv pip install -i {other.url} special").added == ("special 1.0",)
    assert look(house, f"uv pip install --index {other.url} special").added == ("special 1.0",)
    folder = tmp_path / "links"
    write_wheel(folder, "linked", "1.0")
    assert look(house, f"pip install --no-index -f {folder} linked").added == ("linked 1.0",)
    assert look(house, f"uv pip install --no-index -f {folder} linked").added == ("linked 1.0",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pip install --target /somewhere numb==2.0", "is not on the sys.path of this process"),
        ("pip install --prefix=/somewhere numb==2.0", "is not on the sys.path of this process"),
        ("pip download numb", "no installed package"),
    ],
)
def test_harmless_by_its_options(house: Wheelhouse, text: str, words: str) -> None:
    found = look(house, text)
    assert words in found.harmless
    assert found.changes == ()


@pytest.mark.parametrize("text", ["conda install numb", "uv add numb", "pip install -t {path} numb"])
def test_recognised_and_not_worked_out(house: Wheelhouse, text: str) -> None:
    found = look(house, text.format(path=next(path for path in sys.path if Path(path).is_dir())))
    assert "tierproof cannot predict what" in found.unforeseen


def test_another_environment_is_left_alone(house: Wheelhouse, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").write_text("")
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "bin" / "pip").write_text(f"#!{tmp_path}/bin/python\n")
    for text in (
        f"{tmp_path}/bin/pip install numb==2.0",
        f"{tmp_path}/bin/python -m pip install numb==2.0",
        f"VIRTUAL_ENV={tmp_path} uv pip install numb==2.0",
        f"uv pip install -p {tmp_path} numb==2.0",
        f"UV_PYTHON={tmp_path}/bin/python uv pip install numb==2.0",
    ):
        (tmp_path / "bin" / "python").chmod(0o755)
        assert "another environment" in look(house, text).harmless, text


@pytest.mark.parametrize("launcher", ["#!/bin/sh\nexec pyenv pip\n", "", "#!{python}\n"])
def test_a_launcher_that_tells_nothing_or_this_python_counts_as_ours(
    house: Wheelhouse, tmp_path: Path, launcher: str
) -> None:
    (tmp_path / "pip").write_text(launcher.format(python=sys.executable))
    assert changes(look(house, f"{tmp_path}/pip install numb==2.0")) == ["numb 1.0 -> 2.0"]


def test_putting_back_what_this_process_runs_is_no_harm(
    house: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("numb")
    module.__version__ = "2.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "numb", module)
    assert look(house, "pip install numb==2.0").changes == ()
    assert look(house, "pip uninstall numb").harms != ()


def test_the_users_site_alone_is_changed_by_an_install_into_it(house: Wheelhouse) -> None:
    assert look(house, "pip install --user numb==2.0").harms == ()


def test_credentials_are_not_told(house: Wheelhouse) -> None:
    found = look(
        house, "pip install -i https://me:secret@index.invalid/simple git+https://me:secret@x.invalid/numb"
    )
    assert "secret" not in json.dumps(found.to_dict())


@pytest.mark.slow
def test_agrees_with_pip(tmp_path: Path) -> None:
    python = make_environment(
        tmp_path / "env", "numpy==2.0.2", "pandas==2.2.3", "requests==2.31.0", "packaging", "uv"
    )
    for line in (
        "numpy==2.3.4",
        "-U pandas",
        "-U requests",
        "requests idna==3.4",
        "captum --no-deps",
        "--force-reinstall requests",
        "urllib3<2 requests",
        "six pytz",
    ):
        words = line.split()
        report = tmp_path / "report.json"
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--dry-run", "--report", report, *words], check=True
        )
        document = json.loads(report.read_text())
        told = {
            item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"]
            for item in document["install"]
        }
        code = (
            "import json, sys; from tierproof.guard.capture.base import capture_base; "
            "from tierproof.guard.foresee.foresee_pip import foresee; "
            "from tierproof.guard.commands.pip_command import parse_pip_arguments; "
            "base = capture_base(); "
            "found = foresee(parse_pip_arguments([sys.executable, '-m', 'pip', 'install', *sys.argv[1:]])[0], base); "
            "print(json.dumps([found.to_dict(), {n: i.version for n, i in base.by_name.items()}]))"
        )
        answer = subprocess.run(
            [python, "-c", code, *words],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        )
        found, installed = json.loads(answer.stdout)
        assert not found["unforeseen"], line
        ours = {change["name"]: change["version"] for change in found["changes"]}
        theirs = {name: told[name] for name in told if name in installed and installed[name] != told[name]}
        assert ours == theirs, line
        assert {each.split()[0] for each in found["added"]} == {
            name for name in told if name not in installed
        }, line
