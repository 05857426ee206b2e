"""Several bugs at once: each is named, none hides another, and what follows from one says so."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import tierproof

WIDTH = 24


class Attention(nn.Module):
    def __init__(self, ahead: int) -> None:
        super().__init__()
        self.ahead = ahead
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(x).chunk(3, dim=-1)
        scores = query @ key.transpose(1, 2) / WIDTH**0.5
        seen = torch.ones(x.shape[1], x.shape[1]).tril(self.ahead).bool()
        return self.out(scores.masked_fill(~seen, float("-inf")).softmax(dim=-1) @ value)


class Layer(nn.Module):
    def __init__(self, ahead: int, *, cut: bool, stray: bool) -> None:
        super().__init__()
        self.attend, self.drop = Attention(ahead), nn.Dropout(0.2)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.cut, self.stray = cut, stray

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.drop(self.attend(self.norms[0](x)))
        branch = self.mlp(self.norms[1](x))
        if self.stray:
            branch = F.dropout(branch, 0.2)
        return x + (branch.detach() if self.cut else branch)


class CausalLM(nn.Module):
    def __init__(
        self, *, hidden: bool = False, ahead: int = 0, cut: bool = False, stray: bool = False
    ) -> None:
        super().__init__()
        layers = [Layer(ahead, cut=cut and number == 1, stray=stray) for number in range(2)]
        self.layers = layers if hidden else nn.ModuleList(layers)
        self.tokens, self.places = nn.Embedding(61, WIDTH), nn.Embedding(24, WIDTH)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 61)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


SPEC = tierproof.ModelSpec(causal=True)
CODES = ["T1-REG", "T1-CAUSAL", "T1-GRAD", "T1-STAB", "T1-BATCH", "T1-SAVE"]


def check(model: nn.Module) -> tierproof.Report:
    return tierproof.check(model, spec=SPEC, only=CODES, progress=False)


def read_causes(report: tierproof.Report) -> dict[str, str]:
    """What each error follows from, by its code; empty for one that stands for itself."""
    return {
        finding.code: finding.follows_from.code if finding.follows_from else ""
        for finding in report.findings
        if finding.severity == "error"
    }


def test_three_bugs_at_once_are_all_named_and_none_is_a_consequence() -> None:
    report = check(CausalLM(hidden=True, ahead=1, cut=True))
    causes = read_causes(report)
    assert {"T1-REG-001", "T1-CAUSAL-001", "T1-GRAD-003"} <= {
        code for code, cause in causes.items() if not cause
    }
    assert {code for code, cause in causes.items() if cause} <= {"T1-STAB-002", "T1-REG-010"}
    assert not [result.reason for result in report.results if result.outcome == "skipped"]


def test_dropout_in_layers_that_are_not_registered_follows_from_that() -> None:
    report = check(CausalLM(hidden=True))
    assert read_causes(report) == {"T1-REG-001": "", "T1-STAB-002": "T1-REG-001"}
    shown = next(finding for finding in report.findings if finding.code == "T1-STAB-002")
    assert shown.hint == "This follows from T1-REG-001: fix T1-REG-001 first."
    registration = report.results[0].measurements
    assert registration["hidden_parameters"] == report.findings[0].evidence["parameters"] > 0


@pytest.mark.parametrize("ahead", [0, 1])
def test_stray_dropout_hides_nothing_and_makes_no_other_error(ahead: int) -> None:
    report = check(CausalLM(stray=True, ahead=ahead))
    expected = {"T1-STAB-002": ""} | ({"T1-CAUSAL-001": ""} if ahead else {})
    assert read_causes(report) == expected
    assert not [result.reason for result in report.results if result.outcome == "skipped"]


def test_other_random_numbers_do_not_hide_a_leak() -> None:
    class Noisy(CausalLM):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return super().forward(ids) + 0.1 * torch.randn(*ids.shape, 61)

    assert read_causes(check(Noisy(ahead=1))) == {"T1-STAB-002": "", "T1-CAUSAL-001": ""}
    assert read_causes(check(Noisy())) == {"T1-STAB-002": ""}


def test_the_model_keeps_its_plain_list_and_every_mode() -> None:
    model = CausalLM(hidden=True)
    model.layers[0].drop.eval()
    layers, keys = model.layers, list(vars(model))
    modes = [part.training for layer in layers for part in layer.modules()]
    values = {name: value.clone() for layer in layers for name, value in layer.state_dict().items()}
    check(model)
    assert model.layers is layers
    assert type(layers) is list
    assert "layers" not in dict(model.named_children())
    assert sorted(vars(model)) == sorted(keys)
    assert modes == [part.training for layer in layers for part in layer.modules()]
    after = {name: value for layer in layers for name, value in layer.state_dict().items()}
    assert all(torch.equal(values[name], after[name]) for name in values)


def test_a_model_declared_bidirectional_that_looks_back_only_is_told() -> None:
    report = tierproof.check(
        CausalLM(), spec=tierproof.ModelSpec(causal=False), only=["T1-CAUSAL"], progress=False
    )
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("T1-CAUSAL-006", "warning")
    assert finding.evidence["measured"] == "causal"
