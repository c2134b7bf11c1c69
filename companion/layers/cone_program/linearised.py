"""Solves with M and Mᵀ for a whole batch: one factor an instance, then refinement.

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import reduce
from typing import Any

import numpy as np
from scipy import sparse

from companion.layers.cone_program.factor import Dense
from companion.layers.cone_program.layout import Layout
from companion.layers.cone_program.sparse_factor import Sparse
from companion.layers.cone_program.spectrum import Spectrum
from companion.layers.cone_program.stacks import (
    Entries,
    Pattern,
    Stack,
    nonzero,
    times,
    transposed,
)
from companion.layers.cone_program.thin import Thin

ROUNDING = 1e-13  # relative residual at which refinement ends
ACCEPTED = 1e-9  # relative residual above which least squares takes over
REFINEMENTS = 15
SMALL = 250  # rows and columns together up to which dense factors are always cheaper
FILLED = 0.1  # share of entries of A that are not zero, and
GRAM = 0.1  # of AᵀA, up to which sparse factors are


class Linearised:
    """M at the points of a batch.  `exact` may move on while the factors stay."""

    def __init__(
        self,
        P: Any,
        A: Any,
        spectrum: Spectrum,
        wanted: np.ndarray,
    ) -> None:
        self.P, self.A = P, A = Stack.of(P), Stack.of(A)
        self.at = self.exact = spectrum
        size = len(spectrum.lam)
        self.factors: dict[int, Any] = {}
        dense = np.flatnonzero(wanted)
        if is_thin(A):
            for i in dense.tolist():
                self.factors[i] = Sparse(P[0], A[0], self.at, i)
            dense = dense[:0]
        elif worth_trying(self.at.where, A.shape[-1]):
            dense = self._sparse(dense)
        if len(dense):
            own = A.dense if len(A) == 1 else A.dense[dense]
            B = self.at.take(dense).rotate(
                np.broadcast_to(own, (len(dense), *A.shape[1:]))
            )
            for j, i in enumerate(dense):
                Pi = P.dense[i if len(P) > 1 else 0]
                self.factors[int(i)] = Dense(Pi, B[j], self.at.lam[i])
        self.residual = np.zeros(size)

    def _sparse(self, places: np.ndarray) -> np.ndarray:
        """Factor the instances with mostly zeros as such; the places of the others."""
        others, judged = [], {}
        for i in places.tolist():
            k = i if len(self.A) > 1 else 0
            A = mostly_zeros(self.A.dense[k], self.A.entries[k], judged)
            if A is None:
                others.append(i)
                continue
            P = self.P.dense[i if len(self.P) > 1 else 0]
            self.factors[int(i)] = Sparse(P, A, self.at, i)
        return np.array(others, int)

    def part(self, places: np.ndarray) -> Linearised:
        """The same factors for some instances alone."""
        other = copy(self)
        other.P, other.A = (v if len(v) == 1 else v[places] for v in (self.P, self.A))
        other.at = self.at.take(places)
        same = self.exact is self.at
        other.exact = other.at if same else self.exact.take(places)
        pairs = enumerate(places.tolist())
        other.factors = {j: self.factors[i] for j, i in pairs if i in self.factors}
        return other

    def move(self, spectrum: Spectrum) -> None:
        """Answer for other points from now on; the factors serve to get there."""
        self.exact = spectrum

    def put(self, places: np.ndarray, other: Linearised, which: np.ndarray) -> None:
        """Take the factors of some instances from another system."""
        self.at.put(places, other.at, which)
        for i, j in zip(places, which, strict=True):
            self.factors[int(i)] = other.factors[int(j)]

    def product(self, dx: np.ndarray, dv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """M (dx, dv)."""
        dy = self.exact.times(dv)
        return (
            times(self.P, dx) + transposed(self.A, dy),
            dv - dy - times(self.A, dx),
        )

    def transposed(
        self, g1: np.ndarray, g2: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mᵀ (g1, g2)."""
        return (
            times(self.P, g1) - transposed(self.A, g2),
            g2 + self.exact.times(times(self.A, g1) - g2),
        )

    def solve(self, r1: np.ndarray, r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dv) with M (dx, dv) = (r1, r2)."""
        return self._refined((r1, r2), "solve")

    def adjoint(self, f1: np.ndarray, f2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(g1, g2) with Mᵀ (g1, g2) = (f1, f2)."""
        return self._refined((f1, f2), "adjoint")

    def _refined(
        self, r: tuple[np.ndarray, np.ndarray], name: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Refinement while the residual halves; other means where it stays large."""
        u, w, left = self._improved(r, name)
        for mend in (self._renewed, self._without_inverse):
            poor = mend(left)
            if poor.any():
                again, more, after = self._improved(r, name)
                better = poor & (after < left)
                u[better], w[better] = again[better], more[better]
                left[better] = after[better]
        self.residual = left
        return u, w

    def _renewed(self, left: np.ndarray) -> np.ndarray:
        """New factors at the exact points where old ones leave too much."""
        poor = np.zeros(len(left), bool)
        if self.at is self.exact:
            return poor
        poor[[i for i, f in self.factors.items() if f.regular]] = True
        poor &= left > ACCEPTED
        places = np.flatnonzero(poor)
        if len(places):
            P, A = (v if len(v) == 1 else v[places] for v in (self.P, self.A))
            some = np.ones(len(places), bool)
            fresh = Linearised(P, A, self.exact.take(places), some)
            self.put(places, fresh, np.arange(len(places)))
        return poor

    def _without_inverse(self, left: np.ndarray) -> np.ndarray:
        """Least squares where the factors leave too much."""
        poor = np.zeros(len(left), bool)
        for i, factor in self.factors.items():
            if left[i] > ACCEPTED and factor.regular:
                factor.least_squares()
                poor[i] = True
        return poor

    def _improved(
        self, r: Sequence[np.ndarray], name: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found, size = [np.empty_like(v) for v in r], norm(*r)
        left, scale = np.empty_like(size), np.where(size > 0, size, 1.0)
        total, error = [np.zeros_like(v) for v in r], r
        some, places = self, np.arange(len(size))
        for _ in range(REFINEMENTS):
            step = some.step(error[0], error[1], name)
            trial = [v + dv for v, dv in zip(total, step, strict=True)]
            product = some.transposed if name == "adjoint" else some.product
            rest = [v - p for v, p in zip(r, product(*trial), strict=True)]
            now = norm(*rest)
            better = now < size
            if better.all():
                total = trial
            else:
                for whole, part in zip(total, trial, strict=True):
                    whole[better] = part[better]
            live = (now < 0.5 * size) & (now > ROUNDING * scale)
            size = np.where(better, now, size)
            if not live.any():
                break
            error = tuple(np.where(live[:, None], v, 0.0) for v in rest)
            if 2 * np.count_nonzero(live) <= len(live):  # leave the others behind
                _put((*found, left), (*total, size / scale), places)
                few = np.flatnonzero(live)
                some, places = some.part(few), places[few]
                r, total, error = ([v[few] for v in w] for w in (r, total, error))
                size, scale = size[few], scale[few]
        _put((*found, left), (*total, size / scale), places)
        return found[0], found[1], left

    def step(
        self, r1: np.ndarray, r2: np.ndarray, name: str = "solve"
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the factors alone answer."""
        turned = r2
        some = any(factor.rotated for factor in self.factors.values())
        if some:
            turned = self.at.rotate(r2[..., None])[..., 0]
        u, w = np.zeros_like(r1), np.zeros_like(r2)
        for i, factor in self.factors.items():
            given = turned if factor.rotated else r2
            u[i], w[i] = getattr(factor, name)(r1[i], given[i])
        if some:
            restored = self.at.restore(w[..., None])[..., 0]
            for i, factor in self.factors.items():
                if factor.rotated:
                    w[i] = restored[i]
        return u, w


def is_thin(A: Any) -> bool:
    """Whether it is a sparse matrix, which stays one."""
    return isinstance(A, Thin)


def worth_trying(where: Layout, n: int) -> bool:
    """Whether there may be zeros enough for sparse factors to pay."""
    triangle = sum(group.rows.size for group in where.psd)
    return n + where.rows > SMALL and triangle < 0.5 * where.rows


def mostly_zeros(
    A: np.ndarray, found: Entries | None, judged: dict[int, tuple[Pattern, bool]]
) -> Any:
    """A as a sparse matrix, if it and AᵀA have so many zeros that factors have.

    `found` has its entries if they are known; `judged` keeps the verdict on a pattern.
    """
    found = found or nonzero(A, share=max(FILLED, 0.0))
    if found is None or len(found.values) > FILLED * A.size:
        return None
    _, columns, starts = found.pattern
    if id(found.pattern) not in judged:
        ones = np.ones_like(found.values)
        pattern = sparse.csr_matrix((ones, columns, starts), A.shape)
        few = (pattern.T @ pattern).nnz <= GRAM * A.shape[1] ** 2
        judged[id(found.pattern)] = found.pattern, few
    if not judged[id(found.pattern)][1]:
        return None
    return sparse.csr_matrix((found.values, columns, starts), A.shape)


def _put(
    wholes: tuple[np.ndarray, ...], parts: tuple[np.ndarray, ...], places: np.ndarray
) -> None:
    for whole, part in zip(wholes, parts, strict=True):
        whole[places] = part


def norm(*parts: np.ndarray) -> np.ndarray:
    """Largest absolute entry of every instance."""
    sizes = (np.maximum.reduce(np.abs(v), axis=-1, initial=0.0) for v in parts)
    return reduce(np.maximum, sizes)
