"""The differential of the optimality conditions of one instance, reduced and factored.

With v = y − s, D = DΠ_{K*}(v) = U diag(lam) Uᵀ and B = UᵀA, the conditions
Px + AᵀΠv + q = 0, −Ax + b + v − Πv = 0 have the Jacobian

    M = [ P   AᵀD   ]
        [ −A  I − D ]

In the basis U the rows with lam = 0 say what dv is, those with small lam weigh their
part of dx, and only the others stay:

    K = [ H   Cᵀ ]    H = P + Σ lam/(1 − lam) b bᵀ over rows b of B with lam ≤ SPLIT,
        [ C   −E ]    C the others, E = diag((1 − lam)/lam)

K is symmetric and serves M and Mᵀ alike.  It is singular where M is: no route relies
on its being regular.

Chapter: cone-derivative.md. Theorems: cone-program-derivative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

SPLIT = 10 / 11  # eigenvalue up to which a row is a weight, of at most ten
REGULAR = 1e-14  # reciprocal condition estimate below which K counts as singular
CUTOFF = 1e-13  # relative eigenvalue of K below which it counts as zero


class Parts(NamedTuple):
    """Row weights of one instance: what is a weight, and what stays a row."""

    weight: np.ndarray
    quotient: np.ndarray
    hard: np.ndarray


def parts_of(lam: np.ndarray) -> Parts:
    """lam/(1 − lam) and 1/(1 − lam), zero for the rows that stay."""
    hard = np.flatnonzero(lam > SPLIT)
    room = 1 - lam
    room[hard] = np.inf
    return Parts(lam / room, 1 / room, hard)


class Dense:
    """K as a dense matrix, with its LU, or its eigenvectors where it is singular."""

    rotated = True  # its second parts are in the basis U

    def __init__(self, P: np.ndarray, B: np.ndarray, lam: np.ndarray) -> None:
        self.B, self.lam, self.n = B, lam, len(P)
        self.parts = parts_of(lam)
        soft = np.flatnonzero(self.parts.weight)
        S = B[soft] * np.sqrt(self.parts.weight[soft])[:, None]
        self.C, kept = B[self.parts.hard], lam[self.parts.hard]
        self.ratio = 1 / kept
        n, size = self.n, self.n + len(kept)
        K = np.zeros((size, size), order="F")
        K[:n, :n] = P + S.T @ S
        K[n:, :n] = self.C
        K[:n, n:] = self.C.T
        K[range(n, size), range(n, size)] = -(1 - kept) / kept
        self.K = K
        self.inverse: np.ndarray | None = None
        self._factor()

    def _factor(self) -> None:
        self.lu, self.pivots, info = lapack.dgetrf(self.K)
        size = np.abs(self.K).sum(0).max(initial=0.0)
        rcond = lapack.dgecon(self.lu, size)[0] if info == 0 and size else 0.0
        self.regular = bool(rcond > REGULAR) or not len(self.K)
        if not self.regular:
            self.least_squares()

    def least_squares(self) -> None:
        """From here on answer with the least-squares solution of least norm."""
        self.regular = False
        e, V = np.linalg.eigh(self.K)
        kept = np.abs(e) > CUTOFF * np.abs(e).max(initial=0.0)
        self.inverse = (V[:, kept] / e[kept]) @ V[:, kept].T

    def _answer(self, r: np.ndarray) -> np.ndarray:
        if self.inverse is not None:
            return self.inverse @ r
        return lapack.dgetrs(self.lu, self.pivots, r)[0]

    def solve(self, r1: np.ndarray, r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dv) with M(dx, dv) = (r1, r2), the second parts in the basis U."""
        weight, quotient, hard = self.parts
        top = r1 - (weight * r2) @ self.B
        z = self._answer(np.concatenate([top, -r2[hard]]))
        dx = z[: self.n]
        dv = quotient * (self.B @ dx + r2)
        dv[hard] = z[self.n :] * self.ratio
        return dx, dv

    def adjoint(self, f1: np.ndarray, f2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(g1, g2) with Mᵀ(g1, g2) = (f1, f2), the second parts in the basis U."""
        weight, quotient, hard = self.parts
        top = f1 + (quotient * f2) @ self.B
        z = self._answer(np.concatenate([top, f2[hard] * self.ratio]))
        g1 = z[: self.n]
        g2 = quotient * f2 - weight * (self.B @ g1)
        g2[hard] = -z[self.n :]
        return g1, g2
