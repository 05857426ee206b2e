"""A real IPython kernel in an environment of its own, driven as a notebook drives it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"


def find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        pytest.skip("needs uv")
    return found


def make_environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with pip and `packages`; its python. Skips where no index is reachable."""
    uv = find_uv()
    subprocess.run(
        [uv, "venv", "-q", "--seed", "--no-python-downloads", "--python", sys.executable, folder], check=True
    )
    python = folder / "bin" / "python"
    made = subprocess.run(
        [uv, "pip", "install", "-q", "--link-mode", "copy", "--python", python, *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no package index: {made.stderr[-300:]}")
    return python


def environment(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    return {**kept, "XDG_DATA_HOME": str(data), "PYTHONPATH": str(SOURCE), "NO_COLOR": "1"}


class Kernel:
    """Runs cells; `ask` gives the value of an expression by way of JSON."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client
        self.pid = self.ask("__import__('os').getpid()")

    def run(self, code: str) -> tuple[str, str]:
        """Run a cell: what it printed, and the error it ended in."""
        printed: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=120, output_hook=collect)
        content = reply["content"]
        error = f"{content['ename']}: {content['evalue']}" if content["status"] == "error" else ""
        return "".join(printed), error

    def ask(self, expression: str) -> Any:
        printed, error = self.run(f"import json as _json; print(_json.dumps({expression}))")
        assert not error, error
        return json.loads(printed)


@contextlib.contextmanager
def start_kernel(python: Path, data: Path) -> Iterator[Kernel]:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python"
    )
    manager.start_kernel(env=environment(data), cwd=str(data))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        client.context.term() if hasattr(client, "context") else None


def run_command(python: Path, data: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-m", "tierproof", *map(str, arguments)],
        env=environment(data),
        cwd=data,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
