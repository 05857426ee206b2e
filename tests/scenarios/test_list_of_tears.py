"""Packages torn in a real kernel by a plain pip install: each is found, and healed or declared beyond healing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from guard.notebook_kernel import Kernel, make_environment, start_kernel

pytest.importorskip("ipykernel", reason="comes with the test group")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]
PIP = (
    "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', {!r}], check=True)"
)
TOOLS = ("ipykernel", "packaging", "click", "uv")


@dataclass(frozen=True)
class Tear:
    """One package, loaded at `old` and replaced by `new`.

    `lazy` are modules of it that nobody has imported before the heal; `offline` heals from a snapshot.
    """

    package: str
    old: str
    new: str
    load: str
    lazy: str
    beside: tuple[str, ...] = ()
    offline: bool = False


TEARS = [
    Tear("numpy", "2.0.2", "2.3.4", "import numpy", "numpy.strings, numpy.ma, numpy.polynomial"),
    Tear("scipy", "1.13.1", "1.15.3", "import scipy.linalg", "scipy.signal, scipy.stats", ("numpy==2.0.2",)),
    Tear("pandas", "2.2.2", "2.3.1", "import pandas", "pandas.io.sas, pandas.plotting", ("numpy==2.0.2",)),
    Tear(
        "pillow",
        "11.0.0",
        "11.3.0",
        "import PIL.Image; PIL.Image.new('RGB', (2, 2))",
        "PIL.ImageFont, PIL.ImageDraw, PIL._imagingft",
        offline=True,
    ),
    Tear("pyarrow", "17.0.0", "20.0.0", "import pyarrow", "pyarrow.compute, pyarrow.csv", ("numpy==2.0.2",)),
    Tear(
        "protobuf",
        "5.29.1",
        "6.31.1",
        "import google.protobuf.message, google.protobuf.descriptor",
        "google.protobuf.json_format, google.protobuf.struct_pb2",
        offline=True,
    ),
    Tear("typing-extensions", "4.12.2", "4.14.1", "import typing_extensions", "typing_extensions"),
    Tear(
        "pydantic-core",
        "2.27.1",
        "2.33.2",
        "import pydantic; pydantic.create_model('M', x=(int, 1))(x=2)",
        "pydantic.networks, pydantic.types, pydantic_core.core_schema",
        ("pydantic==2.10.3",),
    ),
    Tear(
        "matplotlib",
        "3.9.2",
        "3.10.3",
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot",
        "matplotlib.animation, mpl_toolkits.mplot3d",
        ("numpy==2.0.2",),
    ),
    Tear("pyzmq", "26.2.0", "27.0.0", "import zmq", "zmq.auth, zmq.utils.win32"),
    Tear("tornado", "6.4.1", "6.5.1", "import tornado.ioloop", "tornado.httpclient, tornado.web"),
]


@pytest.mark.parametrize("tear", TEARS, ids=lambda tear: tear.package)
def test_a_tear_is_found_and_healed(tear: Tear, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env", f"{tear.package}=={tear.old}", *tear.beside, *TOOLS)
    data = tmp_path / "data"
    data.mkdir()
    with start_kernel(python, data) as kernel:
        do(kernel, "import tierproof as tp")
        do(kernel, tear.load)
        assert kernel.ask("tp.doctor().healthy")
        if tear.offline:
            assert tear.package in kernel.ask("[each.package for each in tp.snapshot().kept]")
        do(kernel, PIP.format(f"{tear.package}=={tear.new}"))
        (torn,) = kernel.ask("tp.doctor().to_dict()['torn']")
        assert (torn["package"], torn["loaded_version"], torn["disk_version"]) == (
            tear.package,
            tear.old,
            tear.new,
        )
        assert {"version", "native-library-replaced"} & set(torn["evidence"])
        assert torn["remedy"] == "heal"
        if tear.offline:
            do(kernel, "import os; os.environ['UV_OFFLINE'] = '1'")
        healing = kernel.ask("tp.heal().to_dict()")
        assert healing["failed"] == [], healing["diagnosis"]
        assert healing["healed"] == [
            {"package": tear.package, "version": tear.old, "replaced_version": tear.new}
        ]
        # What pip's cell made the kernel import while torn is named, and that is all that may be left.
        assert all(each["evidence"] == ["imported-while-torn"] for each in healing["diagnosis"]["torn"])
        do(kernel, f"import {tear.lazy}")
        assert kernel.ask("tp.doctor().to_dict()")["torn"] == healing["diagnosis"]["torn"]
        disk = kernel.ask(f"__import__('importlib.metadata').metadata.version({tear.package!r})")
        assert disk == tear.old


def test_a_session_of_numpy_pandas_scipy_and_matplotlib_goes_on(tmp_path: Path) -> None:
    packages = ("numpy==2.0.2", "pandas==2.2.2", "scipy==1.13.1", "matplotlib==3.9.2")
    python = make_environment(tmp_path / "env", *packages, *TOOLS)
    data = tmp_path / "data"
    data.mkdir()
    with start_kernel(python, data) as kernel:
        do(kernel, "import tierproof as tp, numpy as np, pandas as pd, scipy.linalg, matplotlib")
        do(kernel, "matplotlib.use('Agg'); import matplotlib.pyplot as plt")
        do(kernel, "frame = pd.DataFrame({'x': np.arange(8.0), 'y': np.arange(8.0) ** 2})")
        assert kernel.ask("tp.doctor().healthy")
        do(kernel, PIP.format("numpy==2.3.4"))
        assert [each["package"] for each in kernel.ask("tp.doctor().to_dict()['torn']")] == ["numpy"]
        healing = kernel.ask("tp.heal().to_dict()")
        assert healing["ok"] is True, healing
        do(kernel, "import numpy.strings, numpy.ma, numpy.testing, scipy.stats, scipy.signal")
        assert kernel.ask("frame.groupby(frame.x % 2).y.sum().tolist()") == [56.0, 84.0]
        assert kernel.ask("float(scipy.linalg.det(np.eye(3) * 2))") == 8.0
        assert kernel.ask("round(float(scipy.stats.norm.cdf(0)), 3)") == 0.5
        do(kernel, "fig, ax = plt.subplots(); frame.plot(ax=ax); fig.savefig('figure.png')")
        assert (data / "figure.png").stat().st_size > 1000
        do(kernel, "rebuilt = pd.read_csv(__import__('io').StringIO(frame.to_csv(index=False)))")
        assert kernel.ask("bool(np.ma.masked_invalid(rebuilt.y).sum() == frame.y.sum())")
        assert kernel.ask("tp.doctor().healthy")


def do(kernel: Kernel, code: str) -> None:
    error = kernel.run(code)[1]
    assert error == "", f"{code}: {error}"
