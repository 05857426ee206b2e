"""A kernel in an environment of its own made without any index: it borrows ipykernel and pip from here."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from guard.notebook_kernel import Kernel, find_uv
from guard.wheelhouse import Wheelhouse

_PIP = "#!{python}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


def make_light_environment(folder: Path) -> Path:
    """A virtual environment that sees what is installed here, behind what is installed into it; its python."""
    pytest.importorskip("ipykernel", reason="comes with the test group")
    pytest.importorskip("pip")
    subprocess.run(
        [find_uv(), "venv", "-q", "--no-python-downloads", "--python", sys.executable, folder], check=True
    )
    python = folder / "bin" / "python"
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name in ("pip", "pip3"):
        launcher = folder / "bin" / name
        launcher.write_text(_PIP.format(python=python))
        launcher.chmod(0o755)
    return python


def point_at(monkeypatch: pytest.MonkeyPatch, house: Wheelhouse, python: Path) -> None:
    """Let every kernel that starts from now on install from `house` alone, by the pip of `python`."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", house.url)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(house.folder / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", house.url)
    monkeypatch.setenv("VIRTUAL_ENV", str(python.parent.parent))
    monkeypatch.setenv(
        "PATH", f"{python.parent}{os.pathsep}{Path(find_uv()).parent}{os.pathsep}{os.environ['PATH']}"
    )


class Notebook:
    """Runs cells and keeps what a reader sees."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def run(self, code: str) -> str:
        """Run a cell; everything below it, errors after `ERROR`, pages after `HTML`."""
        seen: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    seen.append(content["text"])
                case "error":
                    seen.append("ERROR " + "\n".join(content["traceback"]))
                case "display_data" | "execute_result":
                    seen.append(content["data"].get("text/plain", ""))
                    if "text/html" in content["data"]:
                        seen.append("HTML " + content["data"]["text/html"])

        self.kernel.client.execute_interactive(code, timeout=120, output_hook=collect)
        return "\n".join(seen)
