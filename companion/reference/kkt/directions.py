"""How a QP's solution moves along a direction of its data, at kinks too.

A direction is a QP whose six fields hold the speeds of the data.

Chapter: nonsmooth.md. Theorems: directional-derivative, degenerate-duals,
least-squares-at-kink, central-path-smoothing, lp-vertex, clarke-jacobian,
central-path-gap, central-path-accuracy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from companion.problems import QP, QPSolution
from companion.reference import qp  # the module: it imports this package

TOUCHING = 1e-7  # below this a multiplier or a slack is taken for zero
NEWTON_STEPS = 80
CENTRED = 1e-13  # residual of a point on the central path, relative to its terms


class Speeds(NamedTuple):
    """Speeds of the minimizer and of the multipliers along a direction of the data."""

    x: np.ndarray
    nu: np.ndarray
    lam: np.ndarray


def critical_program(problem: QP, sol: QPSolution, direction: QP) -> QP:
    """The program whose minimizer is the speed of x.

    Rows pressed with lam > 0 stay touched, rows that touch with lam = 0 may be left,
    all others do not matter.
    """
    dP, dq, dA, db, dG, dh = direction.fields
    strong = sol.lam > TOUCHING
    weak = ~strong & (sol.slack < TOUCHING)
    c = dP @ sol.x + dq + dA.T @ sol.nu + dG.T @ sol.lam
    room = dh - dG @ sol.x
    A = np.vstack([problem.A, problem.G[strong]])
    b = np.concatenate([db - dA @ sol.x, room[strong]])
    return QP(problem.P, c, A, b, problem.G[weak], room[weak])


def directional_derivative(problem: QP, sol: QPSolution, direction: QP) -> Speeds:
    """The limit of (x(data + t direction) − x(data))/t for t ↓ 0; nu and lam alike.

    P ≻ 0 and independent touching rows are assumed; NaN if the critical program has no
    solution, which can only happen without the second.
    """
    critical = critical_program(problem, sol, direction)
    found = qp.solve(critical)
    held = found.lam > found.slack  # solved again on these, to be exact
    C = np.vstack([critical.A, critical.G[held]])
    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
    r = np.concatenate([-critical.q, critical.b, critical.h[held]])
    d = np.linalg.lstsq(K, r, rcond=None)[0] if np.isfinite(found.value) else r * np.nan
    n, p = problem.n, problem.p
    strong = sol.lam > TOUCHING
    rows = np.flatnonzero(~strong & (sol.slack < TOUCHING))[held]
    dlam = np.zeros(problem.m)
    dlam[np.concatenate([np.flatnonzero(strong), rows])] = d[n + p :]
    return Speeds(d[:n], d[n : n + p], dlam)


def least_squares_derivative(problem: QP, sol: QPSolution, direction: QP) -> Speeds:
    """The shortest (dx, dlam, dnu) that fits the linearised KKT equations best.

    It is the derivative where their matrix is nonsingular, and an answer of some kind
    everywhere else.
    """
    P, _, A, _, G, _ = problem.fields
    dP, dq, dA, db, dG, dh = direction.fields
    x, nu, lam = sol.x, sol.nu, sol.lam
    n, m, p = problem.n, problem.m, problem.p
    K = np.block(
        [
            [P, G.T, A.T],
            [lam[:, None] * G, -np.diag(sol.slack), np.zeros((m, p))],
            [A, np.zeros((p, m + p))],
        ]
    )
    top = -(dP @ x + dq + dA.T @ nu + dG.T @ lam)
    r = np.concatenate([top, lam * (dh - dG @ x), db - dA @ x])
    d = np.linalg.lstsq(K, r, rcond=1e-10)[0]
    return Speeds(d[:n], d[n + m :], d[n : n + m])


def central_path(problem: QP, mu: float) -> qp.Iterate:
    """The point with slack_i lam_i = mu for every i, all other conditions kept."""
    z = qp.start(problem)
    goal = max(mu, 1.0)
    for _ in range(NEWTON_STEPS):
        step = qp.newton_step(problem, *z, z.s * z.lam - goal)
        t = qp.step_length(z, step, 0.9)
        z = qp.Iterate(*(v + t * dv for v, dv in zip(z, step, strict=True)))
        small = [abs(dv).max(initial=0) for dv in step]
        if goal == mu and max(small) <= CENTRED * (1 + abs(z.x).max()):
            break
        goal = max(mu, goal / 5)
    return z


def central_derivative(problem: QP, z: qp.Iterate, direction: QP) -> Speeds:
    """The derivative of the central path's point at fixed mu; it always exists."""
    P, _, A, _, G, _ = problem.fields
    dP, dq, dA, db, dG, dh = direction.fields
    n, p, m = problem.n, problem.p, problem.m
    K = np.block(
        [
            [P, A.T, G.T],
            [A, np.zeros((p, p + m))],
            [G, np.zeros((m, p)), -np.diag(z.s / z.lam)],
        ]
    )
    top = -(dP @ z.x + dq + dA.T @ z.nu + dG.T @ z.lam)
    d = np.linalg.solve(K, np.concatenate([top, db - dA @ z.x, dh - dG @ z.x]))
    return Speeds(d[:n], d[n : n + p], d[n + p :])
