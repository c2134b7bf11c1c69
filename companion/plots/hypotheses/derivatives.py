"""Where a derivative has no inverse, a point is no solution, or a number is too small.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, RED, Mark, Picture
from companion.plots.hypotheses.counts import bars, runs
from companion.plots.hypotheses.lines import branches, objective
from companion.plots.hypotheses.planes import scene

LINE = np.linspace(-1, 1, 61)
ROOTS = np.linspace(1.3, 2.7, 40)  # x; then θ = x − 6/(1 + x) keeps (1 + x)(x − θ) = 6
THETA = np.linspace(0, 3, 60)
TURNS = np.arange(11)

INVERTIBLE: dict[str, Callable[[], Picture]] = {
    "implicit-function/vertical_tangent": partial(
        branches,
        "The root of x³ = θ as a curve over θ. At zero its tangent is vertical.",
        [(LINE**3, LINE, BLUE)], [Mark(0, 0, "no slope", RED, (8, -3))],
        ("θ", "x = ∛θ"),
    ),
    "implicit-function/crossing_branches": partial(
        branches,
        "The roots of x² = θ² are two lines that cross at zero. Beside zero there are "
        "two roots, not one.",
        [(LINE, LINE, BLUE), (LINE, -LINE, RED)], [Mark(0, 0, "", INK)],
        ("θ", "x = ±θ"),
    ),
    "residual-rescaling/weight_without_inverse": partial(
        branches,
        "The zeros of x(x − θ): the line x = θ of the equation, and the line x = 0 "
        "that the weight adds. They cross at zero.",
        [(LINE, LINE, BLUE), (LINE, 0 * LINE, RED)],
        [Mark(0, 0, "", INK), Mark(0.6, 0, "zeros of W", RED, (0, -10))],
        ("θ", "x"),
    ),
    "adjoint-solve/equal_rows": partial(
        scene,
        "The transposed matrix with two equal rows reaches only the line through (1, "
        "1). The gradient (1, 2) of the loss lies off it.",
        [],
        [Mark(1, 2, "g = (1, 2)", RED, (-8, 4)), Mark(0, 0, "", INK),
         Mark(1.5, 1.5, "its range", BLUE, (9, -8))],
        [((0, 0), (0.97, 1.94), RED)],
        [([(-0.7, -0.7), (2.4, 2.4)], BLUE)], (-2, 4, -0.8, 2.6),
    ),
}  # fmt: skip

SOLVED: dict[str, Callable[[], Picture]] = {
    "residual-rescaling/away_from_the_root": partial(
        branches,
        "Through the point θ = 0, x = 2, which is no root, run two level curves: of x "
        "− θ with slope 1, and of (1 + x)(x − θ) with slope 3/5.",
        [(LINE * 1.2, LINE * 1.2 + 2, BLUE), (ROOTS - 6 / (1 + ROOTS), ROOTS, RED)],
        [Mark(0, 2, "slopes 1 and 3/5", INK, (9, -6))], ("θ", "x"),
    ),
    "value-function/one_step_away": partial(
        branches,
        "The minimizer θ/(1 + θ²) and the line θ/4 of a single gradient step. At θ = "
        "2 they are apart, and so are the slopes of the values.",
        [(THETA, THETA / (1 + THETA**2), BLUE), (THETA, THETA / 4, RED)],
        [Mark(2, 0.4, "x(θ)", BLUE, (5, -10)), Mark(2, 0.5, "θ/4", RED, (-9, 5))],
        ("θ", "x"),
    ),
    "tv-scaling/off_the_solution": partial(
        bars,
        "The two sides of the identity at a point half a unit away from the solution: "
        "−9.75 and −10.48.",
        {"in D": -9.75, "in λ": -10.4769}, ["in D", "in λ"],
    ),
    "strong-duality/point_that_is_not_a_minimizer": partial(
        objective,
        "The graph of ½x² + 2x over x ≥ −2. The feasible point x = 0 still slopes "
        "down to the minimizer −2.",
        lambda x: x**2 / 2 + 2 * x, (-3, 1), [(-2, 1)],
        [Mark(0, 0, "x = 0", BLUE, (8, -5)), Mark(-2, -2, "2 lower", RED, (-7, 14))],
    ),
}  # fmt: skip

LIMITS: dict[str, Callable[[], Picture]] = {
    "unrolled-descent/rate_too_large": partial(
        runs,
        "Error of the unrolled Jacobian over its steps, on a logarithmic scale. With "
        "the curvature 2 it halves at α = ¾ and doubles at α = 3/2.",
        {"α = ¾": (TURNS, 0.5**TURNS), "α = 3/2": (TURNS, 2.0**TURNS)},
        ("step", "error"),
    ),
    "fixed-point-derivative/series_that_diverges": partial(
        runs,
        "Partial sums of the series for T = 2x + θ: 1, 3, 7, 15 and on without end. "
        "The derivative of the fixed point is −1.",
        {"1 + 2 + 4 + …": (TURNS, 2.0 ** (TURNS + 1) - 1)}, ("terms", "sum"),
    ),
    "exact-penalty/weight_below_the_multiplier": partial(
        objective,
        "The objective with the penalty 2|r| across the constraint. The kink at the "
        "constrained minimizer is too blunt, and the graph falls on one side.",
        lambda t: 6 * t + 3.5 * t**2 + 4 * np.abs(t), (-0.75, 0.25), [(-0.75, 0.25)],
        [Mark(0, 0, "x*", BLUE, (8, -3)), Mark(-2 / 7, -2 / 7, "lower", RED, (4, -10))],
        ("t", "f + 2‖r‖₁"),
    ),
}  # fmt: skip
