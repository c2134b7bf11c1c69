"""A dual active-set method: multipliers first, the minimizer after them.

With x and the equalities eliminated, what is left of min ½xᵀPx + qᵀx, Ax = b, Gx ≤ h
is min ½lamᵀR lam + rᵀlam over lam ≥ 0, and its gradient R lam + r is the slack h − Gx.

Chapter: interior-point.md. Theorems: nonnegative-dual, dual-active-set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from companion.problems import QP

FEASIBLE = 1e-10  # violation of a row, in its own units, at which it need not enter
DEPENDENT = 1e-12  # curvature, relative to R_jj, that counts as zero


class Point(NamedTuple):
    """Minimizer, multipliers and slack that belong to some multipliers of G."""

    x: np.ndarray
    nu: np.ndarray
    lam: np.ndarray
    slack: np.ndarray


class Change(NamedTuple):
    """One step: the row that wants in, the one that left (or None), and the result."""

    entering: int
    leaving: int | None
    step: float
    rows: tuple[int, ...]
    lam: np.ndarray


class Outcome(NamedTuple):
    """Multipliers, the rows inside, every change, and a ray if there is no solution."""

    lam: np.ndarray
    rows: tuple[int, ...]
    changes: list[Change]
    ray: np.ndarray | None


def reduced(problem: QP) -> tuple[np.ndarray, np.ndarray]:
    """(R, r) of the program in lam; P ≻ 0 and A of full row rank."""
    P, q, A, b, G, h = problem.fields
    C, p = np.vstack([A, G]), len(b)
    S = C @ np.linalg.solve(P, C.T)
    f = C @ np.linalg.solve(P, q) + np.concatenate([b, h])
    share = np.linalg.solve(S[:p, :p], S[:p, p:]).T
    return S[p:, p:] - share @ S[:p, p:], f[p:] - share @ f[:p]


def recover(problem: QP, lam: np.ndarray) -> Point:
    """The x and nu that minimize the Lagrangian, Ax = b, for these multipliers of G."""
    P, q, A, b, G, h = problem.fields
    pull = q + G.T @ lam
    S = A @ np.linalg.solve(P, A.T)
    nu = -np.linalg.solve(S, A @ np.linalg.solve(P, pull) + b)
    x = -np.linalg.solve(P, pull + A.T @ nu)
    return Point(x, nu, lam, h - G @ x)


def minimize(R: np.ndarray, r: np.ndarray, guess: tuple[int, ...] = ()) -> Outcome:
    """Minimize ½lamᵀR lam + rᵀlam over lam ≥ 0, rows entering one at a time.

    `guess` are independent rows to begin with, as a warm start; those with a negative
    multiplier are dropped.  A ray d ≥ 0 with Rd = 0, rᵀd < 0 says that there is no
    minimum.

    Source: goldfarb1983numerically.
    """
    lam, rows = begin(R, r, list(guess))
    changes: list[Change] = []
    units = np.sqrt(np.maximum(np.diag(R), np.finfo(float).tiny))
    while True:
        violation = (R @ lam + r) / units
        violation[rows] = 0.0
        entering = int(np.argmin(violation))
        if violation[entering] >= -FEASIBLE:
            return Outcome(lam, tuple(rows), changes, None)
        more, ray = admit(R, r, lam, rows, entering)
        changes += more
        if ray is not None:
            return Outcome(lam, tuple(rows), changes, ray)
        lam, rows = more[-1].lam, list(more[-1].rows)


def begin(R: np.ndarray, r: np.ndarray, rows: list[int]) -> tuple[np.ndarray, list]:
    """The minimizer on rows of a guess, until none of its entries is negative."""
    lam = np.zeros(len(r))
    while rows:
        on_rows = -np.linalg.solve(R[np.ix_(rows, rows)], r[rows])
        if on_rows.min() >= 0:
            lam[rows] = on_rows
            break
        rows = [row for row, value in zip(rows, on_rows, strict=True) if value >= 0]
    return lam, rows


def direction(R: np.ndarray, rows: list[int], entering: int):
    """How lam moves per unit of the entering entry, and the curvature on the way."""
    d = np.zeros(len(R))
    d[entering] = 1.0
    d[rows] = -np.linalg.solve(R[np.ix_(rows, rows)], R[rows, entering])
    return d, float(R[entering] @ d)


def admit(
    R: np.ndarray, r: np.ndarray, lam: np.ndarray, rows: list[int], entering: int
) -> tuple[list[Change], np.ndarray | None]:
    """Raise one multiplier until its row is tight; what falls to zero leaves."""
    changes: list[Change] = []
    while True:
        d, curvature = direction(R, rows, entering)
        falling = [row for row in rows if d[row] < 0]
        limits = [-lam[row] / d[row] for row in falling]
        flat = curvature <= DEPENDENT * R[entering, entering]
        if flat and not falling:
            return changes, d
        full = np.inf if flat else -(R[entering] @ lam + r[entering]) / curvature
        step = min([full, *limits])
        lam = lam + step * d
        if step == full:
            done = Change(entering, None, step, (*rows, entering), lam)
            return [*changes, done], None
        leaving = falling[int(np.argmin(limits))]
        rows = [row for row in rows if row != leaving]
        lam[leaving] = 0.0
        changes.append(Change(entering, leaving, step, tuple(rows), lam))
