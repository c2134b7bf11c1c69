"""A compiled active-set method for one sparse QP: a factorisation for every guess.

A problem comes as (P, A, G) by rows, each (starts, columns, values), and (q, b, h).
Unknowns and rows of constraints are numbered together: variables, then rows of A, then
rows of G.  A row is eliminated after the last of its variables, so that no pivot is
zero where P is positive definite and the rows are independent.  A guess that differs
from the last one late in that order only is factored from there on.

Chapter: optnet.md. Theorems: qp-active-set, qp-optimality.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel import compressed
from companion.layers.qp.kernel.lapack import EXACT
from companion.layers.qp.kernel.ldl import (
    counts,
    factor,
    largest,
    refined,
    room,
    shifted,
)

WRONG = 1e-10  # scaled slack or multiplier below minus this has the wrong sign
REFINEMENTS = 8
SETTLED, CYCLED, SINGULAR, FULL = 0, 1, 2, 3  # how `settle` ends
GROWTH = 1e10  # of a solution of the scaled system, beyond which it counts as singular
REACHED = 1e-10  # relative residual that a regular system can be solved to
FILL = 1.2  # work, relative, that the other direction of elimination may cost


@njit(**EXACT)
def elimination(where, A, G):
    """All unknowns and rows in order, given the place of each variable among them."""
    n, p, m = len(where), len(A[0]) - 1, len(G[0]) - 1
    key = np.full(n + p + m, 2 * n - 1)
    for j in range(n):
        key[j] = 2 * where[j]
    for first, M in ((n, A), (n + p, G)):
        starts, columns, _ = M
        for i in range(len(starts) - 1):
            last = -1
            for t in range(starts[i], starts[i + 1]):
                last = max(last, where[columns[t]])
            if last >= 0:
                key[first + i] = 2 * last + 1
    begin = np.zeros(2 * n + 1, np.int64)
    for value in key:
        begin[value + 1] += 1
    for i in range(2 * n):
        begin[i + 1] += begin[i]
    order = np.empty(n + p + m, np.int64)
    for i in range(n + p + m):
        order[begin[key[i]]] = i
        begin[key[i]] += 1
    return order


@njit(**EXACT)
def assembled(problem, scales, order):
    """(K, sign, place): the scaled KKT matrix of all rows, signs of pivots, places."""
    P, A, G = problem
    cost, sizes = scales
    n, p, size = len(P[0]) - 1, len(A[0]) - 1, len(order)
    place = np.empty(size, np.int32)
    for k in range(size):
        place[order[k]] = k
    most = len(P[2]) + len(A[2]) + len(G[2])
    start, sign = np.zeros(size + 1, np.int64), np.ones(size)
    rows, values, t = np.empty(most, np.int32), np.empty(most), 0
    for k in range(size):
        i = order[k]
        if i < n:
            for s in range(P[0][i], P[0][i + 1]):
                if place[P[1][s]] <= k:
                    rows[t], values[t] = place[P[1][s]], P[2][s] / cost
                    t += 1
        else:
            own, M = (i - n, A) if i < n + p else (i - n - p, G)
            sign[k] = -1.0
            for s in range(M[0][own], M[0][own + 1]):
                rows[t], values[t] = place[M[1][s]], M[2][s] / sizes[i - n]
                t += 1
        start[k + 1] = t
    return (start, rows[:t], values[:t]), sign, place


@njit(**EXACT)
def work(K):
    """Multiplications of a factorisation with all rows present."""
    total = 0.0
    for value in counts(K[0], K[1]):
        total += float(value) * value
    return total


@njit(**EXACT)
def prepared(problem, scales, where):
    """(K, present, factors, sign, place): a system in which no row of G is present."""
    order = elimination(where, problem[1], problem[2])
    K, sign, place = assembled(problem, scales, order)
    present = np.ones(len(order), np.bool_)
    for i in range(len(order) - len(problem[2][0]) + 1, len(order)):
        present[place[i]] = False
    return K, present, room(counts(K[0], K[1])), sign, place


@njit(**EXACT)
def changed(system, active):
    """First and last place in which the rows present differ from these; (size, −1)."""
    _, present, _, _, place = system
    first, last, rows = len(place), np.int64(-1), len(place) - len(active)
    for i in range(len(active)):
        k = place[rows + i]
        if present[k] != active[i]:
            first, last = min(first, np.int64(k)), max(last, np.int64(k))
    return first, last


@njit(**EXACT)
def factored(system, active, first):
    """Factor in place with these rows of G, which first differ at the given place."""
    K, present, factors, sign, place = system
    rows = len(place) - len(active)
    for i in range(len(active)):
        present[place[rows + i]] = active[i]
    factor(first, K, present, sign, factors)


@njit(**EXACT)
def regular(system):
    """Whether a solution with a right-hand side of no special direction is moderate."""
    K, present, factors, _, _ = system
    probe = np.zeros(len(present))
    for k in range(len(probe)):
        if present[k]:
            probe[k] = np.cos(k)
    z, left = refined(K, present, factors, probe, REFINEMENTS)
    return left <= REACHED and largest(z) < GROWTH


@njit(**EXACT)
def solved(system, scales, r1, r2, steps):
    """(u, y) with Pu + Cᵀy = r1, Cu = r2 on the rows that are there; y = 0 elsewhere.

    `scales` are the cost and the sizes of the rows, which divide the system.
    """
    K, present, factors, _, place = system
    cost, sizes = scales
    n = len(r1)
    r = np.zeros(len(place))
    for j in range(n):
        r[place[j]] = r1[j] / cost
    for i in range(len(r2)):
        if present[place[n + i]]:
            r[place[n + i]] = r2[i] / sizes[i]
    z, _ = refined(K, present, factors, r, steps)
    u, y = np.empty(n), np.zeros(len(r2))
    for j in range(n):
        u[j] = z[place[j]]
    for i in range(len(r2)):
        if present[place[n + i]]:
            y[i] = z[place[n + i]] * (cost / sizes[i])
    return u, y


@njit(**EXACT)
def _judged(system, problem, sides, scales, active):
    """(x, y, new, changes): the point on these rows, and the rows with right signs.

    New rows are these without those that pull, and with those that are violated.
    """
    q, b, h = sides
    cost, sizes = scales
    p, r1, r2 = len(b), -q, np.empty(len(sizes))
    for i in range(len(sizes)):
        r2[i] = b[i] if i < p else h[i - p]
    new, changes, exact = active.copy(), 0, shifted(system[2][4])
    while True:  # signs first by a solve without refinement, then they are sure
        x, y = solved(system, scales, r1, r2, REFINEMENTS if exact else 0)
        level = compressed.product(problem[2], x)
        for i in range(len(active)):
            size = sizes[p + i]
            sure = y[p + i] * size / cost if active[i] else (h[i] - level[i]) / size
            new[i] = active[i] != (sure < -WRONG)
            changes += sure < -WRONG
        if changes or exact:
            return x, y, new, changes
        exact = True


@njit(**EXACT)
def settle(problem, sides, scales, where, active, limits):
    """(end, point, active, system): guesses of the active rows until one is right.

    Each is the last one without the rows that pull and with those that are violated,
    a primal-dual active-set step.  `limits` are the steps and the multiplications of
    each.  The point is (x, y, steps).  If the first changes are nearer to the start of
    the order than to its end, elimination turns round.
    """
    steps, most = limits
    system, step, end = prepared(problem, scales, where), 0, FULL
    x, y = np.zeros(len(sides[0])), np.zeros(len(scales[1]))
    first, effort = np.int64(0), work(system[0])
    while effort <= most:
        factored(system, active, first)
        x, y, new, changes = _judged(system, problem, sides, scales, active)
        if changes == 0:
            end = SETTLED if regular(system) else SINGULAR
            break
        if step == steps:
            end = CYCLED
            break
        first, last = changed(system, new)
        if step == 0 and first < len(system[1]) - last:
            other = prepared(problem, scales, len(where) - 1 - where)
            if work(other[0]) <= FILL * effort:
                system, first = other, np.int64(0)
        active, step = new, step + 1
    return end, (x, y, step), active, system
