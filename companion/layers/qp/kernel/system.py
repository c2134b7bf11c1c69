"""One linear system: the KKT conditions on the active rows, by factors.

With P = LLᵀ, X = [A; G]L⁻ᵀ and S = XXᵀ, elimination of the equalities leaves a problem
in the multipliers of G alone.  Once its active rows are known, the same factors solve
the KKT system on them, for the solution, its refinement and its adjoint.

Chapter: interior-point.md. Theorems: nonnegative-dual, qp-active-set.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel.lapack import (
    COMPILED,
    INTEGERS,
    MINUS,
    ONE,
    ZERO,
    at,
    cholesky,
    divide,
    gram,
)
from companion.layers.qp.kernel.nnqp import solve_lower, solve_upper

NOT_CONVEX = 3  # beside the outcomes of nnqp
SINGULAR = 1e-11  # pivot of P, beside its entry, that rounding may have left of zero


@njit(**COMPILED)
def pick(batch, i):
    """The instance of a batch, or the only one that all share."""
    return batch[i if len(batch) > 1 else 0]


@njit(**COMPILED)
def singular(L):
    """Whether a pivot of LLᵀ is rounding: a singular P can pass for a definite one."""
    for j in range(len(L)):
        entry = 0.0
        for i in range(j + 1):
            entry += L[j, i] * L[j, i]
        if L[j, j] * L[j, j] <= SINGULAR * entry:
            return True
    return False


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
    if singular(L):
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
