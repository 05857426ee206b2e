"""The tensors that a model returns, at any nesting, and which of them is the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_MAIN_NAMES = ("logits", "prediction_logits", "last_hidden_state", "logits_per_image", "output", "out")


def iterate_tensors(
    output: Any, path: str = "", _seen: frozenset[int] = frozenset()
) -> Iterator[tuple[str, Tensor]]:
    """Yield (path, tensor) for every tensor in tuples, lists, mappings, dataclasses and plain objects.

    A sparse tensor counts as the dense one that it stands for.

    A plain object (a cache, for instance) is searched through its `__dict__`. A nested tensor counts as the
    list of its rows.
    """
    if isinstance(output, Tensor):
        if not output.is_nested:
            sparse = output.layout is not torch.strided and output.layout is not torch._mkldnn  # type: ignore[attr-defined]
            yield path, output.to_dense() if sparse else output
            return
        output = list(output.unbind())
    if output is None or isinstance(output, str | bytes | int | float | bool) or id(output) in _seen:
        return
    seen = _seen | {id(output)}
    for key, value in _children(output):
        yield from iterate_tensors(value, f"{path}.{key}" if path else str(key), seen)


def _children(output: Any) -> list[tuple[object, Any]]:
    if isinstance(output, Mapping):
        return list(output.items())
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return list(zip(output._fields, output, strict=True))
    if isinstance(output, list | tuple | set | frozenset):
        return list(enumerate(output))
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [(f.name, getattr(output, f.name, None)) for f in dataclasses.fields(output)]
    if isinstance(output, torch.nn.Module) or callable(output):
        return []
    return list(getattr(output, "__dict__", {}).items())


@dataclass(frozen=True)
class OutputPlan:
    """Which tensor of the output is the answer, and what its axes mean.

    Attributes:
        main: path of the answer as `iterate_tensors` gives it ("" for a bare tensor).
        axes: for each axis "batch", "length", "target_length", a fixed size, or "?" (varies).
        role: logits (last axis is the vocabulary or classes), hidden (per position) or pooled.
        loss: path of a scalar loss, None where the model returns none.
    """

    main: str
    axes: tuple[str | int, ...]
    role: str
    loss: str | None = None

    @property
    def per_position(self) -> bool:
        """Whether the answer has a length axis."""
        return "length" in self.axes or "target_length" in self.axes

    @property
    def length_axis(self) -> int:
        """Axis of the answer that follows the (target) length."""
        return self.axes.index("target_length" if "target_length" in self.axes else "length")

    @property
    def batch_axis(self) -> int | None:
        """Axis of the answer that follows the batch; None where it has none."""
        return self.axes.index("batch") if "batch" in self.axes else None

    def select(self, output: Any) -> Tensor:
        """The answer's tensor in `output`.

        Raises:
            KeyError: when the output does not contain it.
        """
        for path, tensor in iterate_tensors(output):
            if path == self.main:
                return tensor
        raise KeyError(
            f"the output of this call lacks {self.main!r}, which was the main output of an earlier call"
        )

    def follow(self, output: Any) -> Tensor:
        """The answer in an output that may be built otherwise, as in training mode: two heads there, one here.

        Where nothing is at the answer's path, it is the first tensor whose axes are like the answer's, else what
        would be chosen if nothing were known.

        Raises:
            KeyError: when the output holds no floating-point tensor.
        """
        found = dict(iterate_tensors(output))
        if self.main in found:
            return found[self.main]
        alike = [path for path, tensor in found.items() if self._is_like_answer(tensor)]
        chosen = alike[0] if alike else choose_main_path(found)
        if chosen is None:
            raise KeyError(f"the output contains neither {self.main!r} nor another floating-point tensor")
        return found[chosen]

    def _is_like_answer(self, tensor: Tensor) -> bool:
        fixed = zip(self.axes, tensor.shape, strict=False)
        return (
            tensor.is_floating_point()
            and tensor.dim() == len(self.axes)
            and all(size == axis for axis, size in fixed if isinstance(axis, int))
        )


def choose_main_path(tensors: Mapping[str, Tensor]) -> str | None:
    """The path of the floating-point tensor that is most likely the answer: by its name, else the first non-scalar."""
    floating = {p: t for p, t in tensors.items() if (t.is_floating_point() or t.is_complex())}
    for name in _MAIN_NAMES:
        if name in floating and floating[name].dim() > 0:
            return name
    for path, tensor in floating.items():
        if tensor.dim() > 0:
            return path
    return next(iter(floating), None)
