"""The KKT conditions as code, against exact arithmetic and against the layer."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch

from companion import sampling
from companion.gradcheck import taylor
from companion.layers import qp as layers
from companion.problems import QP, QPSolution, Status
from companion.reference import kkt, qp
from companion.reference.kkt import complementarity
from tests import oracles

FIELDS = ("P", "q", "A", "b", "G", "h")
CASES = 500
LEAST = 20  # of every way in which K can be singular
TINY = Fraction(1, 10**6)


def exact(array):
    """Nested lists of Fraction."""
    return np.vectorize(lambda v: Fraction(int(v)), otypes=[object])(array).tolist()


def repeated(G, lam, slack):
    """Row 0 written twice, active with multipliers 1 and 2."""
    G[1], lam[:2], slack[:2] = G[0], (1, 2), 0


def integer_case(rng, number):
    """A small integer QP built backwards from a KKT point; every fifth one of a kind.

    Kinds: as it falls; strictly complementary; a weak row; a row twice; a flat P.
    """
    kind = number % 5
    n, p, m = rng.integers(1, 4), rng.integers(0, 2), rng.integers(2 * (kind == 3), 4)
    F = rng.integers(-2, 3, (rng.integers(0, n) if kind in (0, 4) else n, n))
    P = F.T @ F + (0 if kind in (0, 4) else np.eye(n, dtype=int))
    A, G = rng.integers(-2, 3, (p, n)), rng.integers(-2, 3, (m, n))
    state = rng.integers(0, 2 if kind in (1, 4) else 3, m)  # active, inactive, weak
    size = rng.integers(1, 4, m)
    lam, slack = size * (state == 0), size * (state == 1)
    if kind == 3:
        repeated(G, lam, slack)
    x, nu = rng.integers(-2, 3, n), rng.integers(-2, 3, p)
    q = -(P @ x + A.T @ nu + G.T @ lam)
    return (P, q, A, A @ x, G, G @ x + slack), (x, nu, lam), slack


def as_floats(data, point, slack):
    problem = QP(*(np.asarray(v, float) for v in data))
    x, nu, lam = (np.asarray(v, float) for v in point)
    value = float(0.5 * x @ problem.P @ x + problem.q @ x)
    return problem, QPSolution(x, nu, lam, slack.astype(float), value, Status.SOLVED)


@pytest.fixture(scope="module")
def cases():
    """(exact data, exact point, classification, problem, solution) of every draw."""
    rng, found = np.random.default_rng(0), []
    for number in range(CASES):
        data, point, slack = integer_case(rng, number)
        P, q, A, b, G, h = fields = [exact(v) for v in data]
        x, nu, lam = exact_point = [exact(v) for v in point]
        assert oracles.exact_conditions(P, q, A, b, G, h, x, nu, lam)
        judged = oracles.classify(P, A, G, h, x, lam)
        found.append((fields, exact_point, judged, *as_floats(data, point, slack)))
    return found


def test_every_way_to_be_singular_is_drawn_alone(cases):
    seen = Counter(
        tuple(judged[name] for name in ("strict", "independent", "curved"))
        for _, _, judged, _, _ in cases
    )
    for alone in ((False, True, True), (True, False, True), (True, True, False)):
        assert seen[alone] >= LEAST, seen
    assert seen[True, True, True] >= LEAST


def test_matrix_is_singular_exactly_when_a_hypothesis_fails(cases):
    for _, _, judged, problem, sol in cases:
        hypotheses = judged["strict"] and judged["independent"] and judged["curved"]
        assert judged["nonsingular"] == hypotheses
        K = kkt.jacobian(problem, sol.x, sol.nu, sol.lam)
        assert (np.linalg.matrix_rank(K) == len(K)) == judged["nonsingular"]


def test_margins_vanish_exactly_when_their_hypothesis_fails(cases):
    for _, _, judged, problem, sol in cases:
        found = kkt.regularity(problem, sol)
        assert (found.strict_complementarity > 1e-6) == judged["strict"]
        assert (found.licq > 1e-7) == judged["licq"]
        assert (found.curvature > 1e-9) == judged["curved"]
        assert found.differentiable == judged["nonsingular"]
        saddle = judged["independent"] and judged["curved"]
        assert (found.condition < 1e10) == saddle


def test_residual_vanishes_at_the_built_solution(cases):
    for _, _, _, problem, sol in cases:
        assert not kkt.residual(problem, sol.x, sol.nu, sol.lam).any()


def test_enumerator_finds_the_value_that_the_conditions_certify(cases):
    for fields, point, judged, _, sol in cases:
        if judged["nonsingular"]:
            assert list(oracles.exact_active_set(*fields)) == point
            assert exact_value(fields) == Fraction(sol.value)


def exact_value(fields):
    """Optimal value by enumeration, over the rationals."""
    P, q = fields[:2]
    x = oracles.exact_active_set(*fields)[0]
    curved = sum(a * v * w for row, v in zip(P, x) for a, w in zip(row, x))  # noqa: B905
    return curved / 2 + sum(a * v for a, v in zip(q, x, strict=True))


def moved(fields, name, direction, step):
    """The data with one field displaced, over the rationals."""
    found = list(fields)
    at = FIELDS.index(name)
    E = np.array(exact(direction), dtype=object).reshape(direction.shape)
    old = np.array(fields[at], dtype=object).reshape(direction.shape)
    found[at] = (old + step * E).tolist()
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_value_gradients_are_the_exact_slopes_of_the_value(cases, name):
    rng, tried = np.random.default_rng(1), 0
    for fields, _, judged, problem, sol in cases:
        gradient = getattr(kkt.value_gradients(problem, sol), name)
        if not (judged["nonsingular"] and gradient.size) or tried == 40:
            continue
        # along vv' a semidefinite P stays one from the side of t > 0 only
        E = rng.integers(-1, 2, gradient.shape)
        E = E @ E.T if name == "P" else E
        ahead, here, twice = (
            exact_value(moved(fields, name, E, k * TINY)) for k in (1, 0, 2)
        )
        slope = (4 * ahead - 3 * here - twice) / (2 * TINY)  # error of order TINY²
        assert float(slope) == pytest.approx(np.sum(gradient * E), abs=1e-7)
        tried += 1
    assert tried >= 20


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_jacobian_is_the_derivative_of_the_residual(regime):
    rng = np.random.default_rng(3)
    problem, sol = sampling.qp(rng, regime=regime)
    z = np.concatenate([sol.x, sol.lam, sol.nu]) + rng.normal(size=10)
    direction = rng.normal(size=10)

    def at(v):
        x, lam, nu = np.split(v, [4, 9])
        return problem, x, nu, lam

    slope = kkt.jacobian(*at(z)) @ direction
    report = taylor(lambda v: kkt.residual(*at(v)), z, direction, slope)
    assert report.passes, report


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
@pytest.mark.parametrize("seed", range(3))
def test_regularity_is_the_layers(regime, seed):
    problem, sol = sampling.qp(np.random.default_rng(seed), regime=regime)
    scaled = QP(problem.P, problem.q, problem.A, problem.b, *rescaled(problem))
    factor = np.arange(1.0, 6.0)
    known = QPSolution(
        sol.x, sol.nu, sol.lam / factor, sol.slack * factor, sol.value, sol.status
    )
    ours = kkt.regularity(scaled, known)
    tensors = QPSolution(
        *(torch.as_tensor(v) for v in (known.x, known.nu, known.lam, known.slack)),
        known.value,
        torch.tensor(int(known.status)),
    )
    theirs = layers.regularity(scaled.map(torch.tensor), tensors)
    for name in ("strict_complementarity", "licq", "curvature"):
        got, want = getattr(ours, name), float(getattr(theirs, name))
        assert got == pytest.approx(want, rel=1e-6, abs=1e-9), name
    if theirs.differentiable:
        assert ours.condition == pytest.approx(float(theirs.condition), rel=1e-6)
    assert ours.differentiable == bool(theirs.differentiable)


def rescaled(problem):
    """Rows times 1, 2, 3, …: no margin may notice."""
    factor = np.arange(1.0, 6.0)
    return factor[:, None] * problem.G, factor * problem.h


def test_regularity_of_a_failed_instance_is_nan():
    one = np.ones((1, 1))
    problem = QP(one, one[0], G=np.array([[1.0], [-1.0]]), h=-np.ones(2))
    found = kkt.regularity(problem, qp.solve(problem))
    assert np.isnan(found.condition)
    assert not found.differentiable


def test_no_rows_give_infinite_margins():
    problem = QP(np.eye(2), np.ones(2))
    found = kkt.regularity(problem, qp.solve(problem))
    assert found.strict_complementarity == found.licq == np.inf
    assert found.curvature == found.condition == 1.0


@pytest.mark.parametrize("small", [1e-8, 1e-20, 1e-300])
def test_fischer_burmeister_keeps_small_residuals(small):
    assert complementarity.fischer_burmeister(1.0, small) == pytest.approx(small)


def test_complementarity_functions_agree_on_what_is_zero():
    on = np.array([[0, 0], [2, 0], [0, 3.0]]).T
    off = np.array([[1, 1], [-1, 0], [0, -1], [-1, -1.0]]).T
    for phi in (complementarity.minimum, complementarity.fischer_burmeister):
        assert not phi(*on).any()
        assert phi(*off).all()
    assert not complementarity.product(*on).any()


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_no_force_is_left_at_a_solution_and_nothing_is_violated(regime):
    problem, sol = sampling.qp(np.random.default_rng(4), regime=regime)
    nu, lam, left = kkt.balance(problem, sol.x)
    assert np.abs(left).max() < 1e-8
    assert kkt.violations(problem, sol.x, nu, lam).max() < 1e-8


def test_left_force_slides_along_the_wall_that_it_touches():
    quadrant = QP(np.eye(2), np.array([-2.0, 1.0]), G=-np.eye(2), h=np.zeros(2))
    _, lam, left = kkt.balance(quadrant, np.zeros(2))
    np.testing.assert_allclose(lam, [0, 1])
    np.testing.assert_allclose(left, [2, 0])
    free = QP(np.eye(2), np.ones(2))
    np.testing.assert_allclose(kkt.balance(free, np.ones(2))[2], [-2, -2])


def test_each_violation_is_seen():
    one = np.ones(1)
    problem = QP(np.eye(1), -one, np.eye(1), one, np.eye(1), 2 * one)
    fine = kkt.violations(problem, one, 0 * one, 0 * one)
    assert not fine.any()
    for place, (x, nu, lam) in enumerate(
        [(1, 1, 0), (1.5, -0.5, 0), (3, -2, 0), (1, 1, -1), (1, -1, 1)]
    ):
        found = kkt.violations(problem, x * one, nu * one, lam * one)
        assert found[place] > 0.4
