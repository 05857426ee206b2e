"""The processes that Python text starts outright: `python -c`, `python <<EOF`, `%%python`. Nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_TEXT_CALLS = frozenset({"system", "popen", "getoutput", "getstatusoutput"})
_CALLS = frozenset({"run", "call", "check_call", "check_output", "Popen"})
_SPAWNS = frozenset({"spawnl", "spawnlp", "spawnv", "spawnvp", "spawnle", "spawnlpe", "spawnve", "spawnvpe"})
_EXECS = frozenset(
    {"execl", "execlp", "execv", "execvp", "execle", "execlpe", "execve", "execvpe", "posix_spawn"}
)
_BEFORE_WORDS = dict.fromkeys(_SPAWNS, 2)  # the mode and the file; of the others the file


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
    if name in _TEXT_CALLS:
        return first if isinstance(first, str) else ""
    if name in _CALLS:
        return _read_started(call, first)
    if name in _SPAWNS or name in _EXECS or name == "create_subprocess_exec":
        rest = values[_BEFORE_WORDS.get(name, 1) :] if name != "create_subprocess_exec" else values
        return _as_words(rest[0] if rest and isinstance(rest[0], list) else rest)
    if name in ("main", "_main", "_internal_main") and isinstance(first, list):
        return _as_words(["pip", *first])
    return ""


def _read_started(call: ast.Call, first: object) -> str | list[str]:
    """What `subprocess.run` and its like start."""
    if isinstance(first, list):
        return _as_words(first)
    if not isinstance(first, str):
        return ""
    is_shell = any(each.arg == "shell" and _evaluate(each.value) is True for each in call.keywords)
    return first if is_shell else [first]


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
