"""Cone programs whose solutions are known, strictly complementary and nondegenerate.

min qᵀx subject to Ax + s = b, s ∈ K.  Linear and second-order cones with random data,
semidefinite programs in standard form, and logistic regression over exponential cones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from companion.problems import Cones

SEED = 0
SOC = 10  # rows of each second-order cone
RIDGE = 0.1
NEWTON = 50
Array = np.ndarray


@dataclass(frozen=True)
class Programs:
    """A batch of programs over one product of cones, with solutions.

    `mask` marks the entries of A that any instance may have; others are zero.
    """

    q: Tensor
    A: Tensor
    b: Tensor
    K: Cones
    mask: Array
    x: Array
    y: Array
    s: Array

    @property
    def places(self) -> tuple[Array, Array]:
        """Row and column of each entry of the pattern, by rows."""
        rows, columns = np.nonzero(self.mask)
        return rows, columns

    @property
    def values(self) -> Tensor:
        """Entries of A on the pattern, one row an instance."""
        return self.A[:, *self.places]


def programs(A: Array, K: Cones, mask: Array, x: Array, y: Array, s: Array) -> Programs:
    """The programs that (x, y, s) solve: q = -Aᵀy and b = Ax + s."""
    q = -np.einsum("bij,bi->bj", A, y)
    b = np.einsum("bij,bj->bi", A, x) + s
    return Programs(*map(torch.from_numpy, (q, A, b)), K, mask, x, y, s)


def socp(batch: int, n: int, m: int, density: float = 1.0) -> Programs:
    """Equalities, inequalities half of which are active, and second-order cones.

    Three in four of those are met on their boundary, one in eight at the apex.
    """
    rng = np.random.default_rng(SEED)
    zero, count = n // 5, int(0.55 * m) // SOC
    K = Cones(zero=zero, nonneg=m - zero - SOC * count, soc=(SOC,) * count)
    mask = rng.uniform(size=(m, n)) < density
    if density < 1:
        mask[np.arange(m), np.arange(m) % n] = True  # no row or column is empty
    A = rng.normal(size=(batch, m, n)) * mask
    z = rng.normal(size=(batch, m))
    place = zero + K.nonneg
    half = zero + K.nonneg // 2
    z[:, zero:half], z[:, half:place] = (
        -np.abs(z[:, zero:half]),
        np.abs(z[:, half:place]),
    )
    z[:, zero:place] += 0.1 * np.sign(z[:, zero:place])
    for k in range(count):
        head = place + SOC * k
        size = np.linalg.norm(z[:, head + 1 : head + SOC], axis=1)
        share = {3: -1.5, 4: 1.5}.get(k % 8, 0.0)
        z[:, head] = size * (share or rng.uniform(-0.5, 0.5, size=batch))
    s = np.array([project(row, K) for row in z])
    return programs(A, K, mask, rng.normal(size=(batch, n)), s - z, s)


def project(z: Array, K: Cones) -> Array:
    """Nearest point of K, a product of zero, nonnegative and second-order cones."""
    s, place = np.zeros_like(z), K.zero + K.nonneg
    s[K.zero : place] = z[K.zero : place].clip(min=0)
    for size in K.soc:
        t, u = z[place], z[place + 1 : place + size]
        r = np.linalg.norm(u)
        if t >= r:
            s[place : place + size] = z[place : place + size]
        elif t > -r:
            half = (t + r) / 2
            s[place], s[place + 1 : place + size] = half, half / r * u
        place += size
    return s


def sdp(batch: int, side: int) -> Programs:
    """Semidefinite programs min ⟨C, X⟩ with as many equalities as X has rows.

    The rank of X is the largest for which the dual solution is unique.
    """
    rng = np.random.default_rng(SEED)
    rank = max(r for r in range(1, side) if r * (r + 1) // 2 <= side)
    rows = side * (side + 1) // 2
    A1 = rng.normal(size=(batch, side, rows))
    U = np.linalg.qr(rng.normal(size=(batch, side, side)))[0]
    spread = rng.uniform(0.5, 2, size=(batch, side))
    positive = np.arange(side) < rank
    X, Z = ((U * (spread * on)[:, None]) @ U.transpose(0, 2, 1)
            for on in (positive, ~positive))  # fmt: skip
    x, z = svec(X), svec(Z)
    A = np.concatenate([A1, np.broadcast_to(-np.eye(rows), (batch, rows, rows))], 1)
    nu = rng.normal(size=(batch, side))
    s = np.concatenate([np.zeros((batch, side)), x], 1)
    K, y = Cones(zero=side, psd=(side,)), np.concatenate([nu, z], 1)
    return programs(A, K, (A != 0).any(0), x, y, s)


def svec(M: Array) -> Array:
    """The lower triangle column by column, off-diagonal entries times √2."""
    columns, rows = np.triu_indices(M.shape[-1])
    return M[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2))


def smat(v: Array, side: int) -> Array:
    """The symmetric matrix of svec."""
    columns, rows = np.triu_indices(side)
    M = np.zeros((*v.shape[:-1], side, side))
    M[..., rows, columns] = v / np.where(rows == columns, 1.0, np.sqrt(2))
    M[..., columns, rows] = M[..., rows, columns]
    return M


def logistic(batch: int, rows: int = 100, features: int = 20) -> Programs:
    """Ridge-regularised logistic regression, two exponential cones an observation.

    Variables are the weights, then t, u and v of each observation, then the ridge.
    """
    each = [_regression(np.random.default_rng(SEED + k), rows, features)
            for k in range(batch)]  # fmt: skip
    first = each[0]
    stacked = {
        name: np.stack([getattr(p, name) for p in each]) for name in ("x", "y", "s")
    }
    q, A, b = (
        torch.stack([getattr(p, name) for p in each]) for name in ("q", "A", "b")
    )
    return replace(first, q=q, A=A, b=b, **stacked)


def _regression(rng: np.random.Generator, rows: int, features: int) -> Programs:
    data = rng.normal(size=(rows, features))
    data *= np.sign(data @ rng.normal(size=features) + rng.normal(size=rows))[:, None]
    w = _weights(data)
    margin = data @ w
    t = np.log1p(np.exp(-margin))
    u, v = np.exp(-t), np.exp(-margin - t)
    n, ridge = features + 3 * rows + 1, 0.5 * w @ w
    x = np.concatenate([w, t, u, v, [ridge]])
    m = rows + features + 2 + 6 * rows
    A, b, y = np.zeros((m, n)), np.zeros(m), np.zeros(m)
    at = [features + rows * k + np.arange(rows) for k in range(3)]
    i = np.arange(rows)
    A[i, at[1]] = A[i, at[2]] = b[i] = y[i] = 1.0  # u + v ≤ 1
    soc = rows + np.arange(features + 2)  # |(r - ½, w)| ≤ r + ½
    A[soc[:2], -1], b[soc[:2]] = -1.0, (0.5, -0.5)
    A[soc[2:], np.arange(features)] = -1.0
    y[soc] = RIDGE * np.concatenate([[ridge + 0.5, 0.5 - ridge], -w])
    for k, exponent in ((0, -t), (1, -margin - t)):  # (exponent, 1, u) and (…, 1, v)
        head = rows + features + 2 + 3 * rows * k + 3 * i
        A[head, at[0]] = b[head + 1] = 1.0
        A[head + 2, at[1 + k]] = -1.0
        if k:
            A[head, :features] = data
        e = np.exp(exponent)
        y[head], y[head + 1], y[head + 2] = -e, -e * (1 - exponent), 1.0
    q = np.concatenate([np.zeros(features), np.ones(rows), np.zeros(2 * rows), [RIDGE]])
    K = Cones(nonneg=rows, soc=(features + 2,), exp=2 * rows)
    fields = map(torch.from_numpy, (q, A, b))
    return Programs(*fields, K, A != 0, x, y, b - A @ x)


def _weights(data: Array) -> Array:
    """Newton's method on Σ log(1 + exp(-aᵀw)) + ½ RIDGE |w|²."""
    w = np.zeros(data.shape[1])
    for _ in range(NEWTON):
        p = 1 / (1 + np.exp(data @ w))
        H = (data * (p * (1 - p))[:, None]).T @ data + RIDGE * np.eye(len(w))
        w = w - np.linalg.solve(H, RIDGE * w - data.T @ p)
    return w
