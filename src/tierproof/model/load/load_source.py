"""Run a Python file, or import a module by name, and return its namespace."""

from __future__ import annotations

import importlib
import io
import sys
import tokenize
from pathlib import Path
from types import CodeType, ModuleType

from tierproof.model.load.import_scope import ImportScope
from tierproof.model.load.target import TargetError
from tierproof.model.load.user_error import explain_user_error

_FALLBACK_NAME = "_tierproof_target"


def load_file(path: Path) -> tuple[ModuleType, ImportScope]:
    """Run the file at `path` as an imported module, never as `__main__`.

    It can import its siblings, also relatively if its folder is a package. The module is in `sys.modules` only
    while the scope is entered.

    Raises:
        TargetError: when the file is absent, unreadable, not UTF-8, not Python, or raises.
    """
    code = compile_file(path)
    path = path.resolve()
    package = _find_package(path.parent)
    root = path.parent if package is None else _go_up(path.parent, package.count(".") + 1)
    scope = ImportScope(path.parent, root) if package else ImportScope(path.parent)
    with scope:
        if package and path.stem.isidentifier():
            return _import_member(f"{package}.{path.stem}", path), scope
        return _run(code, path, scope), scope


def load_import(name: str) -> tuple[ModuleType, ImportScope]:
    """Import the module `name`, also from the current folder.

    Raises:
        TargetError: when it is not found, or its import raises.
    """
    folder = Path.cwd()
    scope = ImportScope(folder)
    with scope:
        try:
            return importlib.import_module(name), scope
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise explain_user_error(error, folder, f"importing {name}") from error
            raise TargetError(
                f"cannot import {name!r}: there is no module {error.name!r}",
                hint="Run tierproof in the folder or environment that has it, or name its file: PATH.py:NAME.",
            ) from error
        except (Exception, SystemExit) as error:
            raise explain_user_error(error, folder, f"importing {name}") from error


def compile_file(path: Path) -> CodeType:
    """Compile the file at `path`.

    Raises:
        TargetError: when it is absent, a folder, unreadable, not in its declared encoding, or not Python.
    """
    doing = f"loading {path}"
    try:
        source = path.read_bytes()
    except FileNotFoundError as error:
        raise TargetError(
            f"there is no file {path}", hint="Check the spelling and the current folder."
        ) from error
    except OSError as error:
        raise TargetError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Check that it is a file and that you may read it.",
        ) from error
    _refuse_undecodable(source, path)
    try:
        return compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise explain_user_error(error, path.parent, doing) from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting too deep
        raise TargetError(
            f"{path} is not Python source: {error}", hint="Pass a file of Python source code."
        ) from error


def _refuse_undecodable(source: bytes, path: Path) -> None:
    encoding, complaint = "utf-8", ""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:  # a stray byte in the first lines, or a declaration that cannot be
        complaint = str(error.msg)
    try:
        source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise TargetError(
            f"{path}:{line}: the file is not {encoding.upper()} (byte 0x{source[error.start]:02x})",
            hint="Save it as UTF-8, or declare its encoding in the first line.",
        ) from error
    if complaint:
        raise TargetError(
            f"{path}: {complaint}", hint="Save it as UTF-8 and remove its encoding declaration."
        )


def _run(code: CodeType, path: Path, scope: ImportScope) -> ModuleType:
    name = path.stem
    if not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names:
        name = _FALLBACK_NAME
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__package__ = ""
    code = code.replace(co_filename=str(path))
    scope.register(module)
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        scope.discard(module)
        raise explain_user_error(error, path.parent, f"loading {path.name}") from error
    return module


def _import_member(name: str, path: Path) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise explain_user_error(error, path.parent, f"loading {path.name}") from error
    found = getattr(module, "__file__", None)
    if not isinstance(found, str) or Path(found).resolve() != path:
        raise TargetError(
            f"{path} is part of a package, but importing {name!r} loads {found}",
            hint="Rename the folder, because another module has that name, or remove its `__init__.py`.",
        )
    return module


def _find_package(folder: Path) -> str | None:
    """The dotted name of the package that `folder` is; None where it has no `__init__.py`."""
    names: list[str] = []
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names) or None


def _go_up(folder: Path, levels: int) -> Path:
    for _ in range(levels):
        folder = folder.parent
    return folder
