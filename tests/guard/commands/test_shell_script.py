"""What a shell script starts: for certain, perhaps, or never."""

from __future__ import annotations

import shlex

import pytest

from tierproof.guard.commands.pip_command import (
    PipCommand,
    may_install,
    parse_pip_arguments,
    parse_pip_commands,
)
from tierproof.guard.commands.shell_script import follow_script


def read(text: str, files: dict[str, str] | None = None) -> list[PipCommand]:
    assert may_install(text)
    found = parse_pip_commands(text, {}, (files or {}).get, is_shell_text=True)
    return [each for each in found if each.changes_packages]


@pytest.mark.parametrize(
    "text",
    [
        "false && pip install x",
        "true || pip install x",
        "(exit 1) && pip install x",
        "! true && pip install x",
        "if false; then pip install x; fi",
        "if [ 1 -gt 2 ]; then pip install x; fi",
        "while false; do pip install x; done",
        "until true; do pip install x; done",
        "for p in; do pip install x; done",
        "case b in a) pip install x;; esac",
        "case linux in mac|bsd) pip install x;; *) : ;; esac",
        "f() { pip install x; }",
        "function f { pip install x; }; echo",
        "f() { return 0; pip install x; }; f",
        "exit; pip install x",
        "exit 3\npip install x",
        "for p in a b; do continue; pip install x; done",
        ": <<END\npip install x\nEND",
        "bash -n -c 'pip install x'",
        "cmd=(pip install x)",
        "echo 'pip install x' > f.sh",
        "echo pip install x | cat",
        "trap - EXIT; : pip",
    ],
)
def test_what_never_runs_is_left_out(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'python -c "import x" || pip install x',
        "command -v x && pip install x",
        "command -v x > /dev/null && echo there || pip install x",
        "[ -d data ] && pip install x",
        "[[ $A == b ]] || pip install x",
        "grep -q x file && pip install x",
        "pip show x || pip install x",
        "make || pip install x",
        "if [ -f x ]; then pip install x; fi",
        "if ! command -v x; then :; else pip install x; fi",
        "while read -r p; do pip install x; done < file",
        'case "$1" in a) pip install x;; esac',
        "command -v x && exit 0; pip install x",
        "f() { [ -d x ] && return; pip install x; }; f",
        "trap 'pip install x' INT",
        "bash -c '[ -d x ] || pip install x'",
    ],
)
def test_what_may_not_run_is_told_as_such(text: str) -> None:
    assert [each.is_conditional for each in read(text) if each.requirements == ("x",)] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "cd y && pip install x",
        "apt-get update -qq && pip install x",
        "cd y || exit 1; pip install x",
        "if true; then pip install x; fi",
        "for p in x; do pip install $p; done",
        "while :; do pip install x; break; done",
        "case a in a) pip install x;; esac",
        "(cd y; pip install x)",
        "stdbuf -o L pip install x",
        'env -S "pip install x"',
        "flock -w 5 lock pip install x",
        'flock lock -c "pip install x"',
        "taskset -c 0 setsid -w nice -n 5 pip install x",
        'script -qc "pip install x" /dev/null',
        "su - user -c 'pip install x'",
        "sudo -u user bash -c 'pip install x'",
        r"find . -name y -exec pip install x \;",
        "trap 'pip install x' EXIT",
        "bash <<< 'pip install x'",
        "cat <<END | sh\npip install x\nEND",
        "printf 'pip install %s' x | bash -s",
        "bash <(echo pip install x)",
        "source <(echo pip install x)",
        "$(echo pip install x)",
        "p''ip install x",
        "{pip,install,x}",
        'f() { pip "$@"; }; f install x',
        'cmd=(pip install x); "${cmd[@]}"',
        'set -- install x; pip "$@"',
        "echo x | xargs -n 1 pip install",
        "echo pip install x > f.sh; bash f.sh",
        "bash setup.sh",
        "source setup.sh",
        "./setup.sh",
        "python -c \"import os; os.system('pip install x')\"",
        "python - <<END\nimport subprocess as s, sys\ns.run([sys.executable, '-m', 'pip', 'install', 'x'])\nEND",
        "python $(which pip) install x",
    ],
)
def test_what_runs_is_found_however_it_is_written(text: str) -> None:
    (found,) = read(text, {"setup.sh": "#!/bin/sh\npip install x\n"})
    assert (found.requirements, found.is_conditional) == (("x",), False)


def test_variables_of_pip_are_its_options() -> None:
    (found,) = read("export PIP_REQUIREMENT='a.txt b.txt'; PIP_UPGRADE=1 pip install")
    assert (found.requirement_files, found.upgrade) == (("a.txt", "b.txt"), True)
    (found,) = parse_pip_arguments(["pip", "install", "x"], {"PIP_TARGET": "/elsewhere"})
    assert found.elsewhere == "/elsewhere"


def test_broken_scripts_are_read_as_far_as_they_go() -> None:
    for text in (
        "if pip install x",
        "case pip in",
        "f() {",
        "((",
        "fi; done; }",
        "for ((i=0; i<1; i++)); do pip",
    ):
        list(follow_script(text, {}))
    deep = "(" * 500 + "pip install x" + ")" * 500
    list(follow_script(deep, {}))
    list(follow_script("{a,b}" * 40, {}))


def test_a_script_that_grows_without_end_is_read_in_bounded_steps() -> None:
    numbers = " ".join(map(str, range(50)))
    list(follow_script(f"x=pip; for i in {numbers}; do x=$x$x; done; $x", {}))
    text = "pip install x"
    for _ in range(4):
        text = f"for i in {numbers}; do bash -c {shlex.quote(text)}; done"
    assert len(list(follow_script(text, {}))) < 2000
    assert len(list(follow_script("f() { f; f; }; f", {}))) < 100
