"""What other tools say of the same models, by running them.

They are installed apart from the project, without their dependencies (`peers.txt`): none of them is needed to
check a model. A peer detects a mutant when it complains of it and not of its host.

transformers' ModelTesterMixin is not in its wheel and takes library classes only, so its checks that apply to
any module are made again here, each named for the test it follows.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faultbench.inputs import compute_loss, make_inputs, read_outputs

PEERS_FOLDER = Path(__file__).resolve().parent / ".peers"
_ROWS, _POSITIONS = 3, 12


def complains_torchtest(build: Callable[[], nn.Module], host: str) -> str:
    """torchtest 0.5: do variables change, are outputs finite and within its default range?"""
    torchtest = importlib.import_module("torchtest")
    model = _Single(build(), host)
    optimizer = torch.optim.Adam(model.parameters())
    inputs = make_inputs(host, _ROWS, _POSITIONS)
    first = next(iter(inputs.values()))
    target = torch.randint(0, 5, (model(first).flatten(0, -2).shape[0],))
    try:
        torchtest.test_suite(
            model,
            lambda output, labels: F.cross_entropy(output.flatten(0, -2), labels),
            optimizer,
            [first, target],
            test_vars_change=True,
            test_nan_vals=True,
            test_inf_vals=True,
        )
    except Exception as error:  # noqa: BLE001 - its way of complaining
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def complains_torcheck(build: Callable[[], nn.Module], host: str) -> str:
    """torcheck 1.0: do parameters change in a step, and are they and the output finite?"""
    torcheck = importlib.reload(importlib.import_module("torcheck"))
    model = _Single(build(), host)
    optimizer = torch.optim.Adam(model.parameters())
    try:
        torcheck.register(optimizer)
        torcheck.add_module_changing_check(model, module_name="model")
        torcheck.add_module_nan_check(model)
        torcheck.add_module_inf_check(model)
        first = next(iter(make_inputs(host, _ROWS, _POSITIONS).values()))
        model(first).square().mean().backward()
        optimizer.step()
    except Exception as error:  # noqa: BLE001 - its way of complaining
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def complains_bolts(build: Callable[[], nn.Module], host: str) -> str:
    """Lightning Bolts 0.7's BatchGradientVerification on the features of the first row (as its default is)."""
    if host != "vit":
        return ""  # it differentiates by the input, which token ids do not allow
    _open_bolts()
    verification = importlib.import_module("pl_bolts.callbacks.verification.batch_gradient")
    model = build()
    images = make_inputs(host, _ROWS, _POSITIONS)["pixel_values"]
    try:
        passed = verification.BatchGradientVerification(model).check(input_array=images, sample_idx=0)
    except Exception as error:  # noqa: BLE001 - its way of complaining
        return f"{type(error).__name__}: {error}"[:200]
    return "" if passed else "the batch is mixed"


def _open_bolts() -> None:
    """Bolts' packages import all of its models; only the two files that verify are wanted."""
    for name in ("pl_bolts", "pl_bolts.callbacks", "pl_bolts.callbacks.verification", "pl_bolts.utils"):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(PEERS_FOLDER / name.replace(".", "/"))]
            sys.modules[name] = package
    stability = types.ModuleType("pl_bolts.utils.stability")
    stability.under_review = lambda: lambda item: item  # type: ignore[attr-defined]
    sys.modules.setdefault("pl_bolts.utils.stability", stability)


def complains_torchinfo(build: Callable[[], nn.Module], host: str) -> str:
    """torchinfo's summary: does it run at all?"""
    torchinfo = importlib.import_module("torchinfo")
    try:
        torchinfo.summary(build(), input_data=make_inputs(host, _ROWS, _POSITIONS), verbose=0)
    except Exception as error:  # noqa: BLE001 - its way of complaining
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def complains_tester_like(build: Callable[[], nn.Module], host: str) -> str:
    """The checks of transformers' ModelTesterMixin that any module can take."""
    model = build()
    inputs = make_inputs(host, _ROWS, _POSITIONS)
    for test in (
        _test_determinism,
        _test_training_gradients,
        _test_save_load,
        _test_batching_equivalence,
        _test_initialization,
        _test_decoding_with_past,
    ):
        try:
            said = test(model, inputs, build, host)
        except Exception as error:  # noqa: BLE001 - a test that raises has failed
            said = f"{type(error).__name__}: {error}"
        if said:
            return f"{test.__name__[1:]}: {said}"[:200]
    return ""


