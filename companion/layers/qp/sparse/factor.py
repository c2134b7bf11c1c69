"""The KKT system on the active rows by one sparse LU, refined, singular or not.

Chapter: optnet.md. Theorems: qp-active-set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import structural_rank
from scipy.sparse.linalg import SuperLU, splu

from companion.layers.qp.sparse.data import (
    Data,
    Matrix,
    Scale,
    largest,
    rows_of,
    scaled,
)

SINGULAR = 1e13  # growth of a solution of the scaled system that counts as singular
SHIFT = 1e-8  # of the diagonal blocks, (P + SHIFT, −SHIFT), where it is singular
REFINEMENTS = 3  # of a regular system; each halves the residual at least, or is last
BALANCINGS = 8  # of rows and columns of a singular system
SETTLING = 25  # refinements that undo the shift of a singular system
PURGES = 4  # extractions of what no solution can reach, each to 8 more digits
ROUNDING = 1e-15  # residual relative to the right-hand side at which to stop


class System:
    """The scaled problem, ready to be factored on any set of active rows."""

    def __init__(self, data: Data) -> None:
        self.data, (self.scaled, self.scale) = data, scaled(data)
        self.n, self.p = len(data.q), len(data.b)
        self.P = (self.scaled.P.data, rows_of(data.P), data.P.indices)
        self.A = (self.scaled.A.data, rows_of(data.A), data.A.indices)
        self.G = (self.scaled.G.data, rows_of(data.G), data.G.indices)

    def factor(self, active: np.ndarray) -> Factor:
        """[P Cᵀ; C 0] factored, C being A and the active rows of G."""
        place = self.n + self.p + np.cumsum(active) - 1
        values, rows, columns = self.G
        kept = active[rows]
        C = np.concatenate([self.A[0], values[kept]])
        i = np.concatenate([self.n + self.A[1], place[rows[kept]]])
        j = np.concatenate([self.A[2], columns[kept]])
        size = self.n + self.p + int(active.sum())
        K = sparse.csc_matrix(
            (
                np.concatenate([self.P[0], C, C]),
                (
                    np.concatenate([self.P[1], i, j]),
                    np.concatenate([self.P[2], j, i]),
                ),
            ),
            shape=(size, size),
        )
        return Factor(K, active, self.n, self.scale, _factored(K))


class Factor:
    """A KKT matrix K with what solves it; without an lu, K is singular and shifted."""

    def __init__(
        self, K: Any, active: np.ndarray, n: int, scale: Scale, lu: Any
    ) -> None:
        self.K, self.active, self.n, self.cost = K, active, n, scale.cost
        self.sizes = np.concatenate([scale.A, scale.G[active]])
        self.rows = np.concatenate([np.ones(len(scale.A), bool), active])
        self.regular = lu is not None
        self.weight = np.ones(1)
        if lu is None:
            self.K, self.weight = _balanced(K)
            shift = np.where(np.arange(len(self.weight)) < n, SHIFT, -SHIFT)
            lu = splu(sparse.csc_matrix(self.K + sparse.diags(shift)))
        self.lu = lu

    def solve(self, r1: np.ndarray, r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(u, y) with Pu + Cᵀy = r1, Cu = r2 on the active rows; y = 0 elsewhere.

        Where the matrix is singular, the least-squares solution of least norm, in the
        scaled unknowns.
        """
        r = np.concatenate([r1 / self.cost, r2[self.rows] / self.sizes])
        r = r * self.weight
        z = self._refined(r, REFINEMENTS) if self.regular else self._least_norm(r)
        z *= self.weight
        y = np.zeros(len(self.rows))
        y[self.rows] = z[self.n :] * (self.cost / self.sizes)
        return z[: self.n], y

    def _refined(self, r: np.ndarray, steps: int) -> np.ndarray:
        """Refine until the residual is rounding, or no longer halves."""
        z = np.zeros_like(r)
        e, size = r, largest(r)
        for _ in range(steps + 1):
            trial = z + self.lu.solve(e)
            left = r - self.K @ trial
            now = largest(left)
            if not now < size:
                break
            stalled = now > 0.5 * size
            z, e, size = trial, left, now
            if stalled or size <= ROUNDING * largest(r):
                break
        return z

    def _least_norm(self, r: np.ndarray) -> np.ndarray:
        """Take out of r what K cannot reach, then undo the shift by refinement.

        I − K(K + shift)⁻¹ keeps a vector of the null space and damps all others; and
        refinement from zero adds nothing in the null space to a right-hand side that
        K can reach, so that its limit is the solution of least norm.
        """
        for _ in range(PURGES):
            out = r
            for _ in range(PURGES):
                out = out - self.K @ self.lu.solve(out)
            r = r - out
            if largest(out) <= ROUNDING * largest(r):
                break
        return self._refined(r, SETTLING)


def _factored(K: Matrix) -> SuperLU | None:
    """An LU of K, None where K is singular to working precision."""
    if structural_rank(K) < K.shape[0]:
        return None  # SuperLU calls the BLAS with wrong arguments on some of these
    try:
        lu = splu(K)  # COLAMD: a sixth of the time of minimum degree on A + Aᵀ
    except RuntimeError:  # exactly singular
        return None
    probe = np.cos(np.arange(K.shape[0]))
    growth = largest(lu.solve(probe))
    return lu if growth < SINGULAR else None


def _balanced(K: Matrix) -> tuple[Matrix, np.ndarray]:
    """WKW with every row's largest entry about one, and the diagonal of W.

    Source: ruiz2001scaling.
    """
    weight = np.ones(K.shape[0])
    for _ in range(BALANCINGS):
        size = abs(K).max(axis=1).toarray().ravel()
        step = 1 / np.sqrt(np.where(size > 0, size, 1.0))
        weight = weight * step
        W = sparse.diags(step)
        K = (W @ K @ W).tocsc()
    return K, weight
