"""Measure the peak rate at which this machine multiplies matrices, in operations per second."""

from __future__ import annotations

import time

import torch

LONGEST_S = 0.1
_NEAR = 0.5

_known: dict[tuple[str, torch.dtype, int, str], float] = {}


def find_peak_flops(
    device: torch.device, dtype: torch.dtype = torch.float32, *, at_least: float = 0.0
) -> float:
    """The best rate of a square matrix product that this process has measured, in floating-point operations per second.

    Args:
        at_least: a rate that was reached. Where it comes near the known peak, that was measured on a busy machine,
            and is measured again.
    """
    setting = (str(device), dtype, torch.get_num_threads(), torch.get_float32_matmul_precision())
    peak = _known.get(setting, 0.0)
    if peak == 0.0 or at_least > _NEAR * peak:
        peak = _known[setting] = max(peak, measure_peak_flops(device, dtype))
    return peak


def measure_peak_flops(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Measure the best rate of a square matrix product, in floating-point operations per second.

    A transformer's matrix products cannot run faster than a library product of large square matrices, with the
    present number of threads and precision settings. The measurement takes about 0.1 s.
    """
    size = 4096 if device.type == "cuda" else 768
    left = torch.ones(size, size, device=device, dtype=dtype)
    right = torch.ones(size, size, device=device, dtype=dtype)
    out = torch.empty(size, size, device=device, dtype=dtype)
    best_s = float("inf")
    with torch.no_grad():
        torch.mm(left[:128], right, out=out[:128])  # wakes threads and libraries
        _synchronize(device)
        began = time.perf_counter()
        while True:
            started = time.perf_counter()
            torch.mm(left, right, out=out)
            _synchronize(device)
            ended = time.perf_counter()
            best_s = min(best_s, ended - started)
            if ended - began + (ended - started) > LONGEST_S:
                return 2.0 * size**3 / best_s


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
