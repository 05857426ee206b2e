"""Draw the heads of a model as a grid: a row for each attention operation, a cell for each head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.analysis.attention.head_role import ROLES, find_role
from tierproof.errors import UsageError
from tierproof.plots.chart import WIDTH_IN, hide_frame, new_figure
from tierproof.plots.head_role_colours import ROLE_COLOURS, find_opacity
from tierproof.plots.read_label import read_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.attention.attention_figures import ModelAttention

_ROW_IN, _LEGEND_IN = 0.24, 0.9
# A figure of two pages; the table holds them all.
_MOST_ROWS = 96


def draw_attention(measured: ModelAttention) -> Figure | None:
    """The same for a report: None where there is nothing to draw."""
    return draw_attention_heads(measured) if measured.patterns else None


def draw_attention_heads(measured: ModelAttention) -> Figure:
    """Draw the grid; a cell's colour is the place that the head looks at most, its strength the weight there.

    Raises:
        UsageError: the model has no attention to draw.
    """
    if not measured.patterns:
        raise UsageError(
            "no attention was recognised, so there is nothing to draw",
            hint="`unread` tells what could not be read.",
        )
    from matplotlib.patches import Patch, Rectangle

    patterns = measured.patterns[:_MOST_ROWS]
    count = len(patterns)
    widest = max(len(pattern.heads) for pattern in patterns)
    figure, (axes,) = new_figure(_ROW_IN * count + _LEGEND_IN, width_in=WIDTH_IN)
    used: dict[str, None] = {}
    for row, pattern in enumerate(patterns):
        for column, head in enumerate(pattern.heads):
            role, weight = find_role(head)
            used[role] = None
            axes.add_patch(
                Rectangle(
                    (column - 0.45, row - 0.42),
                    0.9,
                    0.84,
                    facecolor=ROLE_COLOURS[role],
                    alpha=find_opacity(weight),
                )
            )
    axes.set_xlim(-0.6, widest - 0.4)
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_yticks(range(count), [read_label(p.path or "model", longest=26) for p in patterns])
    axes.set_xticks(range(0, widest, max(1, widest // 8)))
    axes.set_xlabel("head")
    hide_frame(axes)
    figure.legend(
        handles=[Patch(color=ROLE_COLOURS[role], label=ROLES[role]) for role in ROLES if role in used],
        loc="outside lower center",
        ncols=1,
        frameon=False,
    )
    rest = len(measured.patterns) - count
    figure.set_label(
        f"What {sum(len(p.heads) for p in patterns)} heads of {measured.model or 'the model'} attend to"
        f"{f'; {rest} more operations are not drawn' if rest else ''}. The stronger the colour, the more weight lies "
        "there."
    )
    return figure
