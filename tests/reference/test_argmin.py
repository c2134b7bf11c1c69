"""The printed derivatives against exact arithmetic, PyTorch's tape, Taylor's order."""

from __future__ import annotations

import inspect
from fractions import Fraction

import numpy as np
import pytest
import torch

from companion.gradcheck import taylor
from companion.reference import argmin
from companion.reference.argmin import Constraints, Equation

F64 = torch.float64


def logistic(seed: int = 0, n: int = 3, rows: int = 12):
    """Ridge-penalized logistic loss; θ are the logarithms of one penalty a weight."""
    rng = np.random.default_rng(seed)
    Phi, y = rng.standard_normal((rows, n)), rng.integers(0, 2, rows)
    return Phi, y.astype(float), rng.standard_normal(n)


def equation(Phi, y) -> Equation:
    def F(x, theta):
        return Phi.T @ (1 / (1 + np.exp(-Phi @ x)) - y) + np.exp(theta) * x

    def Fx(x, theta):
        s = 1 / (1 + np.exp(-Phi @ x))
        return Phi.T @ ((s * (1 - s))[:, None] * Phi) + np.diag(np.exp(theta))

    return Equation(F, Fx, lambda x, theta: np.diag(np.exp(theta) * x))


def torch_gradient(Phi, y, x, theta):
    Phi, y = torch.tensor(Phi), torch.tensor(y)
    return Phi.mT @ (torch.sigmoid(Phi @ x) - y) + theta.exp() * x


@pytest.mark.parametrize("seed", range(4))
def test_jacobian_is_that_of_a_long_unrolled_tape(seed):
    Phi, y, theta = logistic(seed)

    def descend(th):
        x = torch.zeros(3, dtype=F64)
        for _ in range(600):
            x = x - 0.15 * torch_gradient(Phi, y, x, th)
        return x

    tape = torch.autograd.functional.jacobian(descend, torch.tensor(theta)).numpy()
    e = equation(Phi, y)
    x = argmin.newton(e, np.zeros(3), theta).x
    ours = argmin.jacobian(e.Fx(x, theta), e.Ftheta(x, theta))
    np.testing.assert_allclose(ours, tape, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_descend_is_the_tape_of_pytorch(steps):
    Phi, y, theta = logistic()

    def run(th):
        x = torch.ones(3, dtype=F64)
        for _ in range(steps):
            x = x - 0.1 * torch_gradient(Phi, y, x, th)
        return x

    points, jacobians = argmin.descend(equation(Phi, y), np.ones(3), theta, 0.1, steps)
    tape = torch.autograd.functional.jacobian(run, torch.tensor(theta))
    np.testing.assert_allclose(points[-1], run(torch.tensor(theta)), atol=1e-13)
    np.testing.assert_allclose(jacobians[-1], tape, atol=1e-13)
    assert len(points) == len(jacobians) == steps + 1


def test_vjp_and_value_hessian_have_second_order():
    Phi, y, theta = logistic(3)
    e = equation(Phi, y)

    def solve(th):
        return argmin.newton(e, np.zeros(3), th).x

    def slope(th):  # V' = f_θ for f = log loss + ½Σ exp(θ_i)x_i²
        return np.exp(th) * solve(th) ** 2 / 2

    x, v = solve(theta), np.array([0.3, -0.2, 0.4])
    Fx, Ftheta = e.Fx(x, theta), e.Ftheta(x, theta)
    g = argmin.vjp(Fx, Ftheta, np.cos(x))
    assert taylor(lambda th: np.sin(solve(th)).sum(), theta, v, g @ v).passes
    C = np.diag(np.exp(theta) * x**2 / 2)
    second = argmin.value_hessian(Fx, Ftheta, C)
    assert taylor(slope, theta, v, second @ v).passes


def fractions_solve(A, B):
    """Gauss-Jordan elimination in rational arithmetic."""
    n, k = len(A), len(B[0])
    M = [[Fraction(int(v)) for v in (*A[i], *B[i])] for i in range(n)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if M[r][i])
        M[i], M[pivot] = M[pivot], M[i]
        M[i] = [v / M[i][i] for v in M[i]]
        for r in set(range(n)) - {i}:
            M[r] = [a - M[r][i] * b for a, b in zip(M[r], M[i], strict=True)]
    return np.array([[float(M[i][n + j]) for j in range(k)] for i in range(n)])


@pytest.mark.parametrize("seed", range(6))
def test_equality_forms_are_the_exact_solution_of_the_kkt_system(seed):
    rng = np.random.default_rng(seed)
    L = rng.integers(-2, 3, (4, 4))
    H, B = L @ L.T + np.eye(4, dtype=int), rng.integers(-3, 4, (4, 2))
    A = np.vstack([rng.integers(1, 4, 4), [1, 0, 0, -1]])
    K = np.block([[H, A.T], [A, np.zeros((2, 2), int)]])
    want = fractions_solve(K, np.vstack([-B, np.zeros((2, 2), int)]))[:4]
    for form in (argmin.equality_jacobian, argmin.schur_jacobian):
        np.testing.assert_allclose(form(1.0 * H, 1.0 * B, 1.0 * A), want, atol=1e-12)


def test_null_space_form_needs_no_curvature_off_the_null_space():
    H, B, A = np.diag([0.0, 1.0]), np.eye(2), np.array([[1.0, 0.0]])
    np.testing.assert_allclose(argmin.equality_jacobian(H, B, A), -H, atol=1e-15)
    with pytest.raises(np.linalg.LinAlgError):
        argmin.schur_jacobian(H, B, A)


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((2, 3))])
def test_null_space_is_orthonormal_and_complete(rows):
    Z = argmin.null_space(rows)
    np.testing.assert_allclose(Z.T @ Z, np.eye(Z.shape[1]), atol=1e-14)
    np.testing.assert_allclose(rows @ Z, 0, atol=1e-14)
    assert Z.shape[1] == 3 - np.linalg.matrix_rank(rows)


