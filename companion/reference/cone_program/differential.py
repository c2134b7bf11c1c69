"""How the solution of a cone program moves with its data: forwards, and backwards.

Chapter: cone-derivative.md. Theorems: cone-derivative, cone-adjoint,
untransposed-adjoint, quadratic-cone-program, solution-refinement.
"""

from __future__ import annotations

import numpy as np

from companion.problems import ConeProgram, ConeSolution, Status
from companion.reference import cones
from companion.reference.cone_program import homogeneous as embedded

Array = np.ndarray
MAX_STEPS = 20


def reduced(problem: ConeProgram, sol: ConeSolution) -> tuple[Array, Array]:
    """The square matrix [P AᵀD; -A I-D] of the differential, and D itself.

    It is the derivative of the residual map without its last row and column.
    """
    D = cones.derivative_dual(sol.y - sol.s, problem.K)
    lower = np.eye(len(D)) - D
    return np.block([[problem.P, problem.A.T @ D], [-problem.A, lower]]), D


def derivative(problem: ConeProgram, sol: ConeSolution, change: ConeProgram):
    """The differentials (dx, dy, ds) that belong to a change of P, q, A and b.

    Raises LinAlgError where the reduced matrix is exactly singular.
    """
    M, D = reduced(problem, sol)
    force = change.P @ sol.x + change.A.T @ sol.y + change.q
    room = change.b - change.A @ sol.x
    d = np.linalg.solve(M, -np.concatenate([force, room]))
    dx, dv = np.split(d, [len(sol.x)])
    return dx, D @ dv, D @ dv - dv


def adjoint(problem: ConeProgram, sol: ConeSolution, gx, gy=None, gs=None):
    """Gradients of gxᵀx + gyᵀy + gsᵀs in P, q, A and b, as a ConeProgram."""
    M, D = reduced(problem, sol)
    gy, gs = (np.zeros_like(sol.y) if g is None else g for g in (gy, gs))
    r = np.linalg.solve(M.T, -np.concatenate([gx, D @ (gy + gs) - gs]))
    r1, r2 = np.split(r, [len(sol.x)])
    x, y = sol.x, sol.y
    return ConeProgram(
        P=(np.outer(r1, x) + np.outer(x, r1)) / 2,
        q=r1,
        A=np.outer(y, r1) - np.outer(r2, x),
        b=r2,
        K=problem.K,
    )


def embedded_adjoint(problem: ConeProgram, sol: ConeSolution, gx, gy, gs):
    """The same gradients from the whole singular matrix, by least squares.

    Of all adjoints (r1, r2, r3) it takes the shortest; r3 need not be zero.
    Source: agrawal2019cone, healey2025differentiating.
    """
    x, y, n = sol.x, sol.y, len(sol.x)
    M = embedded.jacobian(problem, embedded.point(sol))
    D = cones.derivative_dual(y - sol.s, problem.K)
    scale = -(x @ gx + y @ gy + sol.s @ gs)
    seed = np.concatenate([gx, D @ (gy + gs) - gs, [scale]])
    r = -np.linalg.lstsq(M.T, seed, rcond=1e-11)[0]
    r1, r2, r3 = r[:n], r[n:-1], r[-1]
    return ConeProgram(
        P=(np.outer(r1, x) + np.outer(x, r1)) / 2 - r3 * np.outer(x, x),
        q=r1 - r3 * x,
        A=np.outer(y, r1) - np.outer(r2, x),
        b=r2 - r3 * y,
        K=problem.K,
    )


def newton(problem: ConeProgram, z: np.ndarray) -> np.ndarray:
    """One Newton step on the residual map at τ = 1, without its last row and column."""
    r = embedded.residual(problem, z)[:-1]
    M = embedded.jacobian(problem, z)[:-1, :-1]
    return np.concatenate([z[:-1] - np.linalg.solve(M, r), [1.0]])


def refine(problem: ConeProgram, sol: ConeSolution) -> ConeSolution:
    """Newton steps for as long as each halves the residual.

    Source: busseti2019solution, without the normalisation.
    """
    z = embedded.point(sol)
    size = np.linalg.norm(embedded.residual(problem, z))
    for _ in range(MAX_STEPS):
        after = newton(problem, z)
        smaller = np.linalg.norm(embedded.residual(problem, after))
        if not smaller < size / 2:
            break
        z, size = after, smaller
    return embedded.solution(problem, z, Status(sol.status))
