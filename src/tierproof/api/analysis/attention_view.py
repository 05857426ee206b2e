"""What `tierproof.attention` returns: the figures of every head, shown, drawn and saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.paths.attention_rollout import RolledOut
from tierproof.api.analysis.analysis_view import AnalysisView
from tierproof.core.json_value import JsonValue, to_json_value
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from tierproof.analysis.attention.attention_figures import PatternStatistics
    from tierproof.analysis.attention.attention_maps import AttentionMaps
    from tierproof.analysis.attention.paths.attention_rollout import AttentionRollout


@dataclass(frozen=True, eq=False)
class AttentionView(AnalysisView[ModelAttention]):
    """The attention of a model; in a notebook it shows itself as a grid of heads, which open where maps were kept.

    Attributes:
        maps: the weights of the heads as bytes; None where none were kept.
        rolled: the attention rollout of each sequence of the model, and what was left out.
    """

    maps: AttentionMaps | None = None
    rolled: RolledOut = field(default_factory=RolledOut)

    @property
    def patterns(self) -> tuple[PatternStatistics, ...]:
        """The attention operations in the order in which they were computed."""
        return self.measured.patterns

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be read, with the module."""
        return self.measured.unread

    @property
    def alike(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Clusters of heads over all layers whose maps are alike, the largest first.

        Each head is (place in `maps.patterns`, number). Of the maps that were kept; empty where none were.
        """
        return () if self.maps is None else self.maps.alike

    @property
    def rollout(self) -> Tensor:
        """What reaches each position after each layer, [layers, queries, keys], float32; rows sum to one.

        Of the first sequence with self-attention, for the first row of the first example; `rolled` holds them all.

        Raises:
            UsageError: there is none; the message says why.
        """
        return self._choose_rollout(0).values

    def flow(self, position: int, *, sequence: int = 0) -> tuple[float, ...]:
        """The maximum flow from each input position to `position` behind the last layer; needs networkx.

        Args:
            position: counted from 0; negative from the end.
            sequence: which of `rolled.rollouts`.

        Raises:
            UsageError: there is no such position or rollout, or the graph is too large.
        """
        from tierproof.analysis.attention.paths.attention_flow import measure_flow

        return measure_flow(self._choose_rollout(sequence).steps, position)

    def _choose_rollout(self, sequence: int) -> AttentionRollout:
        found = self.rolled.rollouts
        if not 0 <= sequence < len(found):
            why = "; ".join(self.rolled.left_out) or "no self-attention over one sequence was captured"
            told = (
                f"there is no rollout {sequence}: the model has {len(found)}"
                if found
                else f"no rollout: {why}"
            )
            raise UsageError(told)
        return found[sequence]

    def to_dict(self) -> dict[str, JsonValue]:
        """The figures as plain JSON values."""
        return {
            **super().to_dict(),
            "alike": to_json_value(self.alike),
            "rollouts": [each.to_dict() for each in self.rolled.rollouts],
            "rollouts_left_out": list(self.rolled.left_out),
        }

    def figure(self) -> Figure:
        """One row of cells for each attention operation, one cell for each head; needs matplotlib."""
        from tierproof.plots.attention_heads import draw_attention_heads

        return draw_attention_heads(self.measured)

    def __str__(self) -> str:
        heads = sum(len(each.heads) for each in self.patterns)
        lines = [
            f"{self.measured.model}: {len(self.patterns)} operations, {heads} heads, on {self.measured.inputs}."
        ]
        lines += [f"  not read: {each}" for each in self.unread]
        lines += [f"  not rolled out: {each}" for each in self.rolled.left_out]
        return "\n".join(lines)

    __repr__ = __str__

    def _render_page(self) -> str:
        if self.maps is not None:
            from tierproof.reporters.attention_page.render_page import render_attention_page

            return render_attention_page(self.measured, self._sprite)
        from tierproof.reporters.attention_grid import render_attention_page as render_grid_page

        return render_grid_page(self.measured)

    def _repr_html_(self) -> str:
        if self.maps is not None:
            from tierproof.reporters.attention_page.render_page import render_attention_section

            return render_attention_section(self.measured, self._sprite)
        from tierproof.reporters.attention_grid import render_attention_grid

        return render_attention_grid(self.measured)

    @cached_property
    def _sprite(self) -> bytes:
        from tierproof.analysis.attention.attention_maps_sprite import draw_sprite

        assert self.maps is not None
        return draw_sprite(self.maps)
