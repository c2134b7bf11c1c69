"""Where a point is missing: a feasible one, one with room around it, or a nearest one.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, GREY, RED, Mark, Picture
from companion.plots.hypotheses.counts import bars, runs
from companion.plots.hypotheses.lines import branches, objective
from companion.plots.hypotheses.planes import multipliers, scene

WEIGHTS = 10.0 ** np.arange(-1, 6)
QUADRANT = ((0, 0), (4, 0), (4, 3), (0, 3))
SOFTMAX = np.exp([0.3, -1, 2]) / np.exp([0.3, -1, 2]).sum()
PRICES = np.linspace(0.15, 3, 40)
ARM = np.linspace(0.3, 3.2, 40)


def _contradiction(weight: float) -> float:
    """Violation of x = 0 and x = 1 at the minimizer of ½x² plus the penalty."""
    x = weight / (1 + 2 * weight)
    return float(np.hypot(x, x - 1))


FEASIBLE: dict[str, Callable[[], Picture]] = {
    "tv-dual/outside_the_box": partial(
        bars,
        "The four dual variables, twice as large as they may be: −2, 6, −14/3 and −6. "
        "Three of them leave the box from −3 to 3.",
        {"w₁": -2.0, "w₂": 6.0, "w₃": -14 / 3, "w₄": -6.0}, ["w₂", "w₃", "w₄"],
        [(3, "λ = 3"), (-3, "")],
    ),
    "saddle-point/violated_wall": partial(
        objective,
        "The graph of ½x² − 2x, whose lowest point x = 2 lies beyond the wall x ≤ 1. "
        "There the multiplier can gain without end.",
        lambda x: x**2 / 2 - 2 * x, (-0.3, 3.2), [(-0.3, 1)],
        [Mark(1, -1.5, "", BLUE), Mark(2, -2, "outside", RED, (9, 8))],
    ),
    "relu-projection/outside_the_orthant": partial(
        scene,
        "The orthant and the point (2, −1) below it, of which two entries are drawn. "
        "Its nearest point in the orthant is (2, 0).",
        [QUADRANT],
        [Mark(2, -1, "(2, −1)", RED), Mark(2, 0, "(2, 0)", BLUE, (6, 9))],
        [((2, -1), (2, -0.1), INK)],
        window=(-0.8, 4.2, -1.5, 2.0),
    ),
    "simplex-projection/off_the_plane": partial(
        scene,
        "The segment on which two entries add up to 1, and the origin, which lies off "
        "it. Distances to the origin do not split as those to the segment do.",
        [],
        [Mark(1 / 2, 1 / 3, "x", INK), Mark(0, 0, "0", RED, (-8, 0)),
         Mark(7 / 12, 5 / 12, "", BLUE)],
        [((1 / 2, 1 / 3), (0.03, 0.02), RED)],
        [([(0, 1), (1, 0)], BLUE), ([(0, 1.2), (0, 0), (1.4, 0)], GREY)],
        (-0.6, 1.6, -0.2, 1.25),
    ),
    "softmax-argmin/sum_of_two": partial(
        bars,
        "Sums of entries: a softmax has the sum 1, the vector that is twice as long "
        "the sum 2.",
        {"softmax": 1.0, "largest entry": float(SOFTMAX.max()), "doubled": 2.0},
        ["doubled"],
    ),
    "penalty-bias/contradictory_rows": partial(
        runs,
        "The violation as the weight of the penalty grows from 0.1 to 10⁵. It levels "
        "off at 0.707 and does not vanish.",
        {"0.707": (WEIGHTS, [_contradiction(w) for w in WEIGHTS])},
        ("ρ", "violation"), ("log", "linear"),
    ),
    "kkt-error-bound/outside": partial(
        objective,
        "The graph of ½(z + 1)² over z ≥ 0. Its free minimizer −1 has no residual but "
        "lies outside; the solution is z = 0.",
        lambda z: (z + 1) ** 2 / 2, (-2, 1), [(0, 1)],
        [Mark(0, 0.5, "solution", BLUE, (-7, 6)),
         Mark(-1, 0, "outside", RED, (-8, 12))],
        ("z", "f"),
    ),
}  # fmt: skip

INTERIOR: dict[str, Callable[[], Picture]] = {
    "slater-condition/no_multiplier": partial(
        branches,
        "The dual function −1/(4λ) rises towards 0, the value of the program, as λ "
        "grows, and reaches it nowhere.",
        [(PRICES, -1 / (4 * PRICES), BLUE), (PRICES, 0 * PRICES, RED)],
        [Mark(2.4, 0, "never reached", RED, (0, -11), hollow=True)], ("λ", "g(λ)"),
    ),
    "slater-condition/multipliers_of_every_size": partial(
        multipliers,
        "The ray λ₂ = λ₁ + 1 of multipliers of the pair x ≤ 0, −x ≤ 0. All of it is "
        "optimal, as far out as one likes.",
        [(0, 1), (5, 6)],
        [Mark(0, 1, "(0, 1)", BLUE, (8, -6)),
         Mark(5, 6, "(500, 501) …", RED, (-9, 0))],
        ("λ₁", "λ₂"),
    ),
    "kkt-necessary/one_feasible_point": partial(
        objective,
        "The graph of z² touches zero at z = 0 alone, with slope zero. The wall has "
        "no slope there with which to balance the pull of the objective.",
        lambda z: z**2, (-1, 1), [(-0.02, 0.02)],
        [Mark(0, 0, "the feasible set: ∇g = 0", RED, (0, 62))], ("z", "g = z²"),
    ),
    "normal-cone-optimality/curved_wall": partial(
        scene,
        "The line z₁ = 0. Its normals point left and right, but the gradient of z₁² "
        "vanishes on it and yields no arrow.",
        [],
        [Mark(0, 0, "∇(z₁²) = 0", RED, (8, -10))],
        [((0, 0), (1.3, 0), BLUE), ((0, 0), (-1.3, 0), BLUE)],
        [([(0, -1.1), (0, 1.1)], INK)], (-1.7, 1.9, -1.15, 1.15),
    ),
    "qp-parametrisation/slack_of_either_sign": partial(
        bars,
        "The two slacks that are set to define the right-hand side: 1 and −1. With "
        "the second one z₀ violates its own inequality.",
        {"s₁": 1.0, "s₂": -1.0}, ["s₂"],
    ),
}  # fmt: skip

CLOSED: dict[str, Callable[[], Picture]] = {
    "strongly-convex-minimizer/open_interval": partial(
        objective,
        "The graph of s² over the interval from 1 to 2 whose left end does not belong "
        "to it. The values approach 1 and no point attains it.",
        lambda s: s**2, (0.4, 2.2), [(1, 2)],
        [Mark(1, 1, "not in the set", RED, (8, -6), hollow=True)], ("s", "s²"),
    ),
    "projection-characterization/open_interval": partial(
        objective,
        "The squared distance to 2 over the open interval from 0 to 1. It falls "
        "towards the end 1, which does not belong to the set.",
        lambda s: (s - 2) ** 2, (-0.2, 2.2), [(0, 1)],
        [Mark(1, 1, "not in the set", RED, (8, 6), hollow=True)],
        ("s", "distance² to 2"),
    ),
    "farkas-lemma/semidefinite_system": partial(
        scene,
        "The pairs x, w for which the matrix with diagonal x, w and off-diagonal 1 is "
        "semidefinite lie above a hyperbola. The line w = 0 only comes near it.",
        [np.vstack([np.column_stack([ARM, 1 / ARM]), [[3.2, 3.3]]])],
        [Mark(2.2, 0, "w = 0: no x, no ray", RED, (-2, -10), hollow=True)],
        (), [(np.column_stack([ARM, 1 / ARM]), BLUE), ([(0, 0), (3.4, 0)], RED),
             ([(0, 0), (0, 3.2)], GREY)],
        (-1.0, 4.4, -0.7, 3.2),
    ),
}  # fmt: skip
