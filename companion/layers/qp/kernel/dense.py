"""One chunk of a batch of dense QPs, solved and differentiated without the interpreter.

With P = LLᵀ, X = [A; G]L⁻ᵀ and S = XXᵀ, elimination of the equalities leaves a problem
in the multipliers of G alone.  Once its active rows are known, the same factors solve
the KKT system on them, for the solution, its refinement and its adjoint.

Chapter: interior-point.md. Theorems: qp-active-set, qp-gradients.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel import nnqp
from companion.layers.qp.kernel.lapack import (
    COMPILED,
    INTEGERS,
    MINUS,
    ONE,
    ZERO,
    at,
    cholesky,
    divide,
    finite,
    gram,
)
from companion.layers.qp.kernel.nnqp import solve_lower, solve_upper

NOT_CONVEX, INACCURATE, DEGENERATE = 3, 4, 5  # beside the outcomes of nnqp
PASSES = 50  # of the rows, that the active set may take
FEASIBLE = 1e-12  # violation at which no row enters, relative to the right-hand sides
ACCURATE = 1e-13  # KKT residual that needs no refinement, relative to its terms
TOLERANCE = 1e-9  # KKT residual of a solved instance, the same
MARGIN = 1e-10  # of multiplier over slack, rows of norm one, for an active row
TOUCH = 1e-8  # slack at which a row of norm one touches its bound


@njit(**COMPILED)
def factor(calls, constants, L, X, S, R, p):
    """Factors in place: L of P, X = [A; G]L⁻ᵀ, S of the equalities, R of what is left.

    S has a row for every row of X: a factor, and below it what the rest becomes.  Zero
    on success.
    """
    letters, numbers = constants
    n, k = L.shape[0], X.shape[0]
    m = k - p
    ints = np.zeros(INTEGERS, np.int32)
    if cholesky(calls, letters, ints, n, at(L), n) != 0:
        return NOT_CONVEX
    divide(calls, letters, ints, numbers, n, k, at(L), n, at(X), n)
    all_rows = np.empty((k, k))
    gram(calls, letters, ints, numbers, k, n, at(X), n, at(all_rows), k, ONE, ZERO)
    if p > 0:
        if cholesky(calls, letters, ints, p, at(all_rows), k) != 0:
            return NOT_CONVEX
        below, corner = at(all_rows, p * k), at(all_rows, p * k + p)
        divide(calls, letters, ints, numbers, p, m, at(all_rows), k, below, k)
        gram(calls, letters, ints, numbers, m, p, below, k, corner, k, MINUS, ONE)
    for i in range(p):
        S[i, : i + 1] = all_rows[i, : i + 1]
    for i in range(m):
        S[p + i] = all_rows[p + i, :p]
        for j in range(i + 1):
            R[i, j] = all_rows[p + i, p + j]
            R[j, i] = all_rows[p + i, p + j]
    return 0


@njit(**COMPILED)
def reduce(X, S, t, f, p):
    """Replace all right-hand sides f by those in the multipliers of G alone."""
    largest = 1.0
    for a in range(len(f)):
        total = f[a]
        for j in range(len(t)):
            total += X[a, j] * t[j]
        f[a] = total
        largest = max(largest, abs(total))
    solve_lower(S, f, p)
    for a in range(p, len(f)):
        total = f[a]
        for j in range(p):
            total -= S[a, j] * f[j]
        f[a] = total
    return largest


@njit(**COMPILED)
def on_active(L, X, S, F, rows, count, q, rhs, x, y):
    """Solve Px + Cᵀy = -q, Cx = rhs on the equality rows and rows[:count]; add to x, y.

    F factors what elimination leaves of the active rows; q is overwritten.
    """
    n, p = len(q), S.shape[1]
    f, z = np.empty(p), np.empty(count)
    solve_lower(L, q, n)
    for a in range(p):
        total = rhs[a]
        for j in range(n):
            total += X[a, j] * q[j]
        f[a] = total
    solve_lower(S, f, p)
    for c in range(count):
        row = p + rows[c]
        total = rhs[row]
        for j in range(n):
            total += X[row, j] * q[j]
        for a in range(p):
            total -= S[row, a] * f[a]
        z[c] = -total
    solve_lower(F, z, count)
    solve_upper(F, z, count)
    for c in range(count):
        row = p + rows[c]
        y[row] += z[c]
        for a in range(p):
            f[a] += S[row, a] * z[c]
        for j in range(n):
            q[j] += z[c] * X[row, j]
    solve_upper(S, f, p)
    for a in range(p):
        y[a] -= f[a]
        for j in range(n):
            q[j] -= f[a] * X[a, j]
    solve_upper(L, q, n)
    for j in range(n):
        x[j] -= q[j]


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
def solve_one(factors, instance, rhs, guess, x, y, slack):
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
        R, f[p:], z, F, rows, len(guess) > 0, FEASIBLE * size, limit
    )
    if outcome != nnqp.SOLVED:
        return count, iterations, outcome, False
    rd, rp = q.copy(), rhs.copy()
    x[:], y[:] = 0.0, 0.0
    on_active(L, X, S, F, rows, count, rd, rp, x, y)
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
def _pick(batch, i):
    """The instance of a batch, or the only one that all share."""
    return batch[i if len(batch) > 1 else 0]


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
        F = np.empty((1, min(m, n - p), min(m, n - p)))
    rhs, none = np.empty(p + m), np.empty(0)
    for i in range(span[0], span[1]):
        own = i if keep and not shared else 0
        instance = (_pick(P, i), _pick(q, i), _pick(A, i), _pick(G, i))
        if not shared:
            L[own], X[own, :p], X[own, p:] = instance[0], instance[2], instance[3]
            skew[i] = asymmetry(instance[0])
            outcomes[i] = factor(calls, constants, L[own], X[own], S[own], R, p)
            if outcomes[i] != 0:
                continue
        rhs[:p], rhs[p:] = _pick(b, i), _pick(h, i)
        pieces = (L[own], X[own], S[own], R, F[i if keep else 0], rows[i])
        counts[i], iterations[i], outcomes[i], rough[i] = solve_one(
            pieces, instance, rhs, guess[i] if len(guess) > 0 else none,
            x[i], y[i], slack[i],
        )  # fmt: skip


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
    [P Cᵀ; C 0](dx, dy) = -(gx, gy).  matrices = gradients of (P, A, G), of batch size zero if not wanted.
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
            _pick(L, i), _pick(X, i), _pick(S, i), F[i], rows[i], counts[i],
            gx[i].copy(), rhs, dx[i], dy[i],
        )  # fmt: skip
        if rough[i]:
            rd, instance = gx[i].copy(), (_pick(P, i), _pick(A, i), _pick(G, i))
            _leftover(instance, rows[i], counts[i], dx[i], dy[i], rd, rhs)
            on_active(
                _pick(L, i), _pick(X, i), _pick(S, i), F[i], rows[i], counts[i],
                rd, rhs, dx[i], dy[i],
            )  # fmt: skip
        if len(grad_P) > 0:
            _outer(dx[i], x[i], x[i], dx[i], 0.5, grad_P[i])
        if len(grad_A) > 0:
            _outer(dy[i, :p], x[i], y[i, :p], dx[i], 1.0, grad_A[i])
        if len(grad_G) > 0:
            _outer(dy[i, p:], x[i], y[i, p:], dx[i], 1.0, grad_G[i])
