"""Minimize ½zᵀRz + rᵀz over z ≥ 0 by a dual active-set method.

R is the Gram matrix of the constraints in the metric of P⁻¹, so that w = Rz + r holds
minus their slacks, scaled.  Rows enter one by one, the most violated first; a factor of
R on the rows inside is updated, never computed anew.

Chapter: interior-point.md. Theorems: nonnegative-dual, dual-active-set.
Source: goldfarb1983numerically.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from companion.layers.qp.kernel.lapack import COMPILED, eliminate
from companion.layers.qp.kernel.rows import add_selected, solve_lower, solve_upper

DEPENDENT = 1e-13  # share of a diagonal entry below which a row depends on those inside
SEED_DEPENDENT = 1e-9  # the same, for rows that are only guessed
SWEEPS = 10  # of coordinate descent, for the guess
SMALL = 24  # rows up to which a factor is made here
SOLVED, STOPPED, UNBOUNDED = 0, 1, 2


@njit(**COMPILED)
def factor_rows(R, rows, count, F):
    """Factor R on these rows; those that depend on earlier ones are left out."""
    kept = 0
    for a in range(count):
        j = rows[a]
        for c in range(kept):
            total = R[j, rows[c]]
            for b in range(c):
                total -= F[c, b] * F[kept, b]
            F[kept, c] = total / F[c, c]
        pivot = R[j, j]
        for b in range(kept):
            pivot -= F[kept, b] * F[kept, b]
        if pivot > SEED_DEPENDENT * R[j, j]:
            F[kept, kept] = np.sqrt(pivot)
            rows[kept] = j
            kept += 1
    return kept


@njit(**COMPILED)
def _factor(calls, constants, R, rows, count, F):
    """The same, faster: by LAPACK if no row depends on earlier ones."""
    if count <= SMALL:
        return factor_rows(R, rows, count, F)
    for a in range(count):
        for b in range(a + 1):
            F[a, b] = R[rows[a], rows[b]]
    failed = eliminate(calls, constants, F, count, F, 0, 0)
    for a in range(count):
        pivot = F[a, a] * F[a, a]
        if failed or not pivot > SEED_DEPENDENT * R[rows[a], rows[a]]:
            return factor_rows(R, rows, count, F)
    return count


@njit(**COMPILED)
def _descend(R, r, z):
    """A few sweeps of coordinate descent from zero."""
    m = len(r)
    w = r.copy()
    for _ in range(SWEEPS):
        for i in range(m):
            if R[i, i] <= 0:
                continue
            step = max(-w[i] / R[i, i], -z[i])
            if step != 0.0:
                z[i] += step
                for j in range(m):
                    w[j] += step * R[i, j]


@njit(**COMPILED)
def _support(z, rows):
    """Collect the rows with positive entries."""
    count = 0
    for i in range(len(z)):
        if z[i] > 0:
            rows[count] = i
            count += 1
    return count


@njit(**COMPILED)
def _first_to_vanish(z, goal, count):
    """Share of the way from z to a goal at which an entry is zero, and its place."""
    step, place = 1.0, -1
    for a in range(count):
        if goal[a] < 0.0:
            ratio = z[a] / (z[a] - goal[a])
            if ratio <= step:
                step, place = ratio, a
    return step, place


@njit(**COMPILED)
def seed(calls, constants, R, r, z, F, rows):
    """Rows on which the unconstrained minimizer is nonnegative, from z's support.

    From z towards that minimizer; where a row turns negative it leaves.
    """
    count = min(_support(z, rows), F.shape[0])
    count = _factor(calls, constants, R, rows, count, F)
    here, half, goal = np.empty(count), np.empty(count), np.empty(count)
    for a in range(count):
        here[a], half[a] = z[rows[a]], -r[rows[a]]
    z[:] = 0.0
    solve_lower(F, half, count)
    while True:
        goal[:count] = half[:count]
        solve_upper(F, goal, count)
        step, place = _first_to_vanish(here, goal, count)
        if place < 0:
            for a in range(count):
                z[rows[a]] = goal[a]
            return count
        for a in range(count):
            here[a] = max(here[a] + step * (goal[a] - here[a]), 0.0)
        here[place : count - 1] = here[place + 1 : count]
        count = _leave(F, rows, count, place, half)


@njit(**COMPILED)
def _most_violated(w, scale, inside, tolerance):
    best, place = -tolerance, -1
    for i in range(len(w)):
        if not inside[i] and w[i] * scale[i] < best:
            best, place = w[i] * scale[i], i
    return place


@njit(**COMPILED)
def _direction(R, F, rows, count, entering, l, d):
    """How the rows inside answer one that enters; returns its own curvature."""
    for a in range(count):
        l[a] = R[entering, rows[a]]
    solve_lower(F, l, count)
    curvature = R[entering, entering]
    for a in range(count):
        curvature -= l[a] * l[a]
    for a in range(count):
        d[a] = -l[a]
    solve_upper(F, d, count)
    return curvature


@njit(**COMPILED)
def _blocking(z, d, rows, count):
    """Step at which a row inside would turn negative, and its place; -1 if none."""
    step, place = np.inf, -1
    for a in range(count):
        if d[a] < 0.0:
            ratio = -z[rows[a]] / d[a]
            if ratio < step:
                step, place = ratio, a
    return step, place


@njit(**COMPILED)
def _advance(R, w, z, d, rows, count, entering, step):
    """Move along the direction; w follows, row by row of R."""
    for i in range(len(w)):
        w[i] += step * R[entering, i]
    add_selected(R, rows, count, d, step, w)
    for a in range(count):
        z[rows[a]] += step * d[a]


@njit(**COMPILED)
def _leave(F, rows, count, place, half):
    """Remove a row from the factor by plane rotations; returns the new count.

    half = F⁻¹v, or nothing, becomes what it is without the row.
    """
    count -= 1
    for a in range(place, count):
        rows[a] = rows[a + 1]
        for b in range(a + 2):
            F[a, b] = F[a + 1, b]
    for a in range(place, count):
        x, y = F[a, a], F[a, a + 1]
        length = np.sqrt(x * x + y * y)
        c, s = x / length, y / length
        F[a, a], F[a, a + 1] = length, 0.0
        for i in range(a + 1, count):
            u, v = F[i, a], F[i, a + 1]
            F[i, a], F[i, a + 1] = c * u + s * v, c * v - s * u
        if len(half) > 0:
            u, v = half[a], half[a + 1]
            half[a], half[a + 1] = c * u + s * v, c * v - s * u
    return count


@njit(**COMPILED)
def _admit(R, F, rows, count, entering, z, w, inside, l, d):
    """Let a violated row in, and out whatever it pushes to zero, until it is tight.

    Returns the count, the changes made, and whether no multiplier makes it tight.
    """
    mass, changes, none = 0.0, 0, np.empty(0)
    while True:
        changes += 1
        curvature = _direction(R, F, rows, count, entering, l, d)
        blocked, place = _blocking(z, d, rows, count)
        flat = curvature <= DEPENDENT * R[entering, entering] or count == F.shape[0]
        if flat and place < 0:
            return count, changes, True
        full = np.inf if flat else -w[entering] / curvature
        step = min(full, blocked)
        _advance(R, w, z, d, rows, count, entering, step)
        mass += step
        if full <= blocked:
            break
        inside[rows[place]], z[rows[place]] = False, 0.0
        count = _leave(F, rows, count, place, none)
    z[entering], inside[entering], rows[count] = mass, True, entering
    F[count, :count] = l[:count]
    F[count, count] = np.sqrt(curvature)
    return count + 1, changes, False


@njit(**COMPILED)
def minimize(calls, constants, R, r, z, F, rows, guessed, tolerance, limit):
    """Solve from a guess; returns rows inside (a count), changes and how it ended.

    On return z is the solution and F the factor of R on rows[:count].  F has room for
    as many rows as can be independent.
    """
    m = len(r)
    if not guessed:
        _descend(R, r, z)
    count = seed(calls, constants, R, r, z, F, rows)
    inside, scale, w = np.zeros(m, np.bool_), np.empty(m), r.copy()
    l, d = np.empty(m), np.empty(m)
    for i in range(m):
        scale[i] = 1.0 / np.sqrt(max(R[i, i], 1e-300))
    for a in range(count):
        inside[rows[a]] = True
        d[a] = z[rows[a]]
    add_selected(R, rows, count, d, 1.0, w)
    changes = 0
    while changes <= limit:
        entering = _most_violated(w, scale, inside, tolerance)
        if entering < 0:
            return count, changes, SOLVED
        count, more, unbounded = _admit(R, F, rows, count, entering, z, w, inside, l, d)
        changes += more
        if unbounded:
            return count, changes, UNBOUNDED
    return count, changes, STOPPED
