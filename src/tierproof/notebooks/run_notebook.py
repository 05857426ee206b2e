"""Run a notebook's cells in a real kernel, as *Run all* does: it ends at the first error."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tierproof._optional import require
from tierproof.guard.system.process import ProcessError
from tierproof.notebooks.notebook_run import CellRun

_START_LIMIT_S = 120.0
_CELL_LIMIT_S = 900.0


class NotebookKernel:
    """A kernel that runs cells; `start_kernel` makes one."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def run(self, identifier: str, code: str) -> CellRun:
        """Run one cell, and keep what a reader sees.

        Raises:
            ProcessError: it does not finish in time, or the kernel dies.
        """
        seen = _Outputs()
        began = time.perf_counter()
        try:
            reply = self.client.execute_interactive(
                code, timeout=_CELL_LIMIT_S, output_hook=seen.take, allow_stdin=False
            )
        except (TimeoutError, RuntimeError) as error:
            raise ProcessError(
                f"cell {identifier!r} did not finish within {_CELL_LIMIT_S:g} s, or its kernel ended: {error}",
                hint="Run this cell by hand in a notebook to see where it stops.",
            ) from error
        content = reply["content"]
        failed = content["status"] == "error"
        return CellRun(
            identifier,
            time.perf_counter() - began,
            seen.text,
            seen.html,
            f"{content['ename']}: {content['evalue']}" if failed else "",
        )

    def restart(self) -> None:
        """Restart the kernel, as a person does from the menu."""
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=_START_LIMIT_S)


@contextlib.contextmanager
def start_kernel(python: str, folder: Path, variables: Mapping[str, str]) -> Iterator[NotebookKernel]:
    """Start a kernel of the interpreter `python`, and end it when the context closes.

    Args:
        python: path of the interpreter; it needs ipykernel.
        folder: working folder of the kernel.
        variables: set in its environment, beside those of this process.

    Raises:
        ProcessError: it does not start.
        MissingPackageError: jupyter_client is not installed here.
    """
    jupyter = require("jupyter_client", feature="to run notebooks")
    kernelspec = require("jupyter_client.kernelspec", feature="to run notebooks")
    manager = jupyter.KernelManager()
    manager._kernel_spec = kernelspec.KernelSpec(
        argv=[python, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python"
    )
    manager.start_kernel(env={**os.environ, **variables}, cwd=str(folder))
    client = manager.client()
    client.start_channels()
    try:
        try:
            client.wait_for_ready(timeout=_START_LIMIT_S)
        except RuntimeError as error:
            raise ProcessError(
                f"cannot start a kernel of {python}: {error}", hint="Install ipykernel there."
            ) from error
        yield NotebookKernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run_cells(kernel: NotebookKernel, cells: Mapping[str, str]) -> tuple[CellRun, ...]:
    """Run cells by id and source, in order; after an error none is run."""
    ran: list[CellRun] = []
    for identifier, code in cells.items():
        ran.append(kernel.run(identifier, code))
        if ran[-1].error:
            break
    return tuple(ran)


class _Outputs:
    """What a cell shows; a display that is updated counts as it is in the end."""

    def __init__(self) -> None:
        self._parts: dict[object, tuple[str, str]] = {}

    @property
    def text(self) -> str:
        return "\n".join(text for text, _ in self._parts.values() if text.strip())

    @property
    def html(self) -> tuple[str, ...]:
        return tuple(page for _, page in self._parts.values() if page)

    def take(self, message: Mapping[str, Any]) -> None:
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                last = next(reversed(self._parts), None)
                if isinstance(last, tuple) and last[0] == content["name"]:
                    self._parts[last] = (self._parts[last][0] + content["text"], "")
                else:
                    self._parts[content["name"], len(self._parts)] = (content["text"], "")
            case "error":
                self._parts[len(self._parts)] = (f"{content['ename']}: {content['evalue']}", "")
            case "display_data" | "execute_result" | "update_display_data":
                name = content.get("transient", {}).get("display_id") or len(self._parts)
                data = content["data"]
                self._parts[name] = (data.get("text/plain", ""), data.get("text/html", ""))
