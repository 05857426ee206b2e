"""Find a call that the model accepts, and record what its forward pass returned and looked up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.solve.plan_sizes import count_numbers
from tierproof.model.observe.search.input_search import SLOW_S, InputSearch
from tierproof.model.observe.search.input_trial import FailedTrial, WorkingCall
from tierproof.model.observe.search.no_working_call import explain_failure, explain_slowness
from tierproof.model.observe.search.search_clock import SearchClock

__all__ = ["WorkingCall", "find_working_call"]

# So many proposals are tried before the search learns from their failures; what is left is tried after it.
_FIRST_PROPOSALS = 12
# Of a fault in the forward's own code, which no inputs can mend.
_FAULTS_OF_CODE = (
    "NameError",
    "UnboundLocalError",
    "ImportError",
    "ModuleNotFoundError",
    "NotImplementedError",
)
_CERTAIN_AFTER = 4
# So many different inputs met one refusal that says nothing of them, in one line: others will meet it too.
_HOPELESS_AFTER = 300
# A proposal of so many times the numbers of two that failed alike waits until the search has learnt from them.
_MUCH_LARGER = 4


def find_working_call(probe: ModelProbe, proposals: Iterable[InputPlan]) -> WorkingCall:
    """Try the proposals in order, then what their failures teach, and return the first call that works.

    A call works if it returns a floating-point tensor. Inputs that the user gave are tried as they are, and no others.

    Raises:
        ForwardError: when none does, or when one takes so long that no check would end; the message tells what was
            tried, and what was learnt of each argument.
    """
    clock = SearchClock()
    search = InputSearch(probe, read_signature(probe.model), clock)
    plans = list(proposals)
    given = any(argument.sample is not None for plan in plans for argument in plan.arguments)
    found = _try_each(search, plans, clock) if given else _try_proposals(search, plans, clock)
    if found is None:
        found = search.single
    if found is None:
        elapsed_s = clock.elapsed_s if clock.expired else None
        raise explain_failure(probe, search.failures, given=given, elapsed_s=elapsed_s)
    if found.seconds > SLOW_S and not given:
        raise explain_slowness(probe, found)
    return found


def _try_each(search: InputSearch, plans: Iterable[InputPlan], clock: SearchClock) -> WorkingCall | None:
    found = (search.attempt(plan) for plan in itertools.takewhile(lambda _: not clock.expired, plans))
    return next((call for call in found if call is not None), None)


def _try_proposals(search: InputSearch, plans: list[InputPlan], clock: SearchClock) -> WorkingCall | None:
    """Try the first proposals, then what they teach, then the others; much larger ones of what failed come last."""
    failures = search.failures
    waiting: list[InputPlan] = []
    refused: list[FailedTrial] = []  # proposals; those of the search may be of any size
    patience = _FIRST_PROPOSALS
    for index, plan in enumerate(plans):
        if index == _FIRST_PROPOSALS and (found := _learn(search)) is not None:
            return found
        if clock.expired or _is_fault_of_code(failures) or _are_all_alike(failures) or patience < 0:
            break
        if _is_hopeless(plan, refused):
            waiting.append(plan)
        elif plan.style != "mapping" or not _takes_no_dict(failures):
            if (found := search.attempt(plan)) is not None:
                return found
            refused.append(failures[-1])
            patience -= search.single is not None
    if not failures or _is_fault_of_code(failures) or _are_all_alike(failures):
        return None
    # What the later proposals taught is tried as well; what was tried before is not tried again.
    if (found := _learn(search)) is not None:
        return found
    waiting.sort(key=lambda plan: count_numbers(replace(plan, default_batch=1)))
    return _try_each(search, waiting if search.single is None else (), clock)


def _learn(search: InputSearch) -> WorkingCall | None:
    for failure in tuple(search.failures):
        search.learn_from(failure)
    return search.run()


def _is_hopeless(plan: InputPlan, failures: list[FailedTrial]) -> bool:
    """Whether an image is much larger than two that failed at one place, which says what size it wants."""
    primary = plan.primary_argument
    if len(primary.shape) < 4:
        return False
    sizes: dict[str, set[int]] = {}
    for failure in failures:
        numbers = count_numbers(failure.plan)
        if failure.lessons and numbers * _MUCH_LARGER <= count_numbers(plan):
            sizes.setdefault(failure.place, set()).add(numbers)
    return any(place and len(seen) > 1 for place, seen in sizes.items())


def _takes_no_dict(failures: list[FailedTrial]) -> bool:
    """Whether the forward used the dict it was given as something else."""
    return any("'dict' object" in f.error for f in failures if f.plan.style == "mapping")


def _are_all_alike(failures: list[FailedTrial]) -> bool:
    """Whether very many inputs met the same refusal, from which nothing can be learnt."""
    if len(failures) < _HOPELESS_AFTER or failures[-1].lessons:
        return False
    return len({(failure.error, failure.place) for failure in failures}) == 1


def _is_fault_of_code(failures: list[FailedTrial]) -> bool:
    """Whether several inputs of different kinds met the same fault of the code."""
    if len(failures) < _CERTAIN_AFTER or failures[-1].kind not in _FAULTS_OF_CODE:
        return False
    return len({(failure.error, failure.place) for failure in failures}) == 1
