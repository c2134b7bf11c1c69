"""The penalized problems against a direct minimization of their objectives."""

import numpy as np
from scipy.optimize import minimize

from companion.problems import QP
from companion.reference import penalty
from companion.reference import qp as reference


def example() -> QP:
    A = np.array([[1.0, 1, 0], [0, 1, -1]])
    return QP(np.diag([1.0, 2, 3]), np.array([-3.0, 1, 0]), A, np.array([1.0, 2]))


def objective(problem: QP, x: np.ndarray) -> float:
    return float(x @ problem.P @ x / 2 + problem.q @ x)


def test_squared_is_a_minimizer():
    problem = example()

    def soft(x):
        r = problem.A @ x - problem.b
        return objective(problem, x) + 5 * r @ r

    found = minimize(soft, np.zeros(3), tol=1e-12).x
    np.testing.assert_allclose(penalty.squared(problem, 10.0), found, atol=1e-6)


def test_absolute_has_the_value_of_its_penalty():
    problem = example()
    sol = reference.solve(penalty.absolute(problem, 0.4))
    x, parts = sol.x[:3], sol.x[3:]
    violation = np.abs(problem.A @ x - problem.b).sum()
    assert abs(parts.sum() - violation) < 1e-8
    assert abs(sol.value - objective(problem, x) - 0.4 * violation) < 1e-8
