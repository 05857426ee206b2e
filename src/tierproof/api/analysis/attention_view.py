"""What `tierproof.attention` returns: the figures of every head, shown, drawn and saved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.api.analysis.analysis_view import AnalysisView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.attention.attention_figures import PatternStatistics
    from tierproof.analysis.attention.attention_maps import AttentionMaps


@dataclass(frozen=True, eq=False)
class AttentionView(AnalysisView[ModelAttention]):
    """The attention of a model; in a notebook it shows itself as a grid of heads, which open where maps were kept.

    Attributes:
        maps: the weights of the heads as bytes; None where none were kept.
    """

    maps: AttentionMaps | None = None

    @property
    def patterns(self) -> tuple[PatternStatistics, ...]:
        """The attention operations in the order in which they were computed."""
        return self.measured.patterns

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be read, with the module."""
        return self.measured.unread

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
