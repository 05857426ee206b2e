"""Work out the traits of a model, from what it declares and from what is measured."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tierproof.core.report import TraitEvidence
from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.influence import InfluenceMap, is_causal, measure_influence
from tierproof.model.call.input_plan import LENGTH, TARGET_LENGTH, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.describe.callers_mask import find_callers_mask
from tierproof.model.describe.declared_causality import (
    Causality,
    count_tied,
    find_causality,
    has_norm_over_batch,
)
from tierproof.model.describe.evidence.collect import describe_layout, describe_model
from tierproof.model.describe.trait_facts import collect_facts, describe_causality
from tierproof.model.describe.traits import Traits
from tierproof.model.describe.transformers_kind import find_transformers_kind
from tierproof.model.observe.forward_census import ForwardCensus, take_census
from tierproof.model.observe.lookup_probe import Lookups

# Long enough to tell an offset of one or two from a full mask, short enough to cost a tenth of a step.
_INFLUENCE_LENGTH = 8


def measure_traits(
    probe: ModelProbe, inputs: InputPlan, outputs: OutputPlan, lookups: Lookups, promised: Causality
) -> Traits:
    """Work out the traits; the model is in evaluation mode, and no gradients are recorded.

    Args:
        promised: what declared causality before the model ran.
    """
    model, spec = probe.model, probe.spec

    def answer(call: Call) -> Tensor:
        torch.manual_seed(probe.seed)  # numbers that the model draws must not look like an influence
        return outputs.select(call.run(model))

    def make_call(length: int) -> Call:
        return probe.make_call(inputs, batch=1, length=length)

    kind = spec.kind or (find_transformers_kind(model) if is_transformers_model(model) else None)
    names_count = _predicts_tokens(model, inputs, outputs)
    causality = find_causality(model, promised, kind, lookups, names_count=names_count)
    length = _choose_length(inputs, answer, make_call)
    influence = _measure(inputs, outputs, answer, lambda: make_call(length))
    positions_mix = any(moved for i, row in enumerate(influence) for j, moved in enumerate(row) if i != j)
    measured = is_causal(influence) if positions_mix else None
    encoder_decoder = kind == "encoder-decoder" or _has_two_sequences(inputs)
    told = kind
    kind = kind or _guess_kind(inputs, outputs, encoder_decoder, causality.causal, measured)
    positions = _find_positions(model, lookups)
    recurrent = any(isinstance(m, nn.RNNBase) for m in model.modules()) or _is_state_space(model)
    cache = _accepts_cache(model)
    call = make_call(length)
    census = take_census(model, lambda: answer(call))
    described = (
        *describe_model(model, census, lookups, positions=positions, recurrent=recurrent, cache=cache),
        *describe_layout(model, census, inputs, outputs, encoder_decoder=encoder_decoder),
    )
    return Traits(
        kind=kind,
        causal_declared=causality.causal,
        causal_measured=measured,
        influence=influence,
        vocab_size=next((a.high for a in inputs.arguments if a.role == "tokens"), None),
        max_length=inputs.max_length,
        positions=positions,
        encoder_decoder=encoder_decoder,
        experts=_has_experts(model, census),
        recurrent=recurrent,
        cache=cache,
        tied=count_tied(model) > 0,
        batch_norm=has_norm_over_batch(model),
        pooled=not outputs.per_position,
        evidence=(
            *_collect_evidence(causality, influence, inputs),
            *described,
        ),
        facts=collect_facts(
            spec, inputs, causality, measured, kind=kind, told=told, encoder_decoder=encoder_decoder
        ),
        operations=frozenset(census.operations),
    )


def _choose_length(
    inputs: InputPlan, answer: Callable[[Call], Tensor], make_call: Callable[[int], Call]
) -> int:
    """A short length, or the default one where the model runs at that alone; other lengths are T1-SHAPE's matter."""
    length = inputs.clip_length(_INFLUENCE_LENGTH)
    try:
        answer(make_call(length))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return inputs.default_length
    return length


def _measure(
    inputs: InputPlan,
    outputs: OutputPlan,
    answer: Callable[[Call], Tensor],
    make_call: Callable[[], Call],
) -> InfluenceMap:
    if not outputs.per_position:
        return ()
    size = str(outputs.axes[outputs.length_axis])
    followed = next((a for a in inputs.arguments if size in a.shape and a.role in ("tokens", "floats")), None)
    if followed is None:
        return ()
    call = make_call()
    if call.tensors[followed.name].is_meta:
        return ()
    return measure_influence(answer, call, followed, followed.shape.index(size), outputs.length_axis)


