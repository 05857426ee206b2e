from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, only_error, replace_block_forward, run_check
from tierproof.checks.tier1.gradient_flow import gradient_arena
from tierproof.checks.tier1.gradient_flow.gradient_flow import CHECK
from tierproof.core.finding import Severity
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN, CharGPT
from zoo.odd import Doubled, HalfBackward


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_healthy_models_raise_no_alarm(name):
    output = read_result(name, CHECK.code)
    assert alarms(output) == []
    assert output.measurements["largest_relative_mismatch"] <= 5e-3


def test_norms_are_measured_in_forward_order():
    modules = run_check(CHECK, build_gpt()).document["modules"]
    paths = [module["path"] for module in modules]
    assert paths[:3] == ["token", "position", "blocks.0.ln1"]
    assert paths[-1] == "head"
    assert all(module["gradient_norm"] > 0 and module["parameters"] > 0 for module in modules)


def detached_branch(self, x):
    x = x + self.attn(self.ln1(x)).detach()
    return x + self.mlp(self.ln2(x))


def branch_without_gradients(self, x):
    with torch.no_grad():
        branch = self.attn(self.ln1(x))
    x = x + branch
    return x + self.mlp(self.ln2(x))


def detached_in_training(self, x):
    branch = self.attn(self.ln1(x))
    x = x + (branch.detach() if self.training else branch)
    return x + self.mlp(self.ln2(x))


@pytest.mark.parametrize(
    ("forward", "cause"),
    [
        (detached_branch, "detach()"),
        (branch_without_gradients, "torch.no_grad()"),
        (detached_in_training, "detach()"),
    ],
)
def test_a_branch_cut_off_from_backward(forward, cause):
    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, forward)))
    assert (finding.code, finding.where) == ("T1-GRAD-003", "blocks.1.attn")
    assert finding.evidence["cause"] == cause
    assert finding.evidence["starved_parameters"] == 6


def test_two_cut_branches_are_two_findings():
    model = replace_block_forward(build_gpt(), 0, detached_branch)
    model = replace_block_forward(model, 2, detached_branch)
    findings = [f for f in run_check(CHECK, model).findings if f.severity is Severity.ERROR]
    assert {f.where for f in findings} == {"blocks.0.attn", "blocks.2.attn"}


def detached_stream(self, x):
    x = x.detach()
    x = x + self.attn(self.ln1(x))
    return x + self.mlp(self.ln2(x))


def test_a_stream_detached_at_the_entry_of_a_block():
    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, detached_stream)))
    assert (finding.code, finding.where) == ("T1-GRAD-003", "blocks.1")


def detached_residual(self, x):
    x = x.detach() + self.attn(self.ln1(x))
    return x + self.mlp(self.ln2(x))


def test_a_detached_residual():
    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, detached_residual)))
    assert (finding.code, finding.where) == ("T1-GRAD-008", "blocks.1")
    assert finding.evidence["last_wrong_parameter"].startswith("blocks.0.mlp.2")


def test_what_float32_shows_of_a_costly_model_is_asked_again_in_float64(monkeypatch):
    monkeypatch.setattr(gradient_arena, "_FLOAT64_FLOPS", 0)
    output = run_check(CHECK, replace_block_forward(build_gpt(), 1, detached_residual))
    assert only_error(output).code == "T1-GRAD-008"
    monkeypatch.setattr(
        gradient_arena.Arena,
        "disagrees",
        lambda arena, names, **_: arena.compare(names, 1) if not arena.in_float64 else None,
    )
    assert run_check(CHECK, replace_block_forward(build_gpt(), 1, detached_residual)).findings == ()


def scale_through_item(self, x):
    x = x + self.attn(self.ln1(x))
    return x + self.mlp(self.ln2(x)) * self.ln2.weight[0].item() ** 8


def test_a_factor_taken_out_of_the_graph_by_item():
    model = replace_block_forward(build_gpt(), 1, scale_through_item)
    nn.init.normal_(model.blocks[1].mlp[0].weight, std=0.3)
    nn.init.normal_(model.blocks[1].mlp[2].weight, std=0.3)
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-GRAD-008", "blocks.1")


def zeroed_branch(self, x):
    x = x + self.attn(self.ln1(x))
    return x + 0.0 * self.mlp(self.ln2(x))


def test_a_branch_multiplied_by_zero():
    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, zeroed_branch)))
    assert (finding.code, finding.where) == ("T1-GRAD-004", "blocks.1.mlp")


