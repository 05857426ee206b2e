"""What every analysis begins with: load the model, record it, and work out how to call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.given_examples import GivenExamples
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.api.check_loaded import choose_device
from tierproof.api.check_options import CheckOptions
from tierproof.api.load_model import load_model
from tierproof.api.prepare_loaded import prepare_loaded
from tierproof.model.describe.given_model import refuse_cycle, refuse_uncheckable, unwrap_model
from tierproof.model.describe.subject import Subject
from tierproof.model.preserve.preserve import preserve
from tierproof.model.sizes.parameter_count import count_parameters
from tierproof.model.sizes.thread_count import limit_threads
from tierproof.model.sizes.wide_products import widen_products

if TYPE_CHECKING:
    from torch import nn

    from tierproof.model.call.spec import ModelSpec


@dataclass(frozen=True)
class OpenSubject:
    """A model that is ready to be analysed, and what it is analysed on."""

    subject: Subject
    examples: ExampleSet


@contextmanager
def open_subject(
    model: nn.Module | str,
    given: GivenExamples | None,
    *,
    spec: ModelSpec | None,
    seed: int,
) -> Iterator[OpenSubject]:
    """Inside the `with`, the model is in evaluation mode and may be changed; after it, it is as it came, bit for bit.

    A half-precision model is analysed with float32 weights where they fit into memory.

    Raises:
        TierproofError: the model cannot be loaded or called, or an example is no input of it.
    """
    options = CheckOptions(seed=seed, spec=spec, examples=given)
    loaded = load_model(model, seed)
    loaded = replace(loaded, model=unwrap_model(loaded.model).model)
    refuse_uncheckable(loaded.model)
    refuse_cycle(loaded.model)
    module = loaded.model
    threads = limit_threads(count_parameters(module).parameters)
    with loaded.scope, threads, preserve(module) as snapshot, widen_products(module):
        subject, _ = prepare_loaded(loaded, options, choose_device(module, None), snapshot)
        snapshot.restore(full=False)
        module.eval()
        yield OpenSubject(subject, read_examples(subject, given, seed))
