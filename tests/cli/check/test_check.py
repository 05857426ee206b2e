"""`tierproof check`: what goes in, what comes out where, and with which exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from cli.command import SOURCE, arguments, environment, run, write_model
from sampled import prefer

NOISY = "import sys, subprocess\nprint('from the model')\nsubprocess.run(['echo', 'from its child'])\nprint(sys.stdin.read())"


def seen(process) -> dict:
    return json.loads(process.stdout)["results"][0]["measurements"]


@pytest.mark.parametrize(
    ("verdict", "code"),
    prefer([("pass", 0), ("fail", 1), ("inconclusive", 2)], [("fail", 1), ("inconclusive", 2)]),
)
def test_the_exit_code_is_the_verdict(tmp_path, verdict, code):
    write_model(tmp_path, attributes=f"self.verdict = {verdict!r}")
    process = run(tmp_path, "check", "model.py", "--json", "--quiet")
    assert process.returncode == code
    document = json.loads(process.stdout)
    assert document["verdict"] == verdict
    assert document["target"] == "model.py"
    assert process.stderr == ""


def test_every_option_arrives(tmp_path):
    write_model(tmp_path)
    (tmp_path / "inputs.py").write_text(
        "import torch\ndef make():\n    return torch.zeros(3, 7, dtype=torch.long)\n"
    )
    options = "--tier all --only T1-SHAPE,T1-GRAD --skip T1-MEM --inputs inputs.py:make --seed 7 --budget 2.5"
    spec = [
        "--spec",
        "vocab_size=65",
        "--spec",
        "causal=True",
        "--spec",
        "image_size=8x9",
        "--spec",
        "kind=encoder",
    ]
    process = run(tmp_path, "check", "model.py:Model", "--json", "--device", "cpu", *options.split(), *spec)
    assert process.returncode == 0
    values = seen(process)
    assert values["tier"] == "all"
    assert values["only"] == "('T1-SHAPE', 'T1-GRAD')"
    assert values["skip"] == "('T1-MEM',)"
    assert values["inputs"] == "(3, 7)"
    assert (values["seed"], values["budget_s"], values["device"]) == ("7", "2.5", "cpu")
    for part in ("vocab_size=65", "causal=True", "image_size=(8, 9)", "kind='encoder'"):
        assert part in values["spec"]


def test_a_config_file_gives_defaults_that_options_override(tmp_path):
    (tmp_path / "sub").mkdir()
    write_model(tmp_path)
    (tmp_path / "sub" / "inputs.py").write_text("import torch\nx = torch.zeros(2, 5, dtype=torch.long)\n")
    config = "[check]\nseed = 3\nbudget = 9\nonly = ['T1-SHAPE', 'T1-MEM']\ninputs = 'inputs.py:x'\noutput = 'r.json'\nquiet = true\n[check.spec]\nvocab_size = 60\nmax_length = 32\n"
    (tmp_path / "sub" / "settings.toml").write_text(config)
    process = run(
        tmp_path,
        "check",
        "model.py",
        "--json",
        "--config",
        "sub/settings.toml",
        "--seed",
        "4",
        "--spec",
        "vocab_size=65",
    )
    assert process.returncode == 0
    values = seen(process)
    assert (values["seed"], values["budget_s"], values["inputs"]) == ("4", "9.0", "(2, 5)")
    assert values["only"] == "('T1-SHAPE', 'T1-MEM')"
    assert "vocab_size=65" in values["spec"]
    assert "max_length=32" in values["spec"]
    assert json.loads((tmp_path / "sub" / "r.json").read_text())["seed"] == 4


def test_the_config_file_here_is_found(tmp_path):
    write_model(tmp_path)
    (tmp_path / "tierproof.toml").write_text("[check]\nseed = 11\n")
    process = run(tmp_path, "check", "model.py", "--json")
    assert seen(process)["seed"] == "11"
    assert process.stderr.startswith("defaults from tierproof.toml\n")


def test_what_the_model_prints_is_kept_off_stdout(tmp_path):
    write_model(tmp_path, before=NOISY)
    process = run(tmp_path, "check", "model.py", "--json", "-o", "r.json", "-o", "r.md")
    assert json.loads(process.stdout)["ok"] is True
    assert "from the model\n" in process.stderr
    assert "from its child\n" in process.stderr
    assert process.stderr.count("running 2 checks\n") == 1
    assert "first look" not in process.stderr
    assert process.stderr.endswith("wrote r.json\nwrote r.md\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.py", "r.json", "r.md"]
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(process.stdout)


def test_the_terminal_report_goes_to_stdout(tmp_path):
    write_model(tmp_path, attributes="self.verdict = 'fail'")
    process = run(tmp_path, "check", "model.py")
    assert process.returncode == 1
    assert "It is broken." in process.stdout
    assert "\x1b" not in process.stdout + process.stderr


@pytest.mark.parametrize("no_color", prefer([False, True], [False]))
def test_a_terminal_gets_a_bar(tmp_path, no_color):
    write_model(tmp_path, before="print('above the bar')")
    (tmp_path / "home").mkdir()
    extra = {"TERM": "xterm-256color", "COLUMNS": "100", **({"NO_COLOR": "1"} if no_color else {})}
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        arguments("check", "model.py", "--json"),
        cwd=tmp_path,
        env=environment(tmp_path / "home", fake=True, extra=extra),
        stdout=subprocess.PIPE,
        stderr=follower,
        stdin=subprocess.DEVNULL,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.stdout is not None
    assert json.loads(process.stdout.read())["ok"] is True
    process.stdout.close()
    assert process.wait(60) == 0
    text = shown.decode()
    assert "above the bar" in text
    assert "━" in text
    assert ("\x1b[3" in text) is not no_color
    assert "running 2 checks" not in text


def test_the_process_that_was_started_imports_no_torch(tmp_path):
    write_model(tmp_path)
    (tmp_path / "home").mkdir()
    code = (
        "import sys; from tierproof.cli.main import main; code = main(['check', 'model.py', '--quiet', '--json']);"
        "assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules), 'heavy'; sys.exit(code)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(tmp_path / "home", fake=True), check=False
    )
    assert process.returncode == 0


def test_help_and_version_are_light(tmp_path):
    for options in ("['--help']", "['check', '--help']", "['--version']"):
        code = (
            f"import sys; from tierproof.cli.main import main; assert main({options}) == 0;"
            "assert not {'torch', 'rich', 'jinja2', 'numpy'} & set(sys.modules)"
        )
        process = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        assert "tierproof" in process.stdout


def test_it_runs_from_the_source_folder(tmp_path):
    model = write_model(tmp_path)
    process = subprocess.run(
        arguments("check", model, "--only", "nothing-such"),
        cwd=SOURCE,
        env={key: value for key, value in environment(tmp_path, fake=False).items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert "No module named tierproof" not in process.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path):
    write_model(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    process = subprocess.run(
        ["bash", "-c", f"{' '.join(arguments('check', 'model.py'))} | true; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        env=environment(home, fake=True),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0
    assert "BrokenPipe" not in process.stderr
    assert "Traceback" not in process.stderr
