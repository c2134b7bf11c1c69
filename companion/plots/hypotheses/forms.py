"""Where a sign is wrong, or the problem is of another form than was assumed.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, GREY, RED, Mark, Picture, Value
from companion.plots.hypotheses.counts import bars, runs, tiles
from companion.plots.hypotheses.lines import branches, objective
from companion.plots.hypotheses.planes import ring, scene

SCORES = (0.3, -1.0)
TOP = 1 / (1 + np.exp(SCORES[0] - SCORES[1]))  # where the objective is stationary
DISTANCES = 0.25 ** np.arange(1, 7)
SPREAD = np.linspace(0.07, 0.5, 50)
TIGHT = np.linspace(0.08, 0.3, 50)
STEP = np.linspace(-1, 1, 41)
SLOPE = 0.2217  # of the sigmoid at 0.7


def _negative_entropy(p: Value) -> Value:
    """-xᵀp + T Σ p log p with T = -1, for the two entries p and 1 - p."""
    inside = np.clip(p, 1e-9, 1 - 1e-9)
    spread = inside * np.log(inside) + (1 - inside) * np.log(1 - inside)
    return -SCORES[0] * p - SCORES[1] * (1 - p) - spread


SIGNS: dict[str, Callable[[], Picture]] = {
    "weak-duality/negative_price": partial(
        objective,
        "The objective −x over x ≥ 0 falls without end. The multiplier −1 makes the "
        "bound 0, and x = 1 lies 1 below it.",
        lambda x: -x, (-0.5, 1.6), [(0, 1.6)],
        [Mark(0, 0, "bound 0", BLUE, (6, 8)), Mark(1, -1, "−1", RED, (9, 3))],
    ),
    "saddle-point/negative_competitor": partial(
        objective,
        "The Lagrangian as a function of κ for the inactive wall x ≤ 3: a falling "
        "line. It is highest at 0 among κ ≥ 0, and κ = −1 is 1 higher.",
        lambda k: -k, (-1.3, 1.3), [(0, 1.3)],
        [Mark(0, 0, "λ = 0", BLUE, (8, 5)), Mark(-1, 1, "1 higher", RED, (9, 5))],
        ("κ", "L(x, κ) − L(x, λ)"),
    ),
    "kkt-sufficient/a_wall_that_pulls": partial(
        objective,
        "The graph of ½z² over z ≤ 1. With λ = −1 the wall at 1 would hold the point "
        "back from the minimizer 0, which lies ½ lower.",
        lambda z: z**2 / 2, (-1, 1.4), [(-1, 1)],
        [Mark(1, 0.5, "λ = −1", BLUE, (-8, 6)), Mark(0, 0, "½", RED, (6, 18))],
        ("z", "f"),
    ),
    "kkt-error-bound/negative_price": partial(
        bars,
        "At y = 1 with λ = −1 the residual is 0, while the distance to the solution 0 "
        "of min ½z² over z ≤ 1 is 1.",
        {"residual": 0.0, "distance": 1.0}, ["distance"],
    ),
    "kkt-scaling/reversed_row": partial(
        scene,
        "The half-plane x₁ − x₃ ≤ −1 and, in red, the boundary with its arrow turned "
        "round: the factor −2 admits the other side.",
        [((-2.5, -1.5), (0.5, 1.5), (-2.5, 1.5))],
        [Mark(-0.5, 0.5, "", INK)],
        [((-0.5, 0.5), (-1.1, 1.1), BLUE), ((-0.5, 0.5), (0.7, -0.7), RED)],
        [([(-2.5, -1.5), (0.5, 1.5)], INK)], (-2.5, 2, -1.5, 1.5),
    ),
    "softmax-argmin/negative_temperature": partial(
        objective,
        "The objective at T = −1 over the first of two entries: an arch. The "
        "formula's point is its top, and both ends lie lower.",
        _negative_entropy, (0, 1), [(0, 1)],
        [Mark(TOP, float(_negative_entropy(TOP)), "softmax(x/T)", BLUE,
              (14, 7)),
         Mark(0.9, float(_negative_entropy(0.9)), "lower", RED, (-8, -8))],
        ("p", "F"),
    ),
    "complementarity-functions/product_alone": partial(
        scene,
        "The plane of λ and s. The product λs vanishes on both axes, also on their "
        "negative halves, in red; the point (−2, 0) is marked.",
        [],
        [Mark(-2, 0, "λ = −2, s = 0", RED, (0, 10))],
        (), [([(0, 0), (2.4, 0)], BLUE), ([(0, 0), (0, 1.5)], BLUE),
             ([(0, 0), (-2.6, 0)], RED), ([(0, 0), (0, -1.2)], RED)],
        (-3.4, 2.6, -1.4, 1.8),
    ),
}  # fmt: skip

STRUCTURE: dict[str, Callable[[], Picture]] = {
    "unrolled-descent/quartic_added": partial(
        branches,
        "The curvature of the quadratic, 2 everywhere, and with x₁⁴/4 added, 2 + "
        "3x₁². Along a descent the second one changes, and no power of one matrix "
        "follows.",
        [(STEP, 2 + 0 * STEP, BLUE), (STEP, 2 + 3 * STEP**2, RED)],
        [Mark(0, 2, "", INK), Mark(0.8, 3.92, "2 + 3x₁²", RED, (-9, 5))],
        ("x₁", "curvature"),
    ),
    "inexact-jacobian/rough_derivative": partial(
        runs,
        "Errors over distances to the solution, both logarithmic. The error falls "
        "like the root of the distance and crosses the bound 2δ, which falls faster.",
        {"2δ": (DISTANCES, 2 * DISTANCES),
         "error": (DISTANCES, DISTANCES**0.5 / (1 + DISTANCES**0.5))},
        ("δ", "error"), ("log", "log"),
    ),
    "strongly-convex-minimizer/moving_set": partial(
        branches,
        "The only feasible point 1/q as a curve over q. From q = 1/10 to 1/5 it falls "
        "from 10 to 5.",
        [(SPREAD, 1 / SPREAD, BLUE)],
        [Mark(0.1, 10, "10", RED, (8, 3)), Mark(0.2, 5, "5", RED, (8, 3))],
        ("q", "x = 1/q"),
    ),
    "moreau-decomposition/disc": partial(
        scene,
        "The unit disc, which is no cone. The point v = (3, 4) splits into its "
        "nearest point p and the rest r, which is parallel to p instead of "
        "perpendicular.",
        [ring()],
        [Mark(3, 4, "v", INK), Mark(0.6, 0.8, "p", BLUE, (9, -3))],
        [((0, 0), (0.6, 0.8), BLUE), ((0.6, 0.8), (2.9, 3.87), RED)],
        window=(-2.6, 5.2, -1.2, 4.5),
    ),
    "farkas-lemma/integer_unknowns": partial(
        scene,
        "The whole numbers as dots on a line, and between 0 and 1 the only solution "
        "of 2x = 1.",
        [],
        [*(Mark(k, 0, str(k).replace("-", "−"), BLUE, (0, -9)) for k in (-1, 0, 1, 2)),
         Mark(0.5, 0, "x = ½", RED, (0, 10))],
        (), [([(-1.5, 0), (2.5, 0)], GREY)], (-1.7, 2.7, -1.2, 1.2),
    ),
    "sigmoid-argmin/coupled_entries": partial(
        tiles,
        "The Jacobian of the softmax of two entries. Its entries off the diagonal, "
        "−0.22, are those that a sigmoid entry by entry does not have.",
        SLOPE * np.array([[1, -1], [-1, 1]]), [(0, 1), (1, 0)], "Σz = 1 couples",
    ),
    "reciprocity/game": partial(
        tiles,
        "A matrix P that is not symmetric: 2 above the diagonal, 0 below it.",
        np.array([[2.0, 2, 0], [0, 3, 0], [0, 0, 1]]), [(0, 1), (1, 0)], "P ≠ Pᵀ",
    ),
    "jacobian-bounds/moving_bound": partial(
        bars,
        "Norms of the derivative of x at d = 1/10: at most 1 in q, and 10 in the "
        "bound.",
        {"in q": 0.0, "in h": 10.0}, ["in h"], [(1, "1/μ")],
    ),
    "jacobian-bounds/moving_normal": partial(
        branches,
        "The solution 1/d as a curve over the normal d of the wall. At d = 1/10 its "
        "slope is −100.",
        [(TIGHT, 1 / TIGHT, BLUE)], [Mark(0.1, 10, "slope −100", RED, (9, 4))],
        ("d", "x = 1/d"),
    ),
}  # fmt: skip
