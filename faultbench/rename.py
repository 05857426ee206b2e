"""The source of a model under other names: at random, or chosen to mislead. What it computes stays the same."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass, field

from torch import Tensor, nn

# Each says something of a model that is not so.
CLASSES = ("CausalLM", "BertEncoder", "MixtureDecoder", "MaskedClassifier", "MambaLM", "ImageEncoderDecoder")
ATTRIBUTES = (
    "pos_table",
    "router",
    "experts",
    "rotary",
    "wpe",
    "relative_bias",
    "segment_type",
    "causal_head",
    "cache",
)
ARGUMENTS = ("mask", "labels", "attention_mask", "pixel_values", "y", "past", "key_padding_mask", "timestep")
_LIBRARIES = frozenset({"torch", "nn", "F", "math", "functional"})
# Variables by which a forward calls a module.
_MODULES = frozenset({"self", "block", "layer", "cell", "stage", "expert", "module"})
# PyTorch itself reads these.
FIXED = frozenset(dir(nn.Module())) | {"weight", "bias"}


@dataclass(frozen=True)
class RenamedSource:
    """A module's source with other names, and its classes' new names by their old ones."""

    source: str
    classes: dict[str, str]


@dataclass
class _Names:
    """New names by old: of classes, of attributes, and of the arguments of a forward.

    Attributes:
        foreign: attributes that hold modules of PyTorch, whose arguments keep their names.
        shared: attributes that a tensor has as well: renamed on `self` alone.
    """

    classes: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)


def rename_source(source: str, *, seed: int, mislead: bool) -> RenamedSource:
    """Give the classes, attributes and forward arguments of a module's source other names.

    Args:
        seed: of the choice.
        mislead: names that say what is not so, instead of letters at random.
    """
    tree = ast.parse(source)
    names = _choose_names(tree, random.Random(seed), mislead=mislead)
    renamed = ast.fix_missing_locations(_Renaming(names).visit(tree))
    return RenamedSource(ast.unparse(renamed), names.classes)


def _choose_names(tree: ast.Module, chance: random.Random, *, mislead: bool) -> _Names:
    names = _Names()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names.classes[node.name] = draw_name(CLASSES, chance, len(names.classes), mislead=mislead)
        elif isinstance(node, ast.FunctionDef) and node.name == "forward":
            # The first argument of each forward takes the first misleading name, and so on.
            for place, argument in enumerate(node.args.args[1:]):
                names.arguments.setdefault(
                    argument.arg,
                    ARGUMENTS[(place + chance.randrange(2)) % len(ARGUMENTS)]
                    + "_" * (len(names.arguments) + 1)
                    if mislead
                    else draw_name((), chance, len(names.arguments), mislead=False),
                )
        else:
            for attribute in _find_attributes(node):
                if attribute not in names.attributes and attribute not in FIXED:
                    count = len(names.attributes)
                    names.attributes[attribute] = draw_name(ATTRIBUTES, chance, count, mislead=mislead)
            names.foreign |= _find_foreign(node)
    names.shared |= {name for name in names.attributes if hasattr(Tensor, name)}
    for node in ast.walk(tree):  # on another object than `self`, such a name may be a tensor's or a module's
        if (
            isinstance(node, ast.Attribute)
            and node.attr in names.shared
            and isinstance(node.value, ast.Attribute)
        ):
            names.attributes.pop(node.attr, None)
    return names


def draw_name(pool: tuple[str, ...], chance: random.Random, count: int, *, mislead: bool) -> str:
    """A name out of `pool`, or letters at random; `count` makes it unlike the others."""
    if mislead:
        return f"{chance.choice(pool)}{count}"
    return "".join(chance.choices("bcdfghjklm", k=5)) + str(count)


def _find_attributes(node: ast.AST) -> list[str]:
    """The attributes that are assigned to `self`, and the names of buffers and parameters that are registered."""
    if isinstance(node, ast.Assign):
        targets = [e for t in node.targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])]
        return [t.attr for t in targets if isinstance(t, ast.Attribute) and _is_self(t.value)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        first = node.args[0] if node.args else None
        if node.func.attr in ("register_buffer", "register_parameter") and isinstance(first, ast.Constant):
            return [str(first.value)]
    return []


def _find_foreign(node: ast.AST) -> set[str]:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return set()
    base = node.value.func
    own = not (
        isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name) and base.value.id in _LIBRARIES
    )
    return set() if own else set(_find_attributes(node))


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: _Names) -> None:
        self._names = names
        self._arguments: dict[str, str] = {}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self._names.classes[node.name]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        own = [argument.arg for argument in node.args.args]
        outer = self._arguments
        self._arguments = {name: new for name, new in outer.items() if name not in own}
        if node.name == "forward":
            self._arguments |= {name: self._names.arguments[name] for name in own[1:]}
        for argument in node.args.args:
            argument.arg = self._arguments.get(argument.arg, argument.arg)
        self.generic_visit(node)
        self._arguments = outer
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._arguments.get(node.id, self._names.classes.get(node.id, node.id))
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        library = isinstance(node.value, ast.Name) and node.value.id in _LIBRARIES
        own = _is_self(node.value) or node.attr not in self._names.shared
        self.generic_visit(node)
        if own and not library:
            node.attr = self._names.attributes.get(node.attr, node.attr)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        for attribute in _find_attributes(node):
            node.args[0] = ast.Constant(self._names.attributes.get(attribute, attribute))
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr", "setattr", "delattr"):
            named = node.args[1]
            if isinstance(named, ast.Constant):
                node.args[1] = ast.Constant(self._names.attributes.get(str(named.value), named.value))
        if self._calls_own_module(node.func):
            for keyword in node.keywords:
                keyword.arg = self._names.arguments.get(keyword.arg or "", keyword.arg)
        self.generic_visit(node)
        return node

    def _calls_own_module(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return _is_self(function.value) and function.attr not in self._names.foreign
        if isinstance(function, ast.Subscript):
            return True
        return isinstance(function, ast.Name) and function.id in _MODULES
