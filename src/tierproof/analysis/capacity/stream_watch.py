"""Watch the residual streams of a forward pass: what enters and leaves each block of each stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.capacity.capacity_figures import BlockStack
from tierproof.analysis.capacity.linear_cka import LEAST_ROWS, align_linearly
from tierproof.analysis.capacity.position_rows import PositionRows, find_channel_axis, has_values
from tierproof.analysis.capacity.stream_state import StreamState
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.observe.harmless import harmless


@dataclass
class _Stack:
    """The blocks of one container while they are watched."""

    blocks: dict[str, nn.Module] = field(default_factory=dict)
    entry: StreamState = field(default_factory=lambda: StreamState(""))
    states: dict[str, StreamState] = field(default_factory=dict)
    latest: Tensor | None = None
    entered: Tensor | None = None
    links: int = 0
    linked: int = 0


class StreamWatch:
    """Collects the states of every stack of repeated blocks, over as many passes as it watches.

    A container counts as a residual stream where at least half of its blocks get what the block before them gave, so
    lists of norms or of heads are told from layers by what happens, not by their names.
    """

    def __init__(self, model: nn.Module) -> None:
        self.failures: list[str] = []
        self._stacks: dict[str, _Stack] = {}
        self._plan = PositionRows(1)
        for path, block in find_repeated_blocks(model).items():
            if not isinstance(block, torch.jit.ScriptModule):
                stack = self._stacks.setdefault(path.rpartition(".")[0], _Stack())
                stack.blocks[path] = block

    @contextmanager
    def watch(self, plan: PositionRows) -> Iterator[None]:
        """Inside the `with`, one pass is watched."""
        self._plan = plan
        handles: list[Any] = []
        try:
            for stack in self._stacks.values():
                stack.latest = None
                for path, block in stack.blocks.items():
                    handles += self._hook(stack, path, block)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for stack in self._stacks.values():
                stack.latest = stack.entered = None

    def _hook(self, stack: _Stack, path: str, block: nn.Module) -> list[Any]:
        def enter(_block: nn.Module, args: Any, kwargs: Any) -> None:
            with harmless(self.failures), torch.no_grad():
                self._enter(stack, block, (args, kwargs))

        def leave(_block: nn.Module, _args: Any, _kwargs: Any, output: Any) -> None:
            with harmless(self.failures), torch.no_grad():
                self._leave(stack, path, block, output)

        return [
            block.register_forward_pre_hook(enter, with_kwargs=True),
            block.register_forward_hook(leave, with_kwargs=True),
        ]

    def _enter(self, stack: _Stack, block: nn.Module, given: Any) -> None:
        tensors = [tensor for _, tensor in iterate_tensors(given) if has_values(tensor)]
        follows = next((t for t in tensors if stack.latest is not None and _is_same(t, stack.latest)), None)
        if stack.latest is not None:
            stack.links += 1
            stack.linked += follows is not None
        main = follows if follows is not None else next(iter(tensors), None)
        # A block may add to its input in place.
        stack.entered = None if main is None else main.detach().clone()
        if stack.latest is None and stack.entered is not None:
            stack.entry.add(stack.entered, find_channel_axis(stack.entered, block), self._plan, None)

    def _leave(self, stack: _Stack, path: str, block: nn.Module, output: Any) -> None:
        tensors = [tensor for _, tensor in iterate_tensors(output) if has_values(tensor)]
        before, stack.entered = stack.entered, None
        main = choose_stream(tensors, before)
        stack.latest = main
        if main is None:
            return
        state = stack.states.setdefault(path, StreamState(path))
        alike = before is not None and before.shape == main.shape
        state.add(main, find_channel_axis(main, block), self._plan, before if alike else None)

    def list_streams(self) -> dict[str, dict[str, nn.Module]]:
        """By the path of each residual stream its blocks, in the order in which they ran."""
        return {
            path: {name: stack.blocks[name] for name in stack.states}
            for path, stack in self._stacks.items()
            if len(stack.states) > 1 and stack.linked * 2 >= stack.links
        }

    def summarise(self) -> tuple[tuple[BlockStack, ...], list[str]]:
        """The residual streams, and which blocks gave values that are not finite."""
        found, unread = [], []
        for path in self.list_streams():
            stack = self._stacks[path]
            states = [stack.entry, *stack.states.values()]
            unread += [f"`{s.path or path}`: its output is NaN or infinite" for s in states if s.broken]
            figures = [(state, state.summarise()) for state in states]
            kept = [(state, figure) for state, figure in figures if figure is not None]
            if len(kept) > 1:
                samples = [torch.cat(state.samples) for state, _ in kept]
                counts = {len(rows) for rows in samples}
                even = len(counts) == 1 and min(counts) >= LEAST_ROWS
                found.append(
                    BlockStack(
                        path,
                        tuple(figure for _, figure in kept),
                        align_linearly(samples) if even else (),
                        kept[-1][0].count,
                    )
                )
        return tuple(found), unread


def choose_stream(tensors: list[Tensor], before: Tensor | None) -> Tensor | None:
    """Among a block's outputs the one that is shaped as its input, else the first."""
    alike = (tensor for tensor in tensors if before is not None and tensor.shape == before.shape)
    return next(alike, next(iter(tensors), None))


def _is_same(first: Tensor, second: Tensor) -> bool:
    if first is second:
        return True
    return first.shape == second.shape and first.dtype == second.dtype and torch.equal(first, second)
