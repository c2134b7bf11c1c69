"""The derivative of the projection on K*, in its own eigenbasis: DΠ = U diag(lam) Uᵀ.

Every DΠ of a closed convex cone is symmetric with eigenvalues between 0 and 1.  U is
block diagonal and never formed: a reflection for a second-order cone, the eigenvectors
of the matrix for a PSD block, 3 x 3 blocks for exponential and power cones.

Boundary convention: that of `companion.layers.cones`.

Chapter: cone-derivative.md. Theorems: soc-derivative, psd-derivative.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from companion.layers.cone_program import triples
from companion.layers.cone_program.layout import (
    Layout,
    Triple,
    places,
    triangle,
)

ROOT = np.sqrt(0.5)


class Spectrum:
    """Π and DΠ for K* at a batch of points v, of shape (batch, m), given a guess of Π.

    The guess saves time, and changes no more than rounding.
    """

    def __init__(
        self, v: np.ndarray, where: Layout, near: np.ndarray | None = None
    ) -> None:
        self.where = where
        self.lam = np.empty_like(v)
        self.point = np.empty_like(v)
        self.turns: list[tuple[np.ndarray, SecondOrder | Semidefinite | Triples]] = []
        self._line(v)
        for group in where.soc:
            self._add(group.rows, SecondOrder(v[:, group.rows]))
        for group in where.psd:
            self._add(group.rows, Semidefinite(v[:, group.rows], group.size))
        t = where.triples
        if len(t):
            self._add(
                t, Triples(v[:, t], where.kinds, None if near is None else near[:, t])
            )

    def _line(self, v: np.ndarray) -> None:
        """Rows that are free under the dual, and signed rows."""
        self.lam[:, self.where.free] = 1.0
        self.point[:, self.where.free] = v[:, self.where.free]
        signed = v[:, self.where.sign]
        self.lam[:, self.where.sign] = signed >= 0
        self.point[:, self.where.sign] = np.maximum(signed, 0)

    def _add(
        self, rows: np.ndarray, turn: SecondOrder | Semidefinite | Triples
    ) -> None:
        self.turns.append((rows, turn))
        self.lam[:, rows], self.point[:, rows] = turn.lam, turn.point

    def take(self, places: np.ndarray | slice) -> Spectrum:
        """Some instances, in arrays of their own."""
        other = copy(self)
        other.lam, other.point = self.lam[places], self.point[places]
        other.turns = []
        for rows, turn in self.turns:
            twin = copy(turn)
            for name in turn.batched:
                setattr(twin, name, getattr(turn, name)[places])
            other.turns.append((rows, twin))
        return other

    def copy(self) -> Spectrum:
        """One that may be changed in place."""
        return self.take(np.arange(len(self.lam)))

    def put(self, places: np.ndarray, other: Spectrum, which: np.ndarray) -> None:
        """Replace some instances, in place, by those of another batch."""
        self.lam[places], self.point[places] = other.lam[which], other.point[which]
        for (_, mine), (_, its) in zip(self.turns, other.turns, strict=True):
            for name in mine.batched:
                getattr(mine, name)[places] = getattr(its, name)[which]

    def rotate(self, X: np.ndarray) -> np.ndarray:
        """UᵀX for X of shape (batch, m, columns)."""
        out = X.copy()
        for rows, turn in self.turns:
            out[:, rows] = turn.forth(X[:, rows])
        return out

    def restore(self, X: np.ndarray) -> np.ndarray:
        """UX."""
        out = X.copy()
        for rows, turn in self.turns:
            out[:, rows] = turn.back(X[:, rows])
        return out

    def times(self, w: np.ndarray) -> np.ndarray:
        """DΠ w for w of shape (batch, m)."""
        out = self.lam * w
        for rows, turn in self.turns:
            out[:, rows] = turn.times(w[:, rows])
        return out


class SecondOrder:
    """Blocks (t, w): eigenvectors (1, ±w/r)/√2, and all that is orthogonal to them.

    r ≤ t: lam = 1; r < −t: lam = 0; else 1, 0 and (1 + t/r)/2.
    """

    batched = ("lam", "point", "sign", "h", "beta", "unit", "mu")

    def __init__(self, v: np.ndarray) -> None:
        t, w = v[..., 0], v[..., 1:]
        r = np.sqrt((w * w).sum(-1))
        inside, outside = r <= t, r < -t
        unit = w / np.where(r > 0, r, 1.0)[..., None]
        unit[..., 0] = np.where(r > 0, unit[..., 0], 1.0)
        self.unit = unit
        self.sign = np.where(unit[..., 0] > 0, -1.0, 1.0)
        self.h = unit.copy()  # I − h hᵀ/h₀' maps w/r to ∓e₁ and back
        self.h[..., 0] -= self.sign
        self.beta = 2.0 / (self.h * self.h).sum(-1)
        mu = self.mu = 0.5 * (1 + t / np.where(r > 0, r, 1.0))
        kind = np.where(inside, 1.0, 0.0)
        middle = ~inside & ~outside
        self.lam = np.repeat(np.where(middle, mu, kind)[..., None], v.shape[-1], -1)
        self.lam[..., 0] = np.where(middle, 1.0, kind)
        self.lam[..., 1] = np.where(middle, 0.0, kind)
        scaled = np.concatenate([(mu * r)[..., None], mu[..., None] * w], -1)
        self.point = np.where(middle[..., None], scaled, kind[..., None] * v)

    def axes(self, i: int, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(1, w/r)/√2 and (1, −w/r)/√2 of some blocks of instance i."""
        w = ROOT * self.unit[i, which]
        one = np.full((len(w), 1), ROOT)
        return np.concatenate([one, w], -1), np.concatenate([one, -w], -1)

    def times(self, w: np.ndarray) -> np.ndarray:
        """DΠ w = mu w + (1 − mu) pp'w − mu nn'w between the cone and its polar."""
        same = self.lam[..., 0] == self.lam[..., 1]  # 1 or 0, on w as it is
        along = (self.unit * w[..., 1:]).sum(-1)
        p, n = w[..., 0] + along, w[..., 0] - along
        ahead, behind = (1 - self.mu) * p, self.mu * n
        out = self.mu[..., None] * w
        out[..., 0] += 0.5 * (ahead - behind)
        out[..., 1:] += (0.5 * (ahead + behind))[..., None] * self.unit
        return np.where(same[..., None], self.lam * w, out)

    def _reflected(self, W: np.ndarray) -> np.ndarray:
        along = self.beta[..., None, None] * (self.h[..., None, :] @ W)
        return W - self.h[..., None] * along

    def forth(self, X: np.ndarray) -> np.ndarray:
        """UᵀX, columns last."""
        out = np.empty_like(X)
        W = self._reflected(X[..., 1:, :])
        first = self.sign[..., None] * W[..., 0, :]
        out[..., 0, :] = ROOT * (X[..., 0, :] + first)
        out[..., 1, :] = ROOT * (X[..., 0, :] - first)
        out[..., 2:, :] = W[..., 1:, :]
        return out

    def back(self, X: np.ndarray) -> np.ndarray:
        """UX."""
        out, W = np.empty_like(X), np.empty_like(X[..., 1:, :])
        out[..., 0, :] = ROOT * (X[..., 0, :] + X[..., 1, :])
        W[..., 0, :] = self.sign[..., None] * ROOT * (X[..., 0, :] - X[..., 1, :])
        W[..., 1:, :] = X[..., 2:, :]
        out[..., 1:, :] = self._reflected(W)
        return out


