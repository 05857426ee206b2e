"""Write a figure as SVG that can stand inside an HTML page and take on its colours and fonts."""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tierproof.plots.load_matplotlib import chart_style
from tierproof.plots.palette import THEME_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LARGEST_SCALE = 1.15
"""A figure grows with its column only so far: beyond, its text would outgrow the page's."""

_COLOUR = re.compile("|".join(THEME_COLOURS), re.IGNORECASE)
_FAMILY = re.compile(r"'DejaVu Sans'[^;]*")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def render_inline_svg(figure: Figure) -> str:
    """Give `figure` as an `<svg>` element for HTML: scalable, labelled, no clashing ids, no own style.

    Colours of the palette become CSS variables (`palette.THEME_COLOURS`), so that the figure follows a
    dark page; without those variables in the page, shapes are drawn black.
    """
    written = io.StringIO()
    with chart_style():
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    root = ET.fromstring(text)
    prefix = "tp" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    for parent in root.iter():
        # matplotlib's own <style> would reach every element of the page; its metadata names web addresses.
        for child in list(parent):
            if _plain(child.tag) in ("style", "metadata"):
                parent.remove(child)
    for element in root.iter():
        _adapt(element, prefix)
    root.set("style", f"max-width: {_LARGEST_SCALE * figure.get_figwidth():.1f}in")
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", str(figure.get_label()))
    return ET.tostring(root, encoding="unicode")


def _plain(name: str) -> str:
    return name.rpartition("}")[2]


def _adapt(element: ET.Element, prefix: str) -> None:
    element.tag = _plain(element.tag)
    attributes = {_plain(name): value for name, value in element.attrib.items()}
    element.attrib.clear()
    for name, value in attributes.items():
        element.set(name, _adapt_value(name, value, prefix))


def _adapt_value(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    value = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
    value = _COLOUR.sub(lambda match: THEME_COLOURS[match[0].lower()], value)
    return _FAMILY.sub("var(--tp-font)", value)
