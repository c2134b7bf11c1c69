"""QPs that fall apart but for one equality: diagonal P, bounds on single variables.

The minimizer is x_j = clip(-(q_j + a_j ν)/d_j, l_j, u_j), and aᵀx - b is a decreasing
function of the one multiplier ν, linear between its kinks: Newton's method finds the
zero in finitely many steps.  Projections onto boxes and simplices are of this kind.

Chapter: optnet.md. Theorems: qp-active-set, simplex-projection.
Source: held1974validation, for the simplex.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel.lapack import COMPILED, EXACT

STEPS = 200  # of Newton's method and of the bisection that guards it
CLOSE = 1e-14  # of aᵀx to b, beside the terms of the sum
MARGIN = 1e-10  # multiplier of a row of norm one that counts as positive
OUTSIDE = 1e-12  # by which bounds may cross before they exclude each other
SOLVED, FAILED = 0, 1


@njit(**EXACT)
def lone(M, column):
    """Whether each row has exactly one entry that is not ±0; fill in their columns.

    Bits are compared, which compiles to vector instructions (n = 1000: 0.1 ms, where
    numpy takes 2.5 ms for the places); NaN is an entry.
    """
    bits = M.view(np.int64)
    for i in range(M.shape[0]):
        count, place = 0, 0
        for j in range(M.shape[1]):
            entry = (bits[i, j] << 1) != 0
            count += entry
            place += entry * j
        if count != 1:
            return False
        column[i] = place
    return True


@njit(**EXACT)
def bounds(column, coefficient, h, lower, upper, below, above):
    """Tightest bounds of every variable, and the rows that set them; -1 where none."""
    lower[:], upper[:], below[:], above[:] = -np.inf, np.inf, -1, -1
    for r in range(len(h)):
        j, bound = column[r], h[r] / coefficient[r]
        if coefficient[r] > 0.0:
            if bound < upper[j]:
                upper[j], above[j] = bound, r
        elif bound > lower[j]:
            lower[j], below[j] = bound, r
    for j in range(len(lower)):
        if not lower[j] <= upper[j] + OUTSIDE * (1.0 + abs(upper[j])):
            return FAILED
    return SOLVED


@njit(**COMPILED)
def _balance(d, q, a, nu, lower, upper, x):
    """Fill x; return aᵀx, the slope's size over the free variables, and the terms."""
    total, slope, terms = 0.0, 0.0, 0.0
    for j in range(len(x)):
        value = -(q[j] + a[j] * nu) / d[j]
        if value <= lower[j]:
            value = lower[j]
        elif value >= upper[j]:
            value = upper[j]
        else:
            slope += a[j] * a[j] / d[j]
        x[j] = value
        total += a[j] * value
        terms += abs(a[j] * value)
    return total, slope, terms


@njit(**COMPILED)
def multiplier(d, q, a, b, lower, upper, x):
    """The ν at which aᵀx = b, with x filled; whether it was found."""
    nu, low, high = 0.0, -np.inf, np.inf
    for _ in range(STEPS):
        total, slope, terms = _balance(d, q, a, nu, lower, upper, x)
        gap = total - b
        if abs(gap) <= CLOSE * (terms + abs(b)):
            return nu, slope > 0.0
        if gap > 0.0:
            low = nu
        else:
            high = nu
        step = nu + gap / slope if slope > 0.0 else np.inf
        if not low < step < high:
            width = 1.0 + abs(nu)
            if low > -np.inf and high < np.inf:
                step = 0.5 * (low + high)
            else:
                step = nu + width if gap > 0.0 else nu - width
        if step == nu:
            return nu, slope > 0.0
        nu = step
    return nu, False


@njit(**COMPILED)
def solve_chunk(span, diagonal, row, structure, data, found):
    """Solve the instances span[0] ≤ i < span[1].

    diagonal = d, row = a (of length zero if there is no equality), structure =
    (column, coefficient) of every row of G, data = (q, b, h) with batch axes of full
    size or of one, found = (x, y, slack, free, outcome).
    """
    column, coefficient = structure
    q, b, h = data
    x, y, slack, free, outcomes = found
    n, p = len(diagonal), min(len(row), 1)
    lower, upper = np.empty(n), np.empty(n)
    below, above = np.empty(n, np.int64), np.empty(n, np.int64)
    none = np.zeros(n)
    for i in range(span[0], span[1]):
        qi, hi = q[i if len(q) > 1 else 0], h[i if len(h) > 1 else 0]
        outcomes[i] = bounds(column, coefficient, hi, lower, upper, below, above)
        nu, found_it = 0.0, True
        if p > 0:
            bi = b[i if len(b) > 1 else 0, 0]
            nu, found_it = multiplier(diagonal, qi, row, bi, lower, upper, x[i])
        else:
            _balance(diagonal, qi, none, 0.0, lower, upper, x[i])
        if not found_it:
            outcomes[i] = FAILED
        y[i] = 0.0
        if p > 0:
            y[i, 0] = nu
        for j in range(n):
            force = diagonal[j] * x[i, j] + qi[j] + (row[j] * nu if p > 0 else 0.0)
            held = below[j] if x[i, j] <= lower[j] else -1
            held = above[j] if x[i, j] >= upper[j] else held
            free[i, j] = True
            if held >= 0 and -force / coefficient[held] > 0.0 and abs(force) > MARGIN:
                free[i, j] = False
                y[i, p + held] = -force / coefficient[held]
        for r in range(len(hi)):
            slack[i, r] = hi[r] - coefficient[r] * x[i, column[r]]


@njit(**COMPILED)
def adjoint_chunk(span, diagonal, row, structure, solved, seeds, found):
    """The adjoint of the instances span[0] ≤ i < span[1].

    solved = (y, free), seeds = (gx, gy) and found = (dx, dy).
    """
    column, coefficient = structure
    y, free = solved
    gx, gy = seeds
    dx, dy = found
    n, p = len(diagonal), min(len(row), 1)
    move = np.zeros(n)
    for i in range(span[0], span[1]):
        dy[i] = 0.0
        move[:] = 0.0
        if len(gy) > 0:  # rows that hold a variable move it by -gy
            for r in range(len(column)):
                if y[i, p + r] > 0.0 and not free[i, column[r]]:
                    move[column[r]] = -gy[i, p + r] / coefficient[r]
        pull, weight, price = 0.0, 0.0, 0.0
        for j in range(n):
            if not free[i, j]:
                dx[i, j] = move[j]
                if p > 0:
                    pull -= row[j] * move[j]
            else:
                dx[i, j] = -gx[i, j] / diagonal[j]
                if p > 0:
                    pull -= row[j] * dx[i, j]
                    weight += row[j] * row[j] / diagonal[j]
        if p > 0:
            goal = -gy[i, 0] if len(gy) > 0 else 0.0
            price = -(pull + goal) / weight
            dy[i, 0] = price
            for j in range(n):
                if free[i, j]:
                    dx[i, j] -= row[j] * price / diagonal[j]
        for r in range(len(column)):
            j = column[r]
            if y[i, p + r] > 0.0 and not free[i, j]:
                rest = diagonal[j] * dx[i, j] + gx[i, j]
                rest += row[j] * price if p > 0 else 0.0
                dy[i, p + r] = -rest / coefficient[r]
