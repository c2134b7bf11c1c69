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
    eliminate,
    gram,
)
from companion.layers.qp.kernel.rows import (
    add_products,
    add_selected,
    solve_lower,
    solve_upper,
)

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
    if eliminate(calls, constants, L, n, X, 0, k) != 0 or singular(L):
        return NOT_CONVEX
    all_rows = np.empty((k, k))
    gram(calls, letters, ints, numbers, k, n, at(X), n, at(all_rows), k, ONE, ZERO)
    if p > 0:
        if eliminate(calls, constants, all_rows, p, all_rows, p, m) != 0:
            return NOT_CONVEX
        below, corner = at(all_rows, p * k), at(all_rows, p * k + p)
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
    """Replace all right-hand sides f by those in the multipliers of G alone.

    Returns the largest entry before the equalities are eliminated.
    """
    order = np.arange(len(f))
    add_products(X, order, len(f), t, 1.0, f)
    largest = 1.0
    for value in f:
        largest = max(largest, abs(value))
    solve_lower(S, f, p)
    add_products(S[p:], order, len(f) - p, f[:p], -1.0, f[p:])
    return largest


@njit(**COMPILED)
def on_active(L, X, S, F, rows, count, q, rhs, x, y):
    """Solve Px + Cᵀy = -q, Cx = rhs on the equality rows and rows[:count]; add to x, y.

    F factors what elimination leaves of the active rows; q is overwritten.
    """
    p = S.shape[1]
    f, z, order = rhs[:p].copy(), np.empty(count), np.arange(p)
    solve_lower(L, q, len(q))
    add_products(X, order, p, q, 1.0, f)
    solve_lower(S, f, p)
    for c in range(count):
        z[c] = -rhs[p + rows[c]]
    add_products(X[p:], rows, count, q, -1.0, z)
    add_products(S[p:], rows, count, f, 1.0, z)
    expand(L, X, S, F, rows, count, q, f, z, x, y)


@njit(**COMPILED)
def expand(L, X, S, F, rows, count, t, f, z, x, y):
    """The same from reduced right-hand sides: t = L⁻¹q, f and -z as `reduce` has them.

    All three are overwritten.
    """
    n, p, order = len(t), S.shape[1], np.arange(S.shape[1])
    solve_lower(F, z, count)
    solve_upper(F, z, count)
    for c in range(count):
        y[p + rows[c]] += z[c]
    add_selected(S[p:], rows, count, z, 1.0, f)
    add_selected(X[p:], rows, count, z, 1.0, t)
    solve_upper(S, f, p)
    for a in range(p):
        y[a] -= f[a]
    add_selected(X, order, p, f, -1.0, t)
    solve_upper(L, t, n)
    for j in range(n):
        x[j] -= t[j]
