"""What a model is handed over in: a class, a pipeline, and the wrappers of training."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

import tierproof
from tierproof.model.describe.given_model import unwrap_model
from tierproof.model.load.target import TargetError


class Net(nn.Module):
    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.layer = nn.Linear(4, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Sized(Net):
    def __init__(self, width: int) -> None:
        super().__init__(width)


def make_class(name: str, package: str, **body: object) -> type[nn.Module]:
    """A class as if another package had defined it."""
    return type(name, (nn.Module,), {"__module__": package, **body})


def hold(kind: type[nn.Module], **children: nn.Module) -> nn.Module:
    holder = kind()
    for name, child in children.items():
        setattr(holder, name, child)
    return holder


def test_a_class_is_built_where_it_needs_nothing() -> None:
    report = tierproof.check(Net, only=["T1-SHAPE"], progress=False)
    assert report.model.class_name == "Net"
    assert report.model.assumptions[0] == "Net is a class: Net() was built with seed 0, and checked"


def test_a_class_that_needs_arguments_is_told_how_to_be_called() -> None:
    with pytest.raises(TargetError, match=r"this is the class, not a model") as caught:
        tierproof.check(Sized, progress=False)
    assert "Sized(width=...)" in caught.value.hint


def test_wrappers_are_taken_off_and_said() -> None:
    net = Net()
    given = SimpleNamespace(model=torch.compile(nn.DataParallel(net)))
    unwrapped = unwrap_model(given)
    assert unwrapped.model is net
    assert [note.split()[0] for note in unwrapped.notes] == [
        "SimpleNamespace",
        "OptimizedModule",
        "DataParallel",
    ]
    report = tierproof.check(nn.DataParallel(net), only=["T1-SHAPE"], progress=False)
    assert report.model.class_name == "Net"
    assert "DataParallel is a wrapper" in report.model.assumptions[0]


@pytest.mark.parametrize("package", ["lightning.pytorch.core.module", "pytorch_lightning"])
def test_a_lightning_module_gives_its_model(package: str) -> None:
    assert package.partition(".")[0] not in sys.modules
    base = make_class("LightningModule", package)
    task = type("Task", (base,), {})
    net = Net()
    assert unwrap_model(hold(task, model=net)).model is net
    assert unwrap_model(hold(task, network=net)).model is net
    own = type("Own", (base,), {"forward": lambda self, x: self.network(x)})
    kept = hold(own, network=net)
    assert unwrap_model(kept).model is kept
    two = hold(task, model=net, head=Net())
    assert unwrap_model(two).model is two


def test_an_adapter_gives_its_base_model() -> None:
    net = Net()
    kind = make_class("PeftModel", "peft.peft_model", get_base_model=lambda self: self.base)
    assert unwrap_model(hold(kind, base=net)).model is net


def test_what_only_has_such_a_name_is_left_alone() -> None:
    mine = hold(make_class("DataParallel", "mine"), module=Net())
    assert unwrap_model(mine).model is mine
    assert unwrap_model(Net).model is Net
    assert isinstance(unwrap_model(ModuleType("empty")).model, ModuleType)
