"""The Taylor test accepts derivatives and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from companion.gradcheck import taylor

X, V = np.array([0.3, -0.7, 1.1]), np.array([1.0, 0.5, -0.25])


def f(x):
    return np.array([np.sin(x).sum(), (x**3).sum()])


def df(x, v):
    return np.array([np.cos(x) @ v, 3 * x**2 @ v])


def test_right_derivative_has_order_two():
    report = taylor(f, X, V, df(X, V))
    assert report.passes
    assert report.order == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("factor", [0.0, 0.5, -1.0, 1.001, 2.0])
def test_wrong_derivative_fails(factor):
    report = taylor(f, X, V, factor * df(X, V))
    assert not report.passes


def test_wrong_derivative_has_order_one():
    assert taylor(f, X, V, 0 * df(X, V)).order == pytest.approx(1, abs=0.1)


def test_affine_map_passes_at_rounding_and_a_wrong_slope_still_fails():
    right = taylor(lambda x: 2 * x + 1, X, V, 2 * V)
    assert right.passes
    assert right.order == np.inf
    assert not taylor(lambda x: 2 * x + 1, X, V, 2.00001 * V).passes


def test_kink_has_no_derivative():
    for slope in (0.0, 0.5, 1.0):
        passed = [
            taylor(
                lambda x: np.maximum(x, 0),
                np.zeros(1),
                np.array([side]),
                np.array([side * slope]),
            ).passes
            for side in (1.0, -1.0)
        ]
        assert not all(passed)


def test_not_a_number_fails():
    assert not taylor(lambda x: x * np.nan, X, V, V).passes


def test_shapes_are_compared_not_broadcast():
    with pytest.raises(
        ValueError, match=r"direction: expected shape \(3,\).*got \(1,\)"
    ):
        taylor(f, X, V[:1], df(X, V))
    with pytest.raises(
        ValueError, match=r"derivative: expected shape \(2,\).*got \(\)"
    ):
        taylor(f, X, V, 1.0)


def test_report_prints_its_verdict_and_its_steps():
    text = str(taylor(f, X, V, df(X, V)))
    assert text.startswith("order 2.0")
    assert text.count("\n") == 9
