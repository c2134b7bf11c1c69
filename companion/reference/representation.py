"""Functions that are small quadratic programs, and backward passes with structure.

Chapter: representation.md.  Theorems: pwl-layer, max-affine-separation, box-qp,
lqr-backward.
"""

from __future__ import annotations

import numpy as np

from companion.problems import QP

Array = np.ndarray


def hinge_sum(x: float, affine: Array, weights: Array, knots: Array) -> float:
    """The value of c x + d + Σ w_i max(x - t_i, 0), with affine = (c, d)."""
    return float(affine[0] * x + affine[1] + weights @ np.maximum(x - knots, 0))


def hinge_program(x: float, affine: Array, weights: Array, knots: Array) -> QP:
    """Variables (z, y): min ½‖y‖² + ½(z - c x - d - wᵀy)² subject to y_i ≥ x - t_i.

    Source: amos2017optnet, Theorem 2, with the affine part that is missing there.
    """
    k = len(weights)
    row = np.concatenate([[1.0], -weights])
    P = np.outer(row, row) + np.diag([0.0, *np.ones(k)])
    G = np.hstack([np.zeros((k, 1)), -np.eye(k)])
    return QP(P, -(affine[0] * x + affine[1]) * row, G=G, h=knots - x)


def largest_program(forms: Array) -> QP:
    """Program of w = max_i u_i - u_1: least ½w² over w ≥ u_i - u_1."""
    others = forms[1:] - forms[0]
    return QP(np.eye(1), np.zeros(1), G=-np.ones((len(others), 1)), h=-others)


def printed_program(forms: Array) -> QP:
    """The least z² subject to z ≥ u_i, as printed; its solution is max(0, max_i u_i).

    Source: amos2017optnet, proof of Theorem 3.
    """
    return QP(2 * np.eye(1), np.zeros(1), G=-np.ones((len(forms), 1)), h=-forms)


def box_adjoint(problem: QP, at_bound: Array, g: Array) -> tuple[Array, Array, Array]:
    """d_x, d_nu and the gradient in the bounds where the marked entries of x touch one.

    The problem holds P and A; its inequalities are not looked at.
    """
    free, p = ~at_bound, problem.p
    P, A = problem.P[np.ix_(free, free)], problem.A[:, free]
    K = np.block([[P, A.T], [A, np.zeros((p, p))]])
    y = np.linalg.solve(K, -np.concatenate([g[free], np.zeros(p)]))
    dx = np.zeros(problem.n)
    dx[free], dnu = y[: len(y) - p], y[len(y) - p :]
    held = g + problem.P @ dx + problem.A.T @ dnu  # zero on free entries
    return dx, dnu, np.where(at_bound, held, 0.0)


def lqr(C: Array, c: Array, F: Array, f: Array, start: Array) -> tuple[Array, Array]:
    """Least Σ ½τᵀCτ + cᵀτ over τ_t = (x_t, u_t) with x_1 = start, x_{t+1} = Fτ_t + f.

    Stage t has C[t], c[t], F[t], f[t]; the last F and f do not matter.  Returns τ, and
    the multipliers λ of start - x_1 = 0 and of F[t-1] τ[t-1] + f[t-1] - x[t] = 0.
    """
    n, plan = len(start), []
    V, v = np.zeros((n, n)), np.zeros(n)
    for H, h, A, b in reversed(list(zip(C, c, F, f, strict=True))):
        Q, q = H + A.T @ V @ A, h + A.T @ (V @ b + v)
        K = -np.linalg.solve(Q[n:, n:], Q[n:, :n])
        k = -np.linalg.solve(Q[n:, n:], q[n:])
        V, v = Q[:n, :n] + Q[:n, n:] @ K, q[:n] + Q[:n, n:] @ k
        plan.append((K, k, V, v))
    x, tau, lam = start, [], []
    for (K, k, V, v), A, b in zip(reversed(plan), F, f, strict=True):
        tau.append(np.concatenate([x, K @ x + k]))
        lam.append(V @ x + v)
        x = A @ tau[-1] + b
    return np.array(tau), np.array(lam)
