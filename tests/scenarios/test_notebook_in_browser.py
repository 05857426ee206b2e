"""The notebook in a real browser: run, looked at, restarted from the menu and recovered. Pictures are kept."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from notebooks.colab_kernel import Runtime
from notebooks.jupyterlab_page import CHROMIUM, LabPage, open_page, serve_lab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("playwright", "jupyterlab")),
        reason="needs the e2e group",
    ),
]

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Path(os.environ.get("TIERPROOF_SCREENSHOTS") or ROOT / "build" / "screenshots")
WIDTHS = (1280, 390)
Make = Callable[..., Runtime]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_validate_is_run_looked_at_restarted_and_recovered(make_runtime: Make, dark: bool) -> None:
    runtime = make_runtime()
    theme = "dark" if dark else "light"
    with (
        serve_lab(runtime, ROOT / "notebooks" / "validate.ipynb", dark=dark) as address,
        open_page(dark=dark) as lab,
    ):
        lab.open(address)
        assert lab.page.locator(".jp-Dialog").count() == 0  # no question about trust, kernels or format
        lab.run_all()
        lab.wait_for_text("Verdict: passed.", 300)
        lab.wait_until_idle(60)
        assert (
            lab.page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0
        )
        assert (
            lab.page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        )
        photograph(lab, f"validate-{theme}")
        open_sections(lab)
        photograph(lab, f"validate-{theme}-open")
        lab.page.set_viewport_size({"width": 1280, "height": 900})
        lab.restart()
        lab.run_cell("6 · Recover")
        lab.wait_for_text("The last report is restored", 120)
        lab.run_cell("8 · The verdict")
        lab.wait_until_idle(120)
        assert "Verdict: passed." in lab.output("8 · The verdict")
        photograph(lab, f"recovered-{theme}")


def test_a_failing_model_and_bad_input_look_clean(make_runtime: Make) -> None:
    from notebooks.filled_notebook import write_filled

    runtime = make_runtime()
    broken = {"source": "path", "value": str(ROOT / "examples" / "broken_gpt.py"), "packages": "numpy==2.3.4"}
    wrong = {
        "source": "path",
        "value": "no_such_file.py",
        "packages": "no-such-package-at-all",
        "install": "auto",
    }
    for name, values in (("broken", broken), ("wrong", wrong)):
        notebook = write_filled("validate", values, runtime.folder / f"{name}.ipynb")
        with serve_lab(runtime, notebook) as address, open_page() as lab:
            lab.open(address)
            lab.run_all()
            lab.wait_for_text("Verdict: failed." if name == "broken" else "Verdict: not judged.", 300)
            lab.wait_until_idle(60)
            photograph(lab, name)


@pytest.mark.parametrize(
    ("name", "ends_with"),
    [("quickstart", "Verdict: passed."), ("rescue", "No packages were requested")],
)
def test_the_small_notebooks_look_clean(make_runtime: Make, name: str, ends_with: str) -> None:
    runtime = make_runtime()
    with serve_lab(runtime, ROOT / "notebooks" / f"{name}.ipynb") as address, open_page() as lab:
        lab.open(address)
        lab.run_all()
        lab.wait_for_text(ends_with, 300)
        lab.wait_until_idle(60)
        photograph(lab, name)


def photograph(lab: LabPage, name: str) -> None:
    for width in WIDTHS:
        lab.photograph(PICTURES / f"{name}-{width}.png", width)
        assert lab.find_wide() == [], f"{name} at {width} px"
        assert lab.find_squeezed() == [], f"{name} at {width} px"


def open_sections(lab: LabPage) -> None:
    """Open every section of the report by its summary, as a reader does."""
    closed = lab.page.locator(".tp details:not([open]) > summary")
    for _ in range(60):
        if not closed.count():
            return
        summary = closed.first
        if not summary.is_visible():
            break
        summary.click()
    assert closed.count() == 0
