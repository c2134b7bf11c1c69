"""Hypotheses of the statements on cone programs and their derivatives.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, GREY, RED, Mark, Picture
from companion.plots.hypotheses.counts import runs, tiles
from companion.plots.hypotheses.lines import branches, jump, kink, objective
from companion.plots.hypotheses.planes import scene

Pictures = dict[str, Callable[[], Picture]]

BESIDE = np.linspace(0, 2, 41)  # x; the solution is x = 1
HYPERBOLA = np.linspace(0.32, 3.2, 41)
TEMPERATURES = 2.0 ** -np.arange(1, 9)

SIGNS: Pictures = {
    "cone-duality/pulling_wall": partial(
        objective,
        "The objective −x over x ≥ 1 falls without end. The multiplier −1 makes the "
        "dual value −1, and x = 2 lies 1 below it.",
        lambda x: -x, (0.4, 2.6), [(1, 2.6)],
        [Mark(1, -1, "dual value", BLUE, (8, 6)), Mark(2, -2, "1 lower", RED, (9, 3))],
    ),
}  # fmt: skip

EXISTENCE: Pictures = {
    "infeasibility-certificate/residual_left": partial(
        scene,
        "The line of x with the feasible set x ≥ 100, far away. The near-certificate "
        "y = 1 leaves a residual of 1/100 and excludes only |x| below 100.",
        [],
        [Mark(0, 0, "0", INK, (0, -9)), Mark(2.5, 0, "x = 100", RED, (0, 10))],
        (), [([(-2.5, 0), (2.5, 0)], GREY), ([(2.5, 0), (3.5, 0)], BLUE)],
        (-2.8, 3.6, -1.4, 1.4),
    ),
    "homogeneous-embedding/neither": partial(
        branches,
        "The curve x₁x₂ = 1 with the points above it. Its left edge comes as near to "
        "x₁ = 0 as one likes and never touches: the infimum is not attained.",
        [(HYPERBOLA, 1 / HYPERBOLA, BLUE), (0 * HYPERBOLA, HYPERBOLA, RED)],
        [Mark(0, 3.2, "x₁ = 0", RED, (7, 4)), Mark(1, 1, "x₁x₂ = 1", BLUE, (8, 6))],
        ("x₁", "x₂"),
    ),
    "residual-map/zero_that_is_a_certificate": partial(
        scene,
        "The bounds x ≥ 1 and x ≤ −1 as two rays that do not meet. The zero of the "
        "residual map has τ = 0 and is the certificate y = (1, 1).",
        [],
        [Mark(1, 0.15, "x ≥ 1", BLUE, (6, 9)),
         Mark(-1, -0.15, "x ≤ −1", RED, (0, -9))],
        (), [([(-2.6, 0), (2.6, 0)], GREY), ([(1, 0.15), (2.6, 0.15)], BLUE),
             ([(-1, -0.15), (-2.6, -0.15)], RED)],
        (-2.8, 2.8, -1.2, 1.2),
    ),
}  # fmt: skip

STRICT: Pictures = {
    "cone-derivative/corner": partial(
        kink,
        "The minimizer of ½x² + qx over x ≥ 0: it falls to zero and stays. With the "
        "entry ½ for the projection at its corner the system answers −½ at q = 0.",
        (-1, 0), -0.5, ("q", "x(q)"), ("free", "held", "D = ½"),
    ),
}  # fmt: skip

INDEPENDENT: Pictures = {
    "cone-adjoint/bound_twice": partial(
        kink,
        "The least x with x ≥ 1 and x ≥ 1 + t: one where t is negative, 1 + t where "
        "it is positive. Least squares splits the slope in half.",
        (0, 1), 0.5, ("t", "x(t)"), ("the copy holds", "moves", "least squares"),
    ),
}  # fmt: skip

SOLVED: Pictures = {
    "singular-embedding/beside_the_solution": partial(
        branches,
        "The determinant of M over x for min ½x² over x ≥ 1, a parabola that touches "
        "zero at the solution x = 1. At x = 3/2 it is ¼.",
        [(BESIDE, (BESIDE - 1) ** 2, BLUE)],
        [Mark(1, 0, "solution", BLUE, (0, 12)), Mark(1.5, 0.25, "¼", RED, (9, -4))],
        ("x", "det M"),
    ),
}  # fmt: skip

STRUCTURE: Pictures = {
    "untransposed-adjoint/loss_in_the_multiplier": partial(
        branches,
        "The multiplier of ½x² over x ≥ c as a curve over c: it is c itself. The short "
        "formula, made for losses in x, gives the slope −1 of the dashed line.",
        [(BESIDE, BESIDE, BLUE), (BESIDE, 2 - BESIDE, RED)],
        [Mark(1, 1, "", INK), Mark(1.7, 1.7, "y = c", BLUE, (-9, 5)),
         Mark(1.7, 0.3, "slope −1", RED, (-9, -6))],
        ("c", "y"),
    ),
    "quadratic-cone-program/lopsided": partial(
        tiles,
        "A matrix P that is not symmetric: 2 above the diagonal, 0 below it. The form "
        "xᵀPx does not see the difference, its gradient 2Px does.",
        np.array([[1.0, 2], [0, 1]]), [(0, 1), (1, 0)], "P ≠ Pᵀ",
    ),
}  # fmt: skip

CURVATURE: Pictures = {
    "lagrangian-perturbation/flat_objective": partial(
        jump,
        "The minimizer of qx over |x| ≤ 1 jumps from one end to the other at q = 0, "
        "where every x is a solution.",
        (1, -1), ("q", "x(q)"), ("x = 1", "x = −1"),
    ),
}  # fmt: skip

LIMITS: Pictures = {
    "solution-refinement/other_piece": partial(
        runs,
        "Newton steps for min ½x² over x ≥ 1. From the piece of the solution one "
        "step arrives; from the other side it takes two, with x = 2, 0, 1.",
        {"same piece": (np.arange(3), np.array([2.0, 1, 1])),
         "other piece": (np.arange(3), np.array([2.0, 0, 1]))},
        ("step", "x"), ("linear", "linear"),
    ),
}  # fmt: skip
