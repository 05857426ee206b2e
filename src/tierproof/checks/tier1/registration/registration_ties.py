"""T1-REG-007: the embedding and output weights are declared tied, or equal, but are two parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.repeated_blocks import find_repeated_blocks
from tierproof.model.sizes.readable_values import make_dense
from tierproof.model.sizes.tensor_place import find_place


def judge_ties(model: nn.Module) -> list[Finding]:
    """Look for an output layer that is a bit-identical copy of the embedding, or declared tied and is not."""
    findings = []
    declared = _find_declared_tie(model)
    if declared is not None:
        embedding, head = declared
        if embedding.weight.shape == head.weight.shape and not _is_one(embedding.weight, head.weight):
            findings.append(
                _report_tie(model, embedding, head, "the config declares them tied", Severity.ERROR)
            )
        return findings
    if own := _find_tie_of_own_config(model):
        return [_report_tie(model, *own, "the config says `tie_word_embeddings=True`", Severity.WARNING)]
    embeddings = [m for m in model.modules() if isinstance(m, nn.Embedding) and not m.weight.is_meta]
    for head in (m for m in model.modules() if isinstance(m, nn.Linear)):
        findings += [
            _report_tie(model, embedding, head, "their values are bit-identical", Severity.WARNING)
            for embedding in embeddings
            if _are_equal(embedding.weight, head.weight)
        ]
    return findings


def _are_equal(first: Tensor, second: Tensor) -> bool:
    """Whether two parameters hold the same values, which are not all one."""
    if first.shape != second.shape or first.dtype != second.dtype or first.numel() < 2:
        return False
    if find_place(first) == find_place(second):
        return False
    # A few numbers tell most pairs apart before the whole is compared.
    if not torch.equal(make_dense(first.detach()[0]), make_dense(second.detach()[0])):
        return False
    values = make_dense(first.detach())
    return torch.equal(values, make_dense(second.detach())) and bool(values.std() > 0)


def _find_tie_of_own_config(model: nn.Module) -> tuple[nn.Embedding, nn.Linear] | None:
    """An embedding and an output layer of the vocabulary's shape, if a config ties them and no two of these are one.

    A layer inside a block of a stack is no output layer, even if it happens to be as wide as the vocabulary.
    """
    config: Any = getattr(model, "config", None)
    vocab = getattr(config, "vocab_size", None)
    if is_transformers_model(model) or getattr(config, "tie_word_embeddings", None) is not True or not vocab:
        return None
    inner = {id(part) for block in find_repeated_blocks(model).values() for part in block.modules()}
    outer = [module for module in model.modules() if id(module) not in inner]
    embeddings = [m for m in outer if isinstance(m, nn.Embedding) and m.num_embeddings == vocab]
    heads = [m for m in outer if isinstance(m, nn.Linear) and m.out_features == vocab]
    pairs = [(e, h) for e in embeddings for h in heads if e.weight.shape == h.weight.shape]
    if not pairs or any(_is_one(embedding.weight, head.weight) for embedding, head in pairs):
        return None
    return pairs[0]


def _is_one(first: Tensor, second: Tensor) -> bool:
    """Whether two parameters are one; on meta, where nothing lies anywhere, only the object itself tells."""
    return first is second or find_place(first) == find_place(second)


def _find_declared_tie(model: nn.Module) -> tuple[Any, Any] | None:
    """The modules that a transformers config declares to share a weight: (embedding, output layer)."""
    config: Any = getattr(model, "config", None)
    if not is_transformers_model(model) or not getattr(config, "tie_word_embeddings", False):
        return None
    keys = getattr(model, "_tied_weights_keys", None)
    embedding, head = (
        _call_getter(model, "get_input_embeddings"),
        _call_getter(model, "get_output_embeddings"),
    )
    modules = dict(model.named_modules())
    name = next((path for path, module in modules.items() if module is head), "")
    if isinstance(keys, Mapping):
        # transformers ≥ 5 names the source: in T5Gemma it is the decoder's table, not the encoder's.
        source = str(keys.get(f"{name}.weight", "")).removesuffix(".weight")
        embedding = modules.get(source, embedding)
    if not keys or not isinstance(getattr(embedding, "weight", None), Tensor):
        return None
    if not isinstance(getattr(head, "weight", None), Tensor):
        return None
    return (embedding, head) if any(name and key.startswith(name) for key in keys) else None


def _call_getter(model: nn.Module, name: str) -> Any:
    """What a getter of transformers gives; None where the class (FLAVA) leaves it unimplemented."""
    try:
        return getattr(model, name)()
    except NotImplementedError:
        return None


def _report_tie(
    model: nn.Module, embedding: nn.Module, head: nn.Module, why: str, severity: Severity
) -> Finding:
    paths = {id(module): path for path, module in model.named_modules()}
    where = paths[id(head)]
    return claim_error(
        "T1-REG-007",
        f"The tie between `{paths[id(embedding)]}.weight` and `{where}.weight` is lost: {why}, but they are two "
        "parameters, which training will change separately.",
        where,
        {"embedding": paths[id(embedding)], "elements": sum(p.numel() for p in head.parameters())},
        f"Share the parameter after any re-initialisation, without cloning: `{where}.weight = "
        f"{paths[id(embedding)]}.weight`.",
        rests_on=Basis.STATE,
        at_most=severity,
    )
