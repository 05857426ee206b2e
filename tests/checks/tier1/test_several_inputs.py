"""Bugs in models whose inputs are of several kinds, or whose lengths and shifts are not declared."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tierproof
from tierproof.core.finding import Finding
from tierproof.core.report import Report
from zoo.several_inputs import SEVERAL_INPUTS, Denoiser, ImageText, ShiftsInside, SlicedPositions


def check(model: nn.Module, *only: str) -> Report:
    return tierproof.check(model, only=only, progress=False)


def find(report: Report, code: str) -> Finding:
    return next(finding for finding in report.findings if finding.code == code)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("video", ["video: float32[batch, 3, 20, 32, 32] (image)"]),
        ("denoiser", ["x: float32[batch, 3, 32, 32] (image)", "timesteps: int64[batch] in [0, 2) (tokens)"]),
        (
            "image_text",
            [
                "image: float32[batch, 3, 32, 32] (image)",
                "text: int64[batch, target_length] in [0, 90) (tokens)",
            ],
        ),
    ],
)
def test_each_argument_gets_inputs_of_its_kind(name: str, inputs: list[str]) -> None:
    assert list(check(SEVERAL_INPUTS[name][0](), "T1-MEM").model.inputs) == inputs


def test_a_step_that_is_dropped_is_found() -> None:
    class Timeless(Denoiser):
        def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
            return super().forward(x, timesteps * 0)

    assert find(check(Timeless(), "T1-INPUT"), "T1-INPUT-001").evidence["argument"] == "timesteps"


def test_a_norm_over_the_texts_of_a_batch_is_found() -> None:
    class Normalised(ImageText):
        def forward(self, image: Tensor, text: Tensor) -> Tensor:
            images = self.image_head(self.patches(image).flatten(2).mean(-1))
            texts = self.text_head(self.layer(self.tokens(text)).mean(1))
            return F.normalize(images, dim=-1) @ F.normalize(texts, dim=0).T

    assert "influence each other" in find(check(Normalised(), "T1-BATCH"), "T1-BATCH-001").message
    assert check(ImageText(), "T1-BATCH").findings == ()


def test_a_table_that_is_read_by_position_ends_the_lengths() -> None:
    report = check(SlicedPositions(), "T1-SHAPE")
    measured = report.results[0].measurements
    assert report.findings == ()
    assert measured["maximum_length"] == 64
    assert "places.weight" in measured["maximum_length_source"]


def test_a_length_refused_by_nothing_known_stays_an_error() -> None:
    class Refuses(SlicedPositions):
        def forward(self, input_ids: Tensor) -> dict[str, Tensor]:
            if input_ids.shape[1] > 37:
                raise ValueError("too long")
            return super().forward(input_ids)

    report = check(Refuses(), "T1-SHAPE")
    assert find(report, "T1-SHAPE-001").severity.value == "error"
    assert "the longest that works is 37" in find(report, "T1-SHAPE-002").message


def test_only_a_model_that_shifts_inside_may_leave_the_last_token_unread() -> None:
    class LosesLast(ShiftsInside):
        def forward(self, data: Tensor) -> Tensor:
            x = self.embed(data) + self.places(torch.arange(data.shape[1], device=data.device))
            x = torch.cat([x[:, :-1], torch.zeros_like(x[:, -1:])], 1)
            mask = nn.Transformer.generate_square_subsequent_mask(data.shape[1], device=data.device)
            return self.head(self.norm(self.layer(x, src_mask=mask, is_causal=True)))

    assert check(ShiftsInside(), "T1-INPUT").findings == ()
    assert any(f.severity.value == "error" for f in check(LosesLast(), "T1-INPUT", "T1-CAUSAL").findings)


class Scored(nn.Module):
    """Attention written out, with a mask made by comparing positions and filled with `hidden`."""

    def __init__(self, hidden: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.embed, self.qkv, self.head = nn.Embedding(60, 32), nn.Linear(32, 96), nn.Linear(32, 60)
        self.places = nn.Embedding(64, 32)

    def forward(self, idx: Tensor) -> Tensor:
        n = torch.arange(idx.shape[1], device=idx.device)
        x = self.embed(idx) + self.places(n)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / math.sqrt(32)
        return self.head(x + scores.masked_fill(n[None] > n[:, None], self.hidden).softmax(-1) @ v)


def test_a_mask_made_by_a_comparison_declares_causality() -> None:
    assert find(check(Scored(-1.0), "T1-CAUSAL"), "T1-CAUSAL-001").severity.value == "error"
    assert check(Scored(-math.inf), "T1-CAUSAL").findings == ()


def test_a_softmax_over_the_positions_of_the_answer_is_found() -> None:
    class OverPositions(Scored):
        def forward(self, idx: Tensor) -> Tensor:
            return super().forward(idx).log_softmax(1)

    class OverClasses(Scored):
        def forward(self, idx: Tensor) -> Tensor:
            return super().forward(idx).log_softmax(-1)

    assert "over the positions" in find(check(OverPositions(-math.inf), "T1-LOSS"), "T1-LOSS-007").message
    assert check(OverClasses(-math.inf), "T1-LOSS").findings == ()


class Parts(nn.Module):
    """Layers kept as dicts of parts; `second` names the part that runs last."""

    def __init__(self, second: str) -> None:
        super().__init__()
        self.second = second
        self.embed = nn.Embedding(50, 32)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {name: nn.Sequential(nn.Linear(32, 48), nn.GELU(), nn.Linear(48, 32)) for name in "ab"}
            )
            for _ in range(2)
        )

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for layer in self.layers:
            x = x + layer["a"](x)
            x = x + layer[self.second](x)
        return x


def test_a_part_unused_in_every_dict_of_parts_is_found() -> None:
    assert find(check(Parts("a"), "T1-GRAD"), "T1-GRAD-014").where.startswith("layers.0.b")
    assert check(Parts("b"), "T1-GRAD").findings == ()


class Gains(nn.Module):
    """Residual blocks with a norm before and a norm after; one of the two starts at zero."""

    def __init__(self, zero: str) -> None:
        super().__init__()
        self.embed, self.linear, self.head = nn.Embedding(50, 32), nn.Linear(32, 32), nn.Linear(32, 50)
        self.before, self.after = nn.LayerNorm(32), nn.LayerNorm(32)
        nn.init.zeros_(getattr(self, zero).weight)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        return self.head(x + self.after(torch.tanh(self.linear(self.before(x)))))


def test_a_gain_of_zero_before_a_layer_is_found_and_at_the_end_of_a_branch_is_not() -> None:
    finding = find(check(Gains("before"), "T1-INIT"), "T1-INIT-008")
    assert (finding.where, finding.evidence["count"]) == ("before", 1)
    assert not [f for f in check(Gains("after"), "T1-INIT").findings if f.code == "T1-INIT-008"]


def test_segments_are_judged_by_the_only_small_table() -> None:
    class Segments(SlicedPositions):
        def __init__(self, reads: bool) -> None:
            super().__init__()
            self.reads, self.kinds = reads, nn.Embedding(2, 32)

        def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> dict[str, Tensor]:
            segments = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
            x = self.words(input_ids) + self.kinds(segments if self.reads else torch.zeros_like(segments))
            return {"words": self.encoder(self.norm(x + self.places.weight[: input_ids.shape[1]]))}

    assert find(check(Segments(False), "T1-INPUT"), "T1-INPUT-003").where == "kinds"
    assert not [f for f in check(Segments(True), "T1-INPUT").findings if f.code == "T1-INPUT-003"]
