"""The traits of a model that findings rest on, as facts with a standing."""

from __future__ import annotations

from tierproof.core.standing import Fact, Standing
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.spec import ModelSpec
from tierproof.model.describe.declared_causality import Causality


def collect_facts(
    spec: ModelSpec,
    inputs: InputPlan,
    causality: Causality,
    measured: bool | None,
    *,
    kind: str,
    told: str | None,
    encoder_decoder: bool,
) -> tuple[Fact, ...]:
    """Give causality, kind, encoder-decoder and padding mask with what each rests on.

    Args:
        measured: whether no output depends on a later input; None where this could not be measured.
        kind: of the model; `told` is the one that the spec or transformers names, None where it was worked out.
    """
    return (
        _state_causality(causality, measured),
        _state_kind(spec, causality, measured, kind, told),
        _state_encoder_decoder(spec, told, encoder_decoder),
        _state_padding(inputs),
    )


def describe_causality(causality: Causality) -> str:
    """What declares the model causal or not; a mere name is said to be assumed."""
    word = "assumed " if causality.standing is Standing.ASSUMED else ""
    return f"{word}{'causal' if causality.causal else 'not causal'}, because of {causality.by}"


def _state_causality(causality: Causality, measured: bool | None) -> Fact:
    settle = "declare `ModelSpec(causal=True)` or `ModelSpec(causal=False)`"
    if causality.causal is None and measured is not None:
        value = "causal" if measured else "not causal"
        return Fact("causality", Standing.MEASURED, f"{value}, as the outputs show", settle)
    value = "" if causality.causal is None else describe_causality(causality)
    return Fact("causality", causality.standing, value.removeprefix("assumed "), settle)


def _state_kind(
    spec: ModelSpec, causality: Causality, measured: bool | None, kind: str, told: str | None
) -> Fact:
    settle = "declare `ModelSpec(kind=…)`"
    if spec.kind:
        return Fact("kind", Standing.GIVEN, f"{kind}, by ModelSpec.kind", settle)
    if told:
        return Fact("kind", Standing.DECLARED, f"{kind}, by its transformers class", settle)
    if causality.standing > Standing.ASSUMED:
        return Fact("kind", causality.standing, f"{kind}, because of {causality.by}", settle)
    if measured is not None and causality.causal in (None, measured):
        return Fact(
            "kind", Standing.MEASURED, f"{kind}, because of which inputs change which outputs", settle
        )
    return Fact("kind", Standing.ASSUMED, f"{kind}, because of {causality.by or 'its outputs'}", settle)


def _state_encoder_decoder(spec: ModelSpec, told: str | None, encoder_decoder: bool) -> Fact:
    settle = "declare `ModelSpec(kind=…)`"
    name = "encoder-decoder"
    if not encoder_decoder:
        return Fact(name, Standing.MEASURED, "the model reads one sequence", settle)
    if told == name:
        standing = Standing.GIVEN if spec.kind else Standing.DECLARED
        return Fact(name, standing, "by ModelSpec.kind" if spec.kind else "by its config", settle)
    return Fact(name, Standing.MEASURED, "the model reads two sequences of different lengths", settle)


def _state_padding(inputs: InputPlan) -> Fact:
    settle = "pass inputs with a mask of your own (`inputs=…`)"
    if not inputs.padding:
        return Fact(
            "padding mask", Standing.ASSUMED, "an argument whose name says that it hides positions", settle
        )
    value = f"`{inputs.padding}`: {inputs.padding_source or 'known by its name only'}"
    return Fact("padding mask", inputs.padding_standing, value, settle)
