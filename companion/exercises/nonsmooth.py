"""Exercises of the chapter on what to return where no derivative exists.

Chapter: nonsmooth.md. Theorems: directional-derivative, degenerate-duals,
least-squares-at-kink, central-path-smoothing, lp-vertex.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from companion.exercises import CLOSE, Answer, far, returning

_far = partial(far, within=CLOSE)


def _curved(seed: int, n: int = 3) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + np.eye(n)


# ------------------------------------------------------------------------ slopes
def _slopes(answer: Answer) -> str | None:
    for q in (0.0, 0.7, -0.7):
        got = answer(q)
        want = (-1.0 if q <= 0 else 0.0, -1.0 if q < 0 else 0.0)
        if got is None or np.shape(got) != (2,):
            return "Return two numbers: the slope from the left, then from the right."
        if q == 0 and not _far(got, (0.0, -1.0)):
            return "Left and right are exchanged: for q < 0 the solution is −q."
        if q == 0 and not _far(got, (-0.5, -0.5)):
            return "The mean of the slopes is the slope of neither side."
        if q != 0 and _far(got, want):
            return f"At q = {q} there is no kink: both slopes are {want[0]:.0f}."
        if _far(got, want):
            return "At q = 0 the two slopes are those of −q and of 0."
    return None


# ------------------------------------------------------------------------- speed
def _speed(answer: Answer) -> str | None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        P, g = _curved(seed), rng.normal(size=3)
        e = rng.normal(size=3)
        for sign in (1, -1):
            found = _diagnose_speed(P, g, sign * e, answer)
            if found:
                return found
    return None


def _diagnose_speed(P, g, e, answer: Answer) -> str | None:
    free = -np.linalg.solve(P, e)
    u = np.linalg.solve(P, g)
    held = free - u * (g @ free) / (g @ u)
    want, got = (free if g @ free <= 0 else held), answer(P, g, e)
    if got is None:
        return "Nothing came back: the stub returns None."
    if not _far(got, want):
        return None
    if not _far(got, free):
        return "The speed leaves the feasible side: the row must not be forgotten."
    if not _far(got, held):
        return "The row is held although the solution wants to leave it."
    if not _far(got, free - g * (g @ free) / (g @ g)):
        return "The correction runs along g; the curvature bends it to P⁻¹g."
    return "Not the minimizer of ½dᵀPd + eᵀd over g d ≤ 0."


# ----------------------------------------------------------------------- squares
def _squares(answer: Answer) -> str | None:
    for lengths in ([1.0], [2.0, 0.5], [3.0, 1.0, 1.0]):
        c, got = np.array(lengths), answer(np.array(lengths))
        want = -1 / (1 + np.sum(c**2))
        if got is None:
            return "Nothing came back: the stub returns None."
        if not _far(got, want):
            continue
        if not _far(got, -want):
            return "The sign is reversed: a larger q pushes x down."
        if not _far(got, -1 / (1 + len(c))):
            return "The rows are counted, but least squares measures their lengths."
        if not _far(got, -0.5):
            return "One half is right for one row of length one only."
        return "Not the shortest (dx, dlam) with dx − Σ cᵢ dlamᵢ = −1."
    return None


# ------------------------------------------------------------------------- duals
def _jacobian(answer: Answer) -> str | None:
    P = _curved(5)
    C = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [-1.0, -2.0, 0.0]])
    F = np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    want = -F @ np.linalg.solve(F.T @ P @ F, F.T)
    got = answer(P, C)
    if got is None:
        return "Nothing came back: the stub returns None."
    if not _far(got, want):
        return None
    if not _far(got, -want):
        return "The sign is reversed: x moves against q."
    if not _far(got, -F @ np.linalg.solve(F.T @ F, F.T)):
        return "The curvature is missing: measure FᵀPF, not FᵀF."
    if not _far(got, -np.linalg.inv(P)):
        return "The rows are forgotten: the answer leaves them."
    return "Not −F(FᵀPF)⁻¹Fᵀ with F a basis of null(C)."


# ------------------------------------------------------------------------- slope
def _slope(answer: Answer) -> str | None:
    for q, mu in ((0.0, 0.3), (0.4, 0.1), (-0.2, 0.5)):
        root = np.sqrt(q * q + 4 * mu)
        want, got = -(1 - q / root) / 2, answer(q, mu)
        if got is None:
            return "Nothing came back: the stub returns None."
        if not _far(got, want):
            continue
        if not _far(got, 1 / root):
            return "This is the slope in mu; the loss asks for the one in q."
        if not _far(got, -(1 + q / root) / 2):
            return "The sign of q is turned: for large q the slope goes to 0."
        if not _far(got, -float(q < 0)):
            return (
                "This is the slope of the solution: then forward and backward differ."
            )
        return f"At q = {q}, mu = {mu} the slope is {want:.6g}, not {got:.6g}."
    return None


# ------------------------------------------------------------------------ vertex
def _vertex(answer: Answer) -> str | None:
    rng = np.random.default_rng(8)
    C, dC = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    x, dd = rng.normal(size=3), rng.normal(size=3)
    want, got = np.linalg.solve(C, dd - dC @ x), answer(C, x, dC, dd)
    if got is None:
        return "Nothing came back: the stub returns None."
    if not _far(got, want):
        return None
    if not _far(got, np.linalg.solve(C, dd + dC @ x)):
        return "The sign of dC x is turned: it passes to the right side."
    if not _far(got, np.linalg.solve(C, dd)):
        return "The rows turn too: the term with dC is missing."
    if not _far(got, np.linalg.solve(C.T, dd - dC @ x)):
        return "The matrix is transposed: rows of C are constraints."
    return "Not the dx with C dx + dC x = dd."


FREE = "(lambda d: {rest})(-np.linalg.solve(P, e))"
HELD = "d - np.linalg.solve(P, g) * (g @ d) / (g @ np.linalg.solve(P, g))"
BASIS = "(lambda F: {rest})(np.linalg.svd(C)[2][np.linalg.matrix_rank(C):].T)"
ROOT = "np.sqrt(q * q + 4 * mu)"

EXERCISES = (
    returning(
        "nonsmooth-ex-slopes",
        "The slopes of x(q) = max(0, −q) from the left and from the right (★).",
        ("slopes", "q"),
        "(-1.0 if q <= 0 else 0.0, -1.0 if q < 0 else 0.0)",
        (
            ("(0.0 if q >= 0 else -1.0, 0.0 if q > 0 else -1.0)", "exchanged"),
            ("(-(1 - np.sign(q)) / 2, -(1 - np.sign(q)) / 2)", "mean of the slopes"),
            ("(-1.0, 0.0)", "no kink"),
        ),
        _slopes,
        ("Draw x(q).", "What is x for q < 0, and for q > 0?"),
    ),
    returning(
        "nonsmooth-ex-speed",
        "The speed of x as q moves along e, where the one row g x ≤ 0 touches at "
        "rest (★★).",
        ("speed", "P, g, e"),
        FREE.format(rest=f"d if g @ d <= 0 else {HELD}"),
        (
            (FREE.format(rest="d"), "leaves the feasible side"),
            (FREE.format(rest=HELD), "wants to leave"),
            (
                FREE.format(rest="d if g @ d <= 0 else d - g * (g @ d) / (g @ g)"),
                "along g",
            ),
        ),
        _speed,
        ("Write down the critical program.", "Try d = −P⁻¹e first."),
    ),
    returning(
        "nonsmooth-ex-squares",
        "What least squares returns for dx/dq at the kink of min ½x² + qx with rows "
        "−cᵢ x ≤ 0 of lengths c (★★).",
        ("least_squares", "c"),
        "-1 / (1 + np.sum(c**2))",
        (
            ("-1 / (1 + len(c))", "counted"),
            ("-0.5", "one row of length one"),
            ("1 / (1 + np.sum(c**2))", "sign is reversed"),
        ),
        _squares,
        ("All rows of D(lam)G and D(Gx − h) vanish.", "One equation is left."),
    ),
    returning(
        "nonsmooth-ex-duals",
        "The Jacobian of x in q where dependent rows C touch, all pressed (★★).",
        ("jacobian", "P, C"),
        BASIS.format(rest="-F @ np.linalg.solve(F.T @ P @ F, F.T)"),
        (
            (BASIS.format(rest="F @ np.linalg.solve(F.T @ P @ F, F.T)"), "sign"),
            (BASIS.format(rest="-F @ np.linalg.solve(F.T @ F, F.T)"), "curvature"),
            ("-np.linalg.inv(P)", "rows are forgotten"),
        ),
        _jacobian,
        ("A basis of null(C) comes from the singular value decomposition.",
         "Write d = Fy and minimize over y."),
    ),
    returning(
        "nonsmooth-ex-central",
        "The slope in q of x(q, mu) on the central path of the kink (★★).",
        ("slope", "q, mu"),
        f"-(1 - q / {ROOT}) / 2",
        (
            (f"1 / {ROOT}", "slope in mu"),
            (f"-(1 + q / {ROOT}) / 2", "sign of q"),
            ("-1.0 if q < 0 else 0.0", "slope of the solution"),
        ),
        _slope,
        ("x(x + q) = mu.", "Differentiate it in q."),
    ),
    returning(
        "nonsmooth-ex-vertex",
        "The speed of a vertex Cx = d as C and d move (★★).",
        ("speed", "C, x, dC, dd"),
        "np.linalg.solve(C, dd - dC @ x)",
        (
            ("np.linalg.solve(C, dd + dC @ x)", "sign of dC x"),
            ("np.linalg.solve(C, dd)", "term with dC"),
            ("np.linalg.solve(C.T, dd - dC @ x)", "transposed"),
        ),
        _vertex,
        ("Differentiate Cx = d.", "Which matrix is inverted?"),
    ),
)  # fmt: skip
