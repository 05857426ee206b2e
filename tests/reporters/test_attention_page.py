"""The attention page as text: one file, one script, nothing from the network, and no text of a user's as markup."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import pytest
import torch

import tierproof as tp
from tierproof.analysis.attention.attention_maps_sprite import KEYWORD
from tierproof.core.finding import Finding, Severity
from tierproof.core.png import read_png_text
from tierproof.reporters.attention_page.page_data import shorten_names, show_piece
from tierproof.reporters.attention_page.render_page import allow_script, read_script
from tierproof.reporters.attention_page.report_section import mark_heads
from tierproof.reporters.html import render_html
from tierproof.reporters.html_figures import draw_report_figures
from zoo.handwritten import CharGPT, build

NASTY = [
    "</script><script>alert(1)</script>", "<img src=http://x.example/>", "&amp;", "\x1b[31m", "\u202eevil", " ",
    "\n", "a\x00b", "שלום", "${x}{{y}}", "'\"`", "x" * 500,
]  # fmt: skip


class NastyTokenizer:
    def encode(self, text):
        return list(range(len(NASTY)))

    def convert_ids_to_tokens(self, number):
        return NASTY[number]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    view = tp.attention(CharGPT(), "".join(NASTY), tokenizer=NastyTokenizer())
    return view.save(tmp_path_factory.mktemp("page") / "attention.html").read_text()


def read_data(page: str) -> dict:
    return json.loads(re.search(r'class="tp-att-data">(.*?)</script>', page)[1])


def test_nothing_comes_from_the_network(page):
    assert not re.search(r'<[^>]*(?:src|href)="?\'?(?:https?:)?//', page)
    assert not re.search(r"https?:|//[a-z]+\.|import\(|fetch\(|XMLHttp", read_script())


def test_users_text_is_never_markup(page):
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img src=http" not in page
    pieces = read_data(page)["sequences"][0]["pieces"]
    assert pieces[0] == NASTY[0]  # the text itself survives, for textContent
    assert "\x1b" not in "".join(pieces)
    assert "\u202e" not in page


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        (" the", " the"),
        ("  ", "␣␣"),
        ("\n", "⏎"),
        ("\t", "⇥"),
        ("\x1b[31m", "�[31m"),
        ("x" * 99, "x" * 40 + "…"),
    ],
)
def test_pieces_are_seen(piece, shown):
    assert show_piece(piece) == shown


def test_only_our_script_may_run(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none';")
    assert f"script-src {allow_script()}" in policy
    assert f"<script>{read_script()}</script>" in page


def test_the_script_is_small():
    assert len(read_script().encode()) <= 15_000
    assert read_script().isascii()  # a fragment may stand on a page of any encoding


def test_there_are_no_ids_that_could_collide(page):
    assert not re.search(r"\sid=", page.replace(read_script(), ""))
    assert "getElementById" not in read_script()


def test_without_scripts_the_picture_stands_with_a_name_for_each_line(page):
    table = re.search(r'<table class="tp-att-static">.*?</table>', page)[0]
    assert re.findall(r"<bdi>(.*?)</bdi>", table) == ["rollout", "blocks.0", "blocks.1", "blocks.2"]
    assert re.findall(r'title="(.*?)"', table) == ["rollout", *(f"blocks.{n}.attn" for n in range(3))]
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]*)"', table)[1])
    assert read_png_text(png, KEYWORD) is None  # the page tells it already
    assert "tp-heads" in page  # the figures as a table


def test_the_error_is_printed(page):
    assert re.search(r"the largest error is 0\.00\d\d", page)


def test_every_head_has_its_words_and_a_tile(page):
    rollout, *operations = read_data(page)["ops"]
    heads = [head for op in operations for head in op["heads"]]
    assert len(heads) == 12
    assert all(len(head["tile"]) == 2 and head["words"].startswith("head ") for head in heads)
    assert [head["words"].split(":")[0] for head in rollout["heads"]] == ["layer 0", "layer 1", "layer 2"]


def test_what_was_found_marks_its_head():
    findings = [
        Finding("T2-ATTENTION-001", Severity.WARNING, "dead", "a.b", {"head": 3}),
        Finding("T2-ATTENTION-002", Severity.INFO, "alike", "a.b", {"heads": [3, 4]}),
        Finding("T2-ATTENTION-003", Severity.INFO, "all", "a.b", {}),
    ]
    marks = mark_heads(findings)
    assert set(marks) == {("a.b", 3), ("a.b", 4)}
    assert marks["a.b", 3].count("\n") == 1
    assert "T2-ATTENTION-001: dead" in marks["a.b", 3]


def test_the_report_has_the_section_and_its_script(tmp_path):
    report = tp.check(CharGPT(), tier=2, only=["T2-ATTENTION"], progress=False)
    page = report.save(tmp_path / "report.html").read_text()
    assert page.count('<section class="tp-att"') == 1
    assert allow_script() in page
    assert (tmp_path / "report.T2-ATTENTION.attention_maps.png").read_bytes().startswith(b"\x89PNG")
    assert '<section class="tp-att"' in report._repr_html_()


def test_a_report_without_attention_allows_no_script(tmp_path):
    report = tp.check(torch.nn.Linear(3, 3), tier=2, only=["T2-ATTENTION"], progress=False)
    page = report.save(tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "script-src" not in page


def test_cross_attention_and_target_stand_beside_the_source():
    data = read_data(tp.attention(build("seq2seq"))._repr_html_())
    crossed = next(op for op in data["ops"] if op["path"].endswith("multihead_attn"))
    assert crossed["query_labels"] != crossed["key_labels"]
    assert (crossed["rows"], crossed["columns"]) == (63, 64)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["h.0.attn", "h.1.attn"], ["h.0", "h.1"]),
        (["model"], ["model"]),
        (["t.enc.0.a", "t.dec.0.b"], ["enc.0.a", "dec.0.b"]),
        (["a", "a.b"], ["a", "a.b"]),
        (["x.0.attn (1)", "x.0.attn (2)"], ["attn (1)", "attn (2)"]),
        ([], []),
    ],
)
def test_names_without_what_they_share(names, short):
    assert shorten_names(names) == short


def test_a_report_without_maps_draws_the_heads_once_as_a_figure():
    report = tp.check(CharGPT(), tier=2, only=["T2-ATTENTION"], progress=False)
    assert draw_report_figures(report).by_result == {}
    bare = replace(report, results=tuple(replace(each, artifacts=()) for each in report.results))
    assert "heads of CharGPT attend to" in draw_report_figures(bare).by_result[0].caption
    assert "What 12 heads of CharGPT attend to" in render_html(bare)
