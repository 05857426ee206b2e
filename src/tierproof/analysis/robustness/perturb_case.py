"""Run the rows of a case under one perturbation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.analysis.examples.token_text import encode_text
from tierproof.analysis.robustness.embedding_noise import EmbeddingNoise
from tierproof.analysis.robustness.reduced_precision import ReducedPrecision
from tierproof.analysis.robustness.robustness_case import RobustnessCase
from tierproof.analysis.robustness.robustness_figures import PADDING, PRECISION
from tierproof.analysis.robustness.settings import Setting
from tierproof.analysis.robustness.text_typos import add_typos, count_words
from tierproof.analysis.robustness.value_change import add_noise, brighten, shift_along
from tierproof.analysis.tokens.special_tokens import find_special_tokens, list_plain_tokens
from tierproof.analysis.tokens.token_edit import (
    TokenEdit,
    count_places,
    drop_tokens,
    insert_tokens,
    pad_tokens,
    shuffle_neighbours,
    swap_tokens,
    truncate_tokens,
)
from tierproof.analysis.tokens.token_rows import apply_edit
from tierproof.model.call.input_plan import LENGTH
from tierproof.model.compare.steady_answer import SteadyAnswers
from tierproof.model.describe.subject import Subject

_LEAST_PADDING = 3


class NotApplicable(Exception):  # noqa: N818 - no error: a perturbation that a model or an input has no place for
    """A perturbation has no place in this input; the message says why."""


@dataclass(frozen=True)
class PerturbedAnswer:
    """The output of a perturbed case; `origins` [rows, new positions] say which old position each new one shows."""

    output: Tensor
    origins: Tensor | None = None


class CasePerturber:
    """Perturbs cases of one subject; equal seeds give equal perturbations.

    Args:
        vocabulary: how many token ids the model knows; others are drawn below it.
        keep_end: truncation cuts the beginning off, because the answer is asked at the end.
    """

    def __init__(
        self, subject: Subject, tokenizer: object, seed: int, *, vocabulary: int, keep_end: bool
    ) -> None:
        self._subject, self._tokenizer, self._seed, self._keep_end = subject, tokenizer, seed, keep_end
        self._answers = SteadyAnswers(subject, seed)
        self._precisions: dict[str, ReducedPrecision] = {}
        special = find_special_tokens(subject, tokenizer)
        reads_tokens = subject.inputs.primary_argument.role == "tokens"
        self._plain = list_plain_tokens(vocabulary, special) if reads_tokens else []

    def answer(self, case: RobustnessCase, *, other_seed: bool = False) -> Tensor:
        """The unperturbed output."""
        return self._answers(case.call, seed=self._seed + 1 if other_seed else None)

    def perturb(self, case: RobustnessCase, number: int, setting: Setting) -> PerturbedAnswer:
        """The output under a perturbation.

        Args:
            number: of the case, so that each case draws differently.

        Raises:
            NotApplicable: the perturbation has no place here.
            Exception: what the model raises on the perturbed input.
        """
        seed = self._seed + 7919 * number + 31 * round(1000 * setting.strength)
        if setting.name == PRECISION:
            return self._lower_precision(case, setting)
        if setting.name in ("noise", "shift", "brightness"):
            return self._change_values(case, setting, seed)
        if setting.name == "typos":
            return self._mistype(case, setting, seed)
        if case.tokens is None:
            raise NotApplicable("the input cannot be edited token by token")
        if setting.name == "embedding noise":
            return self._disturb(case, setting, seed)
        edit = self._edit(case, setting, torch.Generator().manual_seed(seed))
        return PerturbedAnswer(self._answers(apply_edit(self._subject, case.call, edit)), edit.origins)

    def _edit(self, case: RobustnessCase, setting: Setting, generator: torch.Generator) -> TokenEdit:
        assert case.tokens is not None
        ids, editable = case.tokens.ids, case.tokens.editable
        if setting.name == PADDING:
            return self._pad(ids, setting)
        places = count_places(editable, setting.strength)
        if places == 0 and setting.strength > 0:
            raise NotApplicable("a row has no token that may be changed")
        if setting.name == "swap":
            return swap_tokens(ids, editable, places, self._plain, generator)
        if setting.name == "insert":
            self._require_room(ids.shape[1] + places)
            return insert_tokens(ids, editable, places, self._plain, generator)
        if setting.name == "order":
            if int(editable.sum(dim=1).min()) < 2:
                raise NotApplicable("a row has fewer than two tokens that may change places")
            return shuffle_neighbours(ids, editable, (places + 1) // 2, generator)
        if ids.shape[1] < 2 or ids.shape[1] - places < self._subject.inputs.min_length:
            raise NotApplicable("a row is too short to leave tokens out")
        if setting.name == "drop":
            return drop_tokens(ids, editable, places, generator)
        return truncate_tokens(ids, editable, places, keep_end=self._keep_end)

    def _pad(self, ids: Tensor, setting: Setting) -> TokenEdit:
        plan = self._subject.inputs
        left = setting.words == "on the left"
        causal = self._keep_end and LENGTH in self._subject.outputs.axes
        if not plan.padding and (left or not causal):
            raise NotApplicable("the model takes no padding mask")
        count = max(round(setting.strength * ids.shape[1]), _LEAST_PADDING)
        self._require_room(ids.shape[1] + count)
        pad = plan.pad_token_id
        own = getattr(self._tokenizer, "pad_token_id", None)
        pad = own if isinstance(own, int) else pad
        argument = plan.primary_argument
        return pad_tokens(ids, count, argument.low if pad is None or pad >= argument.high else pad, left=left)

    def _require_room(self, length: int) -> None:
        longest = self._subject.inputs.max_length
        if longest is not None and length > longest:
            raise NotApplicable(f"the input would exceed the model's longest, {longest} tokens")

    def _disturb(self, case: RobustnessCase, setting: Setting, seed: int) -> PerturbedAnswer:
        if setting.strength == 0:
            return PerturbedAnswer(
                self._answers(case.call)
            )  # under the mode, fused layers would round otherwise
        ids = case.call.tensors[self._subject.inputs.primary]
        with EmbeddingNoise(setting.strength, seed).watch(ids) as lookups:
            output = self._answers(case.call)
        if not lookups.lookups:
            raise NotApplicable("no lookup of the token ids in an embedding table was seen")
        return PerturbedAnswer(output)

    def _lower_precision(self, case: RobustnessCase, setting: Setting) -> PerturbedAnswer:
        runner = self._precisions.setdefault(setting.words, ReducedPrecision(self._subject, setting.words))
        try:
            return PerturbedAnswer(runner.answer(case.call, self._seed))
        except LookupError as error:
            raise NotApplicable(str(error)) from error

    def _mistype(self, case: RobustnessCase, setting: Setting, seed: int) -> PerturbedAnswer:
        words = count_words(case.text)
        if words == 0:
            raise NotApplicable("a text has no words of two letters")
        count = max(round(setting.strength * words), 1) if setting.strength else 0
        ids = encode_text(self._tokenizer, add_typos(case.text, count, seed))
        if not ids:
            raise NotApplicable("the tokenizer gives no tokens for the text")
        self._require_room(len(ids))
        row = torch.tensor([ids], device=self._subject.device)
        assert case.tokens is not None
        # Which new token stands for which old one is unknown: only what else the call holds follows the length.
        origins = torch.arange(len(ids), device=row.device)[None].clamp(max=case.tokens.ids.shape[1] - 1)
        edit = TokenEdit(row.to(case.tokens.ids), origins, torch.zeros_like(row, dtype=torch.bool))
        return PerturbedAnswer(self._answers(apply_edit(self._subject, case.call, edit)))

    def _change_values(self, case: RobustnessCase, setting: Setting, seed: int) -> PerturbedAnswer:
        argument = self._subject.inputs.primary_argument
        values = case.call.tensors.get(argument.name)
        if values is None or not values.is_floating_point():
            raise NotApplicable("the input holds no real values")
        if setting.name == "noise":
            changed = add_noise(values, setting.strength, torch.Generator().manual_seed(seed))
        elif setting.name == "brightness":
            changed = brighten(values, setting.strength)
        else:
            axis = argument.shape.index(LENGTH) if LENGTH in argument.shape else values.dim() - 1
            if argument.role not in ("image", "audio") and LENGTH not in argument.shape:
                raise NotApplicable("the input has no axis along which its values can be shifted")
            if values.shape[axis] < 2:
                raise NotApplicable("the input has one position only")
            changed = shift_along(values, axis, setting.strength)
        return PerturbedAnswer(self._answers(case.call.with_argument(argument.name, changed)))
