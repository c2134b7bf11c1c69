"""Where a touching wall does not push, and where walls repeat each other.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, RED, Array, Mark, Picture
from companion.plots.hypotheses.counts import runs, tiles
from companion.plots.hypotheses.lines import branches, kink
from companion.plots.hypotheses.planes import multipliers, ring, scene

LINE = np.linspace(-1, 1, 61)
LAMBDAS = ("λ₁", "λ₂")
STEPS = 2.0 ** -np.arange(6, 11)
REMAINDERS = (1.05e-3, 4.47e-4, 2.04e-4, 9.69e-5, 4.72e-5)  # at the steps above
WALL = 0.85  # where the wall stands once it has moved inwards


def _barrier(theta: Array, mu: float) -> Array:
    return (theta + np.sqrt(theta**2 + 4 * mu)) / 2


def _slope(q: Array, mu: float) -> Array:
    return -(1 - q / np.sqrt(q**2 + 4 * mu)) / 2


STRICT: dict[str, Callable[[], Picture]] = {
    "log-barrier/at_the_kink": partial(
        branches,
        "The ramp max(0, θ) and the barrier's smooth curves above it. At θ = 0 every "
        "one of them has the slope ½, and the ramp the slopes 0 and 1.",
        [(LINE, np.maximum(LINE, 0), BLUE),
         *((LINE, _barrier(LINE, mu), RED) for mu in (0.1, 0.01))],
        [Mark(0, 0, "½, not 0 or 1", INK, (12, -1))], ("θ", "x"),
    ),
    "central-path-smoothing/does_not_converge_at_the_kink": partial(
        branches,
        "Slopes of the central path as functions of q for three values of μ. They "
        "steepen towards a step from −1 to 0, and all pass through −½ at q = 0.",
        [*((LINE, _slope(LINE, mu), RED) for mu in (0.1, 0.01, 0.001)),
         (np.array([-1, 0, 0, 1]), np.array([-1, -1, 0, 0]), BLUE)],
        [Mark(0, -0.5, "−½ for every μ", INK, (9, -4))], ("q", "∂x/∂q"),
    ),
    "tv-gradients/at_the_merge": partial(
        kink,
        "The jump between two entries as the strength λ grows: it falls with slope −2 "
        "and stays at zero from λ = 1 on, where the entries have merged.",
        (-2, 0), -2, ("λ", "z₂ − z₁"), ("slope −2", "merged", "kept on"),
    ),
    "simplex-projection/entry_on_the_threshold": partial(
        kink,
        "The second entry of the projection as its input grows: it stays at zero up "
        "to the threshold and rises with slope ½ after it.",
        (0, 0.5), 0, ("x₂", "z₂"), ("slope 0", "slope ½", "claimed: 0"),
    ),
    "kkt-nonsingular/weakly_active_row": partial(
        tiles,
        "The KKT matrix of one active row with λ = 0. Its second row, λG and the "
        "slack, is zero.",
        np.array([[1.0, 1], [0, 0]]), [(1, 0), (1, 1)], "λ = 0 and s = 0",
    ),
    "qp-active-set/relu_at_zero": partial(
        kink,
        "The minimizer of ½(x − c)² over x ≥ 0: zero while c is negative, then c. To "
        "the right of c = 0 the wall no longer touches.",
        (0, 1), 0, ("c", "x(c)"), ("touches", "free", "wall kept"),
    ),
    "qp-gradients/weakly_active": partial(
        runs,
        "Remainders of the Taylor test over its steps, both logarithmic. They fall "
        "like the step itself, beside the steeper line of a correct gradient.",
        {"order 2": (STEPS, 4 * STEPS**2), "order 1.12": (STEPS, REMAINDERS)},
        ("step", "remainder"), ("log", "log"),
    ),
    "complementarity-functions/corner": partial(
        scene,
        "The plane of λ and s with the two half axes on which one of them is zero. On "
        "each the gradient of λs is an arrow; at the corner it has length zero.",
        [],
        [Mark(0, 0, "∇(λs) = 0", RED, (0, -11))],
        [((0.7, 0), (0.7, 0.7), BLUE), ((1.4, 0), (1.4, 1.4), BLUE),
         ((0, 0.7), (0.7, 0.7), BLUE)],
        [([(0, 0), (2.4, 0)], INK), ([(0, 0), (0, 1.6)], INK)],
        (-0.7, 2.7, -0.5, 1.75),
    ),
    "degenerate-duals/at_rest": partial(
        kink,
        "The solution of a program with x ≤ 1 written twice and both multipliers "
        "zero. It follows the pull up to the wall, where one formula claims slope 0.",
        (1, 0), 0, ("−q", "x"), ("slope 1", "slope 0", "claimed: 0"),
    ),
    "clarke-jacobian/half_is_no_jacobian": partial(
        kink,
        "The projection onto x ≥ 0 at its kink, with slopes 0 and 1, and a line of "
        "slope ½ between them that belongs to neither side.",
        (0, 1), 0.5, ("y", "max(0, y)"), ("slope 0", "slope 1", "½"),
    ),
    "lp-vertex/tied_vertices": partial(
        scene,
        "A triangle of three vertices with the costs 1, 1 and 3. The whole edge "
        "between the first two is optimal, and the solution is found at its other "
        "end.",
        [((0, 0), (2, 0), (1, 1.6))],
        [Mark(0, 0, "vertex 1", BLUE, (-8, 0)), Mark(2, 0, "vertex 2", RED, (8, 0)),
         Mark(1, 1.6, "cost 3", INK, (8, 0))],
        (), [([(0, 0), (2, 0)], RED)], (-1.4, 3.4, -0.35, 1.9),
    ),
    "kkt-differentiable/half_line_at_zero": partial(
        kink,
        "The nearest x ≥ 0 to θ. At θ = 0 the one-sided slopes are 0 and 1.",
        (0, 1), None, ("θ", "nearest x ≥ 0"), ("slope 0", "slope 1", ""),
    ),
    "basic-sensitivity/point_on_the_circle": partial(
        scene,
        "The forbidden disc with c on its circle. Pushed outwards, the solution moves "
        "with c; pushed inwards, it stays.",
        [],
        [Mark(1, 0, "c = x", INK, (9, -10))],
        [((1.05, 0), (1.7, 0), BLUE), ((0.95, 0), (0.3, 0), RED)],
        [(ring(), BLUE)], (-1.5, 2.2, -1.15, 1.15),
    ),
}  # fmt: skip

INDEPENDENT: dict[str, Callable[[], Picture]] = {
    "penalty-bias/balanced_forces": partial(
        multipliers,
        "The line ν₁ + ν₂ = 0 of multipliers that balance no force at all. The pair "
        "(1, −1) on it is not zero, and yet nothing is violated.",
        [(-1.6, 1.6), (1.6, -1.6)],
        [Mark(0, 0, "(0, 0)", BLUE), Mark(1, -1, "(1, −1)", RED)], ("ν₁", "ν₂"),
    ),
    "exact-penalty/shared_force": partial(
        multipliers,
        "The line ν₁ + ν₂ = −3 and the square |νᵢ| ≤ 4. The pair (−5, 2) lies outside "
        "it, but (−3/2, −3/2) on the same line lies inside.",
        [(-6, 3), (2.5, -5.5)],
        [Mark(-5, 2, "(−5, 2)", RED, (-4, 10)),
         Mark(-1.5, -1.5, "inside", BLUE, (8, 4))],
        ("ν₁", "ν₂"), 4.0,
    ),
    "qp-uniqueness/duplicated_row": partial(
        multipliers,
        "The segment of multipliers λ₁ + λ₂ = 2. The pairs (1, 1) and (½, 3/2) on it "
        "balance the same pull.",
        [(0, 2), (2, 0)],
        [Mark(1, 1, "(1, 1)", BLUE), Mark(0.5, 1.5, "(½, 3/2)", RED)], LAMBDAS,
    ),
    "kkt-nonsingular/dependent_rows": partial(
        tiles,
        "The KKT matrix of one row written twice, with λ = (1, 1). Its second and "
        "third row are equal.",
        np.array([[1.0, 1, 1], [1, 0, 0], [1, 0, 0]]),
        [(i, j) for i in (1, 2) for j in range(3)], "two equal rows",
    ),
    "qp-envelope/equal_bounds": partial(
        kink,
        "The value as the first of two equal bounds moves. Tightened, it has the "
        "slope −2; loosened, the slope 0, as the other bound still holds.",
        (-2, 0), -2, ("h₁", "value"), ("slope −2", "slope 0", "−λ₁ = −2"),
    ),
    "kkt-inverse/repeated_row": partial(
        tiles,
        "The saddle matrix of P = I and the row (1, 0) written twice. Its last two "
        "rows are equal.",
        np.array([[1.0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]),
        [(i, j) for i in (2, 3) for j in range(4)], "inertia (2, 1, 1)",
    ),
    "directional-derivative/duplicated_row": partial(
        scene,
        "Two walls on one line, the pull to the right against them. The first wall, "
        "whose multiplier was chosen, recedes; the second holds x in place.",
        [((-1, 0), (1, 0), (1, 1), (-1, 1))],
        [Mark(1, 0.5, "x", INK, (-8, 8))],
        [((1, 0.78), (1.75, 0.78), RED), ((0.2, 0.25), (0.95, 0.25), INK)],
        [([(1, 0), (1, 1)], BLUE), ([(1.8, 0), (1.8, 1)], RED)],
        (-1, 2.6, -0.4, 1.4),
    ),
    "least-squares-at-kink/redundant_row": partial(
        scene,
        "The quadrant x ≤ 0 with three normals at its corner: two along the axes, and "
        "the redundant one between them, in red.",
        [((0, 0), (-2, 0), (-2, -2), (0, -2))],
        [Mark(0, 0, "", INK)],
        [((0, 0), (0.9, 0), BLUE), ((0, 0), (0, 0.9), BLUE),
         ((0, 0), (0.9, 0.9), RED)],
        [([(-1.1, 1.1), (1.1, -1.1)], RED)], (-1.9, 1.9, -1.2, 1.25),
    ),
    "basic-sensitivity/wall_that_touches": partial(
        scene,
        "The forbidden disc and a wall that touched it, now moved inwards. The "
        "nearest points to c are the two where the wall meets the circle.",
        [],
        [Mark(0.5, 0, "c", INK, (-8, 0)),
         Mark(WALL, (1 - WALL**2) ** 0.5, "x", RED, (8, 4)),
         Mark(WALL, -((1 - WALL**2) ** 0.5), "x", RED, (8, -4))],
        (), [(ring(), BLUE), ([(WALL, -1.15), (WALL, 1.15)], INK)],
        (-1.6, 2.0, -1.15, 1.15),
    ),
    "value-sensitivity/one_of_two_prices": partial(
        multipliers,
        "The segment of multipliers λ₁ + λ₂ = 2 of two equal walls. Its end (2, 0) is "
        "right when the first wall tightens, (0, 2) when it loosens.",
        [(0, 2), (2, 0)],
        [Mark(2, 0, "tighten", RED, (2, 10)), Mark(0, 2, "loosen", BLUE, (9, -3))],
        LAMBDAS,
    ),
}  # fmt: skip