def _predicts_tokens(model: nn.Module, inputs: InputPlan, outputs: OutputPlan) -> bool:
    """Whether it gives logits over the vocabulary that it reads, without a mask that its caller could pass."""
    read = {a.high for a in inputs.arguments if a.role == "tokens" and a.high > 2}
    return outputs.per_position and outputs.axes[-1] in read and not find_callers_mask(model, inputs)


def _has_two_sequences(inputs: InputPlan) -> bool:
    followers = [a for a in inputs.arguments if TARGET_LENGTH in a.shape and a.role in ("tokens", "floats")]
    return LENGTH in inputs.primary_argument.shape and bool(followers)


def _guess_kind(
    inputs: InputPlan,
    outputs: OutputPlan,
    encoder_decoder: bool,
    declared: bool | None,
    measured: bool | None,
) -> str:
    if encoder_decoder:
        return "encoder-decoder"
    role = inputs.primary_argument.role
    if role == "image":
        return "vision"
    if role in ("floats", "audio"):
        return "sequence"
    if role != "tokens":
        return "unknown"
    causal = declared if declared is not None else measured
    if causal is None:
        causal = outputs.role == "logits"
    return "causal-lm" if causal and outputs.role != "pooled" else "encoder"


def _find_positions(model: nn.Module, lookups: Lookups) -> str:
    names = " ".join(path.lower() for path, _ in model.named_modules())
    tensors = " ".join(path.lower() for path, _ in model.named_parameters())
    if "rotary" in names or "rope" in names:
        return "rotary"
    if lookups.position_rows or "pos_emb" in tensors or "position_embedding" in tensors or "wpe" in tensors:
        return "learned"
    if "relative" in names or "relative" in tensors:
        return "relative"
    if any(path.rsplit(".", 1)[-1].lower() in ("pe", "pos_encoding") for path, _ in model.named_buffers()):
        return "sinusoidal"
    return "unknown"


def _has_experts(model: nn.Module, census: ForwardCensus) -> bool:
    """Whether tokens are sent to experts: by a choice that the forward makes, by the config, or by name."""
    config = getattr(model, "config", None)
    named = any("router" in path or "experts" in path for path, _ in model.named_modules())
    counts = ("num_local_experts", "num_experts", "n_routed_experts")
    chosen = any(k < n for k, n in census.routed)
    return named or chosen or any((getattr(config, name, 0) or 0) > 1 for name in counts)


def _is_state_space(model: nn.Module) -> bool:
    model_type = str(getattr(getattr(model, "config", None), "model_type", ""))
    return any(word in model_type for word in ("mamba", "rwkv", "xlstm", "recurrent"))


def _accepts_cache(model: nn.Module) -> bool:
    signature = read_signature(model)
    return any(name in signature for name in ("past_key_values", "cache", "cache_params"))


def _collect_evidence(
    causality: Causality, influence: InfluenceMap, inputs: InputPlan
) -> tuple[TraitEvidence, ...]:
    evidence = []
    if causality.causal is not None or influence:
        said = "" if causality.causal is None else describe_causality(causality)
        evidence.append(TraitEvidence("causal", said, _describe_influence(influence)))
    if inputs.max_length is not None:
        said = f"{inputs.max_length}: {inputs.max_length_source}"
        measured = inputs.max_length_standing is Standing.MEASURED
        evidence.append(TraitEvidence("maximum length", *(("", said) if measured else (said, ""))))
    evidence += [
        TraitEvidence(f"vocabulary of {argument.name}", "", f"looked up in a table of {argument.high} rows")
        for argument in inputs.arguments
        if argument.role == "tokens" and argument.high > 2
    ]
    if inputs.has_batch:
        said = "batch_first=False" if inputs.batch_axis else ""
        evidence.append(TraitEvidence("batch axis", said, f"axis {inputs.batch_axis}"))
    if inputs.padding:
        evidence.append(TraitEvidence("padding mask", f"argument {inputs.padding}", ""))
    return tuple(evidence)


def _describe_influence(influence: InfluenceMap) -> str:
    if not influence:
        return ""
    if not any(moved for i, row in enumerate(influence) for j, moved in enumerate(row) if i != j):
        return "no output position depends on another position"
    later = [(i, j) for i, row in enumerate(influence) for j, moved in enumerate(row) if moved and j > i]
    if not later:
        return "causal: no output changes with a later input"
    return f"not causal: outputs change with inputs up to {max(j - i for i, j in later)} positions later"
