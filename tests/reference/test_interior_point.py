"""The interior point with one factor a step: right, and the same as the one without."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from scipy.optimize import minimize

from companion import sampling
from companion.problems import QP, Status
from companion.reference import interior_point, qp

SHAPES = [(4, 1, 5), (4, 0, 5), (6, 2, 9), (1, 0, 1)]
SLOW = QP(  # whose judged residual rises three steps in a row
    np.array([[0.9, 0.9], [0.9, 1.1]]),
    np.array([1.8, 0.4]),
    G=np.array([[2.1, 0.3], [0.7, 0.4], [0.4, 1.3], [-0.4, -0.3], [1.5, -2.0]]),
    h=np.array([4.0, 2.0, 1.4, 0.2, 3.2]),
)


def draw(seed, shape=(4, 1, 5), regime="strictly_complementary"):
    return sampling.qp(np.random.default_rng(seed), *shape, regime=regime)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_last_step_ends_at_the_solution(seed, shape):
    problem, truth = draw(seed, shape)
    steps = interior_point.solve(problem)
    assert qp.outcome(problem, *steps[-1].end) is Status.SOLVED
    for name in ("x", "nu", "lam"):
        found = getattr(steps[-1].end, name)
        np.testing.assert_allclose(found, getattr(truth, name), atol=1e-7)


def test_solution_is_scipys():
    def p(x):
        return x @ SLOW.P @ x / 2 + SLOW.q @ x

    walls = {"type": "ineq", "fun": lambda x: SLOW.h - SLOW.G @ x}
    theirs = minimize(p, np.zeros(2), method="SLSQP", constraints=[walls], tol=1e-12)
    ours = interior_point.solve(SLOW)[-1].end.x
    np.testing.assert_allclose(ours, theirs.x, atol=1e-6)


@pytest.mark.parametrize("regime", ["strictly_complementary", "weakly_active"])
def test_directions_are_those_of_the_unreduced_system(regime):
    problem, _ = draw(3, regime=regime)
    for step in interior_point.solve(problem)[:5]:
        z, affine = step.z, step.affine
        plain = qp.newton_step(problem, *z, z.s * z.lam)
        bend = affine.s * affine.lam - step.sigma * step.mu
        bent = qp.newton_step(problem, *z, z.s * z.lam + bend)
        pairs = [(affine, plain), (step.direction, bent)]
        for ours, theirs in pairs:
            for u, v in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(u, v, rtol=1e-7, atol=1e-9)


def test_a_step_factors_once_and_solves_twice():
    problem, _ = draw(0)
    with (
        mock.patch.object(
            interior_point, "factor", wraps=interior_point.factor
        ) as factored,
        mock.patch.object(interior_point, "back", wraps=interior_point.back) as solved,
    ):
        steps = interior_point.solve(problem)
    assert (factored.call_count, solved.call_count) == (len(steps), 2 * len(steps))


@pytest.mark.parametrize("seed", range(4))
def test_last_factor_gives_the_gradient(seed):
    problem, truth = draw(seed)
    g = np.random.default_rng(9).normal(size=problem.n)
    last, fixed = interior_point.solve(problem)[-1], interior_point.prepare(problem)
    dx, dnu, dlam = interior_point.adjoint(problem, fixed, last.factor, g)
    want = qp.vjp(problem, truth, g)
    for ours, theirs in ((dx, want.q), (dnu, -want.b), (dlam, -want.h)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_an_indefinite_objective_is_refused():
    with pytest.raises(np.linalg.LinAlgError):
        interior_point.prepare(QP(-np.eye(1), np.zeros(1)))


def test_company_decides_what_a_batch_returns():
    other = QP(SLOW.P, np.array([0.3, 0.8]), G=SLOW.G, h=SLOW.h)
    alone, beside = (
        interior_point.together(batch)[0].x for batch in ([SLOW], [SLOW, other])
    )
    right = interior_point.solve(SLOW)[-1].end.x
    np.testing.assert_allclose(right, [-1.7, 1.6], atol=1e-8)
    np.testing.assert_allclose(beside, right, atol=1e-8)
    assert np.linalg.norm(alone - right) > np.linalg.norm(right)
