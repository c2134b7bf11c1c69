"""Douglas and Rachford's splitting on the homogeneous embedding.

One half of a step solves the linear equations and ignores the cones, the other half
projects onto the cones and ignores the equations.

Chapter: embedding.md. Theorems: homogeneous-embedding, residual-map.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from companion.problems import ConeProgram, ConeSolution, Status
from companion.reference.cone_program.homogeneous import (
    embedding,
    project,
    residual,
    solution,
)

Array = np.ndarray
MAX_STEPS = 20_000
TOLERANCE = 1e-9  # on the residual map over τ, and on a certificate over its gain


class Run(NamedTuple):
    """The outcome, and the points z of all steps as rows.

    An infeasible instance has a certificate in y or in (x, s), with bᵀy = -1 or
    qᵀx = -1, and NaN in the rest; an undecided one has NaN throughout.
    """

    solution: ConeSolution
    points: np.ndarray


def solve(problem: ConeProgram, steps: int = MAX_STEPS) -> Run:
    """Iterate until the point proves something; it starts at z = (0, 0, 1).

    Source: odonoghue2021operator.
    """
    w = np.zeros(len(problem.q) + len(problem.b) + 1)
    w[-1] = 1.0
    inverse, points = factor(problem), []
    for _ in range(steps):
        balanced = resolvent(problem, inverse, w)
        points.append(2 * balanced - w)
        found = outcome(problem, points[-1])
        if found is not None:
            break
        w = w + project(problem, points[-1]) - balanced
    else:
        found = nothing(problem, Status.MAX_ITERATIONS)
    return Run(found, np.array(points))


def factor(problem: ConeProgram) -> np.ndarray:
    """The inverse of I + [P Aᵀ; -A 0], once for all steps."""
    F = embedding(problem)[:-1, :-1] + np.eye(len(problem.q) + len(problem.b))
    F[: len(problem.q), : len(problem.q)] += problem.P
    return np.linalg.inv(F)


def resolvent(problem: ConeProgram, inverse: Array, w: Array) -> Array:
    """The u with u + 𝒬(u) = w: linear for P = 0, else with the root τ > 0."""
    p, r = inverse @ w[:-1], inverse @ np.concatenate([problem.q, problem.b])
    # (x, y) = p - τ r, put into the last row times τ: aτ² + 2hτ - bend = 0
    a, x = 1 + r @ r, p[: len(problem.q)]
    h = (r @ w[:-1] - 2 * (r @ p) - w[-1]) / 2
    tau = -2 * h / a
    if problem.P.any():
        bend = x @ problem.P @ x
        tau = (np.sqrt(h**2 + a * bend) - h) / a
    return np.append(p - tau * r, tau)


def outcome(problem: ConeProgram, z: Array) -> ConeSolution | None:
    """What a point proves: a solution, or that there is none, or nothing yet."""
    P, q, A, b = problem.P, problem.q, problem.A, problem.b
    u = project(problem, z)
    x, y, s = u[: len(q)], u[len(q) : -1], (u - z)[len(q) : -1]
    if z[-1] > 0 and _size(residual(problem, z)) <= TOLERANCE * z[-1]:
        return solution(problem, z, Status.SOLVED)
    if b @ y < 0 and _size(A.T @ y) <= -TOLERANCE * (b @ y):
        found = nothing(problem, Status.PRIMAL_INFEASIBLE)
        found.y[:] = y / -(b @ y)
        return found
    leaves = np.concatenate([P @ x, A @ x + s])
    if q @ x < 0 and _size(leaves) <= -TOLERANCE * (q @ x):
        found = nothing(problem, Status.DUAL_INFEASIBLE)
        found.x[:], found.s[:] = x / -(q @ x), s / -(q @ x)
        return found
    return None


def nothing(problem: ConeProgram, status: Status) -> ConeSolution:
    """A solution that says only how the solve ended."""
    x, y, s = (np.full_like(v, np.nan) for v in (problem.q, problem.b, problem.b))
    return ConeSolution(x, y, s, np.nan, status)


def _size(v: np.ndarray) -> float:
    return float(np.abs(v).max(initial=0.0))
