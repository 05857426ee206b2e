from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.model.costs.activation_fit import TERMS, Measured, fit_activations

_coefficients = st.integers(0, 10**7)


def _bytes(coefficients, batch, length):
    return sum(c * batch**p * length**q for c, (p, q) in zip(coefficients, TERMS.values(), strict=True))


@given(st.tuples(*[_coefficients] * len(TERMS)))
def test_any_sum_of_the_terms_is_found_and_extrapolates(coefficients):
    points = [Measured(b, t, _bytes(coefficients, b, t)) for b, t in product((2, 3), (8, 16, 32))]
    fit = fit_activations(points, Measured(5, 100, _bytes(coefficients, 5, 100)))
    assert fit.relative_error < 1e-6
    expected = _bytes(coefficients, 16, 1024)
    assert fit.predict(16, 1024) == pytest.approx(expected, rel=1e-6, abs=100)


def test_terms_that_the_points_cannot_tell_apart_are_left_out():
    fit = fit_activations([Measured(2, 7, 20), Measured(3, 7, 30)], Measured(4, 7, 40))
    assert set(fit.coefficients) == {"1", "B"}
    assert fit.predict(10, 7) == 100
    assert fit.length_exponent(2, 7) == 0
    one = fit_activations([Measured(1, 1, 5)], Measured(1, 1, 0))
    assert one.coefficients == pytest.approx({"1": 5})
    assert one.relative_error == 5
    two = fit_activations([Measured(b, t, b * t) for b, t in product((1, 2), (4, 8))], Measured(3, 9, 27))
    assert set(two.coefficients) == {"1", "B", "T", "B·T"}


def test_a_step_is_no_sum_of_the_terms():
    points = [Measured(b, t, 0) for b, t in product((2, 3), (8, 16, 32))]
    fit = fit_activations(points, Measured(2, 33, 4096))
    assert fit.relative_error == 1
    assert fit.length_exponent(2, 64) == 0


def test_the_exponent_tells_linear_from_quadratic():
    def square(b, t):
        return Measured(b, t, 4 * b * t * t)

    fit = fit_activations([square(b, t) for b, t in product((2, 3), (8, 16, 32))], square(2, 64))
    assert fit.length_exponent(2, 1000) == pytest.approx(2)
