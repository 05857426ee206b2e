"""The commands that Python code starts, in the order in which it would start them. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tierproof.images.lists.hosted_service import HostedService
from tierproof.images.read.cell_code import PLACEHOLDER
from tierproof.images.read.constant_value import NotConstant, decide, evaluate
from tierproof.images.read.other_installer import is_preparing
from tierproof.images.read.process_call import (
    SCRIPT_RUNNERS,
    read_process,
    read_script_run,
    read_shell_method,
    read_start,
)
from tierproof.images.read.python_command import PythonCommand

_SHELLS = frozenset({"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"})
_STARTERS = frozenset(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))
_PIP_CALLS = frozenset({"pip.main", "pip._internal.main", "pip._internal.cli.main.main"})
_OWN_CALLS = frozenset({"tierproof.install", "tp.install"})
# Each puts another Python in the place of the kernel's.
_REPLACING = re.compile(r"condacolab\.install(_\w+)?\Z")
_MUTATORS = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"})
_MOST_ROUNDS = 50
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class _Way:
    """How certain it is that a statement runs: for sure, perhaps, or not on this machine."""

    conditional: bool = False
    skipped: str = ""
    depth: int = 0


@dataclass(slots=True)
class PythonFollower:
    """Follows a notebook's Python from cell to cell: variables, imports and functions are remembered.

    Attributes:
        host: the machine that it would run on.
        names: the variables that are known.
        aliases: what imported names stand for.
        functions: by name.
        called: names of functions that were called.
        defined_in: the cell of each function.
        opened: files that are open for writing, by the name of the variable, and whether they are appended to.
    """

    host: HostedService = field(default_factory=HostedService)
    names: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    defined_in: dict[str, int] = field(default_factory=dict)
    opened: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def follow(self, tree: ast.Module) -> Iterator[PythonCommand]:
        """Yield the commands of a cell."""
        yield from self._follow_all(tree.body, _Way())

    def follow_uncalled(self, name: str) -> Iterator[PythonCommand]:
        """Yield the commands of a function that is never called in the notebook."""
        yield from self._follow_body(self.functions[name], {}, _Way(True, depth=_DEEPEST))

    def _follow_all(self, body: Sequence[ast.stmt], way: _Way) -> Iterator[PythonCommand]:
        for statement in body:
            yield from self._follow_one(statement, way)

    def _follow_one(self, statement: ast.stmt, way: _Way) -> Iterator[PythonCommand]:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._note_import(statement)
            case ast.FunctionDef(name=name):
                self.functions[name] = statement
            case ast.If():
                yield from self._follow_if(statement, way)
            case ast.While(test=test, body=body, orelse=orelse):
                yield from self._find_calls(test, way)
                yield from self._follow_all([*body, *orelse], replace(way, conditional=True))
            case ast.For():
                yield from self._follow_loop(statement, way)
            case ast.Try():
                yield from self._follow_try(statement, way)
            case ast.With(items=items, body=body):
                for item in items:
                    yield from self._find_calls(item.context_expr, way)
                    self._note_opened(item)
                yield from self._follow_all(body, way)
            case _:
                yield from self._find_calls(statement, way)
                self._note_assignment(statement)

    def _follow_if(self, statement: ast.If, way: _Way) -> Iterator[PythonCommand]:
        yield from self._find_calls(statement.test, way)
        holds = decide(statement.test, self.names, self.host)
        if holds is None:
            maybe = replace(way, conditional=True)
            yield from self._follow_either([statement.body, statement.orelse], maybe)
            return
        taken, left = (statement.body, statement.orelse) if holds else (statement.orelse, statement.body)
        told = " ".join(ast.unparse(statement.test).split())
        yield from self._skip(left, way, f"`{told}` is {'true' if holds else 'false'} on this image")
        yield from self._follow_all(taken, way)

    def _follow_try(self, statement: ast.Try, way: _Way) -> Iterator[PythonCommand]:
        """Follow `try`: whether an import succeeds decides which way it goes, where that is known."""
        before = dict(self.names)
        handlers = [handler.body for handler in statement.handlers]
        outcome, at = self._foresee_body(statement.body, before)
        if outcome is False:
            yield from self._follow_all(statement.body[:at], way)
            told = " ".join(ast.unparse(statement.body[at]).split())
            yield from self._skip(
                [*statement.body[at + 1 :], *statement.orelse], way, f"`{told}` fails on this image"
            )
            yield from (
                self._follow_either(handlers, way)
                if len(handlers) > 1
                else self._follow_all(handlers[0] if handlers else [], way)
            )
        else:
            yield from self._follow_all(statement.body, way)
            if outcome:
                for body in handlers:
                    yield from self._skip(body, way, "the `try` block raises no error on this image")
            else:
                after = dict(self.names)
                yield from self._follow_handlers(handlers, replace(way, conditional=True), before, after)
            yield from self._follow_all(statement.orelse, way if outcome else replace(way, conditional=True))
        yield from self._follow_all(statement.finalbody, way)

    def _foresee_body(self, body: Sequence[ast.stmt], before: dict[str, Any]) -> tuple[bool | None, int]:
        """Tell whether a body runs to its end (None: not known), and at which statement it fails."""
        known = dict(before)
        outcome: bool | None = True
        for at, statement in enumerate(body):
            succeeds = self._foresee_statement(statement, known)
            if succeeds is False and outcome:
                return False, at
            outcome = outcome if succeeds else None
        return outcome, 0

    def _foresee_statement(self, statement: ast.stmt, known: dict[str, Any]) -> bool | None:
        match statement:
            case ast.Import(names=names):
                found = [self.host.has_module(each.name) for each in names]
                return False if False in found else (True if all(found) else None)
            case ast.ImportFrom(module=str(module), level=0):
                return self.host.has_module(module)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    known[name] = evaluate(value, known, self.host)
                except NotConstant:
                    return None
                return True
            case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.FunctionDef():
                return True
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
                return True
        return None

    def _follow_handlers(
        self, handlers: list[list[ast.stmt]], way: _Way, before: dict[str, Any], after: dict[str, Any]
    ) -> Iterator[PythonCommand]:
        """Follow what may be done after a failure; a variable that then differs is not known."""
        kept = after
        for body in handlers:
            self.names = {**before}
            yield from self._follow_all(body, way)
            kept = {name: value for name, value in kept.items() if self._agrees(name, value)}
        self.names = kept

    def _agrees(self, name: str, value: Any) -> bool:
        return name in self.names and self.names[name] == value

    def _follow_either(self, bodies: Sequence[Sequence[ast.stmt]], way: _Way) -> Iterator[PythonCommand]:
        """Follow branches of which one is taken; a variable on which they do not agree is not known."""
        before, kept = self.names, None
        for body in bodies:
            self.names = dict(before)
            yield from self._follow_all(body, way)
            if kept is None:
                kept = self.names
            else:
                kept = {name: value for name, value in kept.items() if self._agrees(name, value)}
        self.names = kept or {}

    def _skip(self, body: Sequence[ast.stmt], way: _Way, reason: str) -> Iterator[PythonCommand]:
        """Follow what does not run there, so that it can be listed; it changes nothing."""
        names, aliases, functions = dict(self.names), dict(self.aliases), dict(self.functions)
        yield from self._follow_all(body, replace(way, skipped=way.skipped or reason))
        self.names, self.aliases, self.functions = names, aliases, functions

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
            self.names[name] = evaluate(value, self.names, self.host)
        except NotConstant:
            self.names.pop(name, None)

    def _follow_loop(self, loop: ast.For, way: _Way) -> Iterator[PythonCommand]:
        try:
            rounds = evaluate(loop.iter, self.names, self.host)
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
            yield from self._follow_all(loop.body, replace(way, conditional=True))
            return
        for value in rounds:
            self.names[loop.target.id] = value
            yield from self._follow_all(loop.body, way)

    def _note_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            if isinstance(statement, ast.ImportFrom) and alias.name == "*":
                known = [name for name in (*_SHELLS, *_STARTERS) if name.startswith(f"{statement.module}.")]
                self.aliases |= {name.rpartition(".")[2]: name for name in known}
            elif isinstance(statement, ast.ImportFrom):
                self.aliases[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
            elif alias.asname:
                self.aliases[alias.asname] = alias.name

    def _find_calls(self, node: ast.AST, way: _Way) -> Iterator[PythonCommand]:
        for call in sorted(
            (each for each in ast.walk(node) if isinstance(each, ast.Call)),
            key=lambda each: (each.lineno, each.col_offset),
        ):
            for command in self._read_call(call, way):
                yield replace(command, skipped=way.skipped)

    def _read_call(self, call: ast.Call, way: _Way) -> Iterator[PythonCommand]:
        name = self._find_name(call.func)
        conditional = way.conditional
        self._note_mutation(call)
        if name == PLACEHOLDER and isinstance(call.args[0], ast.Constant):
            index = int(str(call.args[0].value))
            yield PythonCommand(call.lineno, conditional, shell_line=index, names=dict(self.names))
        elif name in self.functions and way.depth < _DEEPEST:
            self.called.add(name)
            yield from self._enter(call, self.functions[name], way)
        elif (written := self._read_write(call)) is not None:
            yield PythonCommand(call.lineno, conditional, written=written)
        else:
            yield from self._read_process_call(call, name, conditional)

    def _read_process_call(self, call: ast.Call, name: str, conditional: bool) -> Iterator[PythonCommand]:
        if name.startswith("get_ipython()."):
            yield from read_shell_method(name.rpartition(".")[2], call, conditional, self._evaluate)
        elif name in _SHELLS:
            yield read_process(call, conditional, self._evaluate, first=call.args[:1])
        elif name in _STARTERS:
            yield read_start(call, conditional, self._evaluate)
        elif name in _PIP_CALLS:
            yield read_process(call, conditional, self._evaluate, first=call.args[:1], before=("pip",))
        elif name in _OWN_CALLS:
            yield read_process(call, conditional, self._evaluate, call.args, before=("tierproof", "install"))
        elif _REPLACING.match(name):
            yield PythonCommand(call.lineno, conditional, replaces_python=f"{name}()")
        elif is_preparing(name):
            yield PythonCommand(call.lineno, conditional, prepares=f"{name}()")
        elif name in SCRIPT_RUNNERS:
            yield from read_script_run(call, name, conditional, self._evaluate)
        elif name == "os.chdir" and call.args:
            yield PythonCommand(call.lineno, conditional, folder=self._tell(call.args[0]) or "")

    def _read_write(self, call: ast.Call) -> tuple[str, str | None, bool] | None:
        """Read `open(…).write(…)`, `file.write(…)` and `Path(…).write_text(…)`; None for any other call."""
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Call() as opened, attr="write"), args=[text]):
                place = self._read_open(opened)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=file), attr="write"), args=[text]):
                place = self.opened.get(file)
                if place is not None:
                    self.opened[file] = place[0], True  # what follows is appended
            case ast.Call(
                func=ast.Attribute(value=ast.Call(args=[path]) as made, attr="write_text"), args=[text]
            ):
                told = self._tell(path) if self._find_name(made.func).rpartition(".")[2] == "Path" else None
                place = None if told is None else (told, False)
            case _:
                return None
        return None if place is None else (place[0], self._tell(text), place[1])

    def _read_open(self, call: ast.Call) -> tuple[str, bool] | None:
        """Return the name of a file that `open(NAME, "w")` opens for writing, and whether it is appended to."""
        if self._find_name(call.func) != "open" or not call.args:
            return None
        mode = next((each.value for each in call.keywords if each.arg == "mode"), None)
        given = call.args[1] if len(call.args) > 1 else mode
        told, path = self._tell(given) if given is not None else "r", self._tell(call.args[0])
        return (path, "a" in told) if path and told and set(told) & set("wax") else None

    def _note_opened(self, item: ast.withitem) -> None:
        match item:
            case ast.withitem(context_expr=ast.Call() as call, optional_vars=ast.Name(id=name)):
                place = self._read_open(call)
                if place is not None:
                    self.opened[name] = place

    def _evaluate(self, node: ast.expr) -> Any:
        return evaluate(node, self.names, self.host)

    def _tell(self, node: ast.expr) -> str | None:
        try:
            value = self._evaluate(node)
        except NotConstant:
            return None
        return value if isinstance(value, str) else None

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
            given = [evaluate(each, self.names, self.host) for each in call.args]
        except NotConstant:
            given = []
        if method == "append" and len(given) == 1:
            known.append(given[0])
        elif method == "extend" and len(given) == 1 and isinstance(given[0], list):
            known.extend(given[0])
        elif method in _MUTATORS:
            self.names = {key: value for key, value in self.names.items() if value is not known}

    def _enter(self, call: ast.Call, function: ast.FunctionDef, way: _Way) -> Iterator[PythonCommand]:
        names = [each.arg for each in function.args.args]
        given: dict[str, Any] = {}
        pairs = [
            *zip(names, call.args, strict=False),
            *((each.arg or "", each.value) for each in call.keywords),
        ]
        for name, value in pairs:
            try:
                given[name] = evaluate(value, self.names, self.host)
            except NotConstant:
                continue
        if function.args.vararg and len(call.args) > len(names):
            try:
                given[function.args.vararg.arg] = [
                    evaluate(each, self.names, self.host) for each in call.args[len(names) :]
                ]
            except NotConstant:
                given.pop(function.args.vararg.arg, None)
        yield from self._follow_body(function, given, replace(way, depth=way.depth + 1))

    def _follow_body(
        self, function: ast.FunctionDef, given: dict[str, Any], way: _Way
    ) -> Iterator[PythonCommand]:
        outer = dict(self.names)
        every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        every += [each for each in (function.args.vararg, function.args.kwarg) if each is not None]
        for parameter in every:
            self.names.pop(parameter.arg, None)
        self.names |= given
        yield from self._follow_all(function.body, way)
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
