"""Where nothing bends: flat directions, whole faces of minimizers, jumps.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, RED, Mark, Picture
from companion.plots.hypotheses.counts import bars, tiles
from companion.plots.hypotheses.lines import branches, jump, kink, objective
from companion.plots.hypotheses.planes import contours, ring, scene

FLAT = np.diag([1.0, 0.0])
CUBES = np.linspace(-1, 1, 61)  # x; then θ = 4x³
BOX = ((0, 0), (1, 0), (1, 1), (0, 1))
TALL = ((0, 0), (1, 0), (1, 2), (0, 2))

CURVATURE: dict[str, Callable[[], Picture]] = {
    "unconstrained-argmin/flat_minimum": partial(
        branches,
        "The minimizer of x⁴ − θx as a curve over θ. At θ = 0, where x⁴ has no "
        "curvature, the curve stands upright.",
        [(4 * CUBES**3, CUBES, BLUE)], [Mark(0, 0, "slope ∞", RED, (8, -2))],
        ("θ", "x(θ)"),
    ),
    "value-function/minimizer_that_jumps": partial(
        objective,
        "The graph of (x² − 1)²/8 with its two minimizers −1 and 1 at the same "
        "height. The least tilt decides between them.",
        lambda x: (x**2 - 1) ** 2 / 8, (-1.6, 1.6), [(-1.6, 1.6)],
        [Mark(-1, 0, "θ < 0", BLUE, (0, 10)), Mark(1, 0, "θ > 0", RED, (0, 10))],
        ("x", "f at θ = 0"),
    ),
    "equality-argmin/schur_without_inverse": partial(
        contours,
        "Level lines of ½x₂², which is flat along x₁. The constraint's line runs "
        "along x₂, where it does bend: the minimizer moves smoothly though H⁻¹ fails.",
        np.diag([0.0, 1.0]), (1, 0), (1, 0), ("Ax = 0", "flat"),
    ),
    "equality-argmin/no_curvature_on_the_null_space": partial(
        contours,
        "Level lines of ½x₁², which are upright. The constraint's line is one of "
        "them, so nothing picks a point on it.",
        FLAT, (1, 0), (0, 1), ("Ax = 0", "flat"),
    ),
    "strongly-convex-minimizer/linear_objective": partial(
        scene,
        "A box one wide and two high. Two costs that differ by 1/50 have their minima "
        "at the corners (0, 0) and (1, 0), a unit apart.",
        [TALL],
        [Mark(0, 0, "q₁ = 1/100", BLUE, (-8, 0)),
         Mark(1, 0, "q₁ = −1/100", RED, (8, 0))],
        [((0.12, 0), (0.88, 0), RED)],
        window=(-2.2, 3.2, -0.4, 2.3),
    ),
    "qp-dual/slope_outside_the_range": partial(
        objective,
        "Along x₂ the Lagrangian is a falling line without a bend. The pseudo-inverse "
        "names the value 0; at x₂ = 8 the line has reached −8.",
        lambda t: -t, (-2, 9), [(-2, 9)],
        [Mark(0, 0, "claimed: 0", BLUE, (6, 8)), Mark(8, -8, "−8", RED, (-9, -3))],
        ("x₂", "L"),
    ),
    "qp-uniqueness/linear_objective": partial(
        scene,
        "The unit box with the objective −x₁. Every point of its right edge is a "
        "minimizer; two corners are marked.",
        [BOX],
        [Mark(1, 0, "(1, 0)", RED, (8, 0)), Mark(1, 1, "(1, 1)", RED, (8, 0))],
        [((0.25, 0.5), (0.75, 0.5), INK)], [([(1, 0), (1, 1)], RED)],
        window=(-0.7, 2.0, -0.25, 1.3),
    ),
    "kkt-nonsingular/flat_direction": partial(
        contours,
        "Level lines of ½x₁² and an active wall that runs along them. Moving along "
        "the wall changes no condition.",
        FLAT, (1, 0), (0, 1), ("wall", "flat"),
    ),
    "qp-augmented/common_null_vector": partial(
        bars,
        "The leading minors of the augmented matrix: 5/2 and 0. It is not definite.",
        {"first": 2.5, "second": 0.0}, ["second"],
    ),
    "qp-parametrisation/no_shift": partial(
        objective,
        "With L = 0 and ε = 0 the quadratic form is zero everywhere, so its graph is "
        "a level line and every point is a minimizer.",
        lambda x: 0 * x, (-1, 1), [(-1, 1)],
        [Mark(-0.5, 0, "a minimizer", BLUE, (0, 9)),
         Mark(0.6, 0, "another", RED, (0, 9))],
        ("x", "½xᵀ(LLᵀ + εI)x"),
    ),
    "kkt-inverse/flat_direction": partial(
        tiles,
        "The saddle matrix of P = diag(1, 0) and C = (1, 0). Its second row and "
        "column are zero.",
        np.array([[1.0, 0, 1], [0, 0, 0], [1, 0, 0]]),
        [(1, 0), (1, 1), (1, 2), (0, 1), (2, 1)], "inertia (1, 1, 1)",
    ),
    "solution-lipschitz/interval_without_curvature": partial(
        jump,
        "The minimizer of qx on the unit interval: 1 for negative q, 0 for positive "
        "q. It jumps by 1 while q moves by 1/5000.",
        (1, 0), ("q", "x(q)"), ("x = 1", "x = 0"),
    ),
    "jacobian-bounds/linear_objective": partial(
        bars,
        "On [0, 1] the minimizer of qx moves by 1 while q moves by 1/10000. A "
        "constant of 1000 would allow a tenth.",
        {"x moves": 1.0, "allowed": 0.1}, ["x moves"],
    ),
    "basic-sensitivity/point_in_the_middle": partial(
        scene,
        "The forbidden disc with c at its centre: every point of the circle is "
        "nearest. The least move of c decides between opposite points.",
        [],
        [Mark(0, 0, "c", INK, (0, -9)), Mark(1, 0, "x", BLUE, (8, 0)),
         Mark(-1, 0, "x", RED, (-8, 0))],
        [((0.1, 0), (0.85, 0), BLUE), ((-0.1, 0), (-0.85, 0), RED)],
        [(ring(), BLUE)], (-1.9, 1.9, -1.2, 1.2),
    ),
    "value-sensitivity/one_of_many_minimizers": partial(
        kink,
        "The value as a function of the cost's first entry: slope 1 on the left, 0 on "
        "the right. The minimizer (0, 0), taken for all of the edge, claims 0.",
        (1, 0), 0, ("δ₁", "V"), ("slope 1", "slope 0", "claimed: 0"),
    ),
}  # fmt: skip
