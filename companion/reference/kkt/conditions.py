"""The KKT conditions of a quadratic program as equations: values, Jacobian, margins.

One order throughout: stationarity, complementarity, equalities for the equations, and
dx, dlam, dnu for the unknowns.

Chapter: kkt.md. Theorems: kkt-sufficient, kkt-necessary, kkt-scaling,
kkt-error-bound, kkt-inverse, kkt-nonsingular, qp-envelope.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from companion.problems import QP, QPSolution, Regularity, Status

ACTIVE_MARGIN = 1e-10  # multiplier above slack by this: a row is strongly active
ZERO_SLACK = 1e-8  # slack at which a row of norm one touches its bound
ZERO_SINGULAR = 1e-10  # singular value of rows of norm one that counts as zero


def residual(problem: QP, x, nu, lam) -> np.ndarray:
    """The KKT equations Px + q + Aᵀnu + Gᵀlam, D(lam)(Gx − h), Ax − b.

    They vanish at a solution, and also where lam or slack has the wrong sign.
    """
    P, q, A, b, G, h = problem.fields
    stationarity = P @ x + q + A.T @ nu + G.T @ lam
    return np.concatenate([stationarity, lam * (G @ x - h), A @ x - b])


def violations(problem: QP, x, nu, lam) -> np.ndarray:
    """How far each of the five conditions is from holding."""
    P, q, A, b, G, h = problem.fields
    parts = (
        P @ x + q + A.T @ nu + G.T @ lam,  # the forces balance
        A @ x - b,  # the equalities hold
        np.maximum(G @ x - h, 0),  # no wall is crossed
        np.minimum(lam, 0),  # no wall pulls
        lam * (G @ x - h),  # no wall pushes from afar
    )
    return np.array([np.max(np.abs(part), initial=0.0) for part in parts])


def balance(problem: QP, x) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multipliers nearest to balance at a feasible x, and the force left.

    Rows that do not touch get zero.  No force is left at a solution.
    """
    P, q, A, _, G, h = problem.fields
    touching = h - G @ x <= ZERO_SLACK * _norms(G)
    rows = np.vstack([A, -A, G[touching]])
    force, lam = -(P @ x + q), np.zeros(len(h))
    y = nnls(rows.T, force)[0] if len(rows) else np.zeros(0)
    nu, minus, lam[touching] = np.split(y, [len(A), 2 * len(A)])
    return nu - minus, lam, force - rows.T @ y


def jacobian(problem: QP, x, nu, lam) -> np.ndarray:
    """The KKT matrix: derivative of `residual` in x, lam, nu, in that order."""
    P, _, A, _, G, h = problem.fields
    m, p = len(lam), len(nu)
    return np.block(
        [
            [P, G.T, A.T],
            [np.diag(lam) @ G, np.diag(G @ x - h), np.zeros((m, p))],
            [A, np.zeros((p, m)), np.zeros((p, p))],
        ]
    )


def regularity(problem: QP, sol: QPSolution) -> Regularity:
    """How far the solution is from losing its derivative; all rows scaled to norm one.

    A row with lam > slack is strongly active, one with lam = slack = 0 touches only:
    it counts for licq, but not for the curvature nor for the condition.  No rows give
    infinite margins; NaN throughout if the instance was not solved.
    """
    if sol.status != Status.SOLVED:
        return Regularity(np.nan, np.nan, np.nan, np.nan)
    size = _norms(problem.G)
    A, G = problem.A / _norms(problem.A)[:, None], problem.G / size[:, None]
    lam, slack = sol.lam * size, sol.slack / size
    strong = lam - slack > ACTIVE_MARGIN
    C = np.vstack([A, G[strong]])
    touching = np.vstack([A, G[strong | (slack < ZERO_SLACK)]])
    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
    return Regularity(
        strict_complementarity=np.min(np.maximum(lam, slack), initial=np.inf),
        licq=_least_singular(touching),
        curvature=_least_curvature(problem.P, C),
        condition=np.linalg.cond(K),
    )


def value_gradients(problem: QP, sol: QPSolution) -> QP:  # noqa: ARG001 - as vjp
    """Gradients of the optimal value in every field, shaped like the problem.

    The multipliers are prices: a looser bound h changes the value at the rate −lam.
    """
    x, nu, lam = sol.x, sol.nu, sol.lam
    return QP(
        P=np.outer(x, x) / 2,
        q=x,
        A=np.outer(nu, x),
        b=-nu,
        G=np.outer(lam, x),
        h=-lam,
    )


def _norms(C: np.ndarray) -> np.ndarray:
    """Euclidean norm of every row, with 1 for a zero row."""
    size = np.linalg.norm(C, axis=1)
    return np.where(size > 0, size, 1.0)


def _least_singular(C: np.ndarray) -> float:
    """Distance of the rows from dependence; infinite where there are none."""
    rows, columns = C.shape
    if rows > columns:
        return 0.0
    return float(np.min(np.linalg.svd(C, compute_uv=False), initial=np.inf))


def _least_curvature(P: np.ndarray, C: np.ndarray) -> float:
    """Least eigenvalue of P on the null space of C; infinite where that is {0}."""
    _, values, Vt = np.linalg.svd(C, full_matrices=True)
    Z = Vt[np.sum(values > ZERO_SINGULAR) :].T
    return float(np.min(np.linalg.eigvalsh(Z.T @ P @ Z), initial=np.inf))
