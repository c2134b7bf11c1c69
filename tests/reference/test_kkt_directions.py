"""One-sided derivatives: right where the linearised KKT system has no answer."""

from __future__ import annotations

import numpy as np
import pytest

from companion import sampling
from companion.gradcheck import taylor
from companion.problems import QP, QPSolution, Status
from companion.reference import kkt, qp
from tests import oracles

SOLVED = Status.SOLVED
STEPS = 2.0 ** -np.arange(6, 13)


def draw(seed, regime="weakly_active"):
    return sampling.qp(np.random.default_rng(seed), regime=regime)


def directions(problem, seed, size=0.05):
    rng = np.random.default_rng(seed)
    fields = [size * rng.normal(size=v.shape) for v in problem.fields]
    fields[0] = fields[0] + fields[0].T
    return QP(*fields)


def quotient(problem, direction, t=1e-7):
    """The one-sided difference quotient of x through an exact active set."""
    ends = []
    for s in (0.0, t):
        pairs = zip(problem.fields, direction.fields, strict=True)
        ends.append(oracles.active_set(*(v + s * dv for v, dv in pairs))[0])
    return (ends[1] - ends[0]) / t


def scalar(q, rows=1, length=1.0):
    """Minimize ½x² + qx over `rows` copies of −length·x ≤ 0, with its solution."""
    problem = QP(
        np.eye(1), np.array([q]), G=-length * np.ones((rows, 1)), h=np.zeros(rows)
    )
    x, lam = max(0.0, -q), max(0.0, q)
    lams = np.full(rows, lam / (rows * length))
    room = length * x * np.ones(rows)
    return problem, QPSolution(np.array([x]), np.zeros(0), lams, room, 0.0, SOLVED)


def along_q(problem, v):
    zero = problem.map(np.zeros_like)
    return QP(zero.P, np.asarray(v, float), zero.A, zero.b, zero.G, zero.h)


@pytest.mark.parametrize("seed", range(6))
def test_remainder_is_of_second_order_from_one_side_at_a_weakly_active_row(seed):
    problem, sol = draw(seed)
    for sign in (1, -1):
        step = directions(problem, seed).map(lambda v, s=sign: s * v)
        flat = np.concatenate([v.ravel() for v in problem.fields])
        moved = np.concatenate([v.ravel() for v in step.fields])
        cuts = np.cumsum([v.size for v in problem.fields])[:-1]
        shapes = [v.shape for v in problem.fields]

        def through(data, cuts=cuts, shapes=shapes):
            parts = np.split(data, cuts)
            fields = [p.reshape(s) for p, s in zip(parts, shapes, strict=True)]
            return np.concatenate(oracles.active_set(*fields))

        speeds = kkt.directional_derivative(problem, sol, step)
        claim = np.concatenate([speeds.x, speeds.nu, speeds.lam])
        report = taylor(through, flat, moved, claim, steps=STEPS, noise=1e-11)
        assert report.passes, str(report)


def test_least_squares_misses_the_difference_quotient_at_a_weakly_active_row():
    errors = []
    for seed in range(6):
        problem, sol = draw(seed)
        step = directions(problem, seed)
        true = quotient(problem, step)
        ours = kkt.directional_derivative(problem, sol, step).x
        theirs = kkt.least_squares_derivative(problem, sol, step).x
        np.testing.assert_allclose(ours, true, rtol=1e-5, atol=1e-6)
        errors.append(np.abs(theirs - true).max() / np.abs(true).max())
    assert min(errors) > 1e-2


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_jacobian_where_the_kkt_matrix_is_regular(seed):
    problem, sol = draw(seed, "strictly_complementary")
    step = directions(problem, seed)
    g = np.random.default_rng(seed).normal(size=problem.n)
    gradient = qp.vjp(problem, sol, g)
    want = sum(np.sum(a * b) for a, b in zip(gradient.fields, step.fields, strict=True))
    for derivative in (kkt.directional_derivative, kkt.least_squares_derivative):
        assert g @ derivative(problem, sol, step).x == pytest.approx(want, rel=1e-8)


def test_one_sided_derivatives_of_opposite_directions_do_not_cancel_at_a_kink():
    problem, sol = draw(2)
    step = directions(problem, 2)
    back = step.map(np.negative)
    both = [kkt.directional_derivative(problem, sol, d).x for d in (step, back)]
    assert np.abs(both[0] + both[1]).max() > 1e-3


def test_it_is_positively_homogeneous_and_linear_inside_a_piece():
    problem, sol = draw(3)
    step, near = directions(problem, 3), directions(problem, 4, 1e-4)

    def x(direction):
        return kkt.directional_derivative(problem, sol, direction).x

    def add(a, b):
        return QP(*(u + v for u, v in zip(a.fields, b.fields, strict=True)))

    np.testing.assert_allclose(x(step.map(lambda v: 7 * v)), 7 * x(step), atol=1e-9)
    first = x(add(step, near)) - x(step)
    second = x(add(add(step, near), near)) - x(add(step, near))
    np.testing.assert_allclose(first, second, atol=1e-9)


@pytest.mark.parametrize(("v", "want"), [(1.0, 0.0), (-1.0, 1.0)])
def test_scalar_kink_has_two_slopes(v, want):
    problem, sol = scalar(0.0)
    got = kkt.directional_derivative(problem, sol, along_q(problem, [v]))
    assert got.x == pytest.approx([want], abs=1e-12)
    assert got.lam == pytest.approx([max(v, 0.0)], abs=1e-12)


@pytest.mark.parametrize("length", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_least_squares_counts_rows_and_measures_them(rows, length):
    problem, sol = scalar(0.0, rows, length)
    got = kkt.least_squares_derivative(problem, sol, along_q(problem, [1.0]))
    assert got.x == pytest.approx([-1 / (1 + rows * length**2)], rel=1e-9)


def test_nan_where_the_critical_program_is_infeasible():
    problem = QP(np.eye(1), np.array([-3.0]), G=np.ones((2, 1)), h=np.ones(2))
    sol = QPSolution(
        np.ones(1), np.zeros(0), np.ones(2), np.zeros(2), -2.5, Status.SOLVED
    )
    step = along_q(problem, [0.0])
    loose = QP(step.P, step.q, step.A, step.b, step.G, np.array([1.0, 0.0]))
    assert np.isnan(kkt.directional_derivative(problem, sol, loose).x).all()


@pytest.mark.parametrize("mu", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("q", [-0.3, 0.0, 0.3])
def test_central_path_of_the_scalar_kink_in_closed_form(q, mu):
    problem, _ = scalar(q)
    z = kkt.central_path(problem, mu)
    root = np.sqrt(q * q + 4 * mu)
    assert z.x == pytest.approx([2 * mu / (q + root)], rel=1e-9)
    slope = kkt.central_derivative(problem, z, along_q(problem, [1.0])).x
    assert slope == pytest.approx([-(1 - q / root) / 2], rel=1e-7)


def test_central_path_reaches_its_mu_on_sampled_problems():
    for seed in range(4):
        problem, _ = draw(seed)
        for mu in (1e-2, 1e-6):
            z = kkt.central_path(problem, mu)
            np.testing.assert_allclose(z.s * z.lam, mu, rtol=1e-6)
            held = problem.A.T @ z.nu + problem.G.T @ z.lam
            assert np.abs(problem.P @ z.x + problem.q + held).max() < 1e-9
