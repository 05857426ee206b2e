"""Which modules of the base are imported before a trial."""

from __future__ import annotations

import sys
from pathlib import Path

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.stage.warm_modules import choose_warm_modules


def install(folder: Path, name: str, files: list[str], *requires: str) -> InstalledDistribution:
    metadata = folder / f"{name}-1.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return InstalledDistribution(name, "1", metadata, folder, requires)


def test_the_roots_of_what_the_fetched_packages_rest_on(tmp_path: Path) -> None:
    base = Base("here", sys.executable, "3.12.1", {}, (str(tmp_path),), (
        install(tmp_path, "torch", ["torch/__init__.py", "functorch/__init__.py", "torchgen/__init__.py"],
                "sympy>=1", "tensorboard; extra == 'board'", "not a requirement!"),
        install(tmp_path, "sympy", ["sympy/__init__.py"]),
        install(tmp_path, "pyyaml", ["_yaml/__init__.py", "yaml/__init__.py", "../../bin/x.py"]),
        install(tmp_path, "tensorboard", ["tensorboard/__init__.py"]),
        install(tmp_path, "several", ["a/__init__.py", "b.py"]),
        install(tmp_path, "not-used", ["not_used.py"]),
    ))  # fmt: skip
    assert choose_warm_modules(["torch", "sympy", "pyyaml", "tensorboard", "several"], base) == (
        "yaml", "tensorboard", "torch",
    )  # fmt: skip
    assert choose_warm_modules(["sympy", "pyyaml"], base) == ("yaml", "sympy")
    assert choose_warm_modules([], base) == ()
