"""Few active rows as a border: one factorisation for every set of them.

With K the KKT matrix of the equalities alone and V = K⁻¹Gᵀ, the multipliers of the
active rows solve (G V) lam = G z − h, z = K⁻¹(−q, b), and a set of rows costs a small
dense system where a factorisation was needed.

Chapter: optnet.md. Theorems: qp-active-set.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from companion.layers.qp.sparse.data import Matrix
from companion.layers.qp.sparse.factor import Factor, System

WRONG = 1e-10  # scaled slack or multiplier below minus this has the wrong sign
MOST = 64  # active rows beyond which an interior point and a new factor cost less
STEPS = 15  # of the active rows until they should have settled
PIVOTS = 1e-5  # least over greatest pivot below which rows count as dependent


class Border:
    """[K Gᵀ; G 0] by its parts: a product, and a solve without refinement."""

    def __init__(
        self, base: Factor, G: Matrix, V: np.ndarray, chol: tuple[np.ndarray, bool]
    ) -> None:
        self.base, self.G, self.V, self.chol = base, G, V, chol
        self.n, self.size = base.n, base.K.shape[0]

    def __matmul__(self, z: np.ndarray) -> np.ndarray:
        """The product of the whole matrix with a vector."""
        z, lam = z[: self.size], z[self.size :]
        top = self.base.K @ z
        top[: self.n] += self.G.T @ lam
        return np.concatenate([top, self.G @ z[: self.n]])

    def solve(self, r: np.ndarray) -> np.ndarray:
        """By elimination of everything but the multipliers of the border."""
        z = self.base.lu.solve(r[: self.size])
        lam = cho_solve(self.chol, self.G @ z[: self.n] - r[self.size :])
        return np.concatenate([z - self.V @ lam, lam])


class Bordered:
    """The solutions on all sets of active rows, each column of V computed once."""

    def __init__(self, system: System, base: Factor) -> None:
        self.system, self.base, self.n = system, base, system.n
        d = system.scaled
        self.start = base.lu.solve(np.concatenate([-d.q, d.b]))
        self.start += base.lu.solve(np.concatenate([-d.q, d.b]) - base.K @ self.start)
        self.V = np.zeros((len(self.start), 0))
        self.place = np.full(len(d.h), -1)

    def columns(self, rows: np.ndarray) -> np.ndarray:
        """The columns of V of some rows."""
        new = rows[self.place[rows] < 0]
        if len(new):
            rhs = np.zeros((len(self.start), len(new)))
            rhs[: self.n] = self.system.scaled.G[new].T.toarray()
            self.place[new] = self.V.shape[1] + np.arange(len(new))
            self.V = np.hstack([self.V, self.base.lu.solve(rhs)])
        return self.V[:, self.place[rows]]

    def on(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Border] | None:
        """(x, lam) with these rows active; None if they depend on each other."""
        d = self.system.scaled
        G, V = d.G[rows], self.columns(rows)
        try:
            chol = cho_factor(G @ V[: self.n], lower=True)
        except LinAlgError:
            return None
        pivots = chol[0].diagonal()
        if pivots.size and pivots.min() < PIVOTS * pivots.max():
            return None
        lam = cho_solve(chol, G @ self.start[: self.n] - d.h[rows])
        x = self.start[: self.n] - V[: self.n] @ lam
        return x, lam, Border(self.base, G, V, chol)


def settle(system: System) -> Factor | None:
    """The factored system on active rows with no wrong sign, if they settle soon.

    A primal-dual active-set method from the rows that the solution of the equalities
    alone violates.
    """
    idle = np.zeros(len(system.data.h), bool)
    base = system.factor(idle)
    if not base.regular:
        return None
    bordered, d = Bordered(system, base), system.scaled
    x = bordered.start[: system.n]
    active = d.h - d.G @ x < -WRONG
    for _ in range(STEPS):
        rows = np.flatnonzero(active)
        found = bordered.on(rows) if len(rows) <= MOST else None
        if found is None:
            return None
        x, lam, border = found
        enters = (d.h - d.G @ x < -WRONG) & ~active
        if not enters.any() and not (lam < -WRONG).any():
            return Factor(border, active, system.n, system.scale, border)
        active = enters
        active[rows[lam >= -WRONG]] = True
    return None
