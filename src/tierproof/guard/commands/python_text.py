"""The processes that Python text starts outright: `python -c`, `python <<EOF`, `%%python`. Nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_TEXT_CALLS = frozenset({"system", "popen", "getoutput", "getstatusoutput"})
_CALLS = frozenset({"run", "call", "check_call", "check_output", "Popen", "create_subprocess_exec"})
_SPAWNS = frozenset({"spawnl", "spawnlp", "spawnv", "spawnvp", "spawnle", "spawnlpe", "spawnve", "spawnvpe"})
_EXECS = frozenset(
    {"execl", "execlp", "execv", "execvp", "execle", "execlpe", "execve", "execvpe", "posix_spawn"}
)


def find_python_commands(code: str) -> Iterator[str | list[str]]:
    """Yield the shell text or the words of each process that `code` starts with literal arguments.

    Calls in functions and branches count too: what is not certain to run is better told than missed.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found = _read_call(node)
            if found:
                yield found


def _read_call(call: ast.Call) -> str | list[str]:
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    values = [_evaluate(each) for each in call.args]
    first = values[0] if values else None
    if name in _TEXT_CALLS and isinstance(first, str):
        return first
    if name in _CALLS:
        shell = any(each.arg == "shell" and _evaluate(each.value) is True for each in call.keywords)
        if isinstance(first, str):
            return first if shell or " " not in first else [first]
        if isinstance(first, list):
            return _as_words(first)
        if first is None and name != "create_subprocess_exec":
            return ""
    if name == "create_subprocess_exec":
        return _as_words(values)
    if name in _SPAWNS or name in _EXECS:
        skipped = 1 if name in _SPAWNS else 0
        rest = values[skipped + 1 :]
        if rest and isinstance(rest[0], list):
            rest = rest[0]
        return _as_words(rest)
    if name in ("main", "_main", "_internal_main") and isinstance(first, list):
        return _as_words(["pip", *first])
    if name == "run_module" and first == "pip":
        return []
    return ""


def _as_words(values: list[object]) -> list[str]:
    words = [value for value in values if isinstance(value, str)]
    return words if len(words) == len(values) else []


def _evaluate(node: ast.expr) -> object:
    """The value of a literal; `sys.executable` is `python`, and what is not known is None."""
    match node:
        case ast.Constant(value):
            return value
        case ast.List(elts) | ast.Tuple(elts):
            return [_evaluate(each) for each in elts]
        case ast.Attribute(value=ast.Name("sys"), attr="executable"):
            return "python"
        case ast.Call(func=ast.Attribute(value=inner, attr="split"), args=[]):
            text = _evaluate(inner)
            return text.split() if isinstance(text, str) else None
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _evaluate(left), _evaluate(right)
            if isinstance(first, str) and isinstance(second, str):
                return first + second
            return [*first, *second] if isinstance(first, list) and isinstance(second, list) else None
    return None
