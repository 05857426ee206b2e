"""Make a subject of a loaded model: the step before checks and analyses alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from tierproof.analysis.examples.read_examples import sample_inputs
from tierproof.api.check_options import CheckOptions
from tierproof.errors import TierproofError
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.describe.batch_norm_statistics import settle_batch_norms
from tierproof.model.describe.given_precision import widen_inputs, widen_model
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.describe.subject import Subject
from tierproof.model.load.load import LoadedModel
from tierproof.model.preserve.preserve import ModelRecord


def prepare_loaded(
    loaded: LoadedModel, options: CheckOptions, device: torch.device, snapshot: ModelRecord
) -> tuple[Subject, tuple[str, ...]]:
    """The subject of a loaded model, on its device, and what had to be assumed about it.

    The model may change: float32 weights for half-precision ones, hidden layers registered, fresh batch norms settled.
    `snapshot` notes it, so that restoring with `full=False` keeps it and leaving `preserve` undoes it.

    Raises:
        TierproofError: the model cannot be called; the message says what to do.
    """
    if options.device is not None:
        loaded.model.to(device)
        snapshot.note_change()
    subject = _prepare_in_float32(loaded, options, device, snapshot)
    notes = list(loaded.assumptions)
    if subject is None:
        subject = _describe(loaded, options, _choose_inputs(options), device)
    elif subject.given is not None:
        notes.append(
            f"the weights are {subject.given.name}: speed and memory were measured in {subject.given.name}, everything "
            "else in float32"
        )
    snapshot.restore(full=False)
    subject.hidden.register()
    settled = settle_batch_norms(subject, options.seed)
    if settled or subject.hidden:
        snapshot.note_change()
    return subject, (*notes, settled) if settled else tuple(notes)


def _choose_inputs(options: CheckOptions) -> Any:
    """The inputs that were given; else the first of the examples, where it is a batch or a tensor of values."""
    return sample_inputs(options.examples) if options.inputs is None else options.inputs


def _describe(loaded: LoadedModel, options: CheckOptions, inputs: Any, device: torch.device) -> Subject:
    return prepare_subject(
        loaded.model, target=loaded.target, spec=options.spec, inputs=inputs, device=device, seed=options.seed
    )


def _prepare_in_float32(
    loaded: LoadedModel, options: CheckOptions, device: torch.device, snapshot: ModelRecord
) -> Subject | None:
    """The subject of a half-precision model, with float32 weights; None where it is to be checked as it came.

    It is where it runs in one of the two precisions only: one that does not run as given has to be refused.
    """
    given = widen_model(loaded.model)
    if given is None:
        return None
    try:
        subject = replace(
            _describe(loaded, options, widen_inputs(_choose_inputs(options)), device), given=given
        )
        with torch.no_grad(), subject.as_given() as narrow:
            narrow.forward(narrow.make_call(seed=options.seed))
    except Exception as error:
        snapshot.restore(full=False)
        if not (isinstance(error, TierproofError) or raised_in_a_call(error)):
            raise
        return None
    snapshot.note_change()
    return subject
