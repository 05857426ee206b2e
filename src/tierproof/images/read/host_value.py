"""Expressions that ask which machine a notebook runs on: its variables, modules, versions and folders."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from tierproof.images.lists.hosted_service import SOME_TEXT, HostedService

# What `evaluate_on_host` returns for an expression that asks nothing of the machine.
NOTHING: Any = object()
_Evaluate = Callable[[ast.AST], Any]
_VARIABLE_CALLS = ("os.environ.get", "os.getenv", "environ.get", "getenv")
_PYTHON_CALLS = ("platform.python_version", "python_version")


class _UnknownError(LookupError):
    """The machine is not known well enough."""


class Variables:
    """`os.environ`: what is known of it."""

    def __init__(self, host: HostedService) -> None:
        self._host = host

    def __contains__(self, name: object) -> bool:
        return _know(self._host.has_variable(str(name)))

    def __bool__(self) -> bool:
        return True


class JoinedNames:
    """The names of all variables, or all modules, as one text."""

    def __init__(self, contains: Callable[[str], bool | None]) -> None:
        self._contains = contains

    def __contains__(self, part: object) -> bool:
        return _know(self._contains(str(part)))


class SomeText:
    """A text that is not empty; nothing else is known of it."""

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        raise _UnknownError("a text that is not known")

    def __hash__(self) -> int:
        raise _UnknownError("a text that is not known")

    def __str__(self) -> str:
        raise _UnknownError("a text that is not known")


def evaluate_on_host(node: ast.AST, host: HostedService, evaluate: _Evaluate) -> Any:
    """Return the value of an expression that asks something of the machine; NOTHING for any other.

    Raises:
        LookupError: the machine is not known well enough.
    """
    if isinstance(node, ast.Attribute):
        return _read_attribute(node, host)
    if isinstance(node, ast.Call):
        return _read_call(node, host, evaluate)
    if isinstance(node, ast.Subscript) and _spell(node.value) in ("os.environ", "environ"):
        return _read_variable(str(evaluate(node.slice)), host)
    if isinstance(node, ast.Name) and node.id == "environ":
        return Variables(host)
    return NOTHING


def _read_attribute(node: ast.Attribute, host: HostedService) -> Any:
    spelled = _spell(node)
    if spelled == "os.environ":
        return Variables(host)
    if spelled == "sys.modules":
        return JoinedNames(lambda name: _is_loaded(name, host))
    if spelled in ("sys.version_info", "sys.version_info.minor", "sys.version_info.major"):
        parts = [int(part) for part in _require(host.python).split(".")]
        named = {"major": parts[0], "minor": parts[1]}
        return named.get(spelled.rpartition(".")[2], parts)
    if spelled == "sys.version":
        return f"{_require(host.python)} (main)"
    if spelled == "sys.platform":
        return "linux" if host.python else NOTHING
    if node.attr == "__version__" and isinstance(node.value, ast.Name):
        return _require(host.version(node.value.id))
    return NOTHING


def _read_call(node: ast.Call, host: HostedService, evaluate: _Evaluate) -> Any:
    name, given = _spell(node.func), node.args
    if name in _VARIABLE_CALLS and given:
        return _read_variable_call(given, host, evaluate)
    if name in ("os.environ.keys", "environ.keys"):
        return Variables(host)
    if name in ("str", "any") or (isinstance(node.func, ast.Attribute) and node.func.attr == "join"):
        return _read_names(node, name, host, evaluate)
    if name == "torch.cuda.is_available":
        return _require(host.hardware) == "gpu"
    if name in _PYTHON_CALLS:
        return _require(host.python)
    answer = _ANSWERS.get(name)
    return NOTHING if answer is None or not given else answer(host, str(evaluate(given[0])))


def _read_variable_call(given: list[ast.expr], host: HostedService, evaluate: _Evaluate) -> Any:
    asked = str(evaluate(given[0]))
    if _know(host.has_variable(asked)):
        return _read_variable(asked, host)
    return evaluate(given[1]) if len(given) > 1 else None


def _read_names(node: ast.Call, name: str, host: HostedService, evaluate: _Evaluate) -> Any:
    """Read what makes one text of the names of variables, `any` over them, and `str(get_ipython())`."""
    if len(node.args) != 1:
        return NOTHING
    (given,) = node.args
    if name == "any":
        is_loop = isinstance(given, ast.GeneratorExp | ast.ListComp)
        return _read_any(given, host, evaluate) if is_loop else NOTHING
    if name == "str" and _spell(given) == "get_ipython()":
        return f"<{_require(host.shell_module)}.Shell object>"
    is_names = isinstance(given, ast.Call | ast.Attribute | ast.Name) and isinstance(
        evaluate_on_host(given, host, evaluate), Variables
    )
    return JoinedNames(host.has_variable_like) if is_names else NOTHING


def _read_any(node: ast.expr, host: HostedService, evaluate: _Evaluate) -> Any:
    """Read `any(name.startswith("COLAB_") for name in os.environ)`, and the same with `in`."""
    assert isinstance(node, ast.GeneratorExp | ast.ListComp)
    loop, *more = node.generators
    if more or loop.ifs or not isinstance(evaluate_on_host(loop.iter, host, evaluate), Variables):
        return NOTHING
    match node.elt:
        case (
            ast.Call(func=ast.Attribute(attr="startswith"), args=[part])
            | ast.Compare(left=part, ops=[ast.In()])
        ):
            return _know(host.has_variable_like(str(evaluate(part))))
    return NOTHING


def _read_variable(name: str, host: HostedService) -> str | SomeText:
    if not _know(host.has_variable(name)):
        raise KeyError(name)
    value = host.variable(name)
    if value is None:
        raise _UnknownError(name)
    return SomeText() if value == SOME_TEXT else value


def _is_loaded(name: str, host: HostedService) -> bool | None:
    """A module of the service is there from the start; of any other only its import would tell."""
    known = host.has_module(name)
    return known if known is False or name.startswith("google.colab") else None


def _know(answer: bool | None) -> bool:
    if answer is None:
        raise _UnknownError("not known")
    return answer


def _require(text: str) -> str:
    if not text:
        raise _UnknownError("not known")
    return text


def _spell(node: ast.AST) -> str:
    """Give the dotted name of an expression; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            owner = _spell(value)
            return f"{owner}.{attribute}" if owner else ""
        case ast.Call(func=function, args=[], keywords=[]):
            return f"{_spell(function)}()"
    return ""


def _find_module(host: HostedService, name: str) -> object:
    return True if _know(host.has_module(name)) else None


# What a call that asks about one name returns.
_ANSWERS: Mapping[str, Callable[[HostedService, str], object]] = {
    **dict.fromkeys(("importlib.util.find_spec", "util.find_spec", "find_spec"), _find_module),
    **dict.fromkeys(
        ("importlib.metadata.version", "metadata.version", "version"),
        lambda host, name: _require(host.version(name)),
    ),
    **dict.fromkeys(
        ("os.path.exists", "os.path.isdir", "exists", "isdir"),
        lambda host, path: _know(host.has_folder(path)),
    ),
}