@pytest.mark.parametrize("t", [1.0, 100.0])
@pytest.mark.parametrize("theta", [-1.5, 0.0, 2.0])
def test_barrier_of_the_ramp_is_its_closed_form(t, theta):
    x = (theta + np.sqrt(theta**2 + 4 / t)) / 2
    c = Constraints(
        np.array([-x]), np.array([[-1.0]]), np.zeros((1, 1)), np.zeros((1, 1, 1)),
        np.zeros((1, 1, 1)),
    )  # fmt: skip
    J = argmin.barrier_jacobian(t, np.eye(1), -np.eye(1), c)
    want = 0.5 + theta / (2 * np.sqrt(theta**2 + 4 / t))
    assert float(J[0, 0]) == pytest.approx(want, abs=1e-12)


def test_fixed_point_is_the_limit_of_its_series():
    rng = np.random.default_rng(0)
    Tx = rng.standard_normal((4, 4))
    Tx *= 0.6 / np.abs(np.linalg.eigvals(Tx)).max()
    Ttheta = rng.standard_normal((4, 2))
    limit = argmin.fixed_point_jacobian(Tx, Ttheta)
    np.testing.assert_allclose(limit, Ttheta + Tx @ limit, atol=1e-12)
    np.testing.assert_allclose(argmin.neumann(Tx, Ttheta, 120), limit, atol=1e-12)
    np.testing.assert_allclose(argmin.neumann(Tx, Ttheta, 1), Ttheta)


def test_newton_says_how_far_it_came():
    sqrt = Equation(
        lambda x, th: x**2 - th,
        lambda x, _: np.diag(2 * x),
        lambda _x, _t: -np.eye(1),
    )
    found = argmin.newton(sqrt, np.array([10.0]), np.array([2.0]))
    assert found.x == pytest.approx(np.sqrt(2), abs=1e-14)
    assert found.residual < 1e-11
    assert found.steps < 12
    nothing = argmin.newton(sqrt, np.array([0.7]), np.array([-1.0]))
    assert nothing.residual > 0.9


def test_functions_are_short_enough_to_print():
    functions = [
        f
        for _, f in inspect.getmembers(argmin, inspect.isfunction)
        if f.__module__ == argmin.__name__
    ]
    assert max(len(inspect.getsource(f).splitlines()) for f in functions) <= 25
