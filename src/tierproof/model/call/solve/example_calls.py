"""Read example calls of a model: in its module's `__main__` part, in docstrings, and in its distribution's description.

They are read from the syntax tree, and never run.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

from torch import nn

from tierproof.model.call.solve.failed_place import parse_file

_FACTORIES = ("randn", "rand", "zeros", "ones", "empty", "randint", "arange", "full", "tensor", "rand_like")
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_MOST_TEXTS = 40


@dataclass(frozen=True)
class ExampleTensor:
    """A tensor of an example: its shape, and the range of its integers (`high` is 0 for floats, 1 for bools)."""

    shape: tuple[int, ...]
    dtype: str
    high: int = 0


ExampleCall = dict[str, "ExampleTensor | int | bool | float | None"]


def read_example_calls(model: nn.Module, names: tuple[str, ...]) -> list[ExampleCall]:
    """The calls of an instance of the model's class, as name of the parameter → tensor or plain value.

    Args:
        names: the parameters of the forward pass, in order.
    """
    calls: list[ExampleCall] = []
    for tree in _iterate_trees(type(model)):
        for call in _read_tree(tree, type(model).__name__, names):
            if call and call not in calls:
                calls.append(call)
    return calls


def _iterate_trees(cls: type) -> Iterator[ast.Module]:
    """Syntax trees of the class's own file, of examples in its docstrings, and of its distribution's description."""
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    tree = parse_file(path) if isinstance(path, str) else None
    if tree is not None:
        yield from (
            ast.Module(node.body, []) for node in tree.body if isinstance(node, ast.If) and _is_main(node)
        )
    for text in (
        cls.__doc__,
        getattr(getattr(cls, "forward", None), "__doc__", None),
        getattr(module, "__doc__", None),
    ):
        yield from _parse(_read_prompts(text or ""))
    for text in _read_description(cls.__module__, cls.__name__):
        yield from (tree for tree in _parse(text) if _imports(tree, cls))


def _imports(tree: ast.Module, cls: type) -> bool:
    """Whether an example imports this class, and not one of the same name from another module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == cls.__name__ for alias in node.names):
            module = sys.modules.get(node.module or "")
            return getattr(module, cls.__name__, None) is cls
    return any(isinstance(node, ast.Import) for node in ast.walk(tree))


def _is_main(node: ast.If) -> bool:
    return "__name__" in ast.unparse(node.test)


def _parse(text: str) -> Iterator[ast.Module]:
    try:
        if text.strip():
            yield ast.parse(textwrap.dedent(text))
    except (SyntaxError, ValueError):
        return


def _read_prompts(docstring: str) -> str:
    """The code of a docstring's `>>>` examples."""
    lines = [line.strip() for line in docstring.splitlines()]
    return "\n".join(line[4:] for line in lines if line.startswith((">>> ", "... ")))


def _read_description(module: str, cls: str) -> list[str]:
    """The code blocks about a class in the long description of the distribution that lies beside its package."""
    package = module.partition(".")[0]
    root = getattr(sys.modules.get(package), "__file__", None)
    if not isinstance(root, str):
        return []
    word = re.sub(r"[-_.]+", "-", package).lower()
    for folder in sorted(Path(root).parent.parent.glob("*.dist-info")):
        name = re.sub(r"[-_.]+", "-", folder.name.partition("-")[0]).lower()
        if not (name.startswith(word) or word.startswith(name)):
            continue
        description = PathDistribution(folder).read_text("METADATA")
        if isinstance(description, str):
            blocks = [
                text for language, text in _FENCE.findall(description) if language in ("", "py", "python")
            ]
            return [text for text in blocks if cls in text][:_MOST_TEXTS]
    return []


