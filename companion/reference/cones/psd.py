"""The cone of positive semidefinite matrices, which is its own dual.

A symmetric matrix is a vector here: its lower triangle, column by column, with the
entries off the diagonal times √2, so that the dot product is the trace product.

Chapter: cones.md.  Theorems: psd-projection, psd-derivative, dual-cones.
Source: busseti2019solution.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def project(x: Array) -> Array:
    """Nearest point: the positive eigenvalues, with their eigenvectors."""
    lam, U = np.linalg.eigh(matrix(x))
    return vector((U * np.maximum(lam, 0.0)) @ U.T)


def derivative(x: Array) -> Array:
    """H ↦ U(B ∘ UᵀHU)Uᵀ, whose eigenvectors are the matrices u_i u_jᵀ + u_j u_iᵀ.

    It exists where det X ≠ 0.  An eigenvalue 0 counts as negative; where rounding
    leaves no exact 0, its sign decides.
    """
    lam, U = np.linalg.eigh(matrix(x))
    rows, columns = lower(len(lam))
    left, right = U[:, columns], U[:, rows]
    twins = (left[rows] * right[columns] + left[columns] * right[rows]) / 2
    scale = np.where(rows == columns, 1.0, math.sqrt(2.0))
    Q = scale[:, None] * twins * scale  # orthogonal: column ij is vec of u_i u_jᵀ
    return (Q * kept(lam)[rows, columns]) @ Q.T


def kept(lam: Array) -> Array:
    """B_ij = (λ_i⁺ + λ_j⁺)/(|λ_i| + |λ_j|), what DΠ keeps of entry ij."""
    plus, size = np.maximum(lam, 0.0), np.abs(lam)
    total = size[:, None] + size
    return (plus[:, None] + plus) / np.where(total > 0, total, 1.0)


def project_dual(x: Array) -> Array:
    """Nearest point of the dual cone: the cone itself, x + Π(−x)."""
    return x + project(-x)


def derivative_dual(x: Array) -> Array:
    """I − DΠ(−x)."""
    return np.eye(len(x)) - derivative(-x)


def lower(side: int) -> tuple[Array, Array]:
    """Rows and columns of the lower triangle, column by column."""
    columns, rows = np.triu_indices(side)
    return rows, columns


def vector(X: Array) -> Array:
    """The lower triangle of X column by column, off-diagonal entries times √2."""
    rows, columns = lower(len(X))
    return X[rows, columns] * np.where(rows == columns, 1.0, math.sqrt(2.0))


def matrix(x: Array) -> Array:
    """The symmetric matrix that `vector` made x of.

    Raises ValueError if the length of x is not k(k+1)/2.
    """
    side = math.isqrt(2 * len(x))
    if side * (side + 1) != 2 * len(x):
        msg = f"x: expected k(k+1)/2 entries, as a k×k matrix has, got {len(x)}"
        raise ValueError(msg)
    rows, columns = lower(side)
    X = np.zeros((side, side))
    X[rows, columns] = x * np.where(rows == columns, 1.0, math.sqrt(0.5))
    return X + np.tril(X, -1).T
