"""The HTML report in a real browser: no sideways scrolling on a phone, no request to anywhere."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reporters.fake_reports import failing_report, nasty_report, passing_report
from tierproof.reporters.html import render_html, render_html_fragment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",

    "--virtual-time-budget=4000", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

# A frame of 390 px holds the page as a file of its own, with its own Content-Security-Policy.
WRAPPER = """<!doctype html><body><iframe id="page" width="390" height="900" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const inside = document.getElementById("page").contentDocument;
  inside.querySelectorAll("details").forEach(one => one.open = true);
  const root = inside.documentElement;
  const wide = [...inside.querySelectorAll("body *")]
    .filter(one => !one.closest(".tp-scroll") && !one.closest("svg") && !one.classList.contains("tp-hidden"))
    .filter(one => one.getBoundingClientRect().right > 391)
    .map(one => one.tagName + "." + one.className);
  const requests = inside.defaultView.performance.getEntriesByType("resource").map(one => one.name);
  document.title = JSON.stringify({{width: root.scrollWidth, client: root.clientWidth, wide, requests}});
}});
</script></body>"""


def _measure(page: str, folder: Path) -> dict:
    file = folder / "wrapper.html"
    file.write_text(WRAPPER.format(page=html.escape(page)), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))


@pytest.mark.parametrize("make", [failing_report, passing_report, nasty_report])
def test_page_fits_a_phone_and_requests_nothing(make, tmp_path):
    _expect_sound(_measure(render_html(make()), tmp_path))


def test_fragment_fits_a_phone_and_requests_nothing(tmp_path):
    fragment = render_html_fragment(failing_report())
    _expect_sound(_measure(f"<!doctype html><body style='margin:0'>{fragment}</body>", tmp_path))


def _expect_sound(seen: dict) -> None:
    assert seen["wide"] == []
    assert seen["width"] <= seen["client"] <= 390
    assert seen["requests"] == []
