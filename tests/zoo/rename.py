"""The handwritten models under other names: at random, or chosen to mislead. What they compute stays the same."""

from __future__ import annotations

import ast
import inspect
import random
import sys
import types

import torch
from torch import nn

from zoo import handwritten

# Each says something of a model that is not so.
_CLASSES = ("CausalLM", "BertEncoder", "MixtureDecoder", "MaskedClassifier", "MambaLM", "ImageEncoderDecoder")
_ATTRIBUTES = (
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
_ARGUMENTS = ("mask", "labels", "attention_mask", "pixel_values", "y", "past", "key_padding_mask", "timestep")


def build_renamed(name: str, *, seed: int, mislead: bool) -> nn.Module:
    """Build a handwritten model whose classes, attributes and forward arguments have other names."""
    tree = ast.parse(inspect.getsource(handwritten))
    names = _choose_names(tree, random.Random(seed), mislead=mislead)
    renamed = ast.fix_missing_locations(_Renaming(names).visit(tree))
    module = types.ModuleType(f"renamed_{name}_{seed}_{mislead}")
    sys.modules[module.__name__] = module
    exec(compile(renamed, module.__name__, "exec"), vars(module))
    torch.manual_seed(0)
    kind = handwritten.HANDWRITTEN[name][0].__name__
    return getattr(module, names.classes[kind])()


class _Names:
    """New names by old: of classes, of attributes, and of the arguments of a forward."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}
        self.attributes: dict[str, str] = {}
        self.arguments: dict[str, str] = {}


def _choose_names(tree: ast.Module, chance: random.Random, *, mislead: bool) -> _Names:
    names = _Names()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names.classes[node.name] = _draw(_CLASSES, chance, len(names.classes), mislead=mislead)
        elif isinstance(node, ast.FunctionDef) and node.name == "forward":
            # The first argument of each forward takes the first misleading name, and so on.
            for place, argument in enumerate(node.args.args[1:]):
                names.arguments[argument.arg] = (
                    _ARGUMENTS[(place + chance.randrange(2)) % len(_ARGUMENTS)] + "_" * place
                    if mislead
                    else _draw((), chance, len(names.arguments), mislead=False)
                )
        else:
            for attribute in _find_attributes(node):
                if attribute not in names.attributes:
                    count = len(names.attributes)
                    names.attributes[attribute] = _draw(_ATTRIBUTES, chance, count, mislead=mislead)
    return names


def _draw(pool: tuple[str, ...], chance: random.Random, count: int, *, mislead: bool) -> str:
    if mislead:
        return f"{chance.choice(pool)}{count}"
    return "".join(chance.choices("bcdfghjklm", k=5)) + str(count)


def _find_attributes(node: ast.AST) -> list[str]:
    """The attributes that are assigned to `self`, and the names of buffers."""
    if isinstance(node, ast.Assign):
        return [t.attr for t in node.targets if isinstance(t, ast.Attribute) and _is_self(t.value)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        first = node.args[0] if node.args else None
        if node.func.attr == "register_buffer" and isinstance(first, ast.Constant):
            return [str(first.value)]
    return []


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
        own = [argument.arg for argument in node.args.args[1:]] if node.name == "forward" else []
        outer, self._arguments = self._arguments, {name: self._names.arguments[name] for name in own}
        for argument in node.args.args:
            argument.arg = self._arguments.get(argument.arg, argument.arg)
        self.generic_visit(node)
        self._arguments = outer
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._arguments.get(node.id, self._names.classes.get(node.id, node.id))
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if _is_self(node.value):
            node.attr = self._names.attributes.get(node.attr, node.attr)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        for attribute in _find_attributes(node):
            node.args[0] = ast.Constant(self._names.attributes[attribute])
        self.generic_visit(node)
        return node
