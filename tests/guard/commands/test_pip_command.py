"""Install commands as people type them."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.guard.commands.pip_command import (
    Action,
    PipCommand,
    Program,
    mentions_installer,
    parse_pip_arguments,
    parse_pip_commands,
)
from tierproof.guard.commands.shell_words import split_commands

SHARED = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[4] / "shared")
CORPUS = SHARED / "corpus" / "colab-installs.jsonl"

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True)
REQUIREMENTS = st.builds(
    lambda name, extra, bound: f"{name}{extra}{bound}",
    NAMES,
    st.sampled_from(["", "[all]", "[a,b]"]),
    st.sampled_from(["", "==1.2", ">=2,<3", "~=1.0", "<0.28", "!=1.*"]),
)
PROGRAMS = st.sampled_from(
    ["pip", "pip3", "pip3.11", "python -m pip", "/usr/bin/python3 -I -m pip", "uv pip", "python -m uv pip"]
)


def parse(text: str, **variables: str) -> PipCommand:
    (command,) = parse_pip_commands(text, variables)
    return command


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("pip install captum", ("captum",)),
        ("!pip install captum", ("captum",)),
        ("! pip3 install captum", ("captum",)),
        ("%pip install captum", ("captum",)),
        ("%time !pip install captum", ("captum",)),
        ("%shell pip -q install captum", ("captum",)),
        ("%%bash\npip install captum", ("captum",)),
        ("sudo -H -u root pip install captum", ("captum",)),
        ("FOO=1 BAR='a b' pip install captum", ("captum",)),
        ("env -i FOO=1 pip install captum", ("captum",)),
        ("timeout 30s nice -n 5 pip install captum", ("captum",)),
        ("/opt/venv/bin/pip install captum", ("captum",)),
        (r"C:\Python\Scripts\pip.exe install captum".replace("\\", "/"), ("captum",)),
        ("python3.11 -W ignore -Im pip install captum", ("captum",)),
        ("python -mpip install captum", ("captum",)),
        ("yes | pip install captum", ("captum",)),
        ("pip install captum 2>&1 | tail -n 3", ("captum",)),
        ("pip install captum > log.txt", ("captum",)),
        ("pip install captum &> /dev/null", ("captum",)),
        ("pip install captum # numpy==2.3.4", ("captum",)),
        ("pip install captum \\\n  optuna", ("captum", "optuna")),
        ("pip install 'optuna>=4' \"captum<1\"", ("optuna>=4", "captum<1")),
        ("pip install torch>=2.0", ("torch",)),  # what a shell makes of it: a file named =2.0
        ("if ! pip3 show x; then\n  pip install captum\nfi", ("captum",)),
        ("(cd /tmp; pip install captum)", ("captum",)),
        ("bash -lc 'pip install captum'", ("captum",)),
        ("eval pip install captum", ("captum",)),
        ("eval $(echo) pip install captum", ("captum",)),
        ("echo $(pip install captum)", ("captum",)),
        ('echo "now `pip install captum`"', ("captum",)),
        ('echo "$(pip install captum)"', ("captum",)),
        ("diff <(pip install captum) x", ("captum",)),
        ("V=0.9; pip install captum==$V", ("captum==0.9",)),
        ("export P='captum optuna'\npip install $P", ("captum", "optuna")),
        ("for p in captum optuna; do\n  : ; done; pip install $p", ("optuna",)),
        ("pip install ${PKG:-captum}", ("captum",)),
        ("pip install $UNSET captum", ("captum",)),
        ('pip install "captum$UNSET"', ("captum",)),
        ("pip install '$P'", ("$P",)),
        ("cat <<EOF > run.sh\npip install numpy==9\nEOF\npip install captum", ("captum",)),
        ("cat <<< text; pip install captum", ("captum",)),
        ("pip install -- captum", ("captum",)),
        ("pip install don't", ("don't",)),
        ("pip install git+https://github.com/o/r.git@main", ("git+https://github.com/o/r.git@main",)),
        ("uv pip install --system captum", ("captum",)),
        ("pip install -q --root-user-action=ignore captum", ("captum",)),
        ("pip install --progress-bar off captum", ("captum",)),
    ],
)
def test_what_is_asked_for(text: str, requirements: tuple[str, ...]) -> None:
    found = [each for each in parse_pip_commands(text, {}) if each.action is Action.INSTALL]
    assert [each.requirements for each in found] == [requirements]


@pytest.mark.parametrize(
    "text",
    [
        "for p in captum 'ray[tune]'; do pip install \"$p\"; done",
        "for p in captum 'ray[tune]'\ndo\n  for q in -q; do pip install $q $p; done\ndone",
        "P=captum; while true; do pip install $P; P='ray[tune]'; done; pip install $P",
    ],
)
def test_a_loop_is_several_commands(text: str) -> None:
    assert [each.requirements for each in parse_pip_commands(text, {})] == [("captum",), ("ray[tune]",)]


def test_a_loop_without_end_or_with_too_many_rounds_is_read_once() -> None:
    (command,) = parse_pip_commands("for p in a b; do pip install $p", {})
    assert command.requirements == ("a", "b")
    many = " ".join(f"p{number}" for number in range(60))
    (command,) = parse_pip_commands(f"for p in {many}; do pip install $p; done", {})
    assert len(command.requirements) == 60


def test_conda_and_its_options() -> None:
    command = parse("conda install -y --channel conda-forge -nbase -pq=1 --file r.txt numpy=1.26")
    assert command.requirements == ("numpy=1.26",)
    assert command.requirement_files == ("r.txt",)
    assert command.elsewhere == "q=1"
    assert parse("mamba install -yc pytorch faiss-cpu").requirements == ("faiss-cpu",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pip",
        "pip list",
        "pip download numpy",
        "pip install --dry-run numpy",
        "pip install --help",
        "uv pip compile x.in",
        "uv run pip",
        "pipx install x",
        "echo pip install numpy",
        "python setup.py install",
        "python -c 'import pip'",
        "python script.py -m pip install numpy",
        "grep pip install.sh",
        "# pip install numpy",
        "bash install.sh",
        "conda list",
        "conda install --dry-run numpy",
        "cat pip",
        "ls '",
    ],
)
def test_what_changes_nothing(text: str) -> None:
    assert [each for each in parse_pip_commands(text, {}) if each.changes_packages] == []


def test_options_have_their_meaning_however_they_are_written() -> None:
    command = parse(
        "pip install -Uqr a.txt -rb.txt --requirement=c.txt -c d.txt --force-rei --no-dep --pre "
        "--user -i https://i/simple --extra-index-url https://e/simple -f links --find-links=more --no-index "
        "--no-cache-di --upgrade-strategy eager -e ./project numpy"
    )
    assert command.requirement_files == ("a.txt", "b.txt", "c.txt")
    assert command.constraint_files == ("d.txt",)
    assert command.upgrade
    assert command.eager
    assert command.force_reinstall
    assert command.no_deps
    assert command.prereleases
    assert command.user
    assert command.no_index
    assert command.index_url == "https://i/simple"
    assert command.extra_index_urls == ("https://e/simple",)
    assert command.find_links == ("links", "more")
    assert command.editables == ("./project",)
    assert command.requirements == ("numpy",)
    assert set(command.other_options) == {"quiet", "no-cache-dir"}


def test_uv_has_words_of_its_own() -> None:
    command = parse(
        "uv pip install -P numpy --reinstall --index https://x/simple --prerelease allow -p .venv pandas"
    )
    assert (command.program, command.action) == (Program.UV, Action.INSTALL)
    assert command.upgrade_packages == ("numpy",)
    assert command.force_reinstall
    assert command.prereleases
    assert command.extra_index_urls == ("https://x/simple",)
    assert command.interpreter == ".venv"
    assert parse("uv pip install -U x").eager
    assert not parse("pip install -U x").eager


def test_programs_and_actions() -> None:
    assert parse("pip uninstall -y numpy").action is Action.UNINSTALL
    assert parse("uv pip sync requirements.txt").action is Action.SYNC
    assert parse("uv add numpy").action is Action.SYNC
    assert parse("uv pip uninstall numpy").action is Action.UNINSTALL
    conda = parse("conda install -y -c conda-forge numpy")
    assert (conda.program, conda.action, conda.requirements) == (Program.CONDA, Action.INSTALL, ("numpy",))
    assert parse("mamba remove numpy").action is Action.UNINSTALL


def test_where_a_command_works_and_for_whom() -> None:
    first, second = parse_pip_commands(
        "cd a && cd b && pip install -e . ; FOO=1 /x/bin/python -m pip install y", {}
    )
    assert first.folder == str(Path("a") / "b")
    assert first.interpreter == "pip"
    assert second.interpreter == "/x/bin/python"
    assert second.environment == (("FOO", "1"),)
    assert parse("pip install --target /t x").elsewhere == "/t"
    assert parse("pip --python /x/bin/python install x").interpreter == "/x/bin/python"


def test_words_of_a_process_need_no_shell() -> None:
    (command,) = parse_pip_arguments(["/x/python", "-m", "pip", "install", "a; b", "$HOME"])
    assert command.requirements == ("a; b", "$HOME")
    (command,) = parse_pip_arguments(["/bin/sh", "-c", "pip install a; true"])
    assert command.requirements == ("a",)
    assert parse_pip_arguments(["/bin/sh", "pip install a"]) == ()


def test_a_shell_in_a_shell_without_end_is_left() -> None:
    text = "pip install x"
    for _ in range(8):
        text = f"sh -c {shlex.quote(text)}"
    assert parse_pip_commands(text, {}) == ()


@given(
    PROGRAMS, st.lists(REQUIREMENTS, min_size=1, max_size=4), st.sampled_from(["", "-q", "-U", "--no-deps"])
)
def test_any_install_line_is_read_back(program: str, requirements: list[str], option: str) -> None:
    text = f"{program} install {option} {' '.join(shlex.quote(each) for each in requirements)}"
    command = parse(text)
    assert command.requirements == tuple(requirements)
    assert command.action is Action.INSTALL
    assert command.upgrade is (option == "-U")
    assert mentions_installer(text)


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_pip_commands(text, {"HOME": "/h"})
    parse_pip_commands(f"pip install {text}", {})
    parse_pip_arguments(text.split(" "))


@given(st.text(alphabet="pi instal-rUe'\"`$(){}<>|&;#\\\n=x", max_size=60))
def test_any_mixture_of_shell_signs_is_read_without_an_error(text: str) -> None:
    parse_pip_commands(f"pip install {text}\npip install last", {})


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    words = [word.replace("\0", "x") for word in words]
    (command,) = split_commands(shlex.join(["program", *words]))
    assert [each for word in command.words for each in word.expand({})] == ["program", *words]


@pytest.mark.skipif(not CORPUS.exists(), reason="needs the corpus of install lines (TIERPROOF_SHARED)")
def test_every_line_of_the_corpus() -> None:
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        (command,) = parse_pip_commands(entry["line"].replace("<url>", "https://index.example/simple"), {})
        flags = entry["flags"]
        assert command.program is (Program.UV if entry["tool"] == "uv" else Program.PIP)
        assert command.action is Action.INSTALL
        assert command.upgrade is ("--upgrade" in flags), entry
        assert command.force_reinstall is ("--force-reinstall" in flags), entry
        assert command.no_deps is ("--no-deps" in flags), entry
        assert len(command.find_links) == sum(flag.startswith("--find-links") for flag in flags), entry
        if "unquoted-specifier" not in flags:  # the shell takes the rest for a file to write to
            assert list(command.requirements) == entry["requirements"], entry
