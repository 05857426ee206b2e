"""What a notebook would install, read from its cells."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tierproof.errors import TierproofError, UsageError
from tierproof.images.read.found_install import FoundInstall, TargetKind, UnreadInstall
from tierproof.images.read.read_target import read_targets

SHARED = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[4] / "shared")
CORPUS = SHARED / "corpus" / "colab-installs.jsonl"


def write(folder: Path, *sources: str | list[str]) -> Path:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    path = folder / "demo.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    return path


def read(folder: Path, *sources: str | list[str]) -> tuple[list[FoundInstall], list[UnreadInstall]]:
    (target,) = read_targets([str(write(folder, *sources))])
    assert target.kind is TargetKind.NOTEBOOK
    return list(target.installs), list(target.unread)


def requirements(folder: Path, *sources: str) -> list[list[str]]:
    installs, unread = read(folder, *sources)
    assert not unread, unread
    return [list(each.command.requirements) for each in installs]


@pytest.mark.parametrize(
    "source",
    [
        "!pip install captum",
        "%pip install captum",
        "  !pip install captum",
        "!pip install -q captum  # quietly",
        "!pip3 install captum",
        "!python -m pip install captum",
        "!{sys.executable} -m pip install captum",
        "import sys\n!{sys.executable} -m pip install captum",
        "!uv pip install --system captum",
        "%uv pip install captum",
        "!sudo pip install captum",
        "!yes | pip install captum",
        "out = !pip install captum",
        "%%capture\n!pip install captum",
        "%%capture out\n%%time\n!pip install captum",
        "%%bash\npip install captum",
        "%%bash --out log\nset -e\npip install captum\n",
        "%%sh\npip install captum",
        "%%script bash\npip install captum",
        "%%shell\npip install \\\n   captum",
        "%system pip install captum",
        "%time !pip install captum",
        "!pip install \\\n    captum",
        "get_ipython().system('pip install captum')",
        "get_ipython().run_line_magic('pip', 'install captum')",
        "get_ipython().magic('pip install captum')",
        "get_ipython().run_cell_magic('bash', '', 'pip install captum')",
        "import os\nos.system('pip install captum')",
        "import subprocess\nsubprocess.run(['pip', 'install', 'captum'])",
        "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip', 'install', 'captum'])",
        "from subprocess import check_call as go\ngo('pip install captum', shell=True)",
        "import subprocess as sp\nsp.Popen(args=['pip', 'install', 'captum'])",
        "import pip\npip.main(['install', 'captum'])",
        "from pip._internal import main as pipmain\npipmain(['install', 'captum'])",
        "PKG = 'captum'\n!pip install $PKG",
        "PKG = 'captum'\n!pip install {PKG}",
        "PKG = 'captum' #@param {type: 'string'}\n!pip install \"$PKG\"",
        "pkgs = ['captum']\n!pip install {' '.join(pkgs)}",
        "pkgs = ['cap' + 'tum']\nimport subprocess\nsubprocess.run(['pip', 'install', *pkgs])",
        "name = 'tum'\nimport os\nos.system(f'pip install cap{name}')",
        "import os\nos.system('pip install %s' % 'captum')",
        "for p in ['captum']:\n    !pip install {p}",
        "def install(package):\n    import subprocess\n    subprocess.run(['pip', 'install', package])\ninstall('captum')",
        "def install(package):\n    !pip install $package\ninstall(package='captum')",
        "!tierproof install captum",
        "%tierproof install captum",
        "import tierproof as tp\ntp.install('captum')",
        "with open('x') as f:\n    !pip install captum",
        "text = '''\n!pip install nothing\n'''\n!pip install captum",
        "x = (1\n  % 2)\n!pip install captum",
        "!cd /tmp && pip install captum",
        "!PIP_NO_CACHE_DIR=1 pip install captum",
        "!pip install captum > /dev/null 2>&1",
        "!pip install captum; echo done",
        "!bash -c 'pip install captum'",
    ],
)
def test_every_spelling_is_read(tmp_path: Path, source: str) -> None:
    assert requirements(tmp_path, source) == [["captum"]]


@pytest.mark.parametrize(
    "source",
    [
        "# !pip install captum",
        "  # %pip install captum",
        "%%html\n<b>!pip install captum</b>",
        "%%writefile install.sh\npip install captum",
        "%%javascript\npip install captum",
        "text = 'pip install captum'",
        "'''\n!pip install captum\n'''",
        "!pip list",
        "!pip download captum",
        "!pip install --dry-run captum",
        "!nvidia-smi",
        "%matplotlib inline",
        "print('!pip install captum')",
        "",
    ],
)
def test_what_installs_nothing(tmp_path: Path, source: str) -> None:
    assert requirements(tmp_path, source) == []


def test_everything_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("polars\n")
    (found,), unread = read(
        tmp_path,
        "!pip install -Uq 'ray[tune]>=2' \"torch ; python_version<'3.9'\" git+https://github.com/a/b -r more.txt --no-deps",
    )
    assert not unread
    command = found.command
    assert command.requirements == (
        "ray[tune]>=2",
        "torch ; python_version<'3.9'",
        "git+https://github.com/a/b",
    )
    assert (command.upgrade, command.no_deps, command.requirement_files) == (True, True, ("more.txt",))
    assert Path(command.folder) == tmp_path


def test_places_and_order(tmp_path: Path) -> None:
    installs, _ = read(
        tmp_path, "import os\n!pip install one", ["x = 1\n", "!pip install two || pip install three"]
    )
    assert [(each.command.requirements[0], each.cell, each.line) for each in installs] == [
        ("one", 1, 2),
        ("two", 2, 2),
        ("three", 2, 2),
    ]
    assert [each.conditional for each in installs] == [False, False, True]


@pytest.mark.parametrize(
    "source",
    [
        "if IN_COLAB:\n    !pip install captum",
        "try:\n    import captum\nexcept ImportError:\n    %pip install captum",
        "!pip show captum || pip install captum",
        "def setup():\n    !pip install captum",
        "while True:\n    !pip install captum",
        "%%bash\nif [ -d data ]; then\n  pip install captum\nfi",
    ],
)
def test_what_may_not_run_says_so(tmp_path: Path, source: str) -> None:
    (found,), unread = read(tmp_path, source)
    assert (found.command.requirements, found.conditional, unread) == (("captum",), True, [])


@pytest.mark.parametrize(
    "source",
    [
        "!pip install $PACKAGE",
        "!pip install {choose()}",
        "import subprocess\nsubprocess.run(['pip', 'install', choose()])",
        "import os\nos.system('pip install ' + input())",
        "%%bash\npip install $(cat list.txt)",
        "%%bash\npip install $WHICH",
        "def install(package):\n    import os\n    os.system(f'pip install {package}')",
    ],
)
def test_what_is_not_known_is_said(tmp_path: Path, source: str) -> None:
    installs, (unread,) = read(tmp_path, source)
    assert not installs
    assert "pip" in unread.text
    assert unread.cell == 1
    assert unread.reason
    assert not unread.is_judged


def test_an_unquoted_bound_is_a_redirection(tmp_path: Path) -> None:
    (found,), (unread,) = read(tmp_path, "!pip install captum>=0.7")
    assert found.command.requirements == ("captum",)
    assert "quote" in unread.reason
    assert unread.is_judged


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    installs, (unread,) = read(
        tmp_path, "!git clone https://github.com/a/b\n!pip install -r b/requirements.txt"
    )
    assert not installs
    assert "b/requirements.txt" in unread.reason


def test_a_cell_that_is_no_python_still_gives_its_lines(tmp_path: Path) -> None:
    assert requirements(tmp_path, "this is ( no python\n", "!pip install captum\nprint 'old'") == [["captum"]]


def test_variables_hold_from_cell_to_cell(tmp_path: Path) -> None:
    assert requirements(tmp_path, "v = '0.7.0'", "!pip install captum=={v}") == [["captum==0.7.0"]]
    installs, unread = read(tmp_path, "v = '1'", "v = ask()", "!pip install captum=={v}")
    assert not installs
    assert len(unread) == 1


BAD = {
    "": "empty",
    "{": "line 1, column",
    "<!DOCTYPE html><html></html>": "HTML",
    '{"a": 1}': "no `nbformat`",
    "[]": "no `nbformat`",
    '{"nbformat": 3, "worksheets": []}': "old notebook format 3",
    '{"nbformat": 5, "cells": []}': "notebook format 5",
    '{"nbformat": 4}': "has no list of cells",
    '{"nbformat": 4, "cells": [{"cell_type": "co': "line 1",
}


@pytest.mark.parametrize(("text", "said"), BAD.items(), ids=range(len(BAD)))
def test_what_is_no_notebook_says_what_it_is(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "demo.ipynb"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_targets([str(path)])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.ipynb").mkdir()
    for name, said in (
        ("a.ipynb", "UTF-8"),
        ("b.ipynb", "folder"),
        ("c.ipynb", "no file"),
        ("r.txt", "no file"),
    ):
        with pytest.raises(UsageError, match=said):
            read_targets([name], folder=tmp_path)


def test_a_huge_output_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "demo.ipynb"
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 50_000_000}
    cell = {"cell_type": "code", "source": "!pip install captum", "outputs": [output]}
    path.write_text(json.dumps({"nbformat": 4, "cells": [cell, {}, {"cell_type": "code"}, None]}))
    (target,) = read_targets([str(path)])
    assert [each.command.requirements for each in target.installs] == [("captum",)]


def test_kinds_of_targets(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("polars>=1  # fast\n-r more.in\n")
    (tmp_path / "more.in").write_text("duckdb\n")
    (tmp_path / "pylock.toml").write_text(
        'lock-version = "1.0"\n[[packages]]\nname = "captum"\nversion = "0.7.0"\nmarker = "python_version > \'3\'"\n'
        '[[packages]]\nname = "mine"\narchive = {url = "https://example.org/mine-1-py3-none-any.whl"}\n'
    )
    targets = read_targets(["optuna>=4", "requirements.txt", "pylock.toml", "ray[tune]"], folder=tmp_path)
    assert [(each.name, each.kind) for each in targets] == [
        ("optuna>=4 ray[tune]", TargetKind.REQUIREMENTS),
        ("requirements.txt", TargetKind.REQUIREMENTS_FILE),
        ("pylock.toml", TargetKind.PYLOCK),
    ]
    assert targets[2].installs[0].command.requirements == (
        "captum==0.7.0 ; python_version > '3'",
        "mine @ https://example.org/mine-1-py3-none-any.whl",
    )


@pytest.mark.parametrize("words", [[], [""], ["captum", "-q"], ["not a requirement !"]])
def test_what_is_no_requirement(words: list[str]) -> None:
    with pytest.raises(UsageError):
        read_targets(words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a lock file"),
        ("a = ", "not valid TOML"),
        ('lock-version = "1.0"\npackages = []', "lists no packages"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pylock.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_targets(["pylock.toml"], folder=tmp_path)


def test_credentials_are_not_shown(tmp_path: Path) -> None:
    (found,), _ = read(tmp_path, "!pip install -i https://me:secret@example.org/simple captum")
    assert "secret" not in found.text
    assert "secret" in found.command.index_url


@settings(max_examples=300)
@given(
    st.lists(
        st.text(alphabet=st.sampled_from(list("!%pip install{}$\\\n'\"()[]=<>;&|#fordef:+, x")), max_size=60),
        max_size=3,
    )
)
@example(["!pip install {"])
@example(["%%bash\n'"])
@example(["x = '''\n!pip"])
def test_any_cells_are_read_without_a_crash(
    tmp_path_factory: pytest.TempPathFactory, sources: list[str]
) -> None:
    read(tmp_path_factory.mktemp("any"), *sources)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("a.ipynb", "pylock.toml", "r.txt"):
        (folder / name).write_bytes(content)
        with contextlib.suppress(TierproofError):
            read_targets([name], folder=folder)


# Lines of the corpus that the collector read as they were meant, not as a shell takes them.
def _is_meant_otherwise(entry: dict[str, object]) -> bool:
    line = str(entry["line"])
    return "unquoted-specifier" in entry["flags"] or "<url>" in line or len(line) >= 200 or "${" in line  # type: ignore[operator]


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus lies in TIERPROOF_SHARED")
def test_the_corpus_is_read_as_it_was_collected(tmp_path: Path) -> None:
    entries = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    plain = [entry for entry in entries if not _is_meant_otherwise(entry)]
    differing = []
    for entry in plain:
        installs, _ = read(tmp_path, entry["line"])
        found = sorted(each.replace(" ", "") for one in installs for each in one.command.requirements)
        if found != sorted(each.replace(" ", "") for each in entry["requirements"]):
            differing.append((entry["line"], found, entry["requirements"]))
    assert len(plain) > 200
    assert len(differing) <= 0.01 * len(plain), differing
