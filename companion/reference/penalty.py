"""A quadratic with equalities, softened: what a penalty returns in its place.

Chapter: hard-constraints.md. Theorems: penalty-bias, exact-penalty.
"""

from __future__ import annotations

import numpy as np

from companion.problems import QP


def squared(problem: QP, rho: float) -> np.ndarray:
    """Minimizer of ½xᵀPx + qᵀx + rho/2 ‖Ax − b‖², for P positive definite."""
    P, q, A, b, _, _ = problem.fields
    return np.linalg.solve(P + rho * A.T @ A, rho * A.T @ b - q)


def absolute(problem: QP, weight: float) -> QP:
    """The QP in (x, u, v) whose x minimizes ½xᵀPx + qᵀx + weight ‖Ax − b‖₁.

    The rows Ax − u + v = b split the violation into two nonnegative parts.
    """
    P, q, A, b, _, _ = problem.fields
    p, n = A.shape
    corner, parts = np.zeros((n + 2 * p, n + 2 * p)), np.eye(2 * p)
    corner[:n, :n] = P
    return QP(
        P=corner,
        q=np.concatenate([q, np.full(2 * p, weight)]),
        A=np.hstack([A, -np.eye(p), np.eye(p)]),
        b=b,
        G=np.hstack([np.zeros((2 * p, n)), -parts]),
        h=np.zeros(2 * p),
    )
