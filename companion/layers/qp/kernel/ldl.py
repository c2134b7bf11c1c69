"""A sparse LDLᵀ of a quasi-definite matrix in a given order, solves, and refinement.

The matrix is an upper triangle by columns: `start`, `rows`, `values`; columns that are
not `present` count as absent with their rows.  A pivot that is zero becomes SHIFT with
the sign that it should have, which refinement undoes where the matrix is regular.

Chapter: optnet.md. Theorems: qp-active-set.
Source: vanderbei1995symmetric.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel.lapack import EXACT

TINY = 1e-11  # pivot that counts as zero, of a matrix with entries of order one
SHIFT = 1e-8  # what replaces it
ROUNDING = 1e-15  # residual relative to the right-hand side at which to stop


@njit(**EXACT)
def counts(start, rows):
    """Entries of every column of the factor below its pivot, all columns present."""
    size = len(start) - 1
    parent, count = np.full(size, -1, np.int32), np.zeros(size, np.int64)
    seen = np.full(size, -1, np.int32)
    for k in range(size):
        seen[k] = k
        for t in range(start[k], start[k + 1]):
            i = rows[t]
            while seen[i] != k:
                if parent[i] == -1:
                    parent[i] = k
                count[i] += 1
                seen[i] = k
                i = parent[i]
    return count


@njit(**EXACT)
def room(count):
    """Nothing factored yet: where columns begin and end, their rows, L, D, the tree."""
    size = len(count)
    begin, end = np.zeros(size + 1, np.int64), np.zeros(size, np.int64)
    for i in range(size):
        end[i], begin[i + 1] = begin[i], begin[i] + count[i]
    below, L = np.empty(begin[size], np.int32), np.empty(begin[size])
    return begin, end, below, L, np.ones(size), np.full(size, -1, np.int32)


@njit(**EXACT)
def factor(first, K, present, sign, factors):
    """Factor in place from column `first` on; what comes before it has not changed."""
    start, rows, values = K
    begin, end, below, L, D, parent = factors
    size = len(D)
    for i in range(first):
        while end[i] > begin[i] and below[end[i] - 1] >= first:
            end[i] -= 1
        if parent[i] >= first:
            parent[i] = -1
    for i in range(first, size):
        end[i], parent[i] = begin[i], -1
    y, seen = np.zeros(size), np.full(size, -1, np.int32)
    stack, path = np.empty(size, np.int32), np.empty(size, np.int32)
    for k in range(first, size):
        seen[k], D[k], top = k, 1.0, size
        if not present[k]:
            continue
        for t in range(start[k], start[k + 1]):  # the columns that row k reaches
            i, length = rows[t], 0
            y[i] += values[t]
            while seen[i] != k:
                path[length], seen[i] = i, k
                length += 1
                if parent[i] == -1:
                    parent[i] = k
                i = parent[i]
            while length:
                length -= 1
                top -= 1
                stack[top] = path[length]
        pivot, y[k] = y[k], 0.0
        for s in range(top, size):
            i = stack[s]
            value, y[i] = y[i], 0.0
            for t in range(begin[i], end[i]):
                y[below[t]] -= L[t] * value
            part = value / D[i]
            pivot -= part * value
            below[end[i]], L[end[i]] = k, part
            end[i] += 1
        D[k] = pivot if pivot * sign[k] > TINY else sign[k] * SHIFT


@njit(**EXACT)
def largest(v):
    """Largest absolute entry; not a number if any of them is not."""
    size = 0.0
    for value in v:
        if abs(value) > size or np.isnan(value):
            size = abs(value)
    return size


@njit(**EXACT)
def shifted(D):
    """Whether a pivot has been replaced, so that a solve needs refinement."""
    for pivot in D:
        if abs(pivot) == SHIFT:
            return True
    return False


@njit(**EXACT)
def substitute(factors, z):
    """Replace z by the solution of LDLᵀz = z."""
    begin, end, below, L, D, _ = factors
    size = len(D)
    for i in range(size):
        value = z[i]
        for t in range(begin[i], end[i]):
            z[below[t]] -= L[t] * value
    for i in range(size - 1, -1, -1):
        value = z[i] / D[i]
        for t in range(begin[i], end[i]):
            value -= L[t] * z[below[t]]
        z[i] = value


@njit(**EXACT)
def residual(K, present, r, z):
    """R − Kz, and its largest entry; not a number if any of them is not."""
    start, rows, values = K
    left = r.copy()
    for k in range(len(r)):
        if not present[k]:
            continue
        total = left[k]
        for t in range(start[k], start[k + 1]):
            i = rows[t]
            total -= values[t] * z[i]
            if i != k:
                left[i] -= values[t] * z[k]
        left[k] = total
    return left, largest(left)


@njit(**EXACT)
def refined(K, present, factors, r, steps):
    """(z, size): refine Kz = r until the residual is rounding or no longer halves.

    `size` is the residual relative to r.
    """
    z, e = np.zeros(len(r)), r.copy()
    goal = largest(r)
    size = goal
    for _ in range(steps + 1):
        substitute(factors, e)
        trial = z + e
        left, now = residual(K, present, r, trial)
        if not now < size:
            break
        stalled = now > 0.5 * size
        z, e, size = trial, left, now
        if stalled or size <= ROUNDING * goal:
            break
    return z, (size / goal if goal > 0.0 else 0.0)
