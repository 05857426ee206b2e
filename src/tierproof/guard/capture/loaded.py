"""The modules that the calling process has loaded, their files, and whether the code on disk is still the same."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tierproof.guard.capture.module_namespace import iterate_modules, read_file, read_namespace


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """One module of the calling process.

    Attributes:
        name: as in sys.modules.
        file: what it was loaded from; a `.py`, or a native library.
        version: its own `__version__`, empty if it has none that is text.
    """

    name: str
    file: Path
    version: str = ""


def capture_loaded_modules() -> tuple[LoadedModule, ...]:
    """List the modules of this process that come from a file, in the order of their import.

    Nothing is imported and no module's `__getattr__` runs: lazy modules stay as they are.
    """
    found = []
    for name, module, namespace in iterate_modules():
        if not issubclass(type(module), ModuleType):
            continue
        file, version = read_file(namespace), namespace.get("__version__")
        if file:
            found.append(LoadedModule(name, Path(file), version if isinstance(version, str) else ""))
    return tuple(found)


def holds_other_code(module: LoadedModule, source_file: Path | None = None) -> bool:
    """Tell whether the loaded module differs from what its source file, or `source_file`, holds now.

    Compares the code objects of its functions and methods, and a `__version__` that is a literal. A missing
    file counts as different. A module without source (a native library) or without definitions counts as equal.
    """
    source_file = source_file or module.file
    if not source_file.exists():
        return True
    if module.file.suffix != ".py":
        return False
    try:
        source = source_file.read_bytes()
        tree = compile(source, str(module.file), "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        code = compile(source, str(module.file), "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return True
    literal = find_literal_version(tree)
    if module.version and literal and literal != module.version:
        return True
    on_disk = set(iterate_code(code))
    loaded = sys.modules.get(module.name)
    return issubclass(type(loaded), ModuleType) and any(
        each not in on_disk for each in iterate_loaded_code(loaded, str(module.file))
    )


def find_literal_version(tree: ast.AST) -> str:
    """The text that a module's top level assigns to `__version__`; empty if it computes or imports it."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Assign(targets=[ast.Name("__version__")], value=ast.Constant(str(text))):
                return text
            case ast.AnnAssign(target=ast.Name("__version__"), value=ast.Constant(str(text))):
                return text
    return ""


def iterate_code(code: CodeType) -> Iterator[CodeType]:
    """Yield `code` and every code object inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from iterate_code(constant)


def iterate_loaded_code(module: object, file: str) -> Iterator[CodeType]:
    """Yield the code of the functions and methods that `module` itself defines, as compiled from `file`."""
    namespace = read_namespace(module)
    name = namespace.get("__name__")
    for value in list(namespace.values()):
        yield from _code_of(value, name, file)
        if issubclass(type(value), type) and read_namespace(value).get("__module__") == name:
            for member in list(read_namespace(value).values()):
                yield from _code_of(member, name, file)


def _code_of(value: object, module: object, file: str) -> Iterator[CodeType]:
    # By `type`, never `isinstance`: that asks the value itself, and a lazy or deprecated one then wakes up.
    if issubclass(type(value), staticmethod | classmethod):
        value = getattr(value, "__func__", None)
    if type(value) is not FunctionType or value.__module__ != module:
        return
    code = value.__code__
    # What was made by exec (named tuples, data classes) has another file name and no counterpart on disk.
    # Only what a decorator returned closes over variables here; some dress it up as what they decorated.
    if code.co_filename == file and set(code.co_freevars) <= {"__class__"}:
        yield code


def find_own_modules(modules: Iterable[tuple[LoadedModule, Path]], root: Path) -> tuple[LoadedModule, ...]:
    """The modules under which a distribution is imported: those nearest the top, in their order.

    A module that lies elsewhere than its name says (setuptools/_vendor/packaging as `packaging`) is vendored
    and never counts.

    Args:
        modules: of one distribution, each with its file's real path.
        root: the site directory.
    """
    own = [module for module, path in modules if _lies_where_it_is_named(module.name, path, root)]
    depth = min((module.name.count(".") for module in own), default=0)
    return tuple(module for module in own if module.name.count(".") == depth)


def _lies_where_it_is_named(name: str, path: Path, root: Path) -> bool:
    try:
        parts = path.relative_to(root).parts
    except ValueError:
        return False
    last = parts[-1].partition(".")[0]
    return (*parts[:-1], last) == tuple(name.split(".")) or (
        last == "__init__" and parts[:-1] == tuple(name.split("."))
    )


def choose_version(modules: Iterable[LoadedModule]) -> str:
    """The `__version__` of the first of a distribution's own modules that has one; else empty."""
    return next((module.version for module in modules if module.version), "")
