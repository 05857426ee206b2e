"""What a shell knows at one point of a script: variables, parameters, functions, its folder, files it has written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence

from tierproof.guard.commands.printed_text import tell_printed
from tierproof.guard.commands.shell_tree import Block, Node, Pipeline, Simple, parse_script
from tierproof.guard.commands.shell_word import PARAMETER_SEPARATOR, ShellWord, expand_variables
from tierproof.guard.commands.shell_words import SimpleCommand
from tierproof.guard.commands.shell_wrappers import read_assignments, strip_prefixes

_EXPORTED = re.compile(r"(PIP|UV)_[A-Z_]+\Z")
_FED = "<("
_LONGEST = 1 << 16
_ACTIVATE = "/bin/activate"
_PARAMETERS = ("@", "*", "#", *map(str, range(10)))


class ShellState:
    """The state of one shell.

    Args:
        variables: at its start.
        tell_unset: what to put in for `$NAME` that is not set and for `$(command)` that is not known.
        read_file: gives the text of a file; None for one that cannot be read.
    """

    def __init__(
        self,
        variables: dict[str, str],
        tell_unset: Callable[[str], str],
        read_file: Callable[[str], str | None],
    ) -> None:
        self.variables = variables
        self.functions: dict[str, Node] = {}
        self.exported: dict[str, str] = {}
        self.folder = ""
        self._written: dict[str, str | None] = {}
        self._rounds = [0]
        self._tell_unset = tell_unset
        self._read_file = read_file

    def enter(self) -> ShellState:
        """The state of a shell inside this one, which leaves this one's as it is; files are the same."""
        inner = ShellState(dict(self.variables), self._tell_unset, self._read_file)
        inner.functions, inner.exported = dict(self.functions), dict(self.exported)
        inner.folder, inner._written, inner._rounds = self.folder, self._written, self._rounds
        return inner

    def count_rounds(self, values: int) -> int:
        """Count the rounds of a loop; those of all loops, also of shells inside this one."""
        self._rounds[0] += values
        return self._rounds[0]

    # -- variables

    def assign(self, found: dict[str, str], *, is_exported: bool = False) -> None:
        """Set variables; what grows without end is cut."""
        found = {name: value[:_LONGEST] for name, value in found.items()}
        self.variables |= found
        if is_exported:
            self.exported |= {name: value for name, value in found.items() if _EXPORTED.match(name)}

    def assign_array(self, name: str, values: Iterable[ShellWord]) -> None:
        """Set an array, for `"${name[@]}"`."""
        self.variables[f"{name}[@]"] = PARAMETER_SEPARATOR.join(self.expand(values))

    def set_parameters(self, arguments: Sequence[str]) -> dict[str, str]:
        """Set `$1`, `$@` and their like; what they were before."""
        kept = {each: self.variables[each] for each in _PARAMETERS if each in self.variables}
        joined = PARAMETER_SEPARATOR.join(arguments)
        numbered = {str(number): value for number, value in enumerate(arguments[:9], start=1)}
        self.restore_parameters({**numbered, "@": joined, "*": joined, "#": str(len(arguments))})
        return kept

    def restore_parameters(self, kept: dict[str, str]) -> None:
        """Put back what `set_parameters` gave."""
        for each in _PARAMETERS:
            self.variables.pop(each, None)
        self.variables |= kept

    def list_parameters(self) -> list[str]:
        """The parameters, as `"$@"` gives them."""
        joined = self.variables.get("@", "")
        return joined.split(PARAMETER_SEPARATOR) if joined else []

    def keep(self, name: str, rest: list[str]) -> bool:
        """Take note of what a command of the shell itself changes; False for any other."""
        match name:
            case "cd" | "pushd":
                operands = [word for word in rest if not word.startswith("-")]
                self.folder = os.path.join(self.folder, *operands[:1])  # noqa: PTH118 - resolved by who uses it
            case "export" | "declare" | "readonly" | "local" | "typeset":
                found = read_assignments([word for word in rest if not word.startswith("-")])[0]
                named = {word: self.variables[word] for word in rest if word in self.variables}
                self.assign({**named, **found}, is_exported=name == "export")
            case "set" if "--" in rest:
                self.set_parameters(rest[rest.index("--") + 1 :])
            case "source" | "." if rest and rest[0].endswith(_ACTIVATE):
                folder = rest[0].removesuffix(_ACTIVATE)
                self.exported["VIRTUAL_ENV"] = os.path.join(self.folder, folder)  # noqa: PTH118 - as typed
            case "deactivate":
                self.exported.pop("VIRTUAL_ENV", None)
            case "read" | "unset":
                for variable in rest:
                    self.variables.pop(variable, None)
                    self.exported.pop(variable, None)
            case _:
                return name == "set"
        return True

    # -- words and texts

    def expand(self, words: Iterable[ShellWord]) -> list[str]:
        """The words that the shell makes of these."""
        return [each for word in words for each in word.expand(self.variables, self._tell)]

    def tell_word(self, word: ShellWord) -> tuple[str, bool]:
        """The text of a word, and whether all of it is known."""
        unknown: list[str] = []

        def note(written: str) -> str:
            unknown.append(written)
            return ""

        return " ".join(word.expand(self.variables, note)), not unknown

    def tell_input(self, command: SimpleCommand) -> str | None:
        """The standard input that a redirection gives; None where that is not known, or none does."""
        for each in reversed(command.redirections):
            if each.sign in ("<<", "<<-"):
                is_quoted = not each.word.literal
                return each.text if is_quoted else expand_variables(each.text, self.variables, self._tell)
            if each.sign == "<<<":
                return " ".join(self.expand([each.word]))
            if each.sign == "<":
                return self.read_script(" ".join(self.expand([each.word])))
        return None

    def tell_output(self, node: Node, given: str | None) -> str | None:
        """What a part of a script prints with `given` as its input; None where that is not known."""
        match node:
            case Simple(command, None) if not command.inner:
                fed = self.tell_input(command)
                stripped = strip_prefixes(self.expand(command.words))[1]
                return tell_printed(stripped, given if fed is None else fed, self.read_text)
            case Pipeline(parts):
                for part in parts:
                    given = self.tell_output(part, given)
                return given
            case Block(parts):
                texts = [self.tell_output(part, given) for part in parts]
                return None if None in texts else "".join(text for text in texts if text is not None)
        return None

    def note_written(self, node: Simple, given: str | None) -> None:
        """Remember what a command writes into a file, for one that reads it later."""
        for each in node.command.redirections:
            if each.sign in (">", ">>", ">|"):
                path = self._join(" ".join(self.expand([each.word])))
                told = self.tell_output(node, given)
                before = self._written.get(path, "") if each.sign == ">>" else ""
                self._written[path] = None if told is None or before is None else before + told

    def read_text(self, path: str) -> str | None:
        """The text of a file: as the script has written it, else as it lies there."""
        joined = self._join(path)
        return self._written[joined] if joined in self._written else self._read_file(joined)

    def read_script(self, operand: str) -> str | None:
        """The text of a file that is run, or that `<(…)` gives."""
        if operand.startswith(_FED) and operand.endswith(")"):
            return self._tell_script_output(operand[len(_FED) : -1])
        return self.read_text(operand)

    def _join(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.folder, path))  # noqa: PTH118

    def _tell(self, written: str) -> str:
        """What to put in for `$NAME` that is not set, and for `$(…)`, whose text may be known."""
        if written.startswith(("$(", "`")):
            script = written[2:-1] if written.startswith("$(") else written[1:-1]
            told = self._tell_script_output(script)
            if told is not None:
                return told.rstrip("\n")
        return self._tell_unset(written)

    def _tell_script_output(self, script: str) -> str | None:
        """What a script prints; None if it does anything but print."""
        block = parse_script(script)
        return self.tell_output(block.parts[0], None) if len(block.parts) == 1 else None
