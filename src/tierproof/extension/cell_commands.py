"""Commands that a cell names outright: judged before its first line runs.

What stands in a branch, a loop or a function may never run, and what holds variables is not known yet: both
are judged where they run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tierproof.extension.stopped import InstallStopped
from tierproof.extension.watch import Watch
from tierproof.guard.commands.notebook_magics import (
    PYTHON_MAGICS,
    SCRIPT_MAGICS,
    tell_cell_script,
    tell_magic_command,
)

_METHODS = ("system", "getoutput")  # what IPython makes of `!`; others are judged where they run


def find_commands(tree: ast.AST) -> Iterator[str]:
    """Yield the shell text that the top level of a cell runs for certain, in order."""
    for statement in getattr(tree, "body", []):
        if not isinstance(statement, ast.Expr | ast.Assign):
            continue
        for node in ast.walk(statement):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Call(func=ast.Name("get_ipython")), attr=str(method)),
                    args=arguments,
                ):
                    words = [each.value for each in arguments if isinstance(each, ast.Constant)]
                    if len(words) == len(arguments) and all(isinstance(word, str) for word in words):
                        yield from _read_call(method, [str(word) for word in words])


def _read_call(method: str, words: list[str]) -> Iterator[str]:
    told = ""
    if method in _METHODS and len(words) == 1:
        told = words[0]
    elif method == "run_line_magic" and len(words) == 2:
        told = tell_magic_command(words[0], words[1], sys.executable)
    elif method == "run_cell_magic" and len(words) == 3 and words[0] in (*SCRIPT_MAGICS, *PYTHON_MAGICS):
        yield tell_cell_script(*words)  # variables in a script are the shell's
        return
    if told and "$" not in told and "{" not in told:
        yield told


class CellJudge:
    """An AST transformer that changes nothing: it rejects a cell whose commands would change what is loaded.

    Args:
        watch: judges.
        reject: makes of a stop the error that IPython takes as a rejection.
    """

    def __init__(self, watch: Watch, reject: Callable[[InstallStopped], Exception]) -> None:
        self._watch = watch
        self._reject = reject

    def visit(self, tree: Any) -> Any:
        """Judge the commands of a cell; the tree is given back as it came.

        Raises:
            InputRejected: one of them would change what is loaded.
        """
        try:
            texts = list(find_commands(tree))
        except Exception as error:  # noqa: BLE001 - told; IPython would drop this judge for good
            self._watch.report("reading the commands of a cell", error)
            texts = []
        for text in texts:
            try:
                self._watch.consider_text(text)
            except InstallStopped as stop:
                raise self._reject(stop) from None
        return tree
