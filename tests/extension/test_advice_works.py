"""Every line of advice that the watch prints, run in the kernel in which it was printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from extension.light_kernel import Notebook, make_light_environment, point_at
from guard.notebook_kernel import run_command, start_kernel
from guard.wheelhouse import Wheelhouse

pytest.importorskip("jupyter_client")
pytest.importorskip("uv")

BASE = ("numb==1.0", "wide==1.0", "there==1.0")


def make_house(folder: Path) -> Wheelhouse:
    house = Wheelhouse(folder)
    for version in ("1.0", "2.0"):
        house.add("numb", version)
        house.add("wide", version)
        house.add("there", version, *(["numb>=2"] if version == "2.0" else []))
    house.add("plain", "1.0")
    for name in ("adds", "filed", "spelled"):
        house.add(name, "1.0", "plain")
        house.add(name, "1.1", "numb>=2")
    house.add("aged", "1.0")
    house.add("aged", "3.0", "numb>=2")
    house.add("shades", "1.0", "wide>=2")
    house.add("shades", "1.1", "numb>=2", "wide>=2")
    house.add("needy", "1.0", "numb>=2")
    house.add("past", "1.0", "numb<2")
    house.add("capt", "1.0")
    house.add("numb-lite", "2.0", files={"numb.py": "__version__ = '2.0'\n"})
    house.add("lookalike", "2.0", files={"numb.py": "__version__ = '2.0'\n"})
    house.add_buildable("alone", "1.0", "", ["numb>=2"])
    return house


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    folder = tmp_path_factory.mktemp("advice")
    house = make_house(folder / "house")
    python = make_light_environment(folder / "env")
    with pytest.MonkeyPatch.context() as patch:
        point_at(patch, house, python)
        patch.setenv("TIERPROOF_DATA", str(folder / "data"))
        done = python.parent.joinpath("pip")
        import subprocess

        subprocess.run([done, "install", "-q", *BASE], check=True, timeout=120)
        (folder / "data").mkdir()
        (folder / "data" / "plain.txt").write_text("filed\n")
        (folder / "data" / "options.txt").write_text(f"--index-url {house.url}\nspelled\n")
        (folder / "data" / "script.py").write_text("import numb; print('numb', numb.__version__)\n")
        assert run_command(python, folder / "data", "--help").returncode == 0
        launcher = python.parent / "tierproof"
        launcher.write_text(
            f"#!{python}\nimport sys\nfrom tierproof.cli.main import main\nsys.exit(main())\n"
        )
        launcher.chmod(0o755)
        with start_kernel(python, folder / "data") as kernel:
            book = Notebook(kernel)
            book.run("import numb\n%load_ext tierproof\nimport tierproof as tp")
            book.run("def function(*given):\n    import numb\n    return numb.__version__\narguments = ()")
            yield book


def find_lines(shown: str) -> list[str]:
    """The lines of advice that can be run."""
    found = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines():
        match = re.search(r"(%tierproof .*|tp\.isolated\(.*|!tierproof .*)", line)
        if match and "watch" not in match[1]:
            found.append(match[1].strip())
    return found


@pytest.mark.parametrize(
    ("cell", "lines", "then"),
    [
        ("!pip install adds", ["%tierproof install adds"], "import adds; adds.__version__ == '1.0'"),
        (
            "!pip install aged",
            ["%tierproof install aged --allow-aged"],
            "import aged; aged.__version__ == '1.0'",
        ),
        (
            "!pip install shades",
            ["%tierproof install shades --allow-shadow"],
            "import wide; wide.__version__ == '2.0'",
        ),
        ("!pip install needy", ["%tierproof install needy --waive numb"], "import needy; needy.__version__"),
        ("!pip install -r plain.txt", ["%tierproof install -r plain.txt"], "import filed; filed.__version__"),
        (
            "!pip install -r options.txt",
            ["%tierproof install spelled"],
            "import spelled; spelled.__version__",
        ),
        (
            "!pip install numb==2.0 capt",
            [
                "%tierproof install capt",
                "tp.isolated(['numb==2.0', 'capt'], function, *arguments)",
                "!tierproof run --with numb==2.0 --with capt -- python script.py",
            ],
            "import capt; capt.__version__",
        ),
        (
            "!pip install 'numb>=2' past",
            ["%tierproof install past"],
            "import past; past.__version__",
        ),
        (
            "!pip install numb-lite",
            [
                "tp.isolated(['numb-lite'], function, *arguments)",
                "!tierproof run --with numb-lite -- python script.py",
            ],
            "",
        ),
        ("!pip install lookalike", ["tp.isolated(['lookalike'], function, *arguments)"], ""),
        ("!pip install alone", ["%tierproof install alone --waive numb --allow-build alone"], "import alone"),
        ("!pip install -U there", [], ""),
        ("!pip uninstall -y numb", [], ""),
    ],
)
def test_a_line_of_advice_does_what_it_says(
    notebook: Notebook, cell: str, lines: list[str], then: str
) -> None:
    shown = notebook.run(cell)
    assert "InstallStopped" in shown, shown
    found = find_lines(shown)
    for line in lines:
        assert line in found, shown
    assert not [line for line in found if line.startswith("%tierproof install") and not then], shown
    for line in found:
        answer = notebook.run(line)
        assert "ERROR" not in answer, f"{line}\n{answer}"
        assert "UsageError" not in answer, f"{line}\n{answer}"
        if line.startswith("tp.isolated"):
            assert "2.0" in answer
        if line.startswith("!tierproof run"):
            assert "numb 2.0" in answer
    if then:
        assert "ERROR" not in notebook.run(then)
    assert "'1.0'" in notebook.run("numb.__version__")


def test_a_cell_with_the_comment_runs(notebook: Notebook) -> None:
    shown = notebook.run("!pip install numb==2.0  # tierproof: allow")
    assert "InstallStopped" not in shown
    assert "Successfully installed" in shown
