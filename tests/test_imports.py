"""What importing tierproof costs and needs: each case runs in an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
HEAVY = (
    "torch",
    "numpy",
    "matplotlib",
    "transformers",
    "safetensors",
    "jinja2",
    "rich",
    "IPython",
    "pandas",
    "scipy",
)

IMPORT_ALL_BELOW = """
import importlib, json, pkgutil, sys
package = importlib.import_module({name!r})
for module in pkgutil.walk_packages(getattr(package, "__path__", ()), {name!r} + "."):
    importlib.import_module(module.name)
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


def run_python(code: str, *, search_path: tuple[Path, ...] = (SOURCE,)) -> str:
    """Run `code` in a fresh interpreter that finds tierproof in `search_path`; its standard output."""
    prelude = f"import sys; sys.path[:0] = {[str(path) for path in search_path]!r}\n"
    result = subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    "name",
    [
        "tierproof.core",
        "tierproof.errors",
        "tierproof.guard",
        "tierproof._optional",
        "tierproof.reporters",
        "tierproof._version",
    ],
)
def test_layers_that_work_without_torch_import_nothing_heavy(name: str) -> None:
    assert json.loads(run_python(IMPORT_ALL_BELOW.format(name=name, heavy=HEAVY))) == []


def test_import_tierproof_imports_no_third_party_package() -> None:
    code = """
import json, sys
before = set(sys.modules)
import tierproof
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names) - {"tierproof"})))
"""
    assert json.loads(run_python(code)) == []


def test_every_public_name_resolves() -> None:
    code = """
import json, tierproof
print(json.dumps([[name, type(getattr(tierproof, name)).__name__] for name in tierproof.__all__]))
"""
    names = dict(json.loads(run_python(code)))
    assert names["check"] == "function"
    assert names["ModelSpec"] == names["Report"] == names["TierproofError"] == "type"


def test_unknown_attribute_is_an_attribute_error() -> None:
    code = """
import tierproof
try:
    tierproof.chekc
except AttributeError as error:
    print(error)
"""
    assert "chekc" in run_python(code)


def test_command_line_help_imports_no_torch() -> None:
    code = """
import json, sys
from tierproof.cli.main import main
sys.argv = ["tierproof", "--help"]
try:
    main()
except SystemExit:
    pass
heavy = ("torch", "numpy", "matplotlib", "transformers")
print("\\n" + json.dumps([name for name in heavy if name in sys.modules]))
"""
    assert json.loads(run_python(code).splitlines()[-1]) == []


def test_a_check_does_not_import_the_compiler() -> None:
    code = """
import sys, tierproof
from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 8), nn.Linear(8, 9)
    def forward(self, idx):
        return self.head(self.embed(idx))
report = tierproof.check(Model(), progress=False)
print(report.verdict.value, len(report.results), "torch._dynamo" in sys.modules)
"""
    verdict, results, imported = run_python(code).split()
    assert (verdict, imported) == ("pass", "False")
    assert int(results) > 10
