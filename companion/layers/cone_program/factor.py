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

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack

LAPACK: Any = lapack  # compiled, without annotations
SPLIT = 10 / 11  # eigenvalue up to which a row is a weight, of at most ten
SINGULAR = 1e13  # growth of a solution, relative to K, that counts as singular
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
    """K by its symmetric factors, or its eigenvectors where it is singular."""

    rotated = True  # its second parts are in the basis U

    def __init__(self, P: np.ndarray, B: np.ndarray, lam: np.ndarray) -> None:
        self.P, self.B, self.lam, self.n = P, B, lam, len(P)
        self.parts = parts_of(lam)
        self.ratio = 1 / lam[self.parts.hard]
        self.inverse: np.ndarray | None = None
        K = self._lower()
        self.regular = self._factored(K, np.abs(K).max(initial=0.0))
        if not self.regular:
            self.least_squares()

    def _lower(self) -> np.ndarray:
        """The lower triangle of K, with anything above."""
        soft = np.flatnonzero(self.parts.weight)
        S = self.B[soft] * np.sqrt(self.parts.weight[soft])[:, None]
        kept = self.lam[self.parts.hard]
        n, size = self.n, self.n + len(kept)
        K = np.zeros((size, size), order="F")
        K[:n, :n] = self.P + S.T @ S
        K[n:, :n] = self.B[self.parts.hard]
        K.T.reshape(-1)[n * (size + 1) :: size + 1] = (kept - 1) / kept
        return K

    def _factored(self, K: np.ndarray, size: float) -> bool:
        """Factor K in place; whether it is regular to working precision."""
        work = 64 * len(K)
        self.ldl, self.pivots, info = LAPACK.dsytrf(K, 1, work, overwrite_a=True)
        if info:
            return False
        probe = np.cos(np.arange(len(K)))
        return float(np.abs(self._answer(probe)).max(initial=0.0) * size) < SINGULAR

    def least_squares(self) -> None:
        """From here on answer with the least-squares solution of least norm."""
        self.regular = False
        e, V = np.linalg.eigh(self._lower())
        kept = np.abs(e) > CUTOFF * np.abs(e).max(initial=0.0)
        self.inverse = (V[:, kept] / e[kept]) @ V[:, kept].T

    def _answer(self, r: np.ndarray) -> np.ndarray:
        if self.inverse is not None:
            return self.inverse @ r
        return LAPACK.dsytrs(self.ldl, self.pivots, r, 1)[0]

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
