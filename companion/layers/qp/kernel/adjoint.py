"""One chunk of a batch differentiated: the adjoint, and every gradient it gives.

Chapter: interior-point.md. Theorems: qp-active-set, qp-gradients.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel.lapack import COMPILED
from companion.layers.qp.kernel.system import on_active, pick


@njit(**COMPILED)
def _leftover(instance, rows, count, dx, dy, rd, rp):
    """Subtract [P Cᵀ; C 0](dx, dy) on the active rows from the right-hand sides."""
    P, A, G = instance
    n, p = len(dx), A.shape[0]
    for j in range(n):
        total = 0.0
        for i in range(n):
            total += P[j, i] * dx[i]
        rd[j] += total
    for a in range(p + count):
        place = a if a < p else p + rows[a - p]
        row = A[a] if a < p else G[rows[a - p]]
        total, value = 0.0, dy[place]
        for j in range(n):
            total += row[j] * dx[j]
        for j in range(n):
            rd[j] += value * row[j]
        rp[place] -= total


@njit(**COMPILED)
def _outer(u, v, a, b, scale, out):
    """Fill out with scale·(u vᵀ + a bᵀ)."""
    for row in range(len(u)):
        s, t = scale * u[row], scale * a[row]
        if s == 0.0 and t == 0.0:
            out[row] = 0.0
        else:
            for j in range(len(v)):
                out[row, j] = s * v[j] + t * b[j]


@njit(**COMPILED)
def adjoint_chunk(span, data, factors, active, point, seeds, found, matrices):
    """Adjoint solution and gradients of the instances span[0] ≤ i < span[1].

    data = (P, A, G), active = (counts, rough); where rough, one step of iterative
    refinement follows.  seeds = (gx, gy), point = (x, y) and found = (dx, dy) with
    [P Cᵀ; C 0](dx, dy) = -(gx, gy).  matrices = gradients of (P, A, G), of batch size
    zero if not wanted.
    """
    P, A, G = data
    L, X, S, F, rows = factors
    counts, rough = active
    x, y = point
    gx, gy = seeds
    dx, dy = found
    grad_P, grad_A, grad_G = matrices
    p = S.shape[2]
    for i in range(span[0], span[1]):
        dx[i], dy[i] = 0.0, 0.0
        rhs = -gy[i] if len(gy) > 0 else np.zeros(y.shape[1])
        on_active(
            pick(L, i), pick(X, i), pick(S, i), F[i], rows[i], counts[i],
            gx[i].copy(), rhs, dx[i], dy[i],
        )  # fmt: skip
        if rough[i]:
            rd, instance = gx[i].copy(), (pick(P, i), pick(A, i), pick(G, i))
            _leftover(instance, rows[i], counts[i], dx[i], dy[i], rd, rhs)
            on_active(
                pick(L, i), pick(X, i), pick(S, i), F[i], rows[i], counts[i],
                rd, rhs, dx[i], dy[i],
            )  # fmt: skip
        if len(grad_P) > 0:
            _outer(dx[i], x[i], x[i], dx[i], 0.5, grad_P[i])
        if len(grad_A) > 0:
            _outer(dy[i, :p], x[i], y[i, :p], dx[i], 1.0, grad_A[i])
        if len(grad_G) > 0:
            _outer(dy[i, p:], x[i], y[i, p:], dx[i], 1.0, grad_G[i])
