"""JupyterLab on loopback, and a page of Debian's Chromium that drives it as a person does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from notebooks.colab_kernel import Runtime

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A machine without a way out: nothing may be looked up in the background.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
TOKEN = "loopback"
_START_LIMIT_S = 90
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


@contextlib.contextmanager
def serve_lab(runtime: Runtime, notebook: Path, *, dark: bool = False) -> Iterator[str]:
    """Serve a folder with `notebook` and with the runtime's kernel; the address of the notebook."""
    home = runtime.folder / "lab"
    content = runtime.folder / "content"
    content.mkdir(parents=True, exist_ok=True)
    shutil.copy(notebook, content)
    _write_kernel(home / "kernels" / "python3", runtime)
    theme = {"theme": "JupyterLab Dark" if dark else "JupyterLab Light", "adaptive-theme": False}
    for plugin, values in {**SETTINGS, "@jupyterlab/apputils-extension/themes": theme}.items():
        path = home / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (runtime.folder / "lab.log").open("w")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
            f"--IdentityProvider.token={TOKEN}", "--allow-root", f"--ServerApp.root_dir={content}",
        ],
        env={
            **os.environ,
            "JUPYTER_PATH": str(home),
            "JUPYTER_DATA_DIR": str(home / "user"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={TOKEN}", process)
        yield f"http://127.0.0.1:{port}/doc/tree/{notebook.name}?token={TOKEN}"
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


class LabPage:
    """A notebook in the browser."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait for the status bar to say that the kernel is there and idle."""
        self.page.locator(".jp-StatusBar-TextItem", has_text="Python 3 | Idle").wait_for(timeout=90_000)

    def choose(self, menu: str, item: str) -> None:
        """Choose an item of the menu bar."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
        self.page.locator(".lm-Menu-itemLabel", has_text=item).first.click()

    def run_all(self) -> None:
        self.choose("Run", "Run All Cells")

    def wait_for_text(self, text: str, seconds: float) -> None:
        self.page.locator(".jp-Cell-outputArea", has_text=text).first.wait_for(timeout=seconds * 1000)

    def wait_until_idle(self, seconds: float) -> None:
        self.page.wait_for_function(
            "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('*'))",
            timeout=seconds * 1000,
        )

    def restart(self) -> None:
        self.choose("Kernel", "Restart Kernel…")
        self.page.locator(".jp-Dialog button", has_text="Restart").last.click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")
        self.wait_for_kernel()

    def cell(self, title: str) -> Any:
        return self.page.locator(".jp-CodeCell", has_text=title).first

    def run_cell(self, title: str) -> None:
        self.cell(title).locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")

    def output(self, title: str) -> str:
        return str(self.cell(title).locator(".jp-OutputArea").first.inner_text())

    def photograph(self, path: Path, width: int) -> None:
        """A picture of the whole notebook: the window is made as tall as what it shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.set_viewport_size({"width": width, "height": 900})
        time.sleep(1)
        height = self.page.evaluate(
            "() => Math.max(...[...document.querySelectorAll('.jp-NotebookPanel *')].map(e => e.scrollHeight))"
            " + 160"
        )
        self.page.set_viewport_size({"width": width, "height": min(height, 12_000)})
        self.page.evaluate(
            "() => document.querySelectorAll('.jp-NotebookPanel *').forEach(e => e.scrollTop = 0)"
        )
        time.sleep(1)
        self.page.screenshot(path=str(path))

    def find_wide(self) -> list[str]:
        """What of our outputs is wider than its place."""
        return list(
            self.page.evaluate(
                """() => [...document.querySelectorAll('.tpn, .tp')].flatMap(box => {
                  const right = box.parentElement.getBoundingClientRect().right + 1;
                  return [box, ...box.querySelectorAll('*')]
                    .filter(e => !e.closest('.tp-scroll') && !e.closest('svg') && !e.closest('.tp-hidden'))
                    .filter(e => e.getBoundingClientRect().right > right)
                    .map(e => e.tagName + '.' + e.className)
                })"""
            )
        )

    def find_squeezed(self) -> list[str]:
        """Terms of the report that a notebook's own style has squeezed to a few letters a line."""
        return list(
            self.page.evaluate(
                """() => [...document.querySelectorAll('.tp dt')]
                  .filter(e => e.offsetParent && e.textContent.trim().length > 6)
                  .filter(e => e.getBoundingClientRect().width < 60)
                  .map(e => e.textContent.trim())"""
            )
        )


@contextlib.contextmanager
def open_page(*, dark: bool = False, width: int = 1280) -> Iterator[LabPage]:
    """A page of a fresh browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        try:
            yield LabPage(context.new_page())
        finally:
            browser.close()


def _write_kernel(folder: Path, runtime: Runtime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kernel = {
        "argv": [str(runtime.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "env": runtime.variables,
    }
    (folder / "kernel.json").write_text(json.dumps(kernel))


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < end:
        assert process.poll() is None, "JupyterLab ended at once"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.5)
    raise TimeoutError("JupyterLab does not answer")
