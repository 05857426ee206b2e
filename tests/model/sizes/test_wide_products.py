from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv1d, linear, scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

from tierproof.model.sizes.wide_products import WideProducts


class Recorder(TorchDispatchMode):
    """Records the dtype of each product that reaches PyTorch's kernels."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__.endswith(("mm", "convolution", "for_cpu")):
            self.seen.append(args[0].dtype)
        return func(*args, **(kwargs or {}))


PRODUCTS = {
    "mm": lambda a, b: a @ b,
    "bmm": lambda a, b: a.view(4, 16, 64) @ b.view(4, 64, 16),
    "addmm": lambda a, b: torch.addmm(b[0], a, b),
    "addmm with keywords": lambda a, b: torch.addmm(b[0], mat1=a, mat2=b, beta=0.5),
    "linear": lambda a, b: linear(a, b, b[:, 0]),
    "convolution": lambda a, b: conv1d(a.view(1, 64, 64), b.view(64, 64, 1)),
    "einsum": lambda a, b: torch.einsum("ij,kj->ik", a, b),
    "attention": lambda a, b: scaled_dot_product_attention(*[a.view(1, 4, 16, 64)] * 3, is_causal=True),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("compute", PRODUCTS.values(), ids=PRODUCTS)
def test_products_have_the_same_values_and_run_in_float32(compute, dtype):
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(64, 64, generator=generator).to(dtype) for _ in range(2))
    expected = compute(a, b)
    recorder = Recorder()
    with torch.no_grad(), recorder, WideProducts():
        found = compute(a, b)
    assert found.dtype is dtype
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)
    assert set(recorder.seen) == {torch.float32}


def test_values_beyond_float16_become_infinite_as_they_do_there():
    large = torch.full((4, 4), 200.0, dtype=torch.float16)
    with WideProducts():
        assert (large @ large).isinf().all()


def test_operands_of_two_dtypes_are_refused_as_ever():
    with WideProducts(), pytest.raises(RuntimeError, match="dtype"):
        torch.ones(4, 4) @ torch.ones(4, 4, dtype=torch.float16)


def test_autocast_reaches_the_products():
    layer = torch.nn.Linear(8, 8)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16), WideProducts():
        assert layer(torch.ones(2, 8)).dtype is torch.float16
