"""JSON, JUnit, Markdown, text and the terminal: any text in, a sound document out."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console  # noqa: TID253 - a test may

from reporters.fake_reports import (
    NASTY,
    empty_report,
    failing_report,
    nasty_report,
    passing_report,
    skipped_report,
)
from tierproof.core.renderers import find_renderer, known_suffixes
from tierproof.core.report import Report
from tierproof.reporters.clean_text import clean_line, clean_text
from tierproof.reporters.json_document import render_json
from tierproof.reporters.junit import render_junit
from tierproof.reporters.markdown import render_markdown
from tierproof.reporters.markdown_syntax import escape_markdown, format_code, format_table
from tierproof.reporters.register import register_all
from tierproof.reporters.terminal import print_report, render_text

hostile = st.text(max_size=40) | st.text(
    alphabet="\\`*_{}[]<>()#+-.!|~$&@=:/ 1a\n\r\t\x1b\x00\u202e\ud800", max_size=25
)
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_register_fills_the_table():
    register_all()
    assert known_suffixes() == (".html", ".json", ".md", ".txt", ".xml")
    assert find_renderer("html-fragment") is not None
    for suffix in known_suffixes():
        assert find_renderer(suffix)(passing_report())
    assert find_renderer(".md")(passing_report()) == render_markdown(passing_report())


@given(hostile)
@example("\x1b]0;title\x07x\x1b[31mred")
def test_clean_text_is_safe_and_stable(text):
    cleaned = clean_text(text)
    assert not UNSAFE.search(cleaned)
    assert clean_text(cleaned) == cleaned
    assert "\n" not in clean_line(text)


@pytest.mark.parametrize("make", [passing_report, failing_report, nasty_report, empty_report])
def test_json_is_to_dict(make):
    text = render_json(make())
    assert text.isascii()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(make().to_dict()))
    assert Report.from_dict(json.loads(text)).to_dict() == make().to_dict()


@given(hostile)
@settings(max_examples=50)
def test_junit_parses_whatever_the_text(text):
    document = render_junit(nasty_report(text))
    suite = ET.fromstring(document.encode("utf-8")).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "3",
        "1",
        "1",
        "1",
    )


def test_junit_is_red_when_nothing_was_judged():
    for report in (skipped_report(), empty_report()):
        root = ET.fromstring(render_junit(report))
        assert root.find("testsuite/testcase[@name='verdict']/error") is not None
        assert root.get("errors") == "1"


def test_junit_has_one_case_per_check():
    root = ET.fromstring(render_junit(failing_report()))
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(failing_report().results)
    assert root.find("testsuite/testcase[@name='T1-CAUSAL causality']/failure").get("type") == "T1-CAUSAL-001"


def _read_inline(markdown: str) -> str:
    """The text that a paragraph of Markdown shows; fails on any markup."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children} <= {"text", "text_special", "code_inline"}
    return "".join(child.content for child in tokens[1].children)


@given(hostile)
@example("1. one")
@example("- one")
@example("=")
@example("---")
@example("    code")
@settings(max_examples=300)
def test_escaped_markdown_reads_as_the_text(text):
    if clean_line(text):
        assert _read_inline(escape_markdown(text)) == clean_line(text)


@given(hostile)
def test_code_span_reads_as_the_text(text):
    if clean_line(text):
        assert _read_inline(format_code(text)) == clean_line(text)


@given(hostile, hostile)
def test_table_cells_stay_in_their_cells(one, other):
    lines = format_table(["a", "b"], [[escape_markdown(one), format_code(other, in_table=True)]])
    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(lines))
    cells = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "td_open"]
    assert ["".join(child.content for child in cell.children) for cell in cells] == [
        clean_line(one),
        clean_line(other),
    ]


@given(hostile)
@settings(max_examples=50)
def test_markdown_holds_no_html_and_no_link(text):
    document = render_markdown(nasty_report(text))
    document.encode("utf-8")
    tokens = MarkdownIt("commonmark").enable("table").parse(document)
    kinds = {token.type for token in tokens} | {c.type for token in tokens for c in token.children or ()}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "fence", "code_block"}


@given(hostile)
@settings(max_examples=50)
def test_text_is_printable_and_narrow(text):
    written = render_text(nasty_report(text))
    assert not UNSAFE.search(written)
    written.encode("utf-8")


def test_text_is_100_columns_without_colour(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    written = render_text(failing_report())
    assert max(len(line) for line in written.splitlines()) == 100
    assert "\x1b" not in written


def _console(width: int, encoding: str = "utf-8", **options) -> tuple[Console, io.TextIOWrapper]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=stream, width=width, **options), stream


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize("width", [30, 60, 100, 160])
def test_terminal_leads_with_verdict_module_and_next_step(width):
    console, stream = _console(width)
    print_report(failing_report(), console)
    written = _written(stream)
    assert max(len(line) for line in written.splitlines()) <= width
    head = written[: written.index("Other findings")]
    assert written.startswith("✗ Failed")
    assert "transformer.h.0.attn" in re.sub(r"[\s│]", "", head)
    assert "Givethisattention" in re.sub(r"[\s│]", "", head)


def test_terminal_does_not_read_markup():
    console, stream = _console(100)
    print_report(nasty_report("[bold red]x[/] :smile:"), console)
    assert "[bold red]x[/] :smile:" in _written(stream)


def test_terminal_colours_on_demand():
    console, stream = _console(100, force_terminal=True, color_system="standard")
    print_report(failing_report(), console)
    assert "\x1b[" in _written(stream)


def test_ascii_terminal_gets_ascii():
    console, stream = _console(100, encoding="ascii")
    print_report(failing_report(), console)
    assert _written(stream).startswith("x Failed")


def test_nasty_text_holds_no_control_character():
    for render in (render_text, render_markdown, render_junit):
        assert not UNSAFE.search(render(nasty_report(NASTY)))
