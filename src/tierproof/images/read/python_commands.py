"""The commands that Python code starts, in the order in which it would start them. Nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tierproof.images.read.cell_code import PLACEHOLDER
from tierproof.images.read.constant_value import NotConstant, evaluate

_SHELLS = frozenset({"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"})
_STARTERS = frozenset(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))
_PIP_CALLS = frozenset({"pip.main", "pip._internal.main", "pip._internal.cli.main.main"})
_OWN_CALLS = frozenset({"tierproof.install", "tp.install"})
_SHELL_METHODS = frozenset({"system", "system_raw", "system_piped", "getoutput"})
_MUTATORS = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"})
_MOST_ROUNDS = 50
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class PythonCommand:
    """One command.

    Attributes:
        line: of the Python text, from 1.
        conditional: it may not run.
        shell_line: index of the shell line that the placeholder stands for; None for other calls.
        text: for a shell.
        words: of a process that is started without a shell.
        magic: name and line of a line magic that is called as a function.
        unknown: the call, if the command is only known at run time.
        names: the variables at that moment, which a shell line may use.
    """

    line: int
    conditional: bool
    shell_line: int | None = None
    text: str = ""
    words: tuple[str, ...] = ()
    magic: tuple[str, str] | None = None
    unknown: str = ""
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class PythonFollower:
    """Follows a notebook's Python from cell to cell: variables, imports and functions are remembered."""

    names: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    defined_in: dict[str, int] = field(default_factory=dict)

    def follow(self, tree: ast.Module) -> Iterator[PythonCommand]:
        """Yield the commands of a cell."""
        yield from self._follow_all(tree.body, False, 0)

    def follow_uncalled(self, name: str) -> Iterator[PythonCommand]:
        """Yield the commands of a function that is never called in the notebook."""
        yield from self._follow_body(self.functions[name], {}, True, _DEEPEST)

    def _follow_all(self, body: Sequence[ast.stmt], conditional: bool, depth: int) -> Iterator[PythonCommand]:
        for statement in body:
            yield from self._follow_one(statement, conditional, depth)

    def _follow_one(self, statement: ast.stmt, conditional: bool, depth: int) -> Iterator[PythonCommand]:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._note_import(statement)
            case ast.FunctionDef(name=name):
                self.functions[name] = statement
            case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
                yield from self._find_calls(test, conditional, depth)
                yield from self._follow_all(body, True, depth)
                yield from self._follow_all(orelse, True, depth)
            case ast.For():
                yield from self._follow_loop(statement, conditional, depth)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                yield from self._follow_all(body, conditional, depth)
                for handler in handlers:
                    yield from self._follow_all(handler.body, True, depth)
                yield from self._follow_all(orelse, True, depth)
                yield from self._follow_all(final, conditional, depth)
            case ast.With(items=items, body=body):
                for item in items:
                    yield from self._find_calls(item.context_expr, conditional, depth)
                yield from self._follow_all(body, conditional, depth)
            case _:
                yield from self._find_calls(statement, conditional, depth)
                self._note_assignment(statement)

    def _note_assignment(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="get_ipython"))):
                self.aliases[name] = "get_ipython()"
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._assign(name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._assign(name, value)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
                self._assign(name, ast.BinOp(ast.Name(name), ast.Add(), value))

    def _assign(self, name: str, value: ast.expr) -> None:
        try:
            self.names[name] = evaluate(value, self.names)
        except NotConstant:
            self.names.pop(name, None)

    def _follow_loop(self, loop: ast.For, conditional: bool, depth: int) -> Iterator[PythonCommand]:
        try:
            rounds = evaluate(loop.iter, self.names)
        except NotConstant:
            rounds = None
        if (
            not isinstance(loop.target, ast.Name)
            or not isinstance(rounds, list)
            or len(rounds) > _MOST_ROUNDS
        ):
            for name in ast.walk(loop.target):
                if isinstance(name, ast.Name):
                    self.names.pop(name.id, None)
            yield from self._follow_all(loop.body, True, depth)
            return
        for value in rounds:
            self.names[loop.target.id] = value
            yield from self._follow_all(loop.body, conditional, depth)

    def _note_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            if isinstance(statement, ast.ImportFrom) and alias.name == "*":
                known = [name for name in (*_SHELLS, *_STARTERS) if name.startswith(f"{statement.module}.")]
                self.aliases |= {name.rpartition(".")[2]: name for name in known}
            elif isinstance(statement, ast.ImportFrom):
                self.aliases[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
            elif alias.asname:
                self.aliases[alias.asname] = alias.name

    def _find_calls(self, node: ast.AST, conditional: bool, depth: int) -> Iterator[PythonCommand]:
        for call in sorted(
            (each for each in ast.walk(node) if isinstance(each, ast.Call)),
            key=lambda each: (each.lineno, each.col_offset),
        ):
            yield from self._read_call(call, conditional, depth)

    def _read_call(self, call: ast.Call, conditional: bool, depth: int) -> Iterator[PythonCommand]:
        name = self._find_name(call.func)
        self._note_mutation(call)
        if name == PLACEHOLDER and isinstance(call.args[0], ast.Constant):
            index = int(str(call.args[0].value))
            yield PythonCommand(call.lineno, conditional, shell_line=index, names=dict(self.names))
        elif name in self.functions and depth < _DEEPEST:
            self.called.add(name)
            yield from self._enter(call, self.functions[name], conditional, depth)
        elif name.startswith("get_ipython()."):
            yield from self._read_shell_method(name.rpartition(".")[2], call, conditional)
        elif name in _SHELLS:
            yield self._read_process(call, conditional, first=call.args[:1])
        elif name in _STARTERS:
            yield self._read_start(call, conditional)
        elif name in _PIP_CALLS:
            yield self._read_process(call, conditional, first=call.args[:1], before=("pip",))
        elif name in _OWN_CALLS:
            yield self._read_process(call, conditional, first=call.args, before=("tierproof", "install"))

    def _note_mutation(self, call: ast.Call) -> None:
        """Follow `list.append` and `list.extend`; after any other change of a list nothing is known of it."""
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr=method) if isinstance(
                self.names.get(name), list
            ):
                known = self.names[name]
            case _:
                return
        try:
            given = [evaluate(each, self.names) for each in call.args]
        except NotConstant:
            given = []
        if method == "append" and len(given) == 1:
            known.append(given[0])
        elif method == "extend" and len(given) == 1 and isinstance(given[0], list):
            known.extend(given[0])
        elif method in _MUTATORS:
            self.names = {key: value for key, value in self.names.items() if value is not known}

    def _enter(
        self, call: ast.Call, function: ast.FunctionDef, conditional: bool, depth: int
    ) -> Iterator[PythonCommand]:
        names = [each.arg for each in function.args.args]
        given: dict[str, Any] = {}
        pairs = [
            *zip(names, call.args, strict=False),
            *((each.arg or "", each.value) for each in call.keywords),
        ]
        for name, value in pairs:
            try:
                given[name] = evaluate(value, self.names)
            except NotConstant:
                continue
        if function.args.vararg and len(call.args) > len(names):
            try:
                given[function.args.vararg.arg] = [
                    evaluate(each, self.names) for each in call.args[len(names) :]
                ]
            except NotConstant:
                given.pop(function.args.vararg.arg, None)
        yield from self._follow_body(function, given, conditional, depth + 1)

    def _follow_body(
        self, function: ast.FunctionDef, given: dict[str, Any], conditional: bool, depth: int
    ) -> Iterator[PythonCommand]:
        outer = dict(self.names)
        every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        every += [each for each in (function.args.vararg, function.args.kwarg) if each is not None]
        for parameter in every:
            self.names.pop(parameter.arg, None)
        self.names |= given
        yield from self._follow_all(function.body, conditional, depth)
        self.names = outer

    def _find_name(self, node: ast.expr) -> str:
        """Give the dotted name of what is called, imports followed; empty for anything else."""
        match node:
            case ast.Name(id=name):
                return self.aliases.get(name, name)
            case ast.Attribute(value=value, attr=attribute):
                owner = self._find_name(value)
                return f"{owner}.{attribute}" if owner else ""
            case ast.Call(func=ast.Name(id="get_ipython")):
                return "get_ipython()"
        return ""

    def _read_shell_method(self, method: str, call: ast.Call, conditional: bool) -> Iterator[PythonCommand]:
        if method in _SHELL_METHODS:
            yield self._read_process(call, conditional, first=call.args[:1])
        elif method in ("run_cell", "run_code", "ex"):
            yield self._tell_unknown(call, conditional)
        elif method in ("run_line_magic", "magic", "run_cell_magic"):
            try:
                given = [str(evaluate(each, self.names)) for each in call.args]
            except NotConstant:
                yield self._tell_unknown(call, conditional)
                return
            if method == "magic" and given:
                name, _, line = given[0].lstrip("%").partition(" ")
                yield PythonCommand(call.lineno, conditional, magic=(name, line))
            elif method == "run_line_magic" and len(given) == 2:
                yield PythonCommand(call.lineno, conditional, magic=(given[0], given[1]))
            elif method == "run_cell_magic" and len(given) == 3:
                yield PythonCommand(call.lineno, conditional, text=f"{given[2]}")

    def _read_start(self, call: ast.Call, conditional: bool) -> PythonCommand:
        """Read a call of subprocess: with a shell, a text is a script; without one, it is a program's name."""
        found = self._read_process(call, conditional, first=call.args[:1])
        given = next((each.value for each in call.keywords if each.arg == "shell"), ast.Constant(False))
        if not isinstance(given, ast.Constant) or found.unknown:
            return found
        if given.value:
            return replace(found, words=(), text=found.text or "".join(found.words[:1]))
        return replace(found, text="", words=found.words or ((found.text,) if found.text else ()))

    def _read_process(
        self, call: ast.Call, conditional: bool, first: list[ast.expr], before: tuple[str, ...] = ()
    ) -> PythonCommand:
        given = first or [each.value for each in call.keywords if each.arg == "args"]
        try:
            values = [evaluate(each, self.names) for each in given]
        except NotConstant:
            return self._tell_unknown(call, conditional)
        if before:
            words = [
                str(word) for value in values for word in (value if isinstance(value, list) else [value])
            ]
            return PythonCommand(call.lineno, conditional, words=(*before, *words))
        value = values[0] if values else ""
        if isinstance(value, list):
            return PythonCommand(call.lineno, conditional, words=tuple(str(word) for word in value))
        return PythonCommand(call.lineno, conditional, text=str(value))

    def _tell_unknown(self, call: ast.Call, conditional: bool) -> PythonCommand:
        return PythonCommand(call.lineno, conditional, unknown=" ".join(ast.unparse(call).split()))
