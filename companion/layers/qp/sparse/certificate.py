"""Proof that no point is feasible where it is only just so: elastic, then exact.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from scipy import sparse

from companion.layers.qp.sparse.data import (
    CERTIFICATE,
    ROUNDING,
    Data,
    Matrix,
    Point,
    stacked,
)
from companion.layers.qp.sparse.factor import System

POLISHES = 3  # of a ray, each to 15 more digits
NEAR = 1e-7  # a library's zero, beside the largest entry
NOISE = 1e-13  # gain beside the terms that it sums that rounded data could produce


def relaxed(d: Data) -> Data:
    """Minimise Σt + Σ(u + v) subject to Ax + u − v = b, Gx ≤ h + t and u, v, t ≥ 0.

    Its optimum is zero if and only if some x is feasible; otherwise its multipliers
    are a Farkas ray: they vanish on every column of x.
    """
    n, p, m = len(d.q), len(d.b), len(d.h)
    more = 2 * p + m
    eye_p, none = sparse.identity(p), sparse.csr_matrix((p, m))
    A = sparse.hstack([d.A, eye_p, -eye_p, none], format="csr")
    top = sparse.hstack([d.G, sparse.csr_matrix((m, 2 * p)), -sparse.identity(m)])
    signs = sparse.hstack([sparse.csr_matrix((more, n)), -sparse.identity(more)])
    G = sparse.vstack([top, signs], format="csr")
    q = np.concatenate([np.zeros(n), np.ones(more)])
    h = np.concatenate([d.h, np.zeros(more)])
    return Data(sparse.csr_matrix((n + more, n + more)), q, A, d.b, G, h)


def straight_ray(d: Data, nu: np.ndarray, lam: np.ndarray) -> Point:
    """A nearby (nu, lam) with Aᵀnu + Gᵀlam = 0 to rounding, on its larger entries."""
    C, ray = stacked(d.A, d.G), np.concatenate([nu, lam])
    used = np.abs(ray) > NEAR * np.abs(ray).max(initial=0.0)
    ray[~used] = 0
    if used.any():
        ray[used] = _onto(C[used], ray[used])
    return Point(np.zeros(len(d.q)), ray[: len(nu)], ray[len(nu) :])


def straight_direction(d: Data, x: np.ndarray) -> np.ndarray:
    """A nearby x with Px = 0, Ax = 0 and, where Gx is nearly zero, zero there."""
    flat = d.G @ x > -NEAR * np.abs(x).max(initial=0.0)
    rows = sparse.vstack([d.P, d.A, d.G[flat]], format="csr")
    return _onto(rows.T.tocsr(), x)


def _onto(C: Matrix, y: np.ndarray) -> np.ndarray:
    """The vector y moved by least-norm steps to Cᵀy = 0, without rounding of zeros."""
    step = _least_norm(C)
    for _ in range(POLISHES):
        y = y + step(-(C.T @ y))
    return np.where(np.abs(y) > NOISE * np.abs(y).max(initial=0.0), y, 0.0)


def exact_ray(d: Data, nu: np.ndarray, lam: np.ndarray) -> np.ndarray | None:
    """The Farkas ray (nu, lam) refined until rational arithmetic confirms it.

    For gains that drown in the rounding of Aᵀnu + Gᵀlam.  None if it is none, or if
    the rounding of the data could have made it one.
    """
    C, rhs = stacked(d.A, d.G), np.concatenate([d.b, d.h])
    ray = np.concatenate([nu, lam])
    used = np.abs(ray) > NOISE * np.abs(ray).max(initial=0.0)
    if not used.any() or (ray[len(nu) :][used[len(nu) :]] < 0).any():
        return None
    C, rhs, y = C[used], rhs[used], [Fraction(float(v)) for v in ray[used]]
    least_norm = _least_norm(C)
    for _ in range(POLISHES):
        residual = np.array([float(v) for v in _transposed(C, y)])
        step = least_norm(-residual)
        y = [v + Fraction(float(dv)) for v, dv in zip(y, step, strict=True)]
    products = [Fraction(float(r)) * v for r, v in zip(rhs, y, strict=True)]
    gain, size = -sum(products), max(map(abs, products))
    left, terms = _transposed(C, y), _transposed(abs(C), [abs(v) for v in y])
    keeps_signs = all(
        v >= 0 for v, i in zip(y, np.flatnonzero(used), strict=True) if i >= len(nu)
    )
    if (
        not keeps_signs
        or gain <= Fraction(NOISE) * size
        or max(map(abs, left), default=0) > Fraction(CERTIFICATE) * gain
        or any(
            abs(v) > Fraction(ROUNDING) * t for v, t in zip(left, terms, strict=True)
        )
    ):
        return None
    ray[:] = 0
    ray[used] = [float(v) for v in y]
    return ray


def _least_norm(C: Matrix):
    """Right-hand sides r to the least y with Cᵀy = r."""
    k, n = C.shape
    eye, none = sparse.identity(k, format="csr"), sparse.csr_matrix((0, k))
    empty = np.zeros(0)
    data = Data(eye, np.zeros(k), C.T.tocsr(), np.zeros(n), none, empty)
    factor = System(data).factor(empty.astype(bool))
    return lambda r: factor.solve(np.zeros(k), r)[0]


def _transposed(C: Matrix, y: Sequence[Fraction]) -> list[Fraction]:
    """Cᵀy, exactly."""
    out = [Fraction(0)] * C.shape[1]
    for i, v in enumerate(y):
        for k in range(C.indptr[i], C.indptr[i + 1]):
            out[C.indices[k]] += Fraction(float(C.data[k])) * v
    return out