Inputs = dict[str, Tensor]
Build = Callable[[], nn.Module]


def _answer(model: nn.Module, inputs: Inputs) -> Tensor:
    return next(t for t in read_outputs(model(**_clone(inputs))) if t.dim() > 1)


def _clone(inputs: Inputs) -> Inputs:
    return {name: tensor.clone() for name, tensor in inputs.items()}


def _test_determinism(model: nn.Module, inputs: Inputs, _build: Build, _host: str) -> str:
    model.eval()
    with torch.no_grad():
        first, second = _answer(model, inputs), _answer(model, inputs)
    return "" if torch.allclose(first, second, atol=1e-5) else "two runs differ"


def _test_training_gradients(model: nn.Module, inputs: Inputs, _build: Build, _host: str) -> str:
    model.train()
    model.zero_grad(set_to_none=True)
    compute_loss(model(**_clone(inputs))).backward()
    missing = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    return f"no gradient for {missing[0]}" if missing else ""


def _test_save_load(model: nn.Module, inputs: Inputs, build: Build, _host: str) -> str:
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    stream.seek(0)
    other = build()
    other.load_state_dict(torch.load(stream, weights_only=True))
    with torch.no_grad():
        difference = (_answer(model.eval(), inputs) - _answer(other.eval(), inputs)).abs().max()
    return "" if float(difference) <= 1e-5 else "a loaded model answers differently"


def _test_batching_equivalence(model: nn.Module, inputs: Inputs, _build: Build, _host: str) -> str:
    model.eval()
    with torch.no_grad():
        together = _answer(model, inputs)[0]
        alone = _answer(model, {name: tensor[:1] for name, tensor in inputs.items()})[0]
    return "" if torch.allclose(together, alone, atol=1e-5) else "row 0 differs in a batch"


def _test_initialization(model: nn.Module, _inputs: Inputs, _build: Build, _host: str) -> str:
    means = {n: float(p.detach().mean()) for n, p in model.named_parameters() if p.dim() > 1}
    wide = [n for n, mean in means.items() if abs(mean) > 1.0 or mean != mean]  # noqa: PLR0124 - NaN
    return f"the mean of {wide[0]} is not in [-1, 1]" if wide else ""


def _test_decoding_with_past(model: nn.Module, inputs: Inputs, _build: Build, host: str) -> str:
    if host != "llama":
        return ""
    tokens = inputs["input_ids"]
    with torch.no_grad():
        full = model(input_ids=tokens).logits[:, -1]
        past = model(input_ids=tokens[:, :-1], use_cache=True).past_key_values
        step = model(input_ids=tokens[:, -1:], past_key_values=past, use_cache=True).logits[:, -1]
    return "" if torch.allclose(full, step, atol=1e-3) else "the step on a cache differs"


class _Single(nn.Module):
    """The host as the peers want it: one tensor in, one tensor out."""

    def __init__(self, model: nn.Module, host: str) -> None:
        super().__init__()
        self.model, self.host = model, host

    def forward(self, first: Tensor) -> Tensor:
        inputs = make_inputs(self.host, _ROWS, _POSITIONS)
        inputs[next(iter(inputs))] = first
        return next(t for t in read_outputs(self.model(**inputs)) if t.dim() > 1)


PEERS: dict[str, Callable[[Callable[[], nn.Module], str], str]] = {
    "transformers' tester, re-created": complains_tester_like,
    "torcheck 1.0.1": complains_torcheck,
    "torchtest 0.5": complains_torchtest,
    "Lightning Bolts 0.7.0, batch gradient": complains_bolts,
    "torchinfo": complains_torchinfo,
}


def ask_peers(build: Callable[[], nn.Module], host: str) -> dict[str, str]:
    """What each peer says of a model, empty for nothing; a peer that is not installed is left out."""
    if str(PEERS_FOLDER) not in sys.path:
        sys.path.append(str(PEERS_FOLDER))
    said = {}
    for name, complain in PEERS.items():
        torch.manual_seed(0)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                said[name] = complain(build, host)
            except ModuleNotFoundError as error:
                if error.name and error.name.split(".")[0] in (
                    "torchtest",
                    "torcheck",
                    "pl_bolts",
                    "torchinfo",
                    "pytorch_lightning",
                ):
                    continue
                said[name] = f"{type(error).__name__}: {error}"
            except Exception as error:  # noqa: BLE001 - the model raises before the peer can ask
                said[name] = f"{type(error).__name__}: {error}"[:200]
    return said
