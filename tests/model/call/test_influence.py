from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tierproof.model.call.call import Call
from tierproof.model.call.influence import is_causal, measure_influence, perturb_position
from tierproof.model.call.input_plan import Argument

FLOATS = Argument("x", "floats", ("batch", "length", 1), torch.float32)


def measure(function, length=5):
    call = Call({"x": torch.randn(1, length, 1, generator=torch.Generator().manual_seed(0))})
    return measure_influence(lambda c: function(c.arguments["x"]), call, FLOATS, 1, 1)


def test_a_cumulative_sum_is_causal_and_its_reverse_is_not():
    causal = measure(lambda x: x.cumsum(1))
    assert causal == tuple(tuple(j <= i for j in range(5)) for i in range(5))
    assert is_causal(causal)
    assert not is_causal(measure(lambda x: x.flip(1).cumsum(1).flip(1)))


def test_an_offset_of_one_shows():
    influence = measure(lambda x: torch.cat([x[:, 1:], x[:, -1:]], 1).cumsum(1))
    assert influence[0][1]
    assert not influence[0][2]


def test_no_map_without_finite_answers_or_with_changing_shapes():
    assert measure(lambda x: x * float("nan")) == ()
    assert measure(lambda x: x if x[0, 0] < 2 else x[:, :2]) == ()


@given(
    st.integers(2, 9),
    st.integers(0, 5),
    st.sets(st.integers(0, 12), max_size=3),
    st.integers(0, 3),
    st.integers(0, 99),
)
def test_a_perturbed_id_differs_stays_in_range_and_avoids_special_ids(span, low, avoid, position, seed):
    argument = Argument("t", "tokens", ("batch", "length"), torch.int64, low + span, low, frozenset(avoid))
    allowed = set(range(low, low + span)) - avoid
    tensor = argument.draw({"batch": 2, "length": 4}, torch.Generator().manual_seed(seed))
    changed = perturb_position(argument, tensor, 1, position)
    others = [i for i in range(4) if i != position]
    assert torch.equal(changed[:, others], tensor[:, others])
    assert bool(((changed >= low) & (changed < low + span)).all())
    if len(allowed) > 1:
        assert bool((changed[:, position] != tensor[:, position]).all())
        assert set(changed.flatten().tolist()) <= allowed
