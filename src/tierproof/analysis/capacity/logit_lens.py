"""Read the model's answer off the residual stream behind every block.

The logit lens (nostalgebraist 2020): what the model would answer if the remaining blocks added nothing. Each state is
put in place of the last block's output and the model itself does the rest, so the final norm, the head and whatever
lies between them are the model's own, in any architecture.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.capacity.capacity_figures import BlockStack
from tierproof.analysis.capacity.position_rows import PositionRows, has_values
from tierproof.analysis.capacity.stream_state import space_rows
from tierproof.analysis.capacity.stream_watch import choose_stream
from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.describe.subject import Subject

# Layers that are read, evenly spaced; each costs a pass without the blocks.
_MOST_LAYERS = 16
# Positions of a call whose divergence is computed, evenly spaced: a logarithm for every word is the costly part.
_MOST_DIVERGENCES = 128


@dataclass
class _Reading:
    agreed: int = 0
    rows: int = 0
    divergence_nats: float = 0.0
    divergences: int = 0


class _NoLensError(Exception):
    """The answer cannot be read off this stream; the message says why."""


def read_lens(
    subject: Subject,
    stack: BlockStack,
    blocks: Mapping[str, nn.Module],
    calls: Sequence[tuple[Call, PositionRows]],
    *,
    seed: int,
    expired: Callable[[], bool] = lambda: False,
) -> BlockStack | str:
    """The stack with `agreement` and `divergence_nats` filled in, or why there is none.

    It is believed only if the last block's own output, put back in this way, gives the model's own answer.

    Args:
        blocks: of the stack, by path, in the order in which they ran.
        calls: what to read, with how rows are read.
        expired: whether no time is left; asked before each layer.
    """
    if len(stack.states) != len(blocks) + 1:
        return "a block gave nothing that is finite"
    chosen = _choose_places(len(stack.states))
    readings: dict[int, _Reading] = {}
    try:
        for call, plan in calls:
            _read_call(_Lens(subject, blocks, call, plan, seed), chosen, readings, expired)
            if expired():
                break
    except _NoLensError as error:
        return str(error)
    states = tuple(
        replace(
            state,
            agreement=found.agreed / found.rows,
            divergence_nats=found.divergence_nats / found.divergences,
        )
        if (found := readings.get(place)) is not None and found.rows
        else state
        for place, state in enumerate(stack.states)
    )
    return replace(stack, states=states)


def _choose_places(count: int) -> list[int]:
    if count <= _MOST_LAYERS:
        return list(range(count))
    return sorted({round(i * (count - 1) / (_MOST_LAYERS - 1)) for i in range(_MOST_LAYERS)})


def _read_call(
    lens: _Lens, chosen: Sequence[int], readings: dict[int, _Reading], expired: Callable[[], bool]
) -> None:
    states, answer = lens.record(chosen)
    if len(states) != len(lens.blocks) + 1:
        raise _NoLensError("a block did not run, or ran twice")
    own = lens.put(states[-1])
    if own.shape != answer.shape or not measure_change(answer, own) <= 10 * find_tolerance(answer):
        raise _NoLensError("the answer does not depend on the last block alone")
    final = lens.read_rows(answer)
    choices, sampled = final.argmax(-1), space_rows(len(final), _MOST_DIVERGENCES)
    expected = final[sampled].log_softmax(-1)
    for place in chosen:
        state = states[place]
        if expired():
            return
        if state is None or state.shape != states[-1].shape:  # type: ignore[union-attr]
            continue
        rows = lens.read_rows(answer if place == len(states) - 1 else lens.put(state))
        reading = readings.setdefault(place, _Reading())
        reading.rows += len(rows)
        reading.agreed += int((rows.argmax(-1) == choices).sum())
        reading.divergences += len(sampled)
        reading.divergence_nats += _sum_divergence(expected, rows[sampled].log_softmax(-1))


def _sum_divergence(expected: Tensor, found: Tensor) -> float:
    """Σ p (ln p − ln q) over rows and classes, of logarithms; a class that p excludes adds nothing."""
    terms = torch.where(expected == float("-inf"), 0.0, expected.exp() * (expected - found))
    return float(terms.double().sum())


class _Lens:
    """One pass of a model whose blocks can be replaced by what they gave."""

    def __init__(
        self, subject: Subject, blocks: Mapping[str, nn.Module], call: Call, plan: PositionRows, seed: int
    ) -> None:
        self.subject, self.blocks, self.call, self.plan, self.seed = subject, blocks, call, plan, seed
        self._output: Any = None
        self._main: Tensor | None = None

    def record(self, chosen: Sequence[int]) -> tuple[list[Tensor | None], Tensor]:
        """What enters the first block and what each gives (None where it is not asked for), and the answer."""
        kept: list[Tensor | None] = []
        wanted = {*chosen, len(self.blocks)}

        def enter(_block: nn.Module, args: Any, kwargs: Any) -> None:
            first = next((t for _, t in iterate_tensors((args, kwargs)) if has_values(t)), None)
            kept.append(None if first is None else first.detach().clone())

        def leave(_block: nn.Module, _args: Any, output: Any) -> None:
            tensors = [t for _, t in iterate_tensors(output) if has_values(t)]
            main = choose_stream(tensors, kept[0])
            self._output, self._main = output, main
            kept.append(None if main is None or len(kept) not in wanted else main.detach().clone())

        modules = list(self.blocks.values())
        handles = [modules[0].register_forward_pre_hook(enter, with_kwargs=True)]
        handles += [module.register_forward_hook(leave) for module in modules]
        try:
            answer = self._answer()
        finally:
            for handle in handles:
                handle.remove()
        return kept, answer

    def put(self, state: Tensor | None) -> Tensor:
        """The answer with every block giving this state."""
        if state is None or self._main is None:
            raise _NoLensError("a block gives no tensor")
        given = _exchange(self._output, self._main, state)

        def give(*_args: Any, **_kwargs: Any) -> Any:
            return given

        with _replace_forwards(list(self.blocks.values()), give):
            try:
                return self._answer()
            except Exception as error:
                raise _NoLensError(f"the model raises without its blocks: {type(error).__name__}") from error

    def _answer(self) -> Tensor:
        torch.manual_seed(self.seed)
        with torch.no_grad():
            return self.subject.answer(self.call).detach().clone()

    def read_rows(self, answer: Tensor) -> Tensor:
        """Logits as rows, those of padding left out."""
        return self.plan.read(answer, answer.dim() - 1)


def _exchange(output: Any, old: Tensor, new: Tensor) -> Any:
    """The same structure with one tensor replaced.

    Raises:
        _NoLensError: the structure is of a kind that cannot be rebuilt.
    """
    if output is old:
        return new
    if isinstance(output, tuple | list):
        items = [new if item is old else item for item in output]
        if any(item is new for item in items):
            if isinstance(output, tuple) and hasattr(output, "_fields"):
                return type(output)(*items)
            return type(output)(items)
    elif isinstance(output, Mapping) or is_dataclass(output):
        copied = copy.copy(output)
        names = list(output) if isinstance(output, Mapping) else list(vars(output))
        for name in names:
            if (output[name] if isinstance(output, Mapping) else getattr(output, name)) is old:
                if isinstance(copied, dict):
                    copied[name] = new
                else:
                    setattr(copied, name, new)
                return copied
    raise _NoLensError(f"the blocks return a {type(output).__name__}, in which the state cannot be replaced")


@contextmanager
def _replace_forwards(modules: Sequence[nn.Module], forward: Callable[..., Any]) -> Iterator[None]:
    """Inside the `with`, the modules run `forward` in place of their own."""
    kept = [(module, vars(module).get("forward")) for module in modules]
    try:
        for module in modules:
            vars(module)["forward"] = forward
        yield
    finally:
        for module, own in kept:
            vars(module).pop("forward", None)
            if own is not None:
                vars(module)["forward"] = own
