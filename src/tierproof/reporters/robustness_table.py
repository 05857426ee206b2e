"""Show a model's robustness: the figure, and a table of every perturbation with its intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.core.plain_html import escape_html
from tierproof.plots.robustness_curves import draw_robustness
from tierproof.reporters.analysis_frame import embed_figure, frame_analysis, page_analysis

if TYPE_CHECKING:
    from tierproof.analysis.intervals.interval import Interval
    from tierproof.analysis.robustness.robustness_figures import ModelRobustness, PerturbationFigures

_ANSWERS = {
    "class": "the class of each row",
    "next token": "the next token after each row",
    "class at each position": "the class at each position",
    "vector": "whether a row's vector is still nearest to its own",
}


def render_robustness(measured: ModelRobustness) -> str:
    """The robustness as a part of a page, without scripts and without anything from the network."""
    figure = embed_figure(lambda: draw_robustness(measured))
    return frame_analysis(
        _title(measured),
        f"<p>{escape_html(describe_robustness(measured))}</p>{figure}{_render_table(measured)}{_render_reasons(measured)}",
    )


def render_robustness_page(measured: ModelRobustness) -> str:
    """The robustness as a page of its own."""
    return page_analysis(_title(measured), render_robustness(measured))


def describe_robustness(measured: ModelRobustness) -> str:
    """In words: what was compared with what, and what chance gives."""
    words = [
        f"Compared: {_ANSWERS.get(measured.answer, measured.answer)}, with "
        + (
            "the labels."
            if measured.reference == "labels"
            else "the model's own answer to the unchanged input."
        )
    ]
    if measured.unperturbed is not None:
        words.append(f"Unchanged, {write_interval(measured.unperturbed)} are right.")
    if measured.chance is not None:
        words.append(
            f"By chance {measured.chance:.0%} would be {'right' if measured.reference == 'labels' else 'kept'}."
        )
    if measured.assumed:
        words.append(f"Assumed: {measured.assumed}.")
    if not measured.complete:
        words.append("The time ended before every row was measured.")
    words.append("Brackets are 95% intervals: Clopper–Pearson for shares, else the bootstrap over rows.")
    return " ".join(words)


def write_interval(interval: Interval | None, *, share: bool = True) -> str:
    """`87% [62%, 98%]`, or plain numbers; a dash for None."""
    if interval is None:
        return "–"
    form = "{:.0%}" if share else "{:.3g}"
    value, low, high = (form.format(each) for each in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def _title(measured: ModelRobustness) -> str:
    return f"Robustness of {measured.model}, on {measured.inputs}"


def _render_table(measured: ModelRobustness) -> str:
    if not measured.perturbations:
        return "<p>Nothing was measured.</p>"
    kept = "right" if measured.reference == "labels" else "kept"
    heads = ("perturbation", "strength", "rows", kept, "divergence, nats", "cosine", "relative error")
    rows = "".join(_render_row(each) for name in measured.names for each in measured.of(name))
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    return f'<div class="tp-wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _render_row(each: PerturbationFigures) -> str:
    error = "–" if each.relative_error is None else f"{each.relative_error:.2g}"
    cells = (
        escape_html(each.setting),
        str(each.rows),
        write_interval(each.kept),
        write_interval(each.kl_nats, share=False),
        write_interval(each.cosine, share=False),
        error + (f" ({each.broken} not finite)" if each.broken else ""),
    )
    first, *numbers = cells
    row = "".join(f"<td class=tp-n>{cell}</td>" for cell in numbers)
    return f"<tr><th scope=row>{escape_html(each.name)}</th><td class=tp-n>{first}</td>{row}</tr>"


def _render_reasons(measured: ModelRobustness) -> str:
    return "".join(
        f'<p class="tp-soft">Not measured: {escape_html(name)}: {escape_html(reason)}.</p>'
        for name, reason in measured.not_measured
    )
