"""Which packages count as loaded on a hosted image: what its kernel holds before the first cell, and more."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# What `import X` loads of other distributions, read from sys.modules by file; CPython 3.12, the versions of
# colab:2026.01, with the optional packages present that pandas imports by itself when it finds them
# (bottleneck, numexpr, pyarrow). torch: measured at 2.13, with what 2.9 imports at the top of its modules.
# setuptools: its .pth imports `_distutils_hack` in every interpreter.
_IMPORTS: Mapping[str, frozenset[str]] = {
    "numpy": frozenset({"numpy", "setuptools"}),
    "pandas": frozenset(
        {"bottleneck", "numexpr", "numpy", "pandas", "pyarrow", "python-dateutil", "pytz", "six", "tzdata"}
    ),
    "matplotlib": frozenset(
        {
            "contourpy",
            "cycler",
            "fonttools",
            "kiwisolver",
            "matplotlib",
            "numpy",
            "packaging",
            "pillow",
            "pyparsing",
            "python-dateutil",
            "six",
        }
    ),
    "torch": frozenset({"mpmath", "numpy", "packaging", "sympy", "torch", "tqdm", "typing-extensions"}),
}

# What Colab's kernel holds before the first cell: ipykernel 6.17 and ipython 7.34 with debugpy and psutil,
# measured as above; google-colab and what it imports at the top of its modules (IPython, ipython-genutils,
# numpy, packaging, pexpect, pillow, portpicker, six, tornado, traitlets). google-auth and requests it
# imports late, so that a user may upgrade them ("Avoid forcing a kernel restart", googlecolab/colabtools).
_KERNEL = frozenset(
    {
        "backcall",
        "comm",
        "debugpy",
        "decorator",
        "entrypoints",
        "google-colab",
        "httplib2",
        "ipykernel",
        "ipython",
        "ipython-genutils",
        "jedi",
        "jupyter-client",
        "jupyter-core",
        "matplotlib-inline",
        "nest-asyncio",
        "numpy",
        "packaging",
        "parso",
        "pexpect",
        "pickleshare",
        "pillow",
        "platformdirs",
        "portpicker",
        "prompt-toolkit",
        "psutil",
        "ptyprocess",
        "pygments",
        "python-dateutil",
        "pyzmq",
        "setuptools",
        "six",
        "tornado",
        "traitlets",
        "wcwidth",
    }
)

# google-colab is on no index; its setup.py pins these to what the image has.
PINNED_BY_COLAB = (
    "google-auth",
    "ipykernel",
    "ipyparallel",
    "ipython",
    "notebook",
    "pandas",
    "portpicker",
    "requests",
    "tornado",
)

DEFAULT_IMPORTED = ("numpy", "pandas", "matplotlib", "torch")


def list_loaded(imported: Collection[str] = DEFAULT_IMPORTED, *, kernel: bool = True) -> frozenset[str]:
    """Give the normalised names of the distributions that count as loaded.

    Args:
        imported: distributions that the notebook has imported; of one that was not measured, it alone.
        kernel: whether what the kernel itself holds counts as well.
    """
    names = {name for each in imported for name in _IMPORTS.get(each, frozenset({each}))}
    return frozenset(names | (_KERNEL if kernel else frozenset()))
