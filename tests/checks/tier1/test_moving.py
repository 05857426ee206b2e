"""T1-MOVE: what stays behind on a move, and what mixes dtypes; healthy models stay silent."""

from __future__ import annotations

import types

import pytest
import torch
from torch import nn

import tierproof as tp
from checks.planting import build_gpt, find, only_error, replace_block_forward, run_check
from sampled import sample
from tierproof.checks.tier1.moving import CHECK
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN, CharGPT, LstmLm, build
from zoo.pretrained_configs import TINY


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_healthy_models_are_followed_and_silent(name):
    output = read_result(name, CHECK.code)
    assert output.findings == ()
    assert output.measurements["moved"] == "the whole forward pass ran on the simulated device"
    assert output.measurements["bfloat16"] == "runs"
    assert output.measurements["float64"] == "runs"


@pytest.mark.parametrize(
    "name",
    sample(
        ["gpt2", "bert", "llama", "t5", "bart", "mamba", "whisper", "clip", "deberta", "gpt_neo", "wav2vec2"],
        3,
    ),
)
def test_healthy_transformers_are_silent(name):
    output = run_check(CHECK, TINY[name][0]())
    assert output.findings == ()
    assert output.measurements["moved"] == "the whole forward pass ran on the simulated device"


def test_the_model_is_not_moved():
    model = build("char_gpt")
    parameters = [id(p) for p in model.parameters()]
    run_check(CHECK, model)
    assert [id(p) for p in model.parameters()] == parameters
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


class HiddenTable(CharGPT):
    def __init__(self):
        super().__init__()
        self.norm.table = torch.randn(1, 64, 32)

    def forward(self, idx):
        x = self.drop(self.token(idx) + self.position(torch.arange(idx.size(1), device=idx.device)))
        x = x + self.norm.table[:, : idx.size(1)]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_a_tensor_in_a_plain_attribute():
    finding = only_error(run_check(CHECK, build_gpt(HiddenTable)))
    assert finding.code == "T1-MOVE-001"
    assert "norm.table" in finding.message
    assert "register_buffer" in finding.hint


def test_a_table_without_device():
    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        ramp = torch.arange(x.size(1)).float().cos()
        return x + self.mlp(self.ln2(x)) * ramp[None, :, None]

    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, forward)))
    assert (finding.code, finding.where) == ("T1-MOVE-001", "blocks.1")
    assert finding.evidence["stays"] == "made by torch.arange in blocks.1"
    assert "device=x.device" in finding.hint


def test_a_list_of_layers_is_left_behind():
    model = build_gpt()
    head, model.head = model.head, nn.Identity()
    model.heads = [head]
    plain = model.forward
    model.forward = types.MethodType(lambda self, idx: self.heads[0](plain(idx)), model)
    assert {f.code for f in run_check(CHECK, model).findings} == {"T1-MOVE-001"}


def test_a_model_that_moves_its_own_tensors_is_sound():
    class Careful(HiddenTable):
        def _apply(self, fn, recurse=True):
            super()._apply(fn, recurse)
            self.norm.table = fn(self.norm.table)
            return self

    assert run_check(CHECK, build_gpt(Careful)).findings == ()


def test_numbers_and_scalars_may_stay():
    def forward(self, x):
        x = x + self.attn(self.ln1(x)) * torch.tensor(0.5)
        x = torch.where(x > 1e9, torch.tensor(0.0), x) + x.new_tensor([0.0])
        return x + self.mlp(self.ln2(x))[:, torch.arange(x.size(1))]

    assert run_check(CHECK, replace_block_forward(build_gpt(), 0, forward)).findings == ()


def test_an_answer_that_stays():
    class Fetched(CharGPT):
        def forward(self, idx):
            return super().forward(idx).cpu()

    assert find(run_check(CHECK, build_gpt(Fetched)), "T1-MOVE-003").severity == "warning"


def test_numpy_in_the_forward_pass():
    class Numpy(CharGPT):
        def forward(self, idx):
            out = super().forward(idx)
            return out * float(out.detach().numpy().std() > 0)

    assert only_error(run_check(CHECK, build_gpt(Numpy))).code == "T1-MOVE-004"


@pytest.mark.parametrize("how", ["float32 table", "float without a way back"])
def test_mixed_dtypes(how):
    def table(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(torch.zeros(x.shape[-1], device=x.device) + self.ln2(x))

    def float_only(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x).float())

    forward = table if how == "float32 table" else float_only
    (finding,) = run_check(CHECK, replace_block_forward(build_gpt(), 2, forward)).findings
    assert (finding.code, finding.severity) == ("T1-MOVE-002", "info")
    assert finding.where.startswith("blocks.2.mlp")


def test_packed_lengths_stay_on_the_cpu():
    class Packed(LstmLm):
        def forward(self, x):
            lengths = torch.full((x.size(0),), x.size(1))
            packed = nn.utils.rnn.pack_padded_sequence(self.embed(x), lengths, batch_first=True)
            return self.head(nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0])

    torch.manual_seed(0)
    assert run_check(CHECK, Packed()).findings == ()


class Tail(nn.Module):
    """A layer whose result goes through a function of the module and its input."""

    def __init__(self, end):
        super().__init__()
        self.layer, self.inner = nn.Linear(8, 8), nn.BatchNorm1d(8)
        self.end = end(self)

    def forward(self, x):
        return self.end(self.layer(x))


def choose_device():
    return "cuda" if torch.cuda.is_available() else "cpu"


def close_over_registered(model):
    inner = model.inner
    return lambda x: inner(x) + torch.arange(8, device=inner.weight.device)


MIXES = {
    "a scalar on the input's device": (
        lambda _: lambda x: x * torch.asarray(2.0, device=x.device).reshape(1, 1), set()
    ),
    "a scalar without axes on the CPU": (lambda _: lambda x: torch.where(x > 0, x, torch.tensor(0.0)), set()),
    "a closure over a registered module": (close_over_registered, set()),
    "a device that a helper chooses": (
        lambda _: lambda x: x + torch.arange(8, device=choose_device()), {("T1-MOVE-001", "warning")}
    ),
    "a device that a helper chooses for a move": (
        lambda _: lambda x: x + torch.arange(8).to(choose_device()), {("T1-MOVE-001", "warning")}
    ),
    "a tensor of no device": (lambda _: lambda x: x + torch.arange(8), {("T1-MOVE-001", "error")}),
}  # fmt: skip


@pytest.mark.parametrize("kind", MIXES)
def test_devices_mix_by_pytorchs_own_rule(kind):
    end, expected = MIXES[kind]
    report = tp.check(Tail(end), inputs=torch.randn(4, 8), only=["T1-MOVE"], progress=False)
    assert {(f.code, f.severity.value) for r in report.results for f in r.findings} == expected
