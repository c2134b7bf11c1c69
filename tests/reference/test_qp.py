"""The printed code: right against exact arithmetic, Clarabel and the Taylor test."""

from __future__ import annotations

import inspect
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from companion import sampling
from companion.gradcheck import taylor
from companion.problems import QP, Status
from companion.reference import qp
from tests import oracles

SHAPES = [(4, 1, 5), (4, 2, 0), (4, 0, 5), (4, 0, 0), (1, 0, 1)]
FIELDS = ("P", "q", "A", "b", "G", "h")


def draw(seed, regime="strictly_complementary", shape=(4, 1, 5)):
    return sampling.qp(np.random.default_rng(seed), *shape, regime=regime)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_solution_is_the_one_the_instance_was_built_from(seed, shape):
    problem, truth = draw(seed, shape=shape)
    sol = qp.solve(problem)
    assert sol.status is Status.SOLVED
    for name in ("x", "nu", "lam", "slack", "value"):
        np.testing.assert_allclose(getattr(sol, name), getattr(truth, name), atol=1e-7)


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_value_is_clarabels_in_every_regime(regime):
    for seed in range(5):
        problem, _ = draw(seed, regime)
        sol = qp.solve(problem)
        x, _, _, status = oracles.clarabel_qp(*problem.fields)
        assert (sol.status, status) == (Status.SOLVED, "Solved")
        theirs = 0.5 * x @ problem.P @ x + problem.q @ x
        assert sol.value == pytest.approx(theirs, rel=1e-6, abs=1e-6)


def test_solution_equals_exact_arithmetic_on_integer_data():
    rng = np.random.default_rng(0)
    for _ in range(10):
        L = rng.integers(-2, 3, (3, 3))
        P = L @ L.T + np.eye(3, dtype=int)
        q, A, G = (
            rng.integers(-5, 6, 3),
            rng.integers(-2, 3, (1, 3)),
            rng.integers(-2, 3, (4, 3)),
        )
        A[0, 0] = 3
        z = rng.integers(-2, 3, 3)
        data = [P, q, A, A @ z, G, G @ z + rng.integers(1, 3, 4)]
        exact = oracles.exact_active_set(
            *(
                [[Fraction(int(v)) for v in row] for row in d]
                if d.ndim == 2
                else [Fraction(int(v)) for v in d]
                for d in data
            )
        )
        sol = qp.solve(QP(*(d.astype(float) for d in data)))
        for ours, theirs in zip((sol.x, sol.nu, sol.lam), exact, strict=True):
            np.testing.assert_allclose(ours, [float(v) for v in theirs], atol=1e-7)


@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
@pytest.mark.parametrize("field", FIELDS)
def test_vjp_has_taylor_order_two_through_an_exact_solver(field, regime):
    for seed in range(3):
        problem, truth = draw(seed, regime)
        rng = np.random.default_rng(seed)
        seeds = [rng.normal(size=v.shape) for v in (truth.x, truth.nu, truth.lam)]
        grad = getattr(qp.vjp(problem, truth, *seeds), field)
        values = dict(zip(FIELDS, problem.fields, strict=True))
        d = rng.normal(size=grad.shape)
        d = d + d.T if field == "P" else d
        size = {
            "strictly_complementary": 1e-1,
            "near_infeasible": 1e-6,
            "ill_conditioned": 1e-8,
        }
        d = size[regime] * d / np.linalg.norm(d)

        def along(theta, seeds=seeds, values=values):
            out = oracles.active_set(*{**values, field: theta}.values())
            return sum(g @ v for g, v in zip(seeds, out, strict=True))

        noise = {
            "strictly_complementary": 1e-12,
            "near_infeasible": 1e-11,
            "ill_conditioned": 1e-8,
        }
        report = taylor(along, values[field], d, np.sum(grad * d), noise=noise[regime])
        assert report.passes, (seed, report)


def test_kkt_residual_vanishes_at_the_solution_and_nowhere_near():
    problem, truth = draw(0)
    at = qp.kkt_residual(problem, truth.x, truth.nu, truth.lam)
    assert at.shape == (4 + 1 + 5,)
    assert np.abs(at).max() < 1e-12
    assert (
        np.abs(qp.kkt_residual(problem, truth.x + 1e-3, truth.nu, truth.lam)).max()
        > 1e-4
    )


ONE = np.ones((1, 1))
FAILURES = {
    "infeasible": (QP(ONE, ONE[0], G=np.array([[1.0], [-1.0]]), h=-np.ones(2)), 1),
    "inconsistent": (QP(ONE, ONE[0], np.ones((2, 1)), np.array([1.0, -1.0])), 1),
    "unbounded": (QP(0 * ONE, ONE[0], G=ONE, h=ONE[0]), 2),
    "unbounded, free": (QP(0 * ONE, ONE[0]), 2),
    "nan": (QP(ONE, np.array([np.nan])), 4),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_a_status_and_its_numbers_are_nan(name):
    problem, status = FAILURES[name]
    sol = qp.solve(problem)
    assert sol.status == status
    assert np.isnan(sol.x).all()


@pytest.mark.parametrize("size", [1e6, 1e9, 1e12])
@pytest.mark.parametrize(("q", "g", "h"), [(0, 1, -1), (-1, 1, 2), (-1, -1, 1)])
def test_a_distant_solution_is_not_taken_for_a_certificate(q, g, h, size):
    problem = QP(ONE, size * q * ONE[0], G=g * ONE, h=size * h * ONE[0])
    sol = qp.solve(problem)
    assert sol.status is Status.SOLVED
    x = oracles.active_set(*problem.fields)[0]
    np.testing.assert_allclose(sol.x, x, rtol=1e-6)


@pytest.mark.parametrize(
    ("P", "message"),
    [
        (-ONE, "positive semidefinite .*eigenvalue -1"),
        (np.triu(np.ones((2, 2))), "symmetric"),
    ],
)
def test_nonconvex_problem_is_refused(P, message):
    with pytest.raises(ValueError, match=rf"QP\.P: expected a {message}"):
        qp.solve(QP(P, np.ones(len(P))))


def test_printed_functions_fit_on_a_page():
    for _, function in inspect.getmembers(qp, inspect.isfunction):
        if function.__module__ == qp.__name__:
            source, _ = inspect.getsourcelines(function)
            assert len(source) <= 33, (
                function.__name__
            )  # 25 of code, the rest docstring


def test_reference_imports_without_torch():
    code = "import sys, companion.reference.qp; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
