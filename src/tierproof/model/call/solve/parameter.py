"""The parameters that a forward pass requires, with what their annotations and docstrings say of them."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from torch import nn

_SCALARS = {"int": int, "bool": bool, "float": float, "str": str}
_TYPED_SHAPE = re.compile(
    r"(Float|Int|Int64|Long|Bool|Shaped|Num|Real|UInt\d*)\w*\[[^\"']*[\"']([^\"']*)[\"']"
)
_LISTS = re.compile(r"\b(list|List|Sequence|tuple|Tuple)\b")
_DICTS = re.compile(r"\b(dict|Dict|Mapping)\b")


@dataclass(frozen=True)
class Parameter:
    """One required parameter of a forward pass.

    Attributes:
        name: of the parameter.
        scalar: int, bool, float or str where the annotation says so; None for tensors and where nothing is said.
        dims: the axes that an annotation or the docstring names, such as ("b", "n", "d"); empty where neither does.
        dtype: float, int, bool, or "" where nothing is said.
        container: list, dict, or "" for a plain tensor.
    """

    name: str
    scalar: type | None = None
    dims: tuple[str, ...] = ()
    dtype: str = ""
    container: str = ""


def read_parameters(model: nn.Module) -> tuple[Parameter, ...]:
    """Read the required parameters of the forward pass, in order; empty where the signature is hidden."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return ()
    text = "\n".join(filter(None, (inspect.getdoc(model.forward), inspect.getdoc(type(model)))))
    return tuple(
        _read_parameter(parameter, text)
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )


def _read_parameter(parameter: inspect.Parameter, docstring: str) -> Parameter:
    name = parameter.name
    annotation = "" if parameter.annotation is parameter.empty else _write_annotation(parameter.annotation)
    plain = re.sub(r"\s|None|Optional|Union|typing\.|[|\[\],]", " ", annotation).split()
    if plain and all(word in _SCALARS for word in plain):
        return Parameter(name, _SCALARS[plain[0]])
    dims, dtype = _read_typed_shape(parameter.annotation, annotation)
    container = "dict" if _DICTS.search(annotation) else "list" if _LISTS.search(annotation) else ""
    return Parameter(name, None, dims or _read_documented_shape(name, docstring), dtype, container)


def _write_annotation(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return (
        annotation.__name__
        if isinstance(annotation, type) and not hasattr(annotation, "dim_str")
        else str(annotation)
    )


def _read_typed_shape(annotation: Any, text: str) -> tuple[tuple[str, ...], str]:
    """The axes and dtype of a jaxtyping annotation, as an object or as text."""
    words = getattr(annotation, "dim_str", None)
    kind = getattr(annotation, "__name__", text)
    found = _TYPED_SHAPE.search(text)
    if not isinstance(words, str):
        if found is None:
            return (), ""
        kind, words = found.group(1), found.group(2)
    dtype = next(
        (
            d
            for word, d in (("Bool", "bool"), ("Int", "int"), ("Long", "int"), ("Float", "float"))
            if word in kind
        ),
        "",
    )
    dims = tuple(word for word in words.split() if word != "...")
    return (dims if "..." not in words and "*" not in words else ()), dtype


def _read_documented_shape(name: str, docstring: str) -> tuple[str, ...]:
    """The axes that a docstring gives for a parameter: `x: images of shape (B, 3, H, W)`."""
    said = rf"\b{re.escape(name)}\b(?P<between>[^\n()\[\]]*(?:\([^)\n]*\)\s*:[^\n()\[\]]*)?)"
    pattern = said + r"[(\[](?P<dims>(?:\s*[\w.*/+-]+\s*,)+\s*[\w.*/+-]*\s*)[)\]]\W*(?P<after>[^\n,;(]*)"
    for found in re.finditer(pattern, docstring):
        if found["between"].rstrip().endswith(",") or "unbatched" in found["after"]:
            continue  # `input, (h_0, c_0)` names another argument, and a shape without a batch is one of several
        dims = tuple(word.strip() for word in found["dims"].split(",") if word.strip())
        if len(dims) >= 2 and not any(
            "." in word or "Tensor" in word or word in ("optional", "int") for word in dims
        ):
            return dims
    return ()