def root_of_zero(self, x):
    x = x + self.attn(self.ln1(x))
    y = self.mlp(self.ln2(x))
    return x + y + torch.sqrt((y * 0).abs())


def test_a_gradient_that_is_nan_behind_a_finite_forward():
    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, root_of_zero)))
    assert (finding.code, finding.where) == ("T1-GRAD-001", "blocks.1")


class WithoutGradients(CharGPT):
    @torch.no_grad()
    def forward(self, idx):
        return super().forward(idx)


def test_an_answer_that_is_attached_to_nothing():
    assert only_error(run_check(CHECK, build_gpt(WithoutGradients))).code == "T1-GRAD-002"


class DetachedHead(CharGPT):
    def forward(self, idx):
        return super().forward(idx).detach()


def test_the_cut_before_the_return_is_named():
    finding = only_error(run_check(CHECK, build_gpt(DetachedHead)))
    assert finding.code == "T1-GRAD-002"
    assert finding.evidence["cuts"] == ["detach() in the model"]


class SkipsLast(CharGPT):
    def forward(self, idx):
        x = self.token(idx) + self.position(torch.arange(idx.shape[1]))
        for block in self.blocks[:-1]:
            x = block(x)
        return self.head(self.norm(x))


def test_a_skipped_layer_is_a_warning():
    output = run_check(CHECK, build_gpt(SkipsLast))
    finding = find(output, "T1-GRAD-006")
    assert (finding.severity, finding.where) == (Severity.WARNING, "blocks.2")
    assert alarms(output) == [finding]


def test_a_dead_relu_is_a_warning():
    model = build_gpt()
    model.blocks[1].mlp[1] = nn.ReLU()
    nn.init.constant_(model.blocks[1].mlp[0].bias, -100.0)
    finding = find(run_check(CHECK, model), "T1-GRAD-005")
    assert (finding.severity, finding.where) == (Severity.WARNING, "blocks.1.mlp.0")


def test_one_frozen_layer_among_equals_is_a_warning():
    model = build_gpt()
    model.blocks[1].requires_grad_(False)
    output = run_check(CHECK, model)
    assert find(output, "T1-GRAD-011").where == "blocks.1"
    assert find(output, "T1-GRAD-010").evidence["count"] == 12


def test_freezing_from_the_bottom_is_a_note():
    model = build_gpt()
    model.token.requires_grad_(False)
    model.blocks[0].requires_grad_(False)
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert find(output, "T1-GRAD-010").severity is Severity.INFO


def test_a_frozen_model_is_skipped():
    model = build_gpt()
    model.requires_grad_(False)
    assert "frozen" in run_check(CHECK, model).skipped


class LowRank(nn.Module):
    """LoRA: its second factor starts at zero, so its first gets no gradient yet."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.first = nn.Parameter(torch.randn(4, layer.in_features) * 0.1)
        self.second = nn.Parameter(torch.zeros(layer.out_features, 4))

    def forward(self, x):
        return self.layer(x) + x @ self.first.T @ self.second.T


def test_lora_is_healthy():
    model = build_gpt()
    model.blocks[1].attn.proj = LowRank(model.blocks[1].attn.proj)
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert "exactly zero" in find(output, "T1-GRAD-007").message


def rezero(self, x):
    return x + self.alpha * self.mlp(self.ln2(x + self.attn(self.ln1(x))))


def test_rezero_is_healthy():
    model = build_gpt()
    for index, block in enumerate(model.blocks):
        block.alpha = nn.Parameter(torch.zeros(1))
        replace_block_forward(model, index, rezero)
    assert alarms(run_check(CHECK, model)) == []


class Router(nn.Module):
    """Top-1 with a weight normalised to one: its gate gets no gradient, and is never trained."""

    def __init__(self, width=32):
        super().__init__()
        self.gate = nn.Linear(width, 3)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def forward(self, x):
        choice = self.gate(x).topk(1, dim=-1).indices
        branches = torch.stack([expert(x) for expert in self.experts], dim=-2)
        return branches.gather(-2, choice[..., None].expand(*choice.shape, x.shape[-1])).squeeze(-2)


def test_hard_routing_is_no_error_and_an_untrained_router_is_told():
    model = build_gpt()
    for block in model.blocks:
        block.mlp = Router()
    output = run_check(CHECK, model)
    assert [(f.code, f.severity, f.where) for f in alarms(output)] == [
        ("T1-GRAD-016", "warning", "blocks.0.mlp.gate")
    ]
    assert "hard choice" in find(output, "T1-GRAD-007").message


class TruncatedLoop(CharGPT):
    """Runs its blocks twice, the first time without gradients."""

    def forward(self, idx):
        x = self.token(idx) + self.position(torch.arange(idx.shape[1]))
        first = x
        with torch.no_grad():
            for block in self.blocks:
                first = block(first)
        x = x + first
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_truncated_backpropagation_is_a_note():
    output = run_check(CHECK, build_gpt(TruncatedLoop))
    assert alarms(output) == []
    assert find(output, "T1-GRAD-013").severity is Severity.INFO


class Shrinking(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.layer, self.factor = nn.Linear(8, 8), factor

    def forward(self, x):
        return self.factor * self.layer(x)


class DeepStack(nn.Module):
    """No residuals, each layer a thousandth of the one before."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Shrinking(1e-3) for _ in range(4))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x * 1e9)


