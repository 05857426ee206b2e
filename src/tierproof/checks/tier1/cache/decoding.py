"""Decode with a cache: how the model takes one, the call of each step, and how far its answers are from a full pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import Argument
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.perturb import find_followed_argument
from tierproof.model.compare.comparison import measure_change, measure_spread
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.subject import Subject

STEPS = 2
REFUSALS = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError, AssertionError)
# transformers 5.24 calls it `cache`, whatever it holds.
_CACHE_NAMES = ("past_key_values", "cache", "cache_params", "state")
# What models written by hand call it. Without a switch they return it always, as the second of two.
_PLAIN_NAMES = (
    "past_key_values",
    "past_key_value",
    "past_kv",
    "past_kvs",
    "past",
    "layer_past",
    "kv_cache",
    "caches",
)


class NoCacheError(Exception):
    """The model returned no cache."""


@dataclass(frozen=True)
class Decoding:
    """How the model is decoded.

    Attributes:
        base: the baseline that it rests on.
        call: the full pass that decoding must agree with.
        answer: the answer of that call.
        followed: the argument that is fed in pieces.
        axis: its axis that is cut.
        cache_name: the argument that takes the cache.
        has_switch: whether the cache is asked for with `use_cache`.
    """

    base: Baseline
    call: Call
    answer: Tensor
    followed: Argument
    axis: int
    cache_name: str
    has_switch: bool

    @property
    def length(self) -> int:
        """How many positions the full pass has."""
        return self.call.tensors[self.followed.name].shape[self.axis]

    @property
    def padding(self) -> str:
        """The name of the padding mask, if the call has one that follows the decoded positions."""
        name = self.base.answers.subject.inputs.padding
        return name if name and name in self.call.tensors and self._follows(name) else ""

    def with_call(self, call: Call) -> Decoding:
        """The same decoding of another call."""
        return replace(self, call=call, answer=self.base.answers(call))

    def cut(self, start: int, stop: int, cache: Any = None) -> Call:
        """The call of positions [start, stop) on a cache; a mask keeps all positions up to `stop`."""
        call = self.call
        tokens = call.tensors[self.followed.name].narrow(self.axis, start, stop - start)
        changed = call.with_argument(self.followed.name, tokens)
        padding = self.padding
        if cache is not None and self._is_recurrent:
            # A recurrent state has no positions for a mask to cover; transformers drops it here too.
            declared = self.base.answers.subject.inputs.padding
            rest = {name: value for name, value in changed.arguments.items() if name != declared}
            changed = replace(changed, arguments=rest)
        elif padding:
            changed = changed.with_argument(padding, call.tensors[padding].narrow(self.axis, 0, stop))
        constants = dict(call.constants)
        if self.has_switch:
            constants["use_cache"] = True
        if cache is not None:
            constants[self.cache_name] = cache
        return replace(changed, constants=constants)

    @property
    def _is_recurrent(self) -> bool:
        if self.cache_name == "cache":
            return self.base.answers.subject.traits.recurrent
        return self.cache_name in ("cache_params", "state")

    def _follows(self, name: str) -> bool:
        size = self.followed.shape[self.axis]
        return size in self.base.answers.subject.inputs.argument(name).shape

    def run(self, start: int, stop: int, cache: Any = None) -> tuple[Tensor, Any]:
        """The answer at positions [start, stop) and the cache after them."""
        output = self.base.answers.forward(self.cut(start, stop, cache))
        return self._select(output).clone(), take_cache(output, self.cache_name)

    def fill(self, stop: int) -> Any:
        """The cache after the first `stop` positions."""
        return self.run(0, stop)[1]

    def measure(self, start: int, stop: int, answer: Tensor) -> float:
        """How far `answer` is from the full pass at positions [start, stop), or at those it still has of them."""
        axis = self.base.answers.subject.outputs.length_axis
        kept = min(answer.shape[axis], stop - start)
        full = self.answer.narrow(axis, stop - kept, kept)
        last = answer.narrow(axis, answer.shape[axis] - kept, kept)
        return measure_change(full, last, spread=measure_spread(self.answer))

    def measure_steps(self, start: int) -> list[float]:
        """The change of each answer decoded one by one after the first `start` positions."""
        cache, changes = self.fill(start), []
        for position in range(start, self.length):
            answer, cache = self.run(position, position + 1, cache)
            changes.append(self.measure(position, position + 1, answer))
        return changes

    def _select(self, output: Any) -> Tensor:
        """The answer; with a cache, a bare tensor becomes the first of a tuple."""
        outputs = self.base.answers.subject.outputs
        if outputs.main == "" and isinstance(output, tuple | list):
            first = next((tensor for _, tensor in iterate_tensors(output[0])), None)
            if first is None:
                raise NoCacheError("called with a cache, the model returns no tensor as its first output")
            return first
        return outputs.select(output)


def take_cache(output: Any, name: str) -> Any:
    """The cache that the model returned, by its name or as the second of two.

    Raises:
        NoCacheError: where there is none.
    """
    cache = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
    if cache is None and type(output) in (tuple, list) and len(output) == 2 and _holds_tensors(output[1]):
        cache = output[1]
    if cache is None:
        raise NoCacheError("the model returned no cache")
    return cache


def _holds_tensors(value: Any) -> bool:
    return not isinstance(value, Tensor) and any(True for _ in iterate_tensors(value))


def prepare_decoding(subject: Subject, seed: int) -> Decoding | str:
    """How the subject is decoded, or why it cannot be."""
    signature = read_signature(subject.model)
    has_switch = "use_cache" in signature
    names = (*_CACHE_NAMES, *_PLAIN_NAMES) if has_switch else _PLAIN_NAMES
    cache_name = next((name for name in names if name in signature), "")
    if not cache_name:
        return "the model takes no cache"
    if subject.traits.causal_measured is False:
        return "outputs depend on later inputs, so decoding with a cache cannot give the same outputs (see T1-CAUSAL)"
    followed = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if followed is None or followed.role != "tokens":
        return "no token input has positions that match the output positions"
    base = find_baseline(subject, seed, batch=1)
    if isinstance(base, str):
        return base
    axis = followed.shape.index(subject.outputs.axes[subject.outputs.length_axis])
    decoding = Decoding(base, base.call, base.answer, followed, axis, cache_name, has_switch)
    if decoding.length < STEPS + 2:
        return "the longest sequence that the model takes is too short to decode step by step"
    return decoding


def redraw(decoding: Decoding) -> Decoding:
    """The same decoding of other tokens."""
    name = decoding.followed.name
    torch.manual_seed(decoding.base.answers.seed + 5)
    other = decoding.base.answers.subject.make_call(
        batch=decoding.base.batch,
        length=decoding.base.length,
        target_length=decoding.base.target_length,
        seed=decoding.base.answers.seed + 5,
    )
    return decoding.with_call(decoding.call.with_argument(name, other.arguments[name]))
