"""Keep the maps of attention heads as bytes, in one forward pass of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.analysis.attention.alike_heads import find_alike_heads
from tierproof.analysis.attention.attention_figures import (
    HeadStatistics,
    ModelAttention,
    PatternStatistics,
)
from tierproof.analysis.attention.attention_maps import (
    MOST_POSITIONS,
    ROLLOUT,
    AttentionMaps,
    PatternMaps,
)
from tierproof.analysis.attention.attention_maps_labels import LabelBook
from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.attention.head_role import find_role
from tierproof.analysis.attention.paths.attention_rollout import LONGEST as LONGEST_ROLLOUT
from tierproof.analysis.attention.paths.attention_rollout import AttentionRollout, RolledOut, RolloutTrace
from tierproof.analysis.attention.repeated_tokens import run_on_repeats
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import TARGET_LENGTH
from tierproof.model.describe.subject import Subject

# Numbers in one block of rows: 4 MB in float32.
_BLOCK_NUMBERS = 1 << 20
_LONGEST_TEXT = 80


USUAL_BYTES = 5 << 19
"""Before compression: 144 heads at a length of 128 fit, and a page stays below 3 MB whatever the weights are."""
MOST_BYTES = 12 << 20


def keep_maps(
    subject: Subject,
    examples: ExampleSet,
    measured: ModelAttention,
    *,
    wanted: bool | None = None,
    seed: int = 0,
) -> tuple[AttentionMaps | None, RolledOut]:
    """The maps of the call that was measured, and its rollout; None where there are no maps, or they are not wanted.

    Args:
        wanted: True for up to `MOST_BYTES` of maps; None for up to `USUAL_BYTES`, where none has to be pooled.
    """
    longest = max((max(each.queries, each.keys) for each in measured.patterns), default=0)
    if not longest:
        return None, RolledOut()
    without = wanted is False or (wanted is None and longest > MOST_POSITIONS)
    if without and longest > LONGEST_ROLLOUT:  # no pass for nothing
        return None, RolledOut((), (f"{longest} positions: more than {LONGEST_ROLLOUT}",))
    budget_bytes = 0 if without else MOST_BYTES if wanted else USUAL_BYTES
    maps, rolled = capture_maps(subject, examples, measured, budget_bytes=budget_bytes, seed=seed)
    return maps if maps.kept else None, rolled


def capture_maps(
    subject: Subject,
    examples: ExampleSet,
    measured: ModelAttention,
    *,
    budget_bytes: int,
    seed: int = 0,
) -> tuple[AttentionMaps, RolledOut]:
    """Run the call that was measured once more, keep the maps of its first row and roll them out.

    Args:
        subject: the model, in evaluation mode.
        examples, seed: as they were measured.
        measured: the figures of the heads; where not all maps fit, those with the strongest role are kept.
        budget_bytes: how many bytes all maps may have together; each weight or pooled cell is one.
    """
    pieces = examples.pieces[0] if examples.given and examples.pieces else ()
    chosen = choose_heads(measured.patterns, budget_bytes)

    def run(call: Call, inputs: str) -> tuple[AttentionMaps, RolledOut]:
        trace = RolloutTrace(count_rows(subject, call), _has_two_sequences(subject))
        keeper = _Keeper(measured, LabelBook(subject, call, pieces), chosen, trace)
        keeper.run(subject, call, seed)
        rolled = trace.conclude(inputs)
        if budget_bytes:
            for rollout in rolled.rollouts:
                keeper.keep_rollout(rollout)
        return keeper.conclude(inputs, budget_bytes), rolled

    repeated = None
    if not examples.given:
        repeated = run_on_repeats(subject, seed, lambda call, _period: run(call, measured.inputs))
    if repeated is not None:
        return repeated
    return run(examples.calls[0], _describe(examples, examples.calls[0]))


def _has_two_sequences(subject: Subject) -> bool:
    """Whether the model reads a source and a target."""
    arguments = subject.inputs.arguments
    return subject.traits.encoder_decoder or any(TARGET_LENGTH in each.shape for each in arguments)


def _describe(examples: ExampleSet, call: Call) -> str:
    """The call in words: its text, or the sizes of its arguments."""
    if not examples.texts:
        return f"the first row of {call.describe()}"
    text = examples.texts[0]
    return f"the text “{text[:_LONGEST_TEXT]}{'…' if len(text) > _LONGEST_TEXT else ''}”"


def count_map_bytes(pattern: PatternStatistics) -> int:
    """How many bytes the map of one head takes, pooled where it is longer than `MOST_POSITIONS`."""
    rows, columns = (-(-size // find_step(size)) for size in (pattern.queries, pattern.keys))
    return rows * columns


def find_step(positions: int) -> int:
    """How many positions a row or column stands for."""
    return max(1, -(-positions // MOST_POSITIONS))


def choose_heads(patterns: Sequence[PatternStatistics], budget_bytes: int) -> list[tuple[int, ...]]:
    """The heads whose maps fit, by operation: all of them, or those with the strongest role."""
    ranked = sorted(
        (-_find_strength(figures), place, head)
        for place, pattern in enumerate(patterns)
        for head, figures in enumerate(pattern.heads)
    )
    chosen: list[list[int]] = [[] for _ in patterns]
    left = budget_bytes
    for _, place, head in ranked:
        size = count_map_bytes(patterns[place])
        if 0 < size <= left:
            left -= size
            chosen[place].append(head)
    return [tuple(sorted(heads)) for heads in chosen]


def _find_strength(head: HeadStatistics) -> float:
    strength = find_role(head)[1]
    return strength if strength > 0 else 0.0  # 0 for NaN, which has no order


@dataclass
class _Keeper:
    """Takes the patterns of a pass one by one."""

    measured: ModelAttention
    book: LabelBook
    chosen: list[tuple[int, ...]]
    trace: RolloutTrace
    rollouts: list[PatternMaps] = field(default_factory=list)
    patterns: list[PatternMaps] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    largest_error: float = 0.0
    beyond: int = 0
    _seen: Counter[str] = field(default_factory=Counter)

    def run(self, subject: Subject, call: Call, seed: int) -> None:
        """Run the call and keep what it attends to."""
        torch.manual_seed(seed)
        rows = count_rows(subject, call)
        observe_attention(subject.model, lambda: subject.forward(call), rows, self.keep, self.measured.banded)

    def conclude(self, inputs: str, budget_bytes: int) -> AttentionMaps:
        """What was kept."""
        return AttentionMaps(
            inputs=inputs,
            sequences=tuple(self.book.sequences),
            patterns=tuple(self.patterns),
            largest_error=self.largest_error,
            beyond=self.beyond,
            budget_bytes=budget_bytes,
            missed=tuple(self.missed),
            rollouts=tuple(self.rollouts),
            alike=find_alike_heads(tuple(self.patterns)),
        )

    def keep(self, pattern: AttentionPattern) -> None:
        """Keep the chosen heads of a pattern; one that was not measured with as many heads is missed."""
        self.trace.add(pattern)
        places = [at for at, each in enumerate(self.measured.patterns) if each.path == pattern.path]
        number = self._seen[pattern.path]
        self._seen[pattern.path] += 1
        place = places[number] if number < len(places) else None
        if (
            place is None
            or len(self.measured.patterns[place].heads) != pattern.heads
            or not pattern.queries * pattern.keys
        ):
            self.missed.append(pattern.path or "the model")
            return
        heads = self.chosen[place]
        values, causal = self._read(pattern, heads) if heads else (torch.empty(0), False)
        labels = self.book.find_pair(pattern.path, pattern.queries, pattern.keys, causal=causal)
        self.patterns.append(
            PatternMaps(
                pattern.path,
                pattern.kind,
                pattern.queries,
                pattern.keys,
                find_step(pattern.queries),
                find_step(pattern.keys),
                causal,
                *labels,
                pattern.heads,
                heads,
                tuple(bytes(one.flatten().tolist()) for one in values),
            )
        )

    def keep_rollout(self, rollout: AttentionRollout) -> None:
        """Keep a rollout as maps, one for each layer."""
        size, step = rollout.positions, find_step(rollout.positions)
        values = rollout.values.double()
        causal = not bool(values.triu(1).any())
        cells = self._quantise(_pool(self._bound(values), step, step, -(-size // step)))
        labels = self.book.find_pair(rollout.paths[0], size, size, causal=causal)
        layers = tuple(range(len(rollout.paths)))
        self.rollouts.append(
            PatternMaps(
                ROLLOUT, ROLLOUT, size, size, step, step, causal, *labels, len(layers), layers,
                tuple(bytes(one.flatten().tolist()) for one in cells),
            )
        )  # fmt: skip

    def _read(self, pattern: AttentionPattern, heads: tuple[int, ...]) -> tuple[Tensor, bool]:
        """The maps, [heads, rows, columns] as uint8, and whether no query sees a later key."""
        row_step, key_step = find_step(pattern.queries), find_step(pattern.keys)
        columns = -(-pattern.keys // key_step)
        stretch = max(1, _BLOCK_NUMBERS // max(1, pattern.batch * pattern.heads * pattern.keys * row_step))
        rows, causal = [], pattern.queries == pattern.keys > 1
        for start in range(0, pattern.queries, stretch * row_step):
            stop = min(start + stretch * row_step, pattern.queries)
            read = pattern.read(slice(0, pattern.heads), slice(start, stop)).detach()
            weights = read[0, list(heads)].double()
            if causal:
                # The first row of the block sees at most what stands on the diagonal.
                causal = not bool(weights.triu(start + 1).any())
            rows.append(self._quantise(_pool(self._bound(weights), row_step, key_step, columns)))
        return torch.cat(rows, 1).cpu(), causal

    def _bound(self, weights: Tensor) -> Tensor:
        """The weights as numbers from 0 to 1."""
        bounded = weights.nan_to_num(0.0).clamp(0.0, 1.0)
        # Sums of rounded exponentials may pass 1 by a rounding.
        self.beyond += int(((bounded - weights).abs() < 1e-5).logical_not().sum())
        return bounded

    def _quantise(self, weights: Tensor) -> Tensor:
        """Round the square roots to 255 steps: fine near 0, where most weights lie."""
        values = (weights.clamp(max=1.0).sqrt() * 255).round().to(torch.uint8)
        error = (values.double() / 255).square() - weights
        if error.numel():
            self.largest_error = max(self.largest_error, float(error.abs().max()))
        return values


def _pool(weights: Tensor, row_step: int, key_step: int, columns: int) -> Tensor:
    """Sum over the keys of a column, mean over the queries of a row; rows and columns at the end may be shorter."""
    heads, queries, keys = weights.shape
    weights = (
        F.pad(weights, (0, columns * key_step - keys)).reshape(heads, queries, columns, key_step).sum(-1)
    )
    short = -queries % row_step
    sums = F.pad(weights, (0, 0, 0, short)).reshape(heads, -1, row_step, columns).sum(2)
    counts = F.pad(weights.new_ones(queries), (0, short)).reshape(-1, row_step).sum(-1)
    return sums / counts[:, None]
