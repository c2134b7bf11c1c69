"""Exercises of the chapter on what a QP layer can express.

Chapter: representation.md. Theorems: pwl-layer, max-affine-separation,
exact-regularization, box-qp, lqr-backward.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from companion.exercises import CLOSE, NOTHING, Answer, built, far

_far = partial(far, within=CLOSE)


# ------------------------------------------------------------------------ hinges
def _hinges(answer: Answer) -> str | None:
    rng = np.random.default_rng(0)
    for pieces in (2, 4):
        slopes, knots = rng.normal(size=pieces), np.sort(rng.normal(size=pieces - 1))
        got = answer(slopes, knots, 1.5)
        if got is None or len(got) != 3:
            return "Return three things: c, d and the weights."
        if found := _diagnose_hinges(slopes, knots, *got):
            return found
    return None


def _diagnose_hinges(slopes, knots, c, d, w) -> str | None:
    if _far(c, slopes[0]):
        return "Left of every knot all hinges are zero: c is the first slope."
    if not _far(d, 1.5):
        return "1.5 is the value at the first knot; d is the one at x = 0."
    if _far(d, 1.5 - slopes[0] * knots[0]):
        return "The line of the first piece does not pass through the first knot."
    if not _far(w, slopes[1:]):
        return "A hinge adds to the slope that is there: weights are differences."
    if not _far(w, -np.diff(slopes)):
        return "The weights have the wrong sign: slope after minus slope before."
    if _far(w, np.diff(slopes)):
        return "The weights are not the changes of slope at the knots."
    return None


# ------------------------------------------------------------------------- floor
def _floor(answer: Answer) -> str | None:
    shapes = (
        (lambda x: max(0.0, x[0], x[1]), 1 / 6),
        (lambda x: abs(x[0]) + 2 * abs(x[1] - x[0]), 0.0),
        (lambda x: -3 * max(0.0, x[0], x[1]) + x[0], 1 / 2),
        (lambda x: max(0.0, x[0], x[1]) + abs(x[0]), 1 / 6),
    )
    for f, want in shapes:
        got = answer(f)
        if got is None:
            return NOTHING
        if not _far(got, want):
            continue
        if not _far(got, -want):
            return "An error is not negative: take the absolute value."
        if not _far(got, 2 * want):
            return "Six values may be off, so six errors share the defect, not three."
        if not _far(got, 6 * want):
            return "This is the defect; the largest of six errors is a sixth of it."
        return "Even functions cost a network nothing: use f(x) − f(−x)."
    return None


# --------------------------------------------------------------------- threshold
def _threshold(answer: Answer) -> str | None:
    for costs in ([0.0, 1, 3], [2.0, -1, 5, 0.5], [4.0, 3.5]):
        cost, got = np.array(costs), answer(np.array(costs))
        ordered = np.sort(cost)
        if got is None:
            return NOTHING
        if not _far(got, ordered[1] - ordered[0]):
            continue
        if not _far(got, ordered[-1] - ordered[0]):
            return "The second best entry is the first to come in, not the worst."
        if not _far(got, (ordered[1] - ordered[0]) / 2):
            return "Half of it: with ½γ‖x‖² the slope at the vertex is γ, not 2γ."
        if not _far(got, abs(cost[1] - cost[0])):
            return "The entries are not sorted."
        return f"For the costs {costs} it is {ordered[1] - ordered[0]}."
    return None


# --------------------------------------------------------------------------- box
def _box(answer: Answer) -> str | None:
    rng = np.random.default_rng(1)
    root, g = rng.normal(size=(4, 4)), rng.normal(size=4)
    P, held = root @ root.T + np.eye(4), np.array([True, False, False, True])
    dx = np.zeros(4)
    dx[~held] = -np.linalg.solve(P[np.ix_(~held, ~held)], g[~held])
    bounds = np.where(held, g + P @ dx, 0)
    got = answer(P, held, g)
    if got is None or len(got) != 2:
        return "Return two vectors: d_x and the gradient in the bounds."
    if not _far(got[0], np.where(held, 0, -np.linalg.solve(P, g))):
        return "Entries are struck out after the solve; rows and columns go before it."
    if _far(got[0], dx):
        return "d_x is not the solution on the free entries, with zeros elsewhere."
    if not _far(got[1], np.where(held, g, 0)):
        return "When a bound moves the free entries follow: P d_x is missing."
    if not _far(got[1], -bounds):
        return "The sign is turned: for P = I a bound receives g itself."
    return "Not what is left of g." if _far(got[1], bounds) else None


# --------------------------------------------------------------------------- lqr
def _lqr(answer: Answer) -> str | None:
    rng = np.random.default_rng(2)
    tau, d = rng.normal(size=(2, 4, 5))
    lam, e = rng.normal(size=(2, 4, 3))

    def outer(u, v, w, z):
        return np.einsum("ti,tj->tij", u, v) + np.einsum("ti,tj->tij", w, z)

    want = outer(e[1:], tau[:-1], lam[1:], d[:-1])
    got = answer(tau, lam, d, e)
    if got is None:
        return NOTHING
    if not _far(got, outer(e[:-1], tau[:-1], lam[:-1], d[:-1])):
        return "One equation early: F_t stands in the equation that gives x_{t+1}."
    if not _far(got, np.einsum("ti,tj->tij", e[1:], tau[:-1])):
        return "F stands in two places: the term λ d_τᵀ is missing."
    if np.shape(got) == (3, 5, 3):
        return "Transposed: the gradient has the shape of F, three rows of five."
    return "Not d_λ τᵀ + λ d_τᵀ for t = 1, …, T − 1." if _far(got, want) else None


LINE = "return slopes[0], {d}, {w}"
AT_ZERO = "value - slopes[0] * knots[0]"
POINTS = (
    "u, v = np.array([1.0, 0]), np.array([0.0, 1])\n"
    "odd = lambda x: f(x) - f(-x)\n"
    "defect = odd(u) + odd(v) - odd(u + v)\n"
)
FREE = (
    "free = ~held\ndx = np.zeros(len(g))\n"
    "dx[free] = -np.linalg.solve(P[np.ix_(free, free)], g[free])\n"
)
PAIR = "pair = lambda u, v: u[:, :, None] * v[:, None, :]\n"

EXERCISES = (
    built(
        "representation-ex-hinges",
        "c, d and the weights of a piecewise linear function with these slopes and "
        "knots and this value at its first knot (★).",
        ("hinges", "slopes, knots, value"),
        LINE.format(d=AT_ZERO, w="np.diff(slopes)"),
        (
            (LINE.format(d="value", w="np.diff(slopes)"), "the one at x = 0"),
            (LINE.format(d=AT_ZERO, w="slopes[1:]"), "weights are differences"),
            (LINE.format(d=AT_ZERO, w="-np.diff(slopes)"), "wrong sign"),
        ),
        _hinges,
        ("What is f left of the first knot?", "What happens to the slope at a knot?"),
    ),
    built(
        "representation-ex-floor",
        "A number below the largest error that any two-layer ReLU network without "
        "biases makes on f at the six points of the theorem (★★).",
        ("floor", "f"),
        POINTS + "return abs(defect) / 6",
        (
            (POINTS + "return -defect / 6", "absolute value"),
            (POINTS + "return abs(defect) / 3", "six errors"),
            (POINTS + "return abs(defect)", "a sixth of it"),
        ),
        _floor,
        ("What is f(x) − f(−x) for a network?", "Apply it at e₁, e₂ and e₁ + e₂."),
    ),
    built(
        "representation-ex-threshold",
        "The largest γ for which costᵀx + ½γ‖x‖² over the simplex has the vertex of "
        "least cost as its minimizer (★★).",
        ("threshold", "cost"),
        "return np.diff(np.sort(cost))[0]",
        (
            ("return np.ptp(cost)", "second best"),
            ("return np.diff(np.sort(cost))[0] / 2", "Half of it"),
            ("return abs(cost[1] - cost[0])", "not sorted"),
        ),
        _threshold,
        ("Move a little mass from the best entry to the second.",
         "The minimizer is sparsemax(−cost/γ)."),
    ),
    built(
        "representation-ex-box",
        "d_x and the gradient in the touched bounds of min ½xᵀPx + qᵀx over a box, "
        "where `held` marks the entries at a bound (★★).",
        ("box", "P, held, g"),
        FREE + "return dx, np.where(held, g + P @ dx, 0)",
        (
            (
                "dx = np.where(held, 0, -np.linalg.solve(P, g))\n"
                "return dx, np.where(held, g + P @ dx, 0)",
                "struck out after",
            ),
            (FREE + "return dx, np.where(held, g, 0)", "P d_x is missing"),
            (FREE + "return dx, -np.where(held, g + P @ dx, 0)", "sign is turned"),
        ),
        _box,
        ("Strike out the rows and columns of P that are held.",
         "What is left of −g where an entry cannot move?"),
    ),
    built(
        "representation-ex-lqr",
        "The gradients in F_1, …, F_{T−1} as an array, from τ, λ of `lqr` and their "
        "backward counterparts d and e (★★).",
        ("grad_F", "tau, lam, d, e"),
        PAIR + "return pair(e[1:], tau[:-1]) + pair(lam[1:], d[:-1])",
        (
            (PAIR + "return pair(e[:-1], tau[:-1]) + pair(lam[:-1], d[:-1])", "early"),
            (PAIR + "return pair(e[1:], tau[:-1])", "two places"),
            (PAIR + "return pair(tau, e)[1:] + pair(d, lam)[1:]", "Transposed"),
        ),
        _lqr,
        ("Which equation contains F_t?", "Compare with the gradient in A of a QP."),
    ),
)  # fmt: skip
