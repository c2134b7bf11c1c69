"""Independent answers to hold the package against: they share no code with it."""

from __future__ import annotations

import itertools
from fractions import Fraction

import clarabel
import numpy as np
from scipy import sparse


def active_set(P, q, A, b, G, h):
    """Solution (x, nu, lam) of a strictly convex QP by trying every active set.

    One linear solve an active set: the answer is as exact as that solve.
    """
    n, p, m = len(q), len(b), len(h)
    for count in range(min(m, n - p) + 1):
        for rows in itertools.combinations(range(m), count):
            C = np.vstack([A, G[list(rows)]])
            K = np.block([[P, C.T], [C, np.zeros((p + count, p + count))]])
            if np.linalg.cond(K) > 1e13:
                continue
            z = np.linalg.solve(K, np.concatenate([-q, b, h[list(rows)]]))
            x, nu, lam = z[:n], z[n : n + p], np.zeros(m)
            lam[list(rows)] = z[n + p :]
            if (G @ x - h <= 1e-9).all() and (lam >= -1e-9).all():
                return x, nu, lam
    msg = "no active set satisfies the KKT conditions"
    raise ValueError(msg)


def exact_active_set(P, q, A, b, G, h):
    """The same over the rationals: lists of Fraction in, lists of Fraction out."""
    n, p, m = len(q), len(b), len(h)
    for count in range(min(m, n - p) + 1):
        for rows in itertools.combinations(range(m), count):
            C, d = A + [G[i] for i in rows], b + [h[i] for i in rows]
            K = [[*P[i], *(c[i] for c in C)] for i in range(n)]
            K += [[*c, *([Fraction(0)] * len(C))] for c in C]
            z = _rational_solve(K, [-v for v in q] + d)
            if z is None:
                continue
            x, lam = z[:n], [Fraction(0)] * m
            for i, v in zip(rows, z[n + p :], strict=True):
                lam[i] = v
            gaps = [hi - sum(g * v for g, v in zip(row, x, strict=True))
                    for row, hi in zip(G, h, strict=True)]  # fmt: skip
            if min(gaps + lam, default=Fraction(0)) >= 0:
                return x, z[n : n + p], lam
    msg = "no active set satisfies the KKT conditions"
    raise ValueError(msg)


def _rational_solve(K, r):
    """Gauss-Jordan elimination; None when K is singular."""
    rows = [
        [Fraction(v) for v in row] + [Fraction(e)] for row, e in zip(K, r, strict=True)
    ]
    for i in range(len(rows)):
        pivot = next((j for j in range(i, len(rows)) if rows[j][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for j in range(len(rows)):
            if j != i and rows[j][i] != 0:
                factor = rows[j][i]
                rows[j] = [
                    v - factor * w for v, w in zip(rows[j], rows[i], strict=True)
                ]
    return [row[-1] for row in rows]


def clarabel_qp(P, q, A, b, G, h):
    """Solution (x, nu, lam) by Clarabel, an interior point written in Rust."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    cones = [clarabel.ZeroConeT(len(b)), clarabel.NonnegativeConeT(len(h))]
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(P)),
        q,
        sparse.csc_matrix(np.vstack([A, G])),
        np.concatenate([b, h]),
        cones,
        settings,
    )
    result = solver.solve()
    z = np.array(result.z)
    return np.array(result.x), z[: len(b)], z[len(b) :], str(result.status)


def exact_conditions(P, q, A, b, G, h, x, nu, lam):  # noqa: PLR0913 - a QP and a point
    """Whether the five KKT conditions hold, over the rationals."""
    force = [_dot(row, x) + c for row, c in zip(P, q, strict=True)]
    for row, v in zip(A + G, nu + lam, strict=True):
        force = [f + v * g for f, g in zip(force, row, strict=True)]
    room = [hi - _dot(row, x) for row, hi in zip(G, h, strict=True)]
    equal = all(_dot(row, x) == c for row, c in zip(A, b, strict=True))
    slack = all(v * r == 0 for v, r in zip(lam, room, strict=True))
    return not any(force) and equal and slack and min(lam + room, default=0) >= 0


def classify(P, A, G, h, x, lam):
    """What decides whether K is singular, over the rationals, at a KKT point.

    `nonsingular` is the rank of K itself; the others are the three hypotheses.
    """
    n, p, m = len(P), len(A), len(G)
    room = [hi - _dot(row, x) for row, hi in zip(G, h, strict=True)]
    C = A + [row for row, v in zip(G, lam, strict=True) if v > 0]
    touching = A + [row for row, r in zip(G, room, strict=True) if r == 0]
    K = [P[i] + [row[i] for row in G + A] for i in range(n)]
    for j in range(m):
        corner = [-room[j] if k == j else 0 for k in range(m)]
        K.append([lam[j] * g for g in G[j]] + corner + [0] * p)
    K += [row + [0] * (m + p) for row in A]
    return {
        "nonsingular": exact_rank(K) == n + m + p,
        "strict": all(v + r > 0 for v, r in zip(lam, room, strict=True)),
        "independent": exact_rank(C) == len(C),
        "licq": exact_rank(touching) == len(touching),
        "curved": exact_rank(P + C) == n,
    }


def exact_rank(rows):
    """Rank of a matrix over the rationals, by elimination."""
    rows, rank = [[Fraction(v) for v in row] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((j for j in range(rank, len(rows)) if rows[j][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for j in range(rank + 1, len(rows)):
            factor = rows[j][column] / rows[rank][column]
            rows[j] = [v - factor * w for v, w in zip(rows[j], rows[rank], strict=True)]
        rank += 1
    return rank


def _dot(u, v):
    return sum((Fraction(a) * c for a, c in zip(u, v, strict=True)), Fraction(0))
