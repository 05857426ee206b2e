"""Which of several classes of a file is the model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tierproof.model.load.load import load_target
from tierproof.model.load.target import TargetError

HEAD = "from dataclasses import dataclass\nimport torch\nfrom torch import nn\n"
PART = "class {0}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(2, 2)\n"
USER = "class {0}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.part = {1}\n"


def write(folder: Path, *parts: str) -> str:
    path = folder / "net.py"
    path.write_text(HEAD + "".join(parts))
    return str(path)


@pytest.mark.parametrize(
    "parts",
    [
        (PART.format("Inner"), USER.format("Whole", "Inner()")),
        (USER.format("Whole", "Inner()"), PART.format("Inner")),
        (
            PART.format("Inner"),
            USER.format("Middle", "Inner()"),
            USER.format("Whole", "nn.ModuleList([Middle()])"),
        ),
        (PART.format("Inner"), "KINDS = {'a': Inner}\n", USER.format("Whole", "KINDS['a']()")),
        (PART.format("Inner"), "def make():\n    return Inner()\n", USER.format("Whole", "make()")),
        (PART.format("Inner"), "class Whole(Inner):\n    pass\n"),
        (
            PART.format("Inner"),
            USER.format("Whole", "Inner()"),
            "    def reset(self, module: 'Inner') -> 'Whole':\n        return Whole()\n",
        ),
    ],
)
def test_the_class_that_no_other_builds_is_taken_and_said(tmp_path: Path, parts: tuple[str, ...]) -> None:
    loaded = load_target(write(tmp_path, *parts))
    assert type(loaded.model).__name__ == "Whole"
    assert loaded.assumptions[0].startswith("Whole was checked, the only one of the file's ")


def test_two_that_nothing_builds_are_refused_with_both(tmp_path: Path) -> None:
    parts = (PART.format("Inner"), USER.format("One", "Inner()"), USER.format("Other", "Inner()"))
    with pytest.raises(TargetError, match=r"3 nn\.Module subclasses") as caught:
        load_target(write(tmp_path, *parts))
    assert "net.py:Other" in caught.value.hint


CONFIG = "@dataclass\nclass Settings:\n    width: int{0}\n"
BUILT = "class Whole(nn.Module):\n    def __init__(self, {0}):\n        super().__init__()\n        self.layer = nn.Linear({1}.width, 2)\n"


@pytest.mark.parametrize("argument", ["config", "config: Settings", "settings: 'Settings'"])
def test_a_config_with_defaults_is_given(tmp_path: Path, argument: str) -> None:
    name = argument.partition(":")[0]
    loaded = load_target(write(tmp_path, CONFIG.format(" = 3"), BUILT.format(argument, name)))
    assert loaded.model.layer.in_features == 3
    assert loaded.assumptions == (
        "Whole was built with Settings(), which has the default values of its file",
    )


@pytest.mark.parametrize(("argument", "default"), [("config", ""), ("width: int", " = 3"), ("other", " = 3")])
def test_nothing_is_made_up(tmp_path: Path, argument: str, default: str) -> None:
    name = argument.partition(":")[0]
    with pytest.raises(TargetError, match="cannot be built without arguments"):
        load_target(write(tmp_path, CONFIG.format(default), BUILT.format(argument, name)))


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_a_checkpoint_beside_its_class(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "model.py").write_text(HEAD + PART.format("Net"))
    state = {f"{prefix}layer.weight": torch.ones(2, 2), f"{prefix}layer.bias": torch.zeros(2)}
    torch.save({"model": state, "step": 3}, tmp_path / "last.ckpt")
    loaded = load_target(str(tmp_path / "last.ckpt"))
    assert torch.equal(loaded.model.layer.weight, torch.ones(2, 2))
    assert "built from model.py beside it" in loaded.assumptions[0]
    assert any(prefix.partition(".")[0] in note for note in loaded.assumptions)
