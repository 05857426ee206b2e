"""The HTML report: whole, escaped, self-contained, legible without matplotlib."""

from __future__ import annotations

import functools
import importlib
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporters.fake_reports import (
    NASTY,
    empty_report,
    failing_report,
    inconclusive_report,
    nasty_report,
    passing_report,
    skipped_report,
)
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.reporters.clean_text import clean_text
from tierproof.reporters.html import render_html, render_html_fragment
from tierproof.reporters.html_figures import draw_report_figures

_VOID = {"meta", "br", "wbr", "hr", "img", "link", "input"}


class Outline(HTMLParser):
    """Tags with attributes, ids, headings and text; fails on tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def shown(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))


ALL = [passing_report, failing_report, inconclusive_report, nasty_report, empty_report, skipped_report]


@functools.cache
def draw(render, make):
    """The page of a report, drawn once for all tests that read it."""
    return render(make())


PAGES = {finding.page for make in ALL for finding in make().findings}


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("render", [render_html, render_html_fragment])
def test_nests_and_requests_nothing(make, render):
    page = draw(render, make)
    outline = Outline(page)
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in outline.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") or name in ("src", "srcset", "action") for name in attributes)
        link = attributes.get("href") or attributes.get("xlink:href")
        # A link to a finding's page is followed by the reader; the page itself requests nothing.
        assert link is None or (link.startswith("#") and link[1:] in ids) or (tag == "a" and link in PAGES)
        assert not re.search(r"url\((?!#)", attributes.get("style") or "")
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]


@pytest.mark.parametrize("make", ALL)
def test_headings_go_down_one_by_one(make):
    levels = [int(tag[1]) for tag, _ in Outline(draw(render_html, make)).tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_failing_leads_with_error_module_and_next_step():
    text = Outline(draw(render_html, failing_report)).shown()
    order = [
        "✗ Failed", "3 errors and 1 warning", "Changing token 9 moves output 3", "transformer.h.0.attn",
        "relative change 0.83", "Give this attention a causal mask", "Other findings", "No gradient reaches",
        "What could not be checked", "Model", "124.4 M", "lower-triangular buffer", "Checks",
    ]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_inconclusive_leads_with_what_could_not_be_checked():
    text = Outline(draw(render_html, inconclusive_report)).shown()
    assert text.index("What could not be checked") < text.index("12.4 GiB asked for") < text.index("Model")


def test_warning_after_inconclusive_comes_second():
    report = inconclusive_report()
    warned = replace(report.results[0], findings=failing_report().findings[-1:])
    text = Outline(render_html(replace(report, results=(warned, *report.results[1:])))).shown()
    assert text.index("What could not be checked") < text.index("Findings") < text.index("9 times as spread")


def test_many_places_fold():
    report = failing_report()
    gradient = report.results[2]
    finding = gradient.findings[0]
    many = tuple(replace(finding, where=f"h.{n}", message=f"m{n}") for n in range(20))
    page = render_html(replace(report, results=(replace(gradient, findings=many),)))
    assert "19 more places" in page
    assert "and 8 more, listed above" in page


def test_trainable_is_shown_where_it_differs():
    report = passing_report()
    page = render_html(replace(report, model=replace(report.model, trainable=1_000_000)))
    assert "trainable" in Outline(page).shown()


@given(st.text(max_size=40) | st.text(alphabet="<>&'\"/\\{}%#-! =a\x00\x1b\ud800", max_size=30))
@settings(max_examples=15)
def test_any_text_is_only_text(text):
    report = nasty_report(text)
    report = replace(
        report, results=tuple(replace(result, measurements={text: text}) for result in report.results)
    )
    page = render_html(report)
    page.encode("utf-8")
    plain = Outline(render_html(replace_texts("plain")))
    outline = Outline(page)
    assert {tag for tag, _ in outline.tags} <= {tag for tag, _ in plain.tags} | {"code", "span"}
    assert re.sub(r"\s+", " ", clean_text(text)).strip() in outline.shown()


def replace_texts(text):
    report = nasty_report(text)
    return replace(
        report, results=tuple(replace(result, measurements={text: text}) for result in report.results)
    )


def test_nasty_page_has_no_script():
    page = render_html(nasty_report(NASTY))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_fragment_is_scoped():
    fragment = draw(render_html_fragment, failing_report)
    assert fragment.startswith('<div class="tp tp-fragment">')
    assert not re.search(r"<(html|body|head|title|h1|h2)\b", fragment)
    style = re.search(r"<style>(.*?)</style>", fragment, re.DOTALL)[1]
    rules = re.sub(r"@media[^{]*\{|/\*.*?\*/", "", style)
    selectors = [part.strip() for part in re.findall(r"([^{}]+)\{[^{}]*\}", rules)]
    assert selectors
    assert all(".tp" in one for selector in selectors for one in selector.split(","))


def test_same_report_gives_same_page():
    assert draw(render_html, failing_report) == render_html(failing_report())


def test_repr_html_uses_the_fragment():
    from tierproof.reporters.register import register_all

    register_all()
    assert passing_report()._repr_html_() == draw(render_html_fragment, passing_report)


def _break_import(monkeypatch, error):
    real = importlib.import_module

    def refuse(name, package=None):
        if name.startswith("matplotlib"):
            raise error
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", refuse)


def test_without_matplotlib_tables_open_and_one_line_says_why(monkeypatch):
    _break_import(monkeypatch, ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib"))
    page = render_html(failing_report())
    assert "Figures need matplotlib" in page
    assert "tierproof[plots]" in page
    assert "<svg" not in page
    assert '<details class="tp-more" open>' in page
    assert "transformer.h.7.mlp.c_fc" in page


def test_broken_matplotlib_is_told_apart(monkeypatch):
    _break_import(monkeypatch, ImportError("cannot import name '_center' from 'numpy._core.umath'"))
    page = Outline(render_html(failing_report())).shown()
    assert "it is installed but its import fails" in page
    assert "_center" in page
    assert "Figures need matplotlib" not in page


def test_no_figure_no_matplotlib(monkeypatch):
    _break_import(monkeypatch, ImportError("broken"))
    nothing = CheckResult("T1-GRAD", "gradient flow", 1, Outcome.PASSED)
    assert draw_report_figures(replace(passing_report(), results=(nothing,))).problem == ""
