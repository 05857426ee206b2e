"""What `tierproof.attention` returns: the figures of every head, shown, drawn and saved."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.json_value import JsonValue, to_json_value
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.attention.attention_figures import ModelAttention, PatternStatistics

FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class AttentionView:
    """The attention of a model; in a notebook it shows itself as a grid of heads."""

    measured: ModelAttention

    @property
    def patterns(self) -> tuple[PatternStatistics, ...]:
        """The attention operations in the order in which they were computed."""
        return self.measured.patterns

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be read, with the module."""
        return self.measured.unread

    def to_dict(self) -> dict[str, JsonValue]:
        """The figures as plain JSON values."""
        return {
            "format_version": FORMAT_VERSION,
            "model": self.measured.model,
            "inputs": self.measured.inputs,
            "period": self.measured.period,
            "patterns": [
                {
                    "path": each.path,
                    "kind": each.kind,
                    "queries": each.queries,
                    "keys": each.keys,
                    "sum_error": to_json_value(each.sum_error),
                    "heads": [to_json_value(asdict(head)) for head in each.heads],
                    "agreement": to_json_value(each.agreement),
                }
                for each in self.patterns
            ],
            "unread": list(self.unread),
        }

    def figure(self) -> Figure:
        """One row of cells for each attention operation, one cell for each head; needs matplotlib."""
        from tierproof.plots.attention_heads import draw_attention_heads

        return draw_attention_heads(self.measured)

    def save(self, path: str | Path) -> Path:
        """Write the figures to a `.json` file, or the grid of heads to an `.html` or `.svg` file.

        Raises:
            UsageError: the name ends otherwise.
            OutputError: the file cannot be written.
        """
        target = Path(path)
        if target.suffix == ".json":
            text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        elif target.suffix == ".html":
            from tierproof.reporters.attention_grid import render_attention_page

            text = render_attention_page(self.measured)
        elif target.suffix == ".svg":
            from tierproof.plots.svg import render_inline_svg

            text = render_inline_svg(self.figure())
        else:
            raise UsageError(
                f"cannot save attention as {target.name}",
                hint="Name a file that ends with .json, .html or .svg.",
            )
        write_text_atomically(target, text)
        return target

    def __str__(self) -> str:
        heads = sum(len(each.heads) for each in self.patterns)
        lines = [
            f"{self.measured.model}: {len(self.patterns)} operations, {heads} heads, on {self.measured.inputs}."
        ]
        lines += [f"  not read: {each}" for each in self.unread]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from tierproof.reporters.attention_grid import render_attention_grid

        return render_attention_grid(self.measured)
