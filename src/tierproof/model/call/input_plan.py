"""The plan of how to call a model: its arguments, their shapes, and the tensors that are drawn for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.layout import Layout, fill_sizes
from tierproof.model.call.sample_size import redraw_sample, resize_sample

BATCH, LENGTH, TARGET_LENGTH = "batch", "length", "target_length"
# The source of an argument that the search for a working call added, or gave its sizes.
INFERRED = "inferred from the errors of earlier calls"
_CAUSAL_ROLES = ("causal_mask", "causal_hide_mask", "causal_score_mask")
_MASK_ROLES = ("mask", "hide_mask", "score_mask", *_CAUSAL_ROLES)


@dataclass(frozen=True)
class Argument:
    """One tensor argument of the forward pass.

    Attributes:
        name: the forward parameter (or dict key) it is passed as.
        role: tokens, mask (1 = keep), hide_mask (True = hidden), score_mask (0 = keep, −inf = hidden), the same
            three with "causal_" before them, targets, floats, image, audio, ids, state (of a recurrent net), lengths
            (of the rows) or offset (a position to begin at).
        shape: sizes, where "batch", "length" and "target_length" stand for what a call asks for.
        dtype: of the tensor.
        high: for integers, values are drawn from [low, high).
        low: see `high`.
        avoid: ids that are never drawn (padding and other special tokens).
        sample: a tensor the user gave; values are drawn from it instead.
        standing: what the role rests on; a name alone is an assumption.
        source: the same in words, such as "config.vocab_size" or "looked up in a table of 64 rows".
        range_standing: of `low`, `high` and `avoid`; None for that of the role.
        width_standing: of the fixed sizes in `shape`; None for that of the role.
        whole: floats that are whole numbers from [low, high), as ids among the columns of a table are.
    """

    name: str
    role: str
    shape: tuple[str | int, ...]
    dtype: torch.dtype
    high: int = 1
    low: int = 0
    avoid: frozenset[int] = frozenset()
    sample: Tensor | None = None
    standing: Standing = Standing.ASSUMED
    source: str = ""
    range_standing: Standing | None = None
    width_standing: Standing | None = None
    whole: bool = False

    def draw(  # noqa: C901, PLR0911 - one case for each role
        self, sizes: Mapping[str, int], generator: torch.Generator, *, fresh: bool = False
    ) -> Tensor:
        """Draw a tensor for this argument on the CPU.

        Args:
            sizes: what "batch", "length" and "target_length" are.
            fresh: a sample's values are drawn anew from its own domain, not taken as they are.
        """
        shape = tuple(sizes[size] if isinstance(size, str) else size for size in self.shape)
        if self.sample is not None:
            return self._draw_from_sample(self.sample, shape, sizes, generator, fresh)
        if self.role == "lengths":
            return torch.full(shape, sizes[LENGTH], dtype=self.dtype)
        if self.role in ("offset", "state"):
            return torch.zeros(shape, dtype=self.dtype)
        if self.role in _CAUSAL_ROLES:
            hidden = torch.ones(shape, dtype=torch.bool).triu(1)
            return _write_mask(hidden, self.role.removeprefix("causal_"), self.dtype)
        if self.role == "score_mask":
            return torch.zeros(shape, dtype=self.dtype)
        if self.role == "mask":
            return torch.ones(shape, dtype=self.dtype)
        if self.role == "hide_mask":
            return torch.zeros(shape, dtype=self.dtype)
        if self.dtype.is_floating_point and not self.whole:
            return torch.randn(shape, generator=generator).to(self.dtype)
        values = torch.randint(self.low, max(self.high, self.low + 1), shape, generator=generator)
        if self.avoid:
            allowed = [token for token in range(self.low, self.high) if token not in self.avoid]
            if allowed and len(allowed) < self.high - self.low:
                values = torch.tensor(allowed)[values % len(allowed)]
        return values.to(self.dtype)

    def _draw_from_sample(
        self,
        sample: Tensor,
        shape: tuple[int, ...],
        sizes: Mapping[str, int],
        generator: torch.Generator,
        fresh: bool,
    ) -> Tensor:
        values = sample.detach().cpu()
        if fresh and self.role in ("tokens", "floats", "image", "audio"):
            values = redraw_sample(
                values, generator, across=LENGTH in self.shape or TARGET_LENGTH in self.shape
            )
        if tuple(values.shape) != shape:
            values = resize_sample(values, shape, continues=self.role in _MASK_ROLES)
            if values.dtype.is_floating_point and self.role not in _MASK_ROLES:
                values = values + 0.01 * torch.randn(shape, generator=generator).to(values.dtype)
        return values.clamp(max=sizes[LENGTH]) if self.role == "lengths" else values.clone()

    def describe(self) -> str:
        """One line for the report."""
        sizes = ", ".join(str(size) for size in self.shape)
        dtype = str(self.dtype).removeprefix("torch.")
        ranged = self.whole or self.role in ("tokens", "ids", "targets")
        domain = f" in [{self.low}, {self.high})" if ranged else ""
        return f"{self.name}: {dtype}[{sizes}]{domain} ({self.role})"


def _write_mask(hidden: Tensor, polarity: str, dtype: torch.dtype) -> Tensor:
    """Write which positions are hidden as a mask of this polarity."""
    if polarity == "mask":
        return (~hidden).to(dtype)
    if polarity == "hide_mask":
        return hidden.to(dtype)
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, float("-inf"))


@dataclass(frozen=True)
class InputPlan:
    """How to call a model, worked out once and shown in the report.

    Attributes:
        arguments: in call order.
        style: positional, keyword or mapping.
        primary: name of the argument the outputs are about (tokens, image, floats).
        default_batch, default_length: sizes that were seen to work.
        max_length: the longest length the model declares; None where it declares none.
        max_length_source, max_length_standing: where it was found, and how well it is founded.
        min_length: the shortest that makes sense (1 for tokens).
        constants: further keyword arguments passed as they are (`return_dict=True`).
        assumptions: what could not be known, in words.
        padding: name of the padding mask argument, empty where there is none.
        padding_standing, padding_source: how well it is founded that this argument hides positions, and by what.
        pad_token_id: None where unknown.
        unsound_mask: a padding mask that the model accepts and that changes the answer although it hides nothing;
            it is not among `arguments`.
        layout: how the tensors are packed into the parameters; empty where each parameter takes one tensor.
        given_seed: the seed at which given inputs are passed with the values that they were given with.
        default_target_length: the target's length where the length is the default; None where it is the length.
    """

    arguments: tuple[Argument, ...]
    primary: str
    style: str = "keyword"
    default_batch: int = 2
    default_length: int = 16
    max_length: int | None = None
    max_length_source: str = ""
    max_length_standing: Standing = Standing.ASSUMED
    min_length: int = 1
    constants: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    padding: str = ""
    padding_standing: Standing = Standing.ASSUMED
    padding_source: str = ""
    pad_token_id: int | None = None
    unsound_mask: Argument | None = None
    layout: Layout = field(default_factory=dict)
    default_target_length: int | None = None
    given_seed: int | None = None

    def make(
        self,
        *,
        batch: int | None = None,
        length: int | None = None,
        target_length: int | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> Call:
        """Draw the tensors of one concrete call; equal arguments give equal tensors."""
        generator = torch.Generator().manual_seed(seed)
        length = self.default_length if length is None else length
        sizes = {
            BATCH: self.default_batch if batch is None else batch,
            LENGTH: length,
            TARGET_LENGTH: self.follow_length(length) if target_length is None else target_length,
        }
        # A forward may have set another default device; the draws are made on the CPU all the same.
        with torch.device("cpu"):
            fresh = self.given_seed is not None and seed != self.given_seed
            drawn = {a.name: a.draw(sizes, generator, fresh=fresh) for a in self.arguments}
        values = {name: tensor.to(device) for name, tensor in drawn.items()}
        constants = {name: fill_sizes(value, sizes) for name, value in self.constants.items()}
        layout = {name: fill_sizes(template, sizes) for name, template in self.layout.items()}
        return Call(values, self.style, constants, layout)

    def follow_length(self, length: int) -> int:
        """The target's length that goes with a length, where none is asked for."""
        if self.default_target_length is not None and length == self.default_length:
            return self.default_target_length
        return length

    def argument(self, name: str) -> Argument:
        """The argument of that name.

        Raises:
            KeyError: when there is none.
        """
        for argument in self.arguments:
            if argument.name == name:
                return argument
        raise KeyError(name)

    @property
    def primary_argument(self) -> Argument:
        """The argument the outputs are about."""
        return self.argument(self.primary)

    @property
    def has_length(self) -> bool:
        """Whether the primary argument has a length axis that can be varied."""
        return LENGTH in self.primary_argument.shape

    @property
    def has_batch(self) -> bool:
        """Whether the primary argument has a batch axis."""
        return BATCH in self.primary_argument.shape

    @property
    def batch_axis(self) -> int:
        """Axis of the batch in the primary argument (1 for a default nn.Transformer)."""
        return self.primary_argument.shape.index(BATCH)

    @property
    def length_axis(self) -> int:
        """Axis of the length in the primary argument."""
        return self.primary_argument.shape.index(LENGTH)

    def clip_length(self, length: int) -> int:
        """The nearest length within the model's declared limits."""
        if self.max_length is not None:
            length = min(length, self.max_length)
        return max(length, self.min_length)

    def with_argument(self, changed: Argument) -> InputPlan:
        """The same plan with the argument of that name replaced."""
        return replace(
            self, arguments=tuple(changed if a.name == changed.name else a for a in self.arguments)
        )
