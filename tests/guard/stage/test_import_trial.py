"""Which modules of an added package are tried."""

from __future__ import annotations

import pytest

from tierproof.guard.capture.inventory import FileStamp, PackageFiles
from tierproof.guard.stage.import_trial import find_modules


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        (["pack/__init__.py", "pack/part/__init__.py", "pack/one.py"], ("pack",)),
        (["single.py"], ("single",)),
        (["native.cpython-312-x86_64-linux-gnu.so"], ("native",)),
        (["space/part/__init__.py", "space/one.py"], ("space.one", "space.part")),
        (["shown/__init__.py", "_hidden.py"], ("shown",)),
        (["_only.abi3.so"], ("_only",)),
        (["faiss/__init__.py", "faiss_cpu.libs/libgomp-1.so", "faiss_cpu-1.dist-info/x.py"], ("faiss",)),
    ],
)
def test_the_modules_at_the_top(files: list[str], modules: tuple[str, ...]) -> None:
    stamps = {path: FileStamp("", 0) for path in files}
    assert find_modules(PackageFiles("1", stamps)) == modules