class Semidefinite:
    """Blocks svec(X), X = V diag(e) Vᵀ: eigenvectors svec(V E_ij Vᵀ).

    lam_ij = 1 where e_i, e_j ≥ 0, 0 where e_i, e_j < 0, else e₊/(e₊ + |e₋|).
    """

    batched = ("lam", "point", "values", "V")

    def __init__(self, v: np.ndarray, k: int) -> None:
        self.k = k
        self.rows, self.columns, self.weight = triangle(k)
        self.places = places(k)
        self.lower = k * self.rows + self.columns
        self.values, self.V = np.linalg.eigh(self._matrix(v))
        up = np.maximum(self.values, 0)
        i, j = self.rows, self.columns
        above = up[..., i] + up[..., j]
        total = np.abs(self.values[..., i]) + np.abs(self.values[..., j])
        self.lam = np.where(total > 0, above / np.where(total > 0, total, 1.0), 1.0)
        positive = (self.V * up[..., None, :]) @ self.V.swapaxes(-1, -2)
        self.point = self._triangle(positive)

    def times(self, w: np.ndarray) -> np.ndarray:
        """DΠ w = svec(V (lam ∘ VᵀWV) Vᵀ)."""
        V, VT = self.V, self.V.swapaxes(-1, -2)
        inner = self.lam.take(self.places, -1) * (VT @ self._matrix(w) @ V)
        return self._triangle(V @ inner @ VT)

    def _matrix(self, x: np.ndarray) -> np.ndarray:
        """The matrix of one svec a block."""
        return (x / self.weight).take(self.places, -1)

    def _triangle(self, M: np.ndarray) -> np.ndarray:
        """Its inverse."""
        flat = M.reshape(*M.shape[:-2], self.k * self.k)
        return flat.take(self.lower, -1) * self.weight

    def _matrices(self, X: np.ndarray) -> np.ndarray:
        """Columns of svecs as matrices: (…, k, k, columns)."""
        return (X / self.weight[:, None])[..., self.places, :]

    def _turn(self, X: np.ndarray, V: np.ndarray) -> np.ndarray:
        """svec(V mat(x) Vᵀ) for every column x."""
        lead, columns, k = X.shape[:-2], X.shape[-1], self.k
        if columns == 1:
            M = V @ self._matrix(X[..., 0]) @ V.swapaxes(-1, -2)
            return self._triangle(M)[..., None]
        M = V @ self._matrices(X).reshape(*lead, k, k * columns)
        M = V[..., None, :, :] @ M.reshape(*lead, k, k, columns)
        return M[..., self.rows, self.columns, :] * self.weight[:, None]

    def basis(self, i: int) -> np.ndarray:
        """The blocks of U in instance i."""
        eye = np.eye(len(self.rows))
        return self._turn(np.broadcast_to(eye, (len(self.V[i]), *eye.shape)), self.V[i])

    def forth(self, X: np.ndarray) -> np.ndarray:
        """UᵀX, columns last."""
        return self._turn(X, self.V.swapaxes(-1, -2))

    def back(self, X: np.ndarray) -> np.ndarray:
        """UX."""
        return self._turn(X, self.V)


class Triples:
    """Exponential and power blocks: the eigenvectors of their 3 x 3 derivatives."""

    batched = ("lam", "point", "Q")

    def __init__(
        self, v: np.ndarray, kinds: tuple[Triple, ...], near: np.ndarray | None
    ) -> None:
        parts = [
            triples.found(v[:, k.part], k, None if near is None else near[:, k.part])
            for k in kinds
        ]
        self.point, self.lam, self.Q = (
            np.concatenate(part, 1) for part in zip(*parts, strict=True)
        )

    def basis(self, i: int) -> np.ndarray:
        """The blocks of U in instance i."""
        return self.Q[i]

    def times(self, w: np.ndarray) -> np.ndarray:
        """DΠ w."""
        turned = self.Q.swapaxes(-1, -2) @ w[..., None]
        return (self.Q @ (self.lam[..., None] * turned))[..., 0]

    def forth(self, X: np.ndarray) -> np.ndarray:
        """UᵀX, columns last."""
        return self.Q.swapaxes(-1, -2) @ X

    def back(self, X: np.ndarray) -> np.ndarray:
        """UX."""
        return self.Q @ X
