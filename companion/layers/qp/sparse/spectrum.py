"""Least and greatest eigenvalues of sparse matrices, by Lanczos on a factorisation.

Up to DENSE rows a matrix is small enough for LAPACK, which is exact; beyond, the least
eigenvalue is that of the inverse, which converges in a few solves.

Chapter: sensitivity.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import structural_rank
from scipy.sparse.linalg import LinearOperator, SuperLU, eigsh, splu

from companion.layers.qp.sparse.data import Matrix, largest

DENSE = 60  # rows up to which dense eigenvalues cost less than Lanczos
ACCURACY = 1e-4  # relative, of an eigenvalue
SHIFT = 1e-10  # of the rows of a singular KKT matrix, to find its curvature
RIDGE = 1e-12  # of its P, relative


def factored(K: Matrix) -> SuperLU | None:
    """An LU; None where the matrix is exactly singular."""
    if not K.shape[0] or structural_rank(K) < K.shape[0]:
        return None
    try:
        return splu(sparse.csc_matrix(K))
    except RuntimeError:
        return None


def greatest(apply: Callable[[np.ndarray], np.ndarray], n: int) -> float:
    """Largest absolute eigenvalue of a symmetric operator."""
    if n <= DENSE:
        dense = np.column_stack([apply(e) for e in np.eye(n)])
        return largest(np.linalg.eigvalsh(0.5 * (dense + dense.T)))
    operator = LinearOperator(dtype=np.float64, shape=(n, n), matvec=apply)  # pyright: ignore[reportCallIssue] - it has a __new__
    options: dict[str, Any] = {"which": "LM", "v0": np.cos(np.arange(n)),
                               "tol": ACCURACY}  # fmt: skip
    values, _ = eigsh(operator, 1, **options)
    return largest(np.asarray(values))


def kkt(P: Matrix, C: Matrix, ridge: float = 0.0, shift: float = 0.0) -> Matrix:
    """[P + ridge, Cᵀ; C, −shift]."""
    n, k = P.shape[0], C.shape[0]
    corners = (ridge * sparse.identity(n), -shift * sparse.identity(k))
    return sparse.bmat([[P + corners[0], C.T], [C, corners[1]]], format="csc")


def least_singular(C: Matrix) -> float:
    """Least singular value of the rows; infinite if there are none.

    σ² is an eigenvalue of CCᵀ, whose inverse is a block of that of [I Cᵀ; C 0].
    """
    k, n = C.shape
    if k == 0:
        return np.inf
    if k > n:
        return 0.0
    if k <= DENSE:  # of the factor R, which has the same ones
        return float(np.linalg.svd(C.toarray(), compute_uv=False)[-1])
    lu = factored(kkt(sparse.identity(n, format="csr"), C))
    if lu is None:
        return 0.0

    def inverse(v: np.ndarray) -> np.ndarray:
        return -lu.solve(np.concatenate([np.zeros(n), v]))[n:]

    size = greatest(inverse, k)
    return 0.0 if not np.isfinite(size) else float(1 / np.sqrt(size))


def curvature(P: Matrix, C: Matrix, lu: SuperLU | None) -> float:
    """Least eigenvalue of P on the null space of C; infinite if that is {0}.

    `lu` is of their KKT matrix, None where it is singular.  The block of the inverse
    that belongs to P is Z(ZᵀPZ)⁻¹Zᵀ, with Z a basis of the null space.
    """
    k, n = C.shape
    ridge = 0.0
    if lu is not None and k == n:
        return np.inf
    if lu is None:
        ridge = RIDGE * (largest(P.data) or 1.0)
        lu = factored(kkt(P, C, ridge, SHIFT))
        if lu is None:
            return 0.0

    def inverse(v: np.ndarray) -> np.ndarray:
        return lu.solve(np.concatenate([v, np.zeros(k)]))[:n]

    most = greatest(inverse, n)
    whole = float(abs(P).sum(axis=1).max())  # no curvature is greater
    if ridge and most < 0.5 / (whole + ridge):
        return np.inf
    return max(1 / most - ridge, 0.0)
