"""The printed code: right against exact arithmetic, Clarabel and HiGHS."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from companion import sampling
from companion.problems import QP
from companion.reference import duality
from tests import oracles

EYE = np.eye(2)
# min ½‖x‖² - 3x₁ over x₁ ≤ 1: solved by x = (1, 0) with lam = 2
WALL = QP(EYE, np.array([-3.0, 0]), G=np.array([[1.0, 0]]), h=np.ones(1))
EMPTY = np.zeros(0)


def clarabel(problem: QP) -> tuple:
    x, nu, lam, status = oracles.clarabel_qp(*problem.fields)
    assert status == "Solved"
    return x, nu, lam


def test_floats_become_fractions_without_rounding():
    exact = duality.rational([[0.1, 1.0]])
    assert exact[0, 0] == Fraction(3602879701896397, 36028797018963968)
    assert [[float(v) for v in row] for row in exact] == [[0.1, 1.0]]


def test_bound_is_attained_at_the_solution():
    x = np.array([1.0, 0])
    assert duality.objective(WALL.fields, x) == -2.5
    assert duality.lower_bound(WALL.fields, x, EMPTY, np.array([2.0])) == -2.5


@pytest.mark.parametrize(
    ("lam", "match"), [([-1.0], "negative entry"), ([1.0], "residual")]
)
def test_what_certifies_nothing_is_refused(lam, match):
    with pytest.raises(ValueError, match=match):
        duality.lower_bound(WALL.fields, np.array([1.0, 0]), EMPTY, np.array(lam))


@pytest.mark.parametrize("seed", range(4))
def test_lagrangian_at_clarabels_pair_is_the_value(seed):
    problem, _ = sampling.qp(np.random.default_rng(seed))
    x, nu, lam = clarabel(problem)
    value = duality.objective(problem.fields, x)
    found = duality.lagrangian(problem.fields, x, nu, lam)
    assert found == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_dual_program_has_clarabels_multipliers(seed):
    problem, truth = sampling.qp(np.random.default_rng(seed))
    y, _, _ = clarabel(duality.dual(problem))
    _, nu, lam = clarabel(problem)
    np.testing.assert_allclose(y, np.concatenate([nu, lam]), atol=1e-5)
    second = duality.dual(problem)
    constant = problem.q @ np.linalg.solve(problem.P, problem.q) / 2
    value = -duality.objective(second.fields, y) - constant
    assert value == pytest.approx(truth.value, rel=1e-6, abs=1e-6)


def system(seed: int) -> QP:
    rng = np.random.default_rng(seed)
    n, p, m = (int(rng.integers(*ends)) for ends in ((1, 4), (0, 2), (1, 6)))
    A, b, G, h = (
        rng.integers(-2, 3, shape).astype(float) for shape in ((p, n), p, (m, n), m)
    )
    return QP(np.eye(n), np.zeros(n), A, b, G, h)


@pytest.mark.parametrize("seed", range(40))
def test_a_ray_is_found_exactly_if_highs_finds_no_point(seed):
    problem = system(seed)
    _, q, A, b, G, h = problem.fields
    code = linprog(q, G, h, A if len(A) else None, b if len(b) else None, (None, None))
    pair = duality.infeasibility(problem.fields)
    assert (pair is None) == (code.status == 0)
    if pair is not None:
        exact = tuple(map(duality.rational, problem.fields))
        assert duality.proves_infeasible(exact, *pair)


def test_no_ray_for_what_has_a_point():
    data = tuple(map(duality.rational, WALL.fields))
    assert duality.infeasibility(data) is None
    assert not duality.proves_infeasible(data, EMPTY, duality.rational([1]))


@pytest.mark.parametrize(
    ("G", "h"), [([[1], [-1]], [2, -2]), ([[1]], [0]), ([[-1]], [5]), ([[0]], [0])]
)
def test_point_of_the_alternative_satisfies_every_row(G, h):
    G, h = duality.rational(G), duality.rational(h)
    found = duality.alternative(G, h)
    assert found.lam is None
    assert all(G @ found.x <= h)


@pytest.mark.parametrize("seed", range(12))
def test_multipliers_of_an_exact_minimizer(seed):
    rng = np.random.default_rng(seed)
    L, G = rng.integers(-2, 3, (3, 3)), rng.integers(-2, 3, (4, 3))
    P, q, h = L @ L.T + np.eye(3, dtype=int), rng.integers(-5, 6, 3), np.ones(4)
    P, q, G, h = map(duality.rational, (P, q, G, h))
    lists = [P.tolist(), list(q), [], [], G.tolist(), list(h)]
    x, _, _ = oracles.exact_active_set(*lists)
    data = (P, q, G[:0], h[:0], G, h)
    x = np.array(x, dtype=object)
    nu, lam = duality.optimality(data, x).lam
    gap = duality.objective(data, x) - duality.lower_bound(data, x, nu, lam)
    assert gap == 0


def test_a_point_that_is_not_optimal_gets_a_descent_direction():
    x = np.zeros(2)
    found = duality.optimality(WALL.fields, x)
    assert found.lam is None
    assert (WALL.P @ x + WALL.q) @ found.x <= -1
