"""One chunk of a batch of dense QPs, solved without the interpreter.

numba's cache knows of a change in this file only, and not of one in a module that it
calls: after such a change, delete the compiled files in `__pycache__`.

Chapter: interior-point.md. Theorems: nonnegative-dual, qp-active-set.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel import nnqp
from companion.layers.qp.kernel.lapack import COMPILED, finite
from companion.layers.qp.kernel.rows import solve_lower
from companion.layers.qp.kernel.system import (
    expand,
    factor,
    on_active,
    pick,
    reduce,
)

INACCURATE, DEGENERATE = 4, 5  # beside the outcomes of nnqp and of the factors
PASSES = 50  # of the rows, that the active set may take
FEASIBLE = 1e-12  # violation at which no row enters, relative to the right-hand sides
ACCURATE = 1e-13  # KKT residual that needs no refinement, relative to its terms
TOLERANCE = 1e-9  # KKT residual of a solved instance, the same
MARGIN = 1e-10  # of multiplier over slack, rows of norm one, for an active row
TOUCH = 1e-8  # slack at which a row of norm one touches its bound


@njit(**COMPILED)
def _size(v):
    largest = 0.0
    for value in v:
        largest = max(largest, abs(value))
    return largest


@njit(**COMPILED)
def residual(P, q, A, G, rhs, x, y, rd, rp):
    """Stationarity rd, rows rp = rhs - [A; G]x, and the error beside their terms."""
    n, p = len(x), A.shape[0]
    terms = 1.0
    for j in range(n):
        total = 0.0
        for i in range(n):
            total += P[j, i] * x[i]
        terms = max(terms, abs(total), abs(q[j]))
        rd[j] = total + q[j]
    dual = np.zeros(n)
    for a in range(len(y)):
        row = A[a] if a < p else G[a - p]
        total = 0.0
        for j in range(n):
            total += row[j] * x[j]
        rp[a] = rhs[a] - total
        if y[a] != 0.0:
            for j in range(n):
                dual[j] += y[a] * row[j]
    terms = max(terms, _size(dual))
    for j in range(n):
        rd[j] += dual[j]
    if not (finite(rd) and finite(rp) and finite(y)):
        return np.inf
    violated, sign = 0.0, 0.0
    for a in range(len(y)):
        violated = max(violated, abs(rp[a]) if a < p else -rp[a])
        sign = max(sign, -y[a] if a >= p else 0.0)
    return max(
        _size(rd) / terms,
        violated / (1.0 + _size(rhs)),
        sign / (1.0 + _size(y)),
    )


@njit(**COMPILED)
def degenerate(G, y, slack):
    """Whether a row touches its bound without a multiplier to hold it there."""
    for a in range(len(slack)):
        square = 0.0
        for j in range(G.shape[1]):
            square += G[a, j] * G[a, j]
        norm = np.sqrt(square) if square > 0.0 else 1.0
        room = slack[a] / norm
        if room < TOUCH and y[a] * norm - room <= MARGIN:
            return True
    return False


@njit(**COMPILED)
def solve_one(calls, constants, factors, instance, rhs, guess, x, y, slack):
    """Count of active rows, iterations, outcome, and whether refinement was needed.

    x, y and slack are filled.
    """
    L, X, S, R, F, rows = factors
    P, q, A, G = instance
    p, n = A.shape[0], len(q)
    t, f, z = q.copy(), rhs.copy(), np.zeros(R.shape[0])
    solve_lower(L, t, n)
    size = reduce(X, S, t, f, p)
    if len(guess) > 0:
        z[:] = guess
    limit = PASSES * (len(z) + 1)
    count, iterations, outcome = nnqp.minimize(
        calls, constants, R, f[p:], z, F, rows, len(guess) > 0, FEASIBLE * size, limit
    )
    if outcome != nnqp.SOLVED:
        return count, iterations, outcome, False
    x[:], y[:] = 0.0, 0.0
    for a in range(count):
        z[a] = -f[p + rows[a]]
    expand(L, X, S, F, rows, count, t, f[:p], z, x, y)
    rd, rp = np.empty(n), np.empty(len(rhs))
    error = residual(P, q, A, G, rhs, x, y, rd, rp)
    rough = error > ACCURATE
    if rough:
        on_active(L, X, S, F, rows, count, rd, rp, x, y)
        error = residual(P, q, A, G, rhs, x, y, rd, rp)
    slack[:] = rp[p:]
    if not error <= TOLERANCE:
        outcome = INACCURATE
    elif degenerate(G, y[p:], slack):
        outcome = DEGENERATE
    return count, iterations, outcome, rough


@njit(**COMPILED)
def asymmetry(P):
    """Largest |P - Pᵀ| beside the largest |P|."""
    gap, size = 0.0, 1e-300
    for i in range(P.shape[0]):
        for j in range(i + 1):
            gap = max(gap, abs(P[i, j] - P[j, i]))
            size = max(size, abs(P[i, j]))
    return gap / size


@njit(**COMPILED)
def solve_chunk(calls, constants, span, data, factors, guess, found, keep, shared):
    """Solve the instances span[0] ≤ i < span[1] of a batch.

    data = (P, q, A, b, G, h), each with a batch axis of full size or of one.  factors =
    (L, X, S, R, F, rows): where `shared`, the first four are given; else they are
    computed, and kept if `keep`.  found = (x, y, slack, count, iterations, outcome,
    rough, asymmetry of P).
    """
    P, q, A, b, G, h = data
    L, X, S, R, F, rows = factors
    x, y, slack, counts, iterations, outcomes, rough, skew = found
    p, m, n = A.shape[1], G.shape[1], q.shape[1]
    if not (keep or shared):
        L, X, S = (
            np.empty((1, n, n)),
            np.empty((1, p + m, n)),
            np.empty((1, p + m, p)),
        )
    if not shared:
        R = np.empty((m, m))
    if not keep:
        inside = max(min(m, n - p), 0)
        F = np.empty((1, inside, inside))
    rhs, none = np.empty(p + m), np.empty(0)
    for i in range(span[0], span[1]):
        own = i if keep and not shared else 0
        instance = (pick(P, i), pick(q, i), pick(A, i), pick(G, i))
        if not shared:
            L[own], X[own, :p], X[own, p:] = instance[0], instance[2], instance[3]
            skew[i] = asymmetry(instance[0])
            outcomes[i] = factor(calls, constants, L[own], X[own], S[own], R, p)
            if outcomes[i] != 0:
                continue
        rhs[:p], rhs[p:] = pick(b, i), pick(h, i)
        pieces = (L[own], X[own], S[own], R, F[i if keep else 0], rows[i])
        counts[i], iterations[i], outcomes[i], rough[i] = solve_one(
            calls, constants, pieces, instance, rhs,
            guess[i] if len(guess) > 0 else none, x[i], y[i], slack[i],
        )  # fmt: skip
