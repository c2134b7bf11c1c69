"""Derivatives of a minimizer in the parameters of its problem, in NumPy.

Three acts are kept apart: *what holds* at a solution is an `Equation`, *how it was
found* is `newton` or `descend`, and the implicit function theorem is `jacobian` or,
for one gradient of a loss, `vjp`.  None of them knows the others.

Chapter: argmin-differentiation.md. Theorems: implicit-function, unconstrained-argmin,
value-function, equality-argmin, log-barrier, adjoint-solve, unrolled-descent,
fixed-point-derivative, inexact-jacobian, residual-rescaling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

TOLERANCE = 1e-13  # on the residual, relative to the first one and at least 1
MAX_STEPS = 100
LEAST_STEP = 2.0**-30  # of the line search, after which Newton's method gives up

Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Equation(NamedTuple):
    """F(x, θ) = 0 with its partial derivatives, n×n in x and n×k in θ.

    For a minimizer F is the gradient of f in x, Fx its Hessian H, and
    Ftheta the mixed derivatives B.
    """

    F: Function
    Fx: Function
    Ftheta: Function


class Root(NamedTuple):
    """A point, the norm of F there, and how many steps were taken."""

    x: np.ndarray
    residual: float
    steps: int


class Constraints(NamedTuple):
    """Inequalities h(x, θ) ≤ 0 at one point: values and derivatives, rows first."""

    h: np.ndarray  # m
    x: np.ndarray  # m, n
    theta: np.ndarray  # m, k
    xx: np.ndarray  # m, n, n
    xtheta: np.ndarray  # m, n, k


def newton(equation: Equation, x: np.ndarray, theta: np.ndarray) -> Root:
    """A root by Newton's method; steps are halved until F falls.

    The residual says whether a root was found.  LinAlgError if an Fx is singular.
    """
    r = equation.F(x, theta)
    size = first = _size(r)
    for steps in range(MAX_STEPS):
        if size <= TOLERANCE * max(1.0, first):
            return Root(x, size, steps)
        step, t = np.linalg.solve(equation.Fx(x, theta), -r), 1.0
        while _size(equation.F(x + t * step, theta)) > (1 - t / 4) * size:
            t /= 2
            if t < LEAST_STEP:  # at rounding, or stuck
                return Root(x, size, steps)
        x = x + t * step
        r = equation.F(x, theta)
        size = _size(r)
    return Root(x, size, MAX_STEPS)


def jacobian(Fx: np.ndarray, Ftheta: np.ndarray) -> np.ndarray:
    """The derivative −Fx⁻¹ Ftheta of a root, n×k."""
    return -np.linalg.solve(Fx, Ftheta)


def vjp(Fx: np.ndarray, Ftheta: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The gradient in θ of a loss whose gradient at the root is g."""
    return -Ftheta.T @ np.linalg.solve(Fx.T, g)


def value_hessian(H: np.ndarray, B: np.ndarray, C: np.ndarray) -> np.ndarray:
    """The second derivative C − BᵀH⁻¹B of the optimal value, where C = f_θθ."""
    return C - B.T @ np.linalg.solve(H, B)


def null_space(A: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span {v : Av = 0}."""
    p, n = A.shape
    if not p:
        return np.eye(n)
    _, sizes, rows = np.linalg.svd(A)
    rank = int(np.sum(sizes > max(p, n) * np.finfo(float).eps * sizes[0]))
    return rows[rank:].T


def equality_jacobian(H: np.ndarray, B: np.ndarray, A: np.ndarray) -> np.ndarray:
    """The derivative −Z(ZᵀHZ)⁻¹ZᵀB under Ax = b; Z spans null(A).

    Needs curvature on null(A) only: H itself may be singular.
    """
    Z = null_space(A)
    return -Z @ np.linalg.solve(Z.T @ H @ Z, Z.T @ B)


def schur_jacobian(H: np.ndarray, B: np.ndarray, A: np.ndarray) -> np.ndarray:
    """The same derivative as H⁻¹(Aᵀ(AH⁻¹Aᵀ)⁻¹AH⁻¹ − I)B, for an invertible H."""
    free, rows = np.linalg.solve(H, B), np.linalg.solve(H, A.T)
    return rows @ np.linalg.solve(A @ rows, A @ free) - free


def barrier_jacobian(
    t: float, H: np.ndarray, B: np.ndarray, c: Constraints
) -> np.ndarray:
    """The derivative of the minimizer of t·f − Σ log(−h_i), h < 0."""
    w = -1 / c.h  # positive inside
    J, E = w[:, None] * c.x, w[:, None] * c.theta
    Fx = t * H + J.T @ J + np.einsum("i,ijk->jk", w, c.xx)
    Ftheta = t * B + J.T @ E + np.einsum("i,ijk->jk", w, c.xtheta)
    return jacobian(Fx, Ftheta)


def descend(
    equation: Equation, x: np.ndarray, theta: np.ndarray, rate: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent and its own derivative: all x_k, and all J_k = ∂x_k/∂θ.

    The start does not depend on θ, so J_0 = 0.
    """
    J = np.zeros((len(x), len(theta)))
    points, jacobians = [x], [J]
    for _ in range(steps):
        J = J - rate * (equation.Fx(x, theta) @ J + equation.Ftheta(x, theta))
        x = x - rate * equation.F(x, theta)
        points.append(x)
        jacobians.append(J)
    return np.stack(points), np.stack(jacobians)


def fixed_point_jacobian(Tx: np.ndarray, Ttheta: np.ndarray) -> np.ndarray:
    """The derivative (I − Tx)⁻¹ Ttheta of a solution of x = T(x, θ)."""
    return np.linalg.solve(np.eye(len(Tx)) - Tx, Ttheta)


def neumann(Tx: np.ndarray, Ttheta: np.ndarray, terms: int) -> np.ndarray:
    """The sum of the first terms of Ttheta + Tx Ttheta + Tx² Ttheta + …"""
    total = np.zeros_like(Ttheta)
    for _ in range(terms):
        total = Ttheta + Tx @ total
    return total


def _size(r: np.ndarray) -> float:
    return float(np.linalg.norm(r))
