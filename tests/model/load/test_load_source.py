"""Targets in Python source: what is found, what is refused, and what is left behind."""

from __future__ import annotations

import copy
import random
import sys
from pathlib import Path

import pytest
import torch

from tierproof.errors import UsageError
from tierproof.model.load.load import LoadOptions, load_target
from tierproof.model.load.target import TargetError

HEAD = "import torch\nfrom torch import nn\n"
NET = "class {name}(nn.Module):\n    def __init__(self{extra}):\n        super().__init__()\n        self.layer = nn.Linear(2, 3)\n"


def net(name: str, extra: str = "") -> str:
    return NET.format(name=name, extra=extra)


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "net.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def refusal(target: str, **options) -> TargetError:
    with pytest.raises(TargetError) as caught:
        load_target(target, LoadOptions(**options))
    assert "Traceback" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        (net("Only"), "", "Only"),
        (net("Other") + net("Model"), "", "Model"),
        (net("Model") + net("Built") + "def build_model():\n    return Built()\n", "", "Built"),
        (net("A") + net("B"), ":B", "B"),
        (net("A") + "ready = A()\n" + net("B"), ":ready", "A"),
        (net("A") + "def make():\n    return A()\n" + net("B"), ":make", "A"),
        (net("A") + "class Zoo:\n    Inner = A\n" + net("B"), ":Zoo.Inner", "A"),
        (net("A") + "Alias = A\n", "", "A"),
        ("from torch.nn import Linear, TransformerEncoder\n" + net("A"), "", "A"),
        (net("A", ", width=4"), "", "A"),
        (net("Model", ", *args, **kwargs"), "", "Model"),
    ],
)
def test_the_entry_is_found(write, source, name, expected):
    target = write(HEAD + source) + name
    loaded = load_target(target)
    assert type(loaded.model).__name__ == expected
    assert loaded.target == target


def test_several_candidates_are_listed_with_their_lines(write):
    error = refusal(write(HEAD + net("First") + net("Second")))
    assert "First (line 3)" in error.message
    assert "Second (line 7)" in error.message
    assert ":Second" in error.hint


def test_nothing_found(write):
    assert "build_model" in refusal(write("x = 1\n")).message
    assert "'ready'" in refusal(write(HEAD + "ready = nn.Linear(2, 2)\n")).message


def test_a_name_that_is_absent(write):
    error = refusal(write(HEAD + net("Decoder")) + ":Decodr")
    assert "does not define 'Decodr'" in error.message
    assert "Decoder" in error.hint
    assert "Decoder" in refusal(write(HEAD + net("Decoder")) + ":zzz").hint
    assert refusal(write("x = 1\n") + ":zzz").hint


def test_a_constructor_that_needs_arguments(write):
    error = refusal(write(HEAD + net("Model", ", width, depth, *, heads")))
    assert "width, depth, heads" in error.message
    assert "build_model()" in error.hint
    assert "config.json" in error.hint


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("thing = 3\n", ["int", "not an nn.Module or a callable"]),
        ("class thing:\n    pass\n", ["not an nn.Module"]),
        ("def thing():\n    return 3\n", ["returned a int"]),
        ("def thing():\n    raise ValueError('width is odd')\n", ["net.py:4", "ValueError: width is odd"]),
        ("def thing():\n    import sys\n    sys.exit(3)\n", ["sys.exit(3)"]),
        ("thing = nn.Identity()\n", ["empty module"]),
        ("thing = nn.Sequential(nn.ReLU())\n", ["no parameters"]),
    ],
)
def test_what_is_named_makes_no_module_to_check(write, source, words):
    error = refusal(write(HEAD + source) + ":thing")
    for word in words:
        assert word in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"def broken(:\n", ["syntax error", "net.py:1", "def broken(:"]),
        (b"x = 1\nimport not_there_at_all\n", ["net.py:2", "'not_there_at_all'"]),
        (b"import not_there.deeper\n", ["net.py:1", "'not_there'"]),
        (b"\nfrom torch import no_such_name\n", ["net.py:2", "no_such_name"]),
        (b"x = '\xff\xfe'\n", ["UTF-8", "net.py:1"]),
        (b"x = 1\n\n\ny = '\xff\xfe'\n", ["UTF-8", "net.py:4", "0xff"]),
        (b"# coding: no-such-codec\n", ["no-such-codec"]),
        (b"x = 1\n\n1 / 0\n", ["net.py:3", "ZeroDivisionError"]),
        (b"import sys\nsys.exit()\n", ["net.py:2", "sys.exit(None)"]),
        (b"x = \0", ["null bytes"]),
    ],
)
def test_a_file_that_does_not_load(tmp_path, content, words):
    path = tmp_path / "net.py"
    path.write_bytes(content)
    error = refusal(str(path))
    for word in words:
        assert word in error.message
    assert len(error.message) < 500
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_file_of_another_declared_encoding_loads(tmp_path):
    path = tmp_path / "net.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\nword = '\xe4'\n" + (HEAD + net("Model")).encode())
    assert load_target(str(path)).model is not None