def test_gradients_that_vanish_over_the_depth_are_a_warning():
    torch.manual_seed(0)
    finding = find(run_check(CHECK, DeepStack()), "T1-GRAD-009")
    assert finding.severity is Severity.WARNING
    assert finding.evidence["ratio"] > 1e6


class NeedsTargets(CharGPT):
    def forward(self, idx):
        if self.training:
            raise ValueError("targets are needed in training mode")
        return super().forward(idx)


def test_a_forward_that_raises_in_training_mode_is_a_note():
    output = run_check(CHECK, build_gpt(NeedsTargets))
    assert alarms(output) == []
    assert "targets are needed" in find(output, "T1-GRAD-012").message


class Float32Inside(CharGPT):
    """Insists on float32, so finite differences are taken in float32."""

    def forward(self, idx):
        if self.token.weight.dtype is not torch.float32:
            raise RuntimeError("float32 only")
        return super().forward(idx)


def test_float32_differences_find_a_detached_residual():
    model = build_gpt(Float32Inside)
    healthy = run_check(CHECK, model)
    assert alarms(healthy) == []
    assert healthy.document["finite_difference"] == "float32"
    finding = only_error(run_check(CHECK, replace_block_forward(model, 1, detached_residual)))
    assert finding.code == "T1-GRAD-008"


def wrong_by_hand(self, x):
    x = x + HalfBackward.apply(self.attn(self.ln1(x)))
    return x + self.mlp(self.ln2(x))


def test_a_handwritten_backward_that_differs_is_a_warning_for_it_may_be_a_surrogate():
    output = run_check(CHECK, replace_block_forward(build_gpt(), 1, wrong_by_hand))
    (finding,) = [f for f in output.findings if f.code == "T1-GRAD-008"]
    assert finding.severity is Severity.WARNING
    assert finding.evidence["autograd_functions"] == ["HalfBackward"]
    assert "HalfBackward" in finding.message


def right_by_hand_with_a_detached_residual(self, x):
    x = x.detach() + Doubled.apply(self.attn(self.ln1(x)))
    return x + self.mlp(self.ln2(x))


def test_a_cut_beside_a_handwritten_backward_stays_an_error():
    model = replace_block_forward(build_gpt(), 1, right_by_hand_with_a_detached_residual)
    assert only_error(run_check(CHECK, model)).code == "T1-GRAD-008"


class OptionalInput(CharGPT):
    """Adds a second embedding, of nothing but padding when its input is left out, as RoCBERT's shapes."""

    def __init__(self, cut=False):
        super().__init__()
        self.shape = nn.Embedding(5, 32, padding_idx=0)
        nn.init.normal_(self.shape.weight)  # the padding row too: the answers depend on it
        self.cut = cut

    def forward(self, idx):
        extra = self.shape(idx % 5 if self.cut else torch.zeros_like(idx))
        x = self.token(idx) + (extra.detach() if self.cut else extra)
        for block in self.blocks:
            x = block(x + self.position(torch.arange(idx.size(1))))
        return self.head(self.norm(x))


def test_an_embedding_read_only_at_its_padding_row_gets_no_gradient_by_request():
    output = run_check(CHECK, OptionalInput())
    assert alarms(output) == []
    assert any("padding_idx" in f.message for f in output.findings)
    assert only_error(run_check(CHECK, OptionalInput(cut=True))).where == "shape"
