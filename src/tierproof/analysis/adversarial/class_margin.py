"""The objective of a search: by how much a row's class leads, and the derivative of that by its embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.analysis.answers.answer_form import AnswerForm
from tierproof.analysis.tokens.token_edit import keep_tokens
from tierproof.analysis.tokens.token_lookups import TokenLookups
from tierproof.analysis.tokens.token_rows import apply_edit, select_row
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

# A search runs this many candidates in one forward pass.
CANDIDATES = 8


class NoGradient(Exception):  # noqa: N818 - no error: a fact about the model, which is told
    """The margin cannot be derived by the embeddings; the message says why."""


@dataclass
class PassCount:
    """Forward passes of one row that a search has spent; forward and backward together count as three."""

    spent: int = 0


class ClassMargin:
    """Measures the margin of one row's class on edited ids.

    Args:
        call: of the row alone.
        position: at which the answer is asked, of a model with an answer at each position.
    """

    def __init__(
        self, subject: Subject, form: AnswerForm, call: Call, position: int | None, seed: int
    ) -> None:
        self._subject, self._form, self._call = subject, form, call
        self._position, self._seed = position, seed
        self.count = PassCount()
        self.wanted = -1

    def read_scores(self, ids: Tensor) -> Tensor:
        """[candidates, classes], of ids [candidates, positions]."""
        self.count.spent += len(ids)
        plan = self._subject.inputs
        with torch.no_grad():
            if not plan.has_batch:
                return torch.cat([self._run(row[None]) for row in ids])
            return self._run(ids)

    def measure(self, ids: Tensor) -> Tensor:
        """[candidates], the score of the wanted class minus the best other one; infinite where that is NaN."""
        return self.subtract(self.read_scores(ids))

    def subtract(self, scores: Tensor) -> Tensor:
        """The margins of scores [candidates, classes]."""
        others = scores.clone()
        others[:, self.wanted] = float("-inf")
        margins = scores[:, self.wanted] - others.max(dim=-1).values
        return torch.where(margins.isnan(), torch.full_like(margins, float("inf")), margins)

    def derive(self, ids: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The gradient [positions, width] of the margin by what each lookup of the ids found, and the table of each.

        Raises:
            NoGradient: no lookup was seen, or the margin does not depend on one by autograd.
        """
        self.count.spent += 3
        leaves: list[Tensor] = []

        def detach(found: Tensor, _table: Tensor) -> Tensor:
            leaf = found.detach().requires_grad_()
            leaves.append(leaf)
            return leaf.clone()

        call = self._edit(ids[None])
        watch = TokenLookups(call.tensors[self._subject.inputs.primary], detach)
        try:
            with torch.enable_grad():
                torch.manual_seed(self._seed)
                with watch:
                    answer = self._subject.answer(call)
                margin = self.subtract(self._take(answer)).sum()
                gradients = torch.autograd.grad(margin, leaves, allow_unused=True) if leaves else ()
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            raise NoGradient(f"backward raised {type(error).__name__}: {str(error)[:160]}") from error
        if not leaves:
            raise NoGradient("no lookup of the token ids in an embedding table was seen")
        pairs = [
            (gradient.reshape(-1, gradient.shape[-1]), lookup.table)
            for gradient, lookup in zip(gradients, watch.lookups, strict=True)
            if gradient is not None
        ]
        if not any(bool((gradient != 0).any()) for gradient, _ in pairs):
            raise NoGradient("the gradient of the answer with respect to the embeddings is zero")
        if not all(bool(gradient.isfinite().all()) for gradient, _ in pairs):
            raise NoGradient("the gradient of the answer with respect to the embeddings is not finite")
        return pairs

    def _run(self, ids: Tensor) -> Tensor:
        torch.manual_seed(self._seed)
        return self._take(self._subject.answer(self._edit(ids)))

    def _edit(self, ids: Tensor) -> Call:
        call = select_row(self._subject, self._call, 0, len(ids)) if len(ids) > 1 else self._call
        return apply_edit(self._subject, call, keep_tokens(ids))

    def _take(self, answer: Tensor) -> Tensor:
        """The scores that are asked, [rows, classes], still attached to the graph."""
        outputs = self._subject.outputs
        values = answer.float()
        batch = outputs.batch_axis
        if batch is None:
            values, batch = values.unsqueeze(0), 0
        if not self._form.per_position:
            return values.movedim(batch, 0)
        at = outputs.length_axis + (outputs.batch_axis is None)
        place = -1 if self._position is None else self._position
        return values.select(at, place).movedim(batch - (at < batch), 0)
