"""Exercises on the systems that elimination leaves.

Chapter: interior-point.md. Theorems: schur-reduction, nonnegative-dual.
"""

from __future__ import annotations

import numpy as np

from companion.exercises import Answer
from companion.exercises.interior_point.frame import exercise, far, first


# ------------------------------------------------------------------------- schur
def _program(seed: int) -> tuple[np.ndarray, ...]:
    """P, q, A, b, G, h with P ≻ 0 and one equality."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4))
    sizes = (4, (1, 4), 1, (3, 4), 3)
    return root @ root.T + np.eye(4), *(rng.normal(size=k) for k in sizes)


def _schur(answer: Answer) -> str | None:
    P, g, A, _, G, _ = _program(3)
    s, lam = np.random.default_rng(3).uniform(0.2, 2, size=(2, 3))

    def reduced(ratio):
        C = np.vstack([A, G])
        S = C @ np.linalg.solve(P, C.T) + np.diag([0.0, *ratio])
        y = np.linalg.solve(S, -C @ np.linalg.solve(P, g))
        return -np.linalg.solve(P, g + C.T @ y)

    slips: dict[str, object] = {
        "The ratio is upside down: a pressed wall has s/λ near zero.":
            reduced(lam / s),
        "Without s/λ every wall counts as pressed.": reduced(0 * s),
        "The sign is turned: d_x runs against g.": -reduced(s / lam),
    }  # fmt: skip
    last = "Not the d_x of the symmetric system."
    return first(answer(P, A, G, s, lam, g), reduced(s / lam), slips, last)


# -------------------------------------------------------------------------- dual
def _dual(answer: Answer) -> str | None:
    P, q, A, b, G, h = _program(7)
    H = np.linalg.inv(P)

    def linear(q, b, share):
        return G @ H @ q + h - share @ (A @ H @ q + b)

    share = G @ H @ A.T @ np.linalg.inv(A @ H @ A.T)
    R = G @ H @ G.T - share @ A @ H @ G.T
    got = answer(P, q, A, b, G, h)
    if got is None or len(got) != 2:
        return "Return two things: R and r."
    if not far(got[0], G @ H @ G.T):
        return "The equalities are missing: they take their share of GP⁻¹Gᵀ."
    if far(got[0], R):
        return "R is not GP⁻¹Gᵀ less the share of the equalities."
    slips: dict[str, object] = {
        "r does not know where the equalities are: b is missing.":
            linear(q, 0 * b, share),
        "The slope is turned: r is the slack at λ = 0, and q pulls x to −P⁻¹q.":
            linear(-q, b, share),
    }  # fmt: skip
    last = "r is not the slack h − Gx at λ = 0."
    return first(got[1], linear(q, b, share), slips, last)


REDUCED = (
    "C = np.vstack([A, G])\n"
    "E = np.diag(np.concatenate([np.zeros(len(A)), {ratio}]))\n"
    "S = C @ np.linalg.solve(P, C.T) + E\n"
    "y = np.linalg.solve(S, -C @ np.linalg.solve(P, g))\n"
    "return {sign}np.linalg.solve(P, g + C.T @ y)"
)
DUAL = (
    "H = np.linalg.inv(P)\n"
    "share = G @ H @ A.T @ np.linalg.inv(A @ H @ A.T)\n"
    "return G @ H @ G.T{paid}, G @ H @ {q} + h - share @ (A @ H @ {q}{b})"
)
PAID = " - share @ A @ H @ G.T"

EXERCISES = (
    exercise(
        "schur",
        "d_x from the reduced system, at s > 0 and λ > 0 (★★★).",
        ("adjoint", "P, A, G, s, lam, g"),
        REDUCED.format(ratio="s / lam", sign="-"),
        (
            (REDUCED.format(ratio="lam / s", sign="-"), "upside down"),
            (REDUCED.format(ratio="0 * s", sign="-"), "counts as pressed"),
            (REDUCED.format(ratio="s / lam", sign=""), "runs against g"),
        ),
        _schur,
        ("Eliminate d_s first, then d_x.", "Equality rows get a zero in E."),
    ),
    exercise(
        "dual",
        "R and r of the program in the multipliers of G alone (★★).",
        ("reduced", "P, q, A, b, G, h"),
        DUAL.format(paid=PAID, q="q", b=" + b"),
        (
            (DUAL.format(paid="", q="q", b=" + b"), "equalities are missing"),
            (DUAL.format(paid=PAID, q="q", b=""), "b is missing"),
            (DUAL.format(paid=PAID, q="(-q)", b=" + b"), "slope is turned"),
        ),
        _dual,
        ("Minimize the dual over ν first.", "r is the slack at λ = 0."),
    ),
)  # fmt: skip
