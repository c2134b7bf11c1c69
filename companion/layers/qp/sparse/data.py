"""A single QP with sparse matrices in NumPy and SciPy, and what may be said of a point.

Chapter: optnet.md. Theorems: qp-optimality.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from companion.layers.qp.interior_point import CERTIFICATE, MARGIN, ROUNDING

Matrix = Any  # of SciPy, in compressed rows; its annotations say what may be None


class Data(NamedTuple):
    """One QP in float64: matrices in compressed rows, vectors dense."""

    P: Matrix
    q: np.ndarray
    A: Matrix
    b: np.ndarray
    G: Matrix
    h: np.ndarray


class Point(NamedTuple):
    """A primal-dual point."""

    x: np.ndarray
    nu: np.ndarray
    lam: np.ndarray


class Scale(NamedTuple):
    """Sizes that were divided out: of the objective, and of every row."""

    cost: float
    A: np.ndarray
    G: np.ndarray


def from_dense(*fields: np.ndarray) -> Data:
    """The problem of dense (P, q, A, b, G, h), its zeros dropped."""
    P, A, G = (sparse.csr_matrix(v) for v in fields[::2])
    q, b, h = fields[1::2]
    return Data(P, q, A, b, G, h)


def largest(*terms: np.ndarray) -> float:
    """Largest absolute entry among the terms, 0 where there is none."""
    return max((float(np.abs(v).max()) for v in terms if v.size), default=0.0)


def finite(data: Data) -> bool:
    """Whether every number of the problem is one."""
    parts = (v.data if sparse.issparse(v) else v for v in data)
    return all(bool(np.isfinite(v).all()) for v in parts)


def scaled(data: Data) -> tuple[Data, Scale]:
    """The problem with rows of norm one and an objective of entries at most one."""
    cost = largest(data.P.data, data.q) or 1.0
    scale = Scale(cost, lengths(data.A), lengths(data.G))
    rows = (
        (row_divided(M, size), v / size)
        for M, v, size in ((data.A, data.b, scale.A), (data.G, data.h, scale.G))
    )
    (A, b), (G, h) = rows
    return Data(data.P / cost, data.q / cost, A, b, G, h), scale


def unscaled(z: Point, scale: Scale) -> Point:
    """A point of the scaled problem as one of the problem."""
    return Point(z.x, z.nu * (scale.cost / scale.A), z.lam * (scale.cost / scale.G))


def lengths(M: Matrix) -> np.ndarray:
    """Euclidean norm of every row, 1 for a zero row."""
    squares = np.zeros(M.shape[0])
    np.add.at(squares, rows_of(M), M.data**2)
    return np.sqrt(np.where(squares > 0, squares, 1.0))


def rows_of(M: Matrix) -> np.ndarray:
    """The row of every stored entry."""
    return np.repeat(np.arange(M.shape[0], dtype=M.indices.dtype), np.diff(M.indptr))


def row_divided(M: Matrix, size: np.ndarray) -> Matrix:
    """Every row divided by its size."""
    data = M.data / np.repeat(size, np.diff(M.indptr))
    return sparse.csr_matrix((data, M.indices, M.indptr), shape=M.shape)


def stacked(A: Matrix, G: Matrix) -> Matrix:
    """[A; G], without the detour over coordinates that SciPy's vstack makes."""
    parts = (
        np.concatenate(pair) for pair in ((A.data, G.data), (A.indices, G.indices))
    )
    starts = np.concatenate([A.indptr, G.indptr[1:] + A.indptr[-1]])
    shape = (A.shape[0] + G.shape[0], A.shape[1])
    return sparse.csr_matrix((*parts, starts), shape=shape)


def upper(P: Matrix) -> Any:
    """The upper triangle of a symmetric matrix by columns: the lower one by rows."""
    rows = rows_of(P)
    kept = P.indices <= rows
    counts = np.bincount(rows[kept], minlength=P.shape[0])
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(P.indptr.dtype)
    return sparse.csc_matrix((P.data[kept], P.indices[kept], starts), shape=P.shape)


def error(data: Data, z: Point) -> float:
    """Largest KKT residual, each relative to the terms it sums; NaN beyond numbers."""
    Px, Ax, Gx = data.P @ z.x, data.A @ z.x, data.G @ z.x
    An, Gl = data.A.T @ z.nu, data.G.T @ z.lam
    slack = data.h - Gx
    dual = largest(Px + data.q + An + Gl) / (1 + largest(Px, data.q, An, Gl))
    primal = largest(Ax - data.b, np.minimum(slack, 0))
    primal /= 1 + largest(Ax, data.b, Gx, data.h)
    sign = largest(np.minimum(z.lam, 0)) / (1 + largest(z.lam))
    value = 0.5 * z.x @ Px + data.q @ z.x
    gap = float(np.abs(slack) @ np.abs(z.lam)) / (1 + abs(value))
    return float(np.max(np.array([dual, primal, sign, gap])))


def active_rows(data: Data, scale: Scale, z: Point) -> np.ndarray:
    """Rows whose multiplier exceeds their slack; a weakly active row is inactive."""
    slack = (data.h - data.G @ z.x) / scale.G
    return z.lam * scale.G - slack > MARGIN


def farkas(data: Data, nu: np.ndarray, lam: np.ndarray) -> bool:
    """Whether Aᵀnu + Gᵀlam = 0, lam ≥ 0 and bᵀnu + hᵀlam < 0: no point is feasible.

    The residual is small beside the gain and beside the terms that it sums.
    """
    gain = -float(data.b @ nu + data.h @ lam)
    if not gain > 0 or largest(np.minimum(lam, 0)) > 0:
        return False
    terms = abs(data.A).T @ np.abs(nu) + abs(data.G).T @ lam
    return _vanishes(data.A.T @ nu + data.G.T @ lam, terms, gain)


def recession(data: Data, x: np.ndarray) -> bool:
    """Whether Px = 0, Ax = 0, Gx ≤ 0 and qᵀx < 0: the objective falls for ever."""
    gain = -float(data.q @ x)
    if not gain > 0:
        return False
    leaves = np.concatenate([data.P @ x, data.A @ x, np.maximum(data.G @ x, 0)])
    terms = np.concatenate([abs(M) @ np.abs(x) for M in (data.P, data.A, data.G)])
    return _vanishes(leaves, terms, gain)


def _vanishes(residual: np.ndarray, terms: np.ndarray, gain: float) -> bool:
    """Whether it is small beside the gain, and each entry rounding of its terms."""
    rounded = bool((np.abs(residual) <= ROUNDING * terms).all())
    return rounded and largest(residual) <= CERTIFICATE * gain
