"""The exercises of duality.md on infeasibility: rays, and one step of elimination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from companion.exercises import Answer, Exercise, source


# --------------------------------------------------------------------------- ray
def _ray(answer: Answer) -> str | None:
    A, b = np.array([[1.0, 1.0]]), np.array([1.0])  # x₁ + x₂ = 1 with x₁, x₂ ≥ 2/3
    G, h = -np.eye(2), np.array([-2.0, -2.0]) / 3
    nu, lam = np.ones(1), np.ones(2)
    cases: tuple[tuple[tuple, bool, str], ...] = (
        ((A, b, G, h, nu, lam), True, "This ray proves it: the sum says 0 ≤ −1/3."),
        (
            (A, b, G, h + 1, nu, lam),
            False,
            "The combined row has to read 0 ≤ a negative number: look at its sign.",
        ),
        (
            (A, b, G, 0 * h, -nu, -lam),  # x ≥ 0 in place of x ≥ 2/3: feasible
            False,
            "An inequality multiplied by a negative number turns around: lam ≥ 0.",
        ),
        (
            (A, b, G, h, 0 * nu, lam),
            False,
            "The left sides have to cancel: Aᵀnu + Gᵀlam = 0.",
        ),
    )
    for args, wanted, diagnosis in cases:
        if answer(*args) is None or bool(answer(*args)) != wanted:
            return diagnosis
    return None


RAY_HEAD = "proves(A, b, G, h, nu, lam)"
CANCEL = "cancels = np.allclose(A.T @ nu + G.T @ lam, 0)"
RAY = Exercise(
    label="duality-ex-ray",
    function="proves",
    prompt="Whether (nu, lam) proves that Ax = b, Gx ≤ h has no solution.",
    stub=f"def {RAY_HEAD}:\n    return None\n",
    solution=source(
        RAY_HEAD,
        CANCEL,
        "return cancels and bool(np.all(lam >= 0) and b @ nu + h @ lam < 0)",
    ),
    wrong=(
        (source(RAY_HEAD, CANCEL, "return cancels and b @ nu + h @ lam < 0"), "turns"),
        (
            source(RAY_HEAD, "return bool(np.all(lam >= 0) and b @ nu + h @ lam < 0)"),
            "cancel",
        ),
        (
            source(RAY_HEAD, CANCEL, "return cancels and bool(np.all(lam >= 0))"),
            "sign",
        ),
    ),
    checks=(_ray,),
    hints=("Three conditions: a sign, an equation, a strict inequality.",),
)


# --------------------------------------------------------------------- eliminate
def _rows(G: Any, h: Any) -> list[tuple[float, ...]]:
    """The rows with their right sides, scaled to length one and sorted."""
    both = np.column_stack([np.asarray(G, float), np.asarray(h, float)])
    size = np.linalg.norm(both, axis=1, keepdims=True)
    return sorted(map(tuple, np.round(both / np.where(size == 0, 1, size), 8).tolist()))


def _shadow(G: np.ndarray, h: np.ndarray, *, free: bool = True) -> Any:
    last = G[:, -1]
    rows = [(G[i, :-1], h[i]) for i in np.flatnonzero(last == 0) if free]
    for i in np.flatnonzero(last > 0):
        for j in np.flatnonzero(last < 0):
            row = G[i] / last[i] - G[j] / last[j]
            rows.append((row[:-1], h[i] / last[i] - h[j] / last[j]))
    return [r for r, _ in rows], [s for _, s in rows]


def _eliminate(answer: Answer) -> str | None:
    G = np.array([[1.0, 2, 1], [2, -1, 3], [-1, 1, -2], [3, 0, -1], [1, 1, 0]])
    h = np.array([4.0, 5, 1, 2, 3])
    got = answer(G, h)
    if got is None or len(got) != 2:
        return "Return the remaining matrix and right side."
    if np.ndim(got[0]) != 2 or np.shape(got[0])[1] != 2:
        return "One column fewer: the last variable is gone."
    if len(got[0]) == len(_shadow(G, h, free=False)[0]):
        return "Rows in which the variable does not occur stay as they are."
    if _rows(*got) == _rows(*_shadow(G, h)):
        return None
    if len(got[0]) == len(_shadow(G, h)[0]):
        return "In a sum of two rows the last entries do not cancel: divide by them."
    return "Add each row with a positive last entry to each with a negative one."


STEP_HEAD = "eliminate(G, h)"


def _step(sum_: Callable[[str], str], kept: str, pairs: str) -> str:
    return source(
        STEP_HEAD,
        "c, M = G[:, -1], np.column_stack([G[:, :-1], h])",
        f"rows = {kept}",
        f"for i in np.flatnonzero({pairs.split('|')[0]}):",
        f"    for j in np.flatnonzero({pairs.split('|')[1]}):",
        f"        rows.append({sum_('M')})",
        "rows = np.array(rows)",
        "return rows[:, :-1], rows[:, -1]",
    )


ELIMINATE = Exercise(
    label="duality-ex-eliminate",
    function="eliminate",
    prompt="One step of Fourier and Motzkin: Gx ≤ h without its last variable.",
    stub=f"def {STEP_HEAD}:\n    return None\n",
    solution=_step(
        lambda M: f"{M}[i] / c[i] - {M}[j] / c[j]", "list(M[c == 0])", "c > 0|c < 0"
    ),
    wrong=(
        (
            _step(lambda M: f"{M}[i] / c[i] - {M}[j] / c[j]", "[]", "c > 0|c < 0"),
            "does not occur",
        ),
        (
            _step(lambda M: f"{M}[i] + {M}[j]", "list(M[c == 0])", "c > 0|c < 0"),
            "divide",
        ),
        (
            _step(
                lambda M: f"{M}[i] / c[i] - {M}[j] / c[j]",
                "list(M[c == 0])",
                "c != 0|c != 0",
            ),
            "positive last entry",
        ),
    ),
    checks=(_eliminate,),
    hints=(
        "Which multiples of two rows, both nonnegative, cancel the last entry?",
        "Row i over its last entry minus row j over its own, which is negative.",
    ),
)


EXERCISES = (RAY, ELIMINATE)