def _read_tree(tree: ast.Module, cls: str, names: tuple[str, ...]) -> Iterator[ExampleCall]:  # noqa: C901
    """Follow assignments from top to bottom: instances of the class, tensors, and then the calls."""
    instances: set[str] = set()
    values: dict[str, ExampleTensor | int | bool | float | None] = {}
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.Expr | ast.Assert)]
    for statement in sorted(statements, key=lambda node: node.lineno):
        value = statement.test if isinstance(statement, ast.Assert) else statement.value
        for node in ast.walk(value):
            if isinstance(node, ast.Call) and _calls_instance(node, cls, instances):
                yield _bind(node, names, values)
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                if _builds(value, cls):
                    instances.add(target.id)
                else:
                    found = _read_value(value, values)
                    if found is not _UNKNOWN:
                        values[target.id] = found  # type: ignore[assignment]
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for each, item in zip(target.elts, value.elts, strict=False):
                    found = _read_value(item, values)
                    if isinstance(each, ast.Name) and found is not _UNKNOWN:
                        values[each.id] = found  # type: ignore[assignment]


_UNKNOWN = object()


def _builds(node: ast.expr, cls: str) -> bool:
    """Whether an expression makes an instance: `Model(…)`, `package.Model(…).eval()`."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == cls:
        return True
    return isinstance(node.func, ast.Attribute) and _builds(node.func.value, cls)


def _calls_instance(node: ast.Call, cls: str, instances: set[str]) -> bool:
    if isinstance(node.func, ast.Name):
        return node.func.id in instances
    if isinstance(node.func, ast.Attribute) and node.func.attr == "forward":
        return isinstance(node.func.value, ast.Name) and node.func.value.id in instances
    return _builds(node.func, cls)


def _bind(node: ast.Call, names: tuple[str, ...], values: Mapping[str, object]) -> ExampleCall:
    bound: ExampleCall = {}
    given = [*zip(names, node.args, strict=False), *((k.arg, k.value) for k in node.keywords if k.arg)]
    for name, argument in given:
        found = _read_value(argument, dict(values))
        if found is _UNKNOWN:
            return {}
        bound[name] = found  # type: ignore[assignment]
    return bound


def _read_value(node: ast.expr, values: dict) -> object:  # type: ignore[type-arg]
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, int | float):
            return value
        case ast.Name(id=name):
            return values.get(name, _UNKNOWN)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=factory)) if factory in _FACTORIES:
            return _read_factory(node, factory, values)
        case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in (
            "cuda", "cpu", "float", "to", "long", "bool", "int", "half", "clone", "requires_grad_",
        ):  # fmt: skip
            found = _read_value(inner, values)
            if isinstance(found, ExampleTensor) and method in ("long", "int"):
                return ExampleTensor(found.shape, "int", found.high or 2)
            if isinstance(found, ExampleTensor) and method == "bool":
                return ExampleTensor(found.shape, "bool", 1)
            return found
    return _UNKNOWN


def _read_factory(node: ast.Call, factory: str, values: dict) -> object:  # type: ignore[type-arg]
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg}
    arguments = list(node.args)
    high = 0
    if factory == "randint":
        bounds = [a for a in arguments if not isinstance(a, ast.Tuple | ast.List)]
        last = _read_value(bounds[-1], values) if bounds else 2
        high = last if isinstance(last, int) else 2
        arguments = [a for a in arguments if isinstance(a, ast.Tuple | ast.List)]
    elif factory == "full":
        arguments = arguments[:1]
    elif factory in ("tensor", "arange"):
        return _UNKNOWN
    if len(arguments) == 1 and isinstance(arguments[0], ast.Tuple | ast.List):
        arguments = list(arguments[0].elts)
    sizes = [_read_value(argument, values) for argument in arguments]
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        return _UNKNOWN
    dtype = keywords.get("dtype", "")
    if "bool" in dtype:
        return ExampleTensor(tuple(sizes), "bool", 1)  # type: ignore[arg-type]
    integral = factory == "randint" or "int" in dtype or "long" in dtype
    return ExampleTensor(tuple(sizes), "int" if integral else "float", max(high, 2) if integral else 0)  # type: ignore[arg-type]
