"""How the solution of a quadratic program moves with its data, one instance, in NumPy.

Chapter: sensitivity.md.
Theorems: value-sensitivity, reciprocity, jacobian-bounds.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from companion.problems import QP, QPSolution

TOUCHING = 1e-9  # slack at which a row counts as active
BALANCED = 1e-9  # residual of stationarity up to which forces balance


def response(problem: QP, sol: QPSolution) -> np.ndarray:
    """R with (dx, dnu, dlam) = R (-r, db - dA x, dh - dG x); it is symmetric.

    Here r = dP x + dq + dAᵀnu + dGᵀlam.  R is the inverse of [P Cᵀ; C 0], where C holds
    the equality rows and the rows with lam > slack; it is zero on all other rows.
    Whether it is a derivative is for `regularity` to say: a weakly active row counts
    as inactive here.

    Raises LinAlgError where the matrix is exactly singular.
    """
    P, _, A, _, G, _ = problem.fields
    C = np.vstack([A, G])
    #   [P  Cᵀ]
    #   [C  0 ]   on the rows and columns that are kept
    K = np.block([[P, C.T], [C, np.zeros((len(C), len(C)))]])
    first = problem.n + problem.p
    kept = np.flatnonzero(np.r_[np.ones(first, bool), sol.lam > sol.slack])
    R = np.zeros_like(K)
    R[np.ix_(kept, kept)] = np.linalg.inv(K[np.ix_(kept, kept)])
    return R


def solution_jacobian(problem: QP, sol: QPSolution) -> QP:
    """Jacobian of x in every field: entry k of the batch is the gradient of x_k.

    The gradients of theorem qp-gradients, for the n losses x_1, …, x_n at once.
    """
    n, p = problem.n, problem.p
    x, nu, lam = sol.x, sol.nu, sol.lam
    # row k of -R is the adjoint (d_x, d_nu, d_lam) of the loss x_k
    dx, dnu, dlam = np.split(-response(problem, sol)[:n], [n, n + p], axis=1)
    first = dx[:, :, None] * x
    return QP(
        P=(first + first.swapaxes(1, 2)) / 2,
        q=dx,
        A=dnu[:, :, None] * x + nu[:, None] * dx[:, None, :],
        b=-dnu,
        G=dlam[:, :, None] * x + lam[:, None] * dx[:, None, :],
        h=-dlam,
    )


def multiplier_vertices(problem: QP, x: np.ndarray) -> np.ndarray:
    """Extreme multipliers (nu, lam) at a minimizer x, one a row.

    They are the balances of forces that use independent rows only.  The set of all
    multipliers is their convex hull where it is bounded; A must have independent rows.
    """
    P, q, A, _, G, h = problem.fields
    p, force, found = problem.p, -(P @ x + q), []
    active = np.flatnonzero(h - G @ x < TOUCHING)
    for size in range(len(active) + 1):
        for rows in map(list, combinations(active, size)):
            C = np.vstack([A, G[rows]])
            if np.linalg.matrix_rank(C) < len(C):
                continue
            y = np.linalg.lstsq(C.T, force, rcond=None)[0]
            if np.abs(C.T @ y - force).max() < BALANCED and (y[p:] >= 0).all():
                full = np.zeros(p + problem.m)
                full[[*range(p), *(p + i for i in rows)]] = y
                found.append(full)
    return np.unique(np.round(found, 12), axis=0)
