"""The homogeneous embedding of a cone program, and its residual map.

A point u = (x, y, τ) has n + m + 1 entries, and so has z = (x, v, τ); the solution
(x, y, s) of the program is z = (x, y - s, 1).

Chapter: embedding.md. Theorems: homogeneous-embedding, residual-map.
Chapter: cone-derivative.md. Theorems: singular-embedding, quadratic-cone-program.
"""

from __future__ import annotations

import numpy as np

from companion.problems import ConeProgram, ConeSolution, Status
from companion.reference import cones


def embedding(problem: ConeProgram) -> np.ndarray:
    """The skew matrix Q of the embedding; P is not in it."""
    A, b, q = problem.A, problem.b[:, None], problem.q[:, None]
    m, n = A.shape
    #   [ 0   Aᵀ  q]
    #   [-A   0   b]
    #   [-qᵀ -bᵀ  0]
    return np.block(
        [
            [np.zeros((n, n)), A.T, q],
            [-A, np.zeros((m, m)), b],
            [-q.T, -b.T, np.zeros((1, 1))],
        ]
    )


def operator(problem: ConeProgram, u: np.ndarray) -> np.ndarray:
    """𝒬(u) = Qu + (Px, 0, -xᵀPx/τ), homogeneous of degree one; needs τ > 0 if Px ≠ 0.

    Source: healey2025differentiating.
    """
    n, x, tau = len(problem.q), u[: len(problem.q)], u[-1]
    Px, found = problem.P @ x, embedding(problem) @ u
    found[:n] += Px
    found[-1] -= x @ Px / tau if Px.any() else 0.0
    return found


def operator_jacobian(problem: ConeProgram, u: np.ndarray) -> np.ndarray:
    """The derivative of 𝒬 at u; it is Q where P = 0."""
    n, x, tau = len(problem.q), u[: len(problem.q)], u[-1]
    Px, found = problem.P @ x, embedding(problem)
    found[:n, :n] += problem.P
    if Px.any():
        found[-1, :n] -= 2 * Px / tau
        found[-1, -1] += x @ Px / tau**2
    return found


def project(problem: ConeProgram, z: np.ndarray) -> np.ndarray:
    """The nearest point of ℝⁿ × K* × ℝ₊."""
    n = len(problem.q)
    y = cones.project_dual(z[n:-1], problem.K)
    return np.concatenate([z[:n], y, np.maximum(z[-1:], 0.0)])


def projection_derivative(problem: ConeProgram, z: np.ndarray) -> np.ndarray:
    """Its derivative at z, block by block."""
    n, found = len(problem.q), np.eye(len(z))
    found[n:-1, n:-1] = cones.derivative_dual(z[n:-1], problem.K)
    found[-1, -1] = float(z[-1] > 0)
    return found


def residual(problem: ConeProgram, z: np.ndarray) -> np.ndarray:
    """The residual map R(z) = 𝒬(Πz) - Πz + z."""
    u = project(problem, z)
    return operator(problem, u) - u + z


def jacobian(problem: ConeProgram, z: np.ndarray) -> np.ndarray:
    """The derivative M of the residual map at z; singular at every solution."""
    u, D = project(problem, z), projection_derivative(problem, z)
    eye = np.eye(len(z))
    return (operator_jacobian(problem, u) - eye) @ D + eye


def point(sol: ConeSolution) -> np.ndarray:
    """The zero z = (x, y - s, 1) of the residual map that a solution is."""
    return np.concatenate([sol.x, sol.y - sol.s, [1.0]])


def solution(problem: ConeProgram, z: np.ndarray, status: Status) -> ConeSolution:
    """The triple (x, y, s)/τ that a point with τ > 0 encodes."""
    n, u = len(problem.q), project(problem, z)
    x, y, s = (part / z[-1] for part in (u[:n], u[n:-1], (u - z)[n:-1]))
    value = float(0.5 * x @ problem.P @ x + problem.q @ x)
    return ConeSolution(x, y, s, value, status)


def violations(problem: ConeProgram, sol: ConeSolution) -> dict[str, float]:
    """How far a triple is from optimal, condition by condition."""
    P, q, A, b, K = problem.P, problem.q, problem.A, problem.b, problem.K
    x, y, s = sol.x, sol.y, sol.s
    parts = {
        "stationarity": P @ x + A.T @ y + q,
        "feasibility": A @ x + s - b,
        "s in K": s - cones.project(s, K),
        "y in K*": y - cones.project_dual(y, K),
    }
    sizes = {name: float(np.abs(v).max(initial=0.0)) for name, v in parts.items()}
    return sizes | {"complementarity": float(abs(s @ y))}
