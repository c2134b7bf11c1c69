"""Pull-backs, their residuals, and the step that mends a solution.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer, Exercise
from companion.exercises.cone_derivative.frame import (
    HEAD,
    blocks,
    first,
    system,
)


# ---------------------------------------------------------------------- pullback
def _pullback(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    P, A, D = system(rng)
    M = blocks(P, A.T @ D, -A, D)
    x, gx, y, gy, gs = (rng.standard_normal(k) for k in (2, 2, 3, 3, 3))

    def gradients(matrix: np.ndarray, seed: np.ndarray, sign: int = -1):
        r = np.linalg.solve(matrix, -np.concatenate([gx, seed]))
        first, second = r[:2], r[2:]
        return np.outer(y, first) + sign * np.outer(second, x), second

    seed = D @ (gy + gs) - gs
    slips: dict[str, object] = {
        "The backward system has the transposed matrix.": gradients(M, seed),
        "The slack moves with D dv - dv: its seed has a second term.": gradients(
            M.T, D @ (gy + gs)
        ),
        "The two outer products have different signs.": gradients(M.T, seed, 1),
    }
    found = answer(M, D, x, y, gx, gy, gs)
    return first(found, gradients(M.T, seed), slips, "Not the gradients in A and b.")


def _pullback_source(matrix: str, seed: str, sign: str = "-") -> str:
    return HEAD + (
        "def pullback(M, D, x, y, gx, gy, gs):\n"
        f"    r = np.linalg.solve({matrix}, -np.concatenate([gx, {seed}]))\n"
        "    r1, r2 = r[:len(x)], r[len(x):]\n"
        f"    return np.outer(y, r1) {sign} np.outer(r2, x), r2\n"
    )


PULLBACK = Exercise(
    label="cone-derivative-ex-pullback",
    function="pullback",
    prompt="Gradients in A and b of a loss in x, y and s.",
    stub="def pullback(M, D, x, y, gx, gy, gs):\n    return None\n",
    solution=_pullback_source("M.T", "D @ (gy + gs) - gs"),
    wrong=(
        (_pullback_source("M", "D @ (gy + gs) - gs"), "transposed"),
        (_pullback_source("M.T", "D @ (gy + gs)"), "second term"),
        (_pullback_source("M.T", "D @ (gy + gs) - gs", "+"), "different signs"),
    ),
    checks=(_pullback,),
    hints=("M₁ᵀ(r₁, r₂) = -(g_x, D(g_y + g_s) - g_s).",),
)


# ----------------------------------------------------------------- inconsistency
def _inconsistency(answer: Answer) -> str | None:
    rng = np.random.default_rng(4)
    M, (r, seed) = rng.standard_normal((4, 4)), rng.standard_normal((2, 4))
    left = np.linalg.norm(M.T @ r + seed)
    size = np.linalg.norm(seed)
    slips: dict[str, object] = {
        "The backward system is Mᵀr = -seed.": np.linalg.norm(M @ r + seed) / size,
        "The right side is minus the seed.": np.linalg.norm(M.T @ r - seed) / size,
        "Relative to the seed, so that scaling the loss changes nothing.": left,
    }
    return first(answer(M, r, seed), left / size, slips, "Not the residual.")


def _inconsistency_source(body: str) -> str:
    return HEAD + (
        "def inconsistency(M, r, seed):\n"
        "    norm = np.linalg.norm\n"
        f"    return {body}\n"
    )


INCONSISTENCY = Exercise(
    label="cone-derivative-ex-inconsistent",
    function="inconsistency",
    prompt="The relative residual of an adjoint.",
    stub="def inconsistency(M, r, seed):\n    return None\n",
    solution=_inconsistency_source("norm(M.T @ r + seed) / norm(seed)"),
    wrong=(
        (_inconsistency_source("norm(M @ r + seed) / norm(seed)"), "backward system"),
        (_inconsistency_source("norm(M.T @ r - seed) / norm(seed)"), "minus the seed"),
        (_inconsistency_source("norm(M.T @ r + seed)"), "scaling the loss"),
    ),
    checks=(_inconsistency,),
    hints=("Insert r into the equation that it should solve.",),
)


# ------------------------------------------------------------------------ newton
def _newton(answer: Answer) -> str | None:
    rng = np.random.default_rng(5)
    M, R = rng.standard_normal((5, 5)), rng.standard_normal(5)
    z = np.append(rng.standard_normal(4), 1.0)
    d = np.linalg.solve(M[:-1, :-1], R[:-1])
    slips: dict[str, object] = {
        "With the whole matrix the step leads to zero.": z - np.linalg.solve(M, R),
        "The step is minus the solution of M₁ d = R₁.": np.append(z[:-1] + d, 1.0),
        "τ stays: put the one back at the end.": z[:-1] - d,
    }
    found = answer(M, R, z)
    return first(found, np.append(z[:-1] - d, 1.0), slips, "Not the next point.")


def _newton_source(body: str) -> str:
    return HEAD + (
        "def newton(M, R, z):\n"
        "    d = np.linalg.solve(M[:-1, :-1], R[:-1])\n"
        f"    return {body}\n"
    )


NEWTON = Exercise(
    label="cone-derivative-ex-newton",
    function="newton",
    prompt="A Newton step with τ = 1 held.",
    stub="def newton(M, R, z):\n    return None\n",
    solution=_newton_source("np.append(z[:-1] - d, 1.0)"),
    wrong=(
        (_newton_source("z - np.linalg.solve(M, R)"), "leads to zero"),
        (_newton_source("np.append(z[:-1] + d, 1.0)"), "minus the solution"),
        (_newton_source("z[:-1] - d"), "one back"),
    ),
    checks=(_newton,),
    hints=("Delete the last row and the last column of M, the last entry of R.",),
)


# ---------------------------------------------------------------------- shortest
def _shortest(answer: Answer) -> str | None:
    rng = np.random.default_rng(6)
    r1, x, r2, y = (rng.standard_normal(k) for k in (2, 2, 3, 3))
    r, u = np.concatenate([r1, r2, [0.0]]), np.concatenate([x, y, [1.0]])
    short = np.append(u[:-1], 0.0)
    slips: dict[str, object] = {
        "Divide by ‖u‖², not by ‖u‖.": r - (r @ u) / np.linalg.norm(u) * u,
        "u ends with a one: r₃ becomes negative or positive, not zero.": r
        - (r @ short) / (short @ short) * short,
        "The projection is subtracted.": r + (r @ u) / (u @ u) * u,
    }
    want = r - (r @ u) / (u @ u) * u
    return first(answer(r1, r2, x, y), want, slips, "Not the shortest adjoint.")


def _shortest_source(body: str, last: str = "1.0") -> str:
    return HEAD + (
        "def shortest(r1, r2, x, y):\n"
        "    r = np.concatenate([r1, r2, [0.0]])\n"
        f"    u = np.concatenate([x, y, [{last}]])\n"
        f"    return {body}\n"
    )


SHORTEST = Exercise(
    label="cone-derivative-ex-shortest",
    function="shortest",
    prompt="The adjoint of least norm.",
    stub="def shortest(r1, r2, x, y):\n    return None\n",
    solution=_shortest_source("r - (r @ u) / (u @ u) * u"),
    wrong=(
        (_shortest_source("r - (r @ u) / np.linalg.norm(u) * u"), "‖u‖²"),
        (_shortest_source("r - (r @ u) / (u @ u) * u", "0.0"), "ends with a one"),
        (_shortest_source("r + (r @ u) / (u @ u) * u"), "subtracted"),
    ),
    checks=(_shortest,),
    hints=("All adjoints are (r₁, r₂, 0) + c(x, y, 1).",),
)