def test_files_that_cannot_be_read(tmp_path):
    assert "no file" in refusal(str(tmp_path / "absent.py")).message
    (tmp_path / "folder.py").mkdir()
    assert "cannot read" in refusal(str(tmp_path / "folder.py")).message


def test_siblings_are_imported_and_nothing_is_left(write, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(HEAD + net("Layer") + "VALUE = 7\n", "sibling_layers.py")
    write("import sibling_layers\n", "nested_package/__init__.py")
    target = write(
        "from torch import nn\nimport nested_package\nfrom sibling_layers import Layer\n"
        "class Model(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layer = Layer()\n"
        "    def forward(self):\n        import sibling_layers, net\n"
        "        assert isinstance(self.layer, sibling_layers.Layer) and isinstance(self, net.Model)\n"
        "        return sibling_layers.VALUE\n"
    )
    path_before, modules_before = list(sys.path), set(sys.modules)
    random.seed(5)
    torch.manual_seed(5)
    states = random.getstate(), torch.get_rng_state()
    loaded = load_target(target)
    assert sys.path == path_before
    assert set(sys.modules) == modules_before
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    assert not sys.dont_write_bytecode
    assert not list(tmp_path.rglob("__pycache__"))
    for _ in range(2):
        with loaded.scope:
            assert loaded.model() == 7
        assert set(sys.modules) == modules_before
        assert sys.path == path_before
    copy.deepcopy(loaded.model)


def test_a_failure_leaves_nothing_either(write):
    write("VALUE = 7\n", "sibling_values.py")
    target = write("import sibling_values\nraise RuntimeError('stop')\n")
    path_before, modules_before = list(sys.path), set(sys.modules)
    assert "net.py:2: RuntimeError: stop" in refusal(target).message
    assert (sys.path, set(sys.modules)) == (path_before, modules_before)


def test_a_package_member_imports_relatively(write, tmp_path):
    write("from .model import Model\n", "my_package/__init__.py")
    write(HEAD + net("Layer"), "my_package/layers.py")
    target = write(
        "from torch import nn\nfrom .layers import Layer\n"
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = Layer()\n",
        "my_package/model.py",
    )
    before = set(sys.modules)
    assert type(load_target(target).model).__module__ == "my_package.model"
    assert set(sys.modules) == before
    assert (
        "other.py:2" in refusal(write("import sys\nfrom .absent import x\n", "my_package/other.py")).message
    )


def test_a_package_name_that_is_taken(write):
    write("", "json/__init__.py")
    error = refusal(write(HEAD + net("Model"), "json/model.py"))
    assert "json" in error.message


def test_a_file_named_as_an_installed_module(write):
    assert load_target(write(HEAD + net("Model"), "torch.py")).model is not None
    assert load_target(write(HEAD + net("Model"), "my-net.py")).model is not None
    assert sys.modules["torch"] is torch


def test_dataclasses_and_lines_work_in_a_loaded_file(write):
    target = write(
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        + HEAD
        + "@dataclass\nclass Config:\n    sizes: list[int] = field(default_factory=lambda: [2])\n"
        + net("Model", ", config: Config = Config()")
    )
    assert load_target(target).model is not None


def test_parameters_follow_the_seed(write):
    target = write(HEAD + net("Model"))
    first, again, other = (
        load_target(target, LoadOptions(seed=seed)).model.layer.weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_import_target(write, tmp_path, monkeypatch):
    write(HEAD + net("Model"), "found_here/nets.py")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    assert type(load_target("found_here.nets:Model").model).__name__ == "Model"
    assert set(sys.modules) == before
    assert "'found_here.absent'" in refusal("found_here.absent:Model").message
    assert "'absent_package'" in refusal("absent_package.nets:Model").message
    write("import absent_dependency\n", "found_here/broken.py")
    message = refusal("found_here.broken:Model").message
    assert "broken.py:1" in message
    assert "'absent_dependency'" in message
    write("1 / 0\n", "found_here/raising.py")
    assert "raising.py:1: ZeroDivisionError" in refusal("found_here.raising:Model").message
    assert "weight" not in refusal("torch.nn:Linear").message


def test_weights_need_a_target_that_has_them(write):
    with pytest.raises(UsageError, match="--weights"):
        load_target(write(HEAD + net("Model")), LoadOptions(weights=True))


def test_an_environment_inside_the_folder_is_no_part_of_the_target(write, tmp_path, monkeypatch):
    site = tmp_path / ".venv" / "site-packages"
    write("VALUE = 1\n", ".venv/site-packages/installed_thing.py")
    monkeypatch.syspath_prepend(str(site))
    target = write(HEAD + "import installed_thing\n" + net("Model"))
    load_target(target)
    assert Path(sys.modules.pop("installed_thing").__file__).parent == site
