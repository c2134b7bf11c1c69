"""Products of matrices in compressed rows, and the residuals of a sparse QP.

Chapter: optnet.md. Theorems: qp-optimality.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel.lapack import EXACT
from companion.layers.qp.kernel.ldl import largest


@njit(**EXACT)
def lengths(M):
    """Euclidean norm of every row, 1 for a zero row."""
    starts, _, values = M
    size = np.ones(len(starts) - 1)
    for i in range(len(size)):
        total = 0.0
        for t in range(starts[i], starts[i + 1]):
            total += values[t] ** 2
        if total > 0.0:
            size[i] = np.sqrt(total)
    return size


@njit(**EXACT)
def product(M, v):
    """M v."""
    starts, columns, values = M
    out = np.zeros(len(starts) - 1)
    for i in range(len(out)):
        for t in range(starts[i], starts[i + 1]):
            out[i] += values[t] * v[columns[t]]
    return out


@njit(**EXACT)
def transposed(M, y, first, n):
    """Mᵀ times the entries of y from `first` on."""
    starts, columns, values = M
    out = np.zeros(n)
    for i in range(len(starts) - 1):
        for t in range(starts[i], starts[i + 1]):
            out[columns[t]] += values[t] * y[first + i]
    return out


@njit(**EXACT)
def envelope_work(parts, place):
    """Multiplications of a Cholesky factorisation in the envelope of CᵀC."""
    n = len(place)
    reach = np.arange(n)
    for starts, columns, _ in parts:
        for i in range(len(starts) - 1):
            first = n
            for t in range(starts[i], starts[i + 1]):
                first = min(first, place[columns[t]])
            for t in range(starts[i], starts[i + 1]):
                j = place[columns[t]]
                reach[j] = min(reach[j], first)
    total = 0.0
    for j in range(n):
        total += float(j - reach[j]) ** 2
    return 0.5 * total


@njit(**EXACT)
def accuracy(problem, sides, x, y):
    """Largest KKT residual, each relative to the terms it sums; infinite for NaN."""
    P, A, G = problem
    q, b, h = sides
    n, p = len(q), len(b)
    Px, Ax, Gx = product(P, x), product(A, x), product(G, x)
    An, Gl = transposed(A, y, 0, n), transposed(G, y, p, n)
    terms, dual, value = 0.0, 0.0, 0.0
    for j in range(n):
        for term in (Px[j], q[j], An[j], Gl[j]):
            terms = max(terms, abs(term))
        dual = max(dual, abs(Px[j] + q[j] + An[j] + Gl[j]))
        value += (0.5 * Px[j] + q[j]) * x[j]
    dual /= 1 + terms
    terms, primal, sign, gap = 0.0, 0.0, 0.0, 0.0
    for i in range(p):
        terms = max(terms, abs(Ax[i]), abs(b[i]))
        primal = max(primal, abs(Ax[i] - b[i]))
    for i in range(len(h)):
        terms = max(terms, abs(Gx[i]), abs(h[i]))
        primal = max(primal, Gx[i] - h[i])
        sign = max(sign, -y[p + i])
        gap += abs((h[i] - Gx[i]) * y[p + i])
    most = largest(y[p:])
    if not np.isfinite(value + gap + largest(y) + largest(b) + largest(h)):
        return np.inf  # comparisons have lost what is not a number
    return max(dual, primal / (1 + terms), sign / (1 + most), gap / (1 + abs(value)))
