"""Where a function, or a set, is no longer convex.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, RED, Mark, Picture, Value
from companion.plots.hypotheses.lines import below_tangent, chord, objective
from companion.plots.hypotheses.planes import contours, scene

TILT = 0.183  # the two wells then differ by 6 · TILT = 1.10, as the descents do
POLE = 0.65  # |a| below which 1/a² is not drawn
ELL = ((0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3))


def _capped(s: Value) -> Value:
    return np.minimum(s**2 - 1, 1)


def _wells(s: Value) -> Value:
    return s**2 / 2 - 3 * np.abs(s) + TILT * s


def _pole(a: Value) -> Value:
    return 1 / np.where(np.abs(a) < POLE, np.nan, a) ** 2


FUNCTIONS: dict[str, Callable[[], Picture]] = {
    "first-order-convexity/cubic": partial(
        below_tangent,
        "The graph of a³. Its tangent at −2 has the value 4 at −1, and the graph the "
        "value −1, which is 5 lower.",
        lambda a: a**3, (-2.3, 1.2), (-2, -1),
    ),
    "second-order-convexity/saddle": partial(
        below_tangent,
        "Along an eigenvector of eigenvalue −1 the graph bends away from its tangent, "
        "and at a distance of 1.63 it is 1.33 lower.",
        lambda a: -(a**2) / 2, (-1.2, 1.9), (0, 1.63), ("t", "f"),
    ),
    "convex-composition/square_of_a_convex_function": partial(
        chord,
        "The graph of (s² − 1)² has two minima and a hump between them. It rises "
        "above its chord from −3/2 to 1/2.",
        lambda s: (s**2 - 1) ** 2, (-1.6, 1.4), (-1.5, 0.5), "(s² − 1)²",
    ),
    "convex-composition/capped": partial(
        chord,
        "The graph of s² − 1, cut off at height 1. It rises above its chord from −5/2 "
        "to −1, which starts on the flat part.",
        _capped, (-2.7, 2.2), (-2.5, -1), "min(s² − 1, 1)",
    ),
    "local-is-global/two_wells": partial(
        objective,
        "A function shaped like a W. Its local minimum at 1 has the value 1/4, the "
        "one at −1 the value −1/4.",
        lambda s: np.abs(np.abs(s) - 1) + s / 4, (-2.1, 2.1), [(-2.1, 2.1)],
        [Mark(1, 0.25, "¼"), Mark(-1, -0.25, "−¼", RED, (-6, -6))],
    ),
    "local-is-global/descents_part": partial(
        objective,
        "A section through the objective with 3|v₁| subtracted: two wells whose "
        "depths differ by 1.1. A descent ends in the one on its side.",
        _wells, (-5.4, 5.2), [(-5.4, 5.2)],
        [Mark(3 - TILT, float(_wells(3 - TILT)), "", BLUE),
         Mark(-3 - TILT, float(_wells(-3 - TILT)), "1.1", RED, (-6, 12))],
        ("v₁", "f"),
    ),
    "normal-cone-optimality/concave_objective": partial(
        objective,
        "The graph of −s² over the interval from −1 to 2. At its left end the value "
        "is −1 and −∇f is a normal; at its right end the value is −4.",
        lambda s: -(s**2), (-1.5, 2.4), [(-1, 2)],
        [Mark(-1, -1, "−∇f is normal", BLUE, (9, -9)),
         Mark(2, -4, "−4", RED, (-9, 0))],
        ("s", "f"),
    ),
    "weak-duality/concave_objective": partial(
        objective,
        "The graph of −½x² over [−1, 1]. The dual value at u = 0 is 0, the top of the "
        "graph, and x = 1 lies ½ below it.",
        lambda x: -(x**2) / 2, (-1.3, 1.3), [(-1, 1)],
        [Mark(0, 0, "bound 0", BLUE, (0, -9)), Mark(1, -0.5, "−½", RED, (-9, 0))],
    ),
    "strong-duality/local_minimizer_of_a_concave_objective": partial(
        objective,
        "The graph of −½x² over [−1, 2]. The left end, −½, is a local minimum with "
        "multipliers; the right end lies 3/2 lower.",
        lambda x: -(x**2) / 2, (-1.5, 2.3), [(-1, 2)],
        [Mark(-1, -0.5, "−½", BLUE, (-8, 0)), Mark(2, -2, "−2", RED, (-9, 0))],
    ),
    "saddle-point/concave_saddle": partial(
        objective,
        "The graph of −½x² with no multiplier at work. From x = 0 the Lagrangian "
        "falls by ½ as x goes to 1.",
        lambda x: -(x**2) / 2, (-1.3, 1.3), [(-1, 1)],
        [Mark(0, 0, "x = 0", BLUE, (0, -9)),
         Mark(1, -0.5, "½ lower", RED, (-9, 0))],
        ("x", "L(x, ν, λ)"),
    ),
    "qp-optimality/concave_objective": partial(
        objective,
        "The graph of −½x² over [−1, 1]. The KKT conditions hold at its top x = 0; at "
        "x = ½ the value is 1/8 lower.",
        lambda x: -(x**2) / 2, (-1.3, 1.3), [(-1, 1)],
        [Mark(0, 0, "KKT", BLUE, (0, -9)), Mark(0.5, -0.125, "−⅛", RED, (9, 3))],
        ("x", "p"),
    ),
    "kkt-sufficient/concave_objective": partial(
        objective,
        "The graph of −z² over [−1, 1]. It is stationary at its top, and both ends "
        "lie 1 lower.",
        lambda z: -(z**2), (-1.25, 1.25), [(-1, 1)],
        [Mark(0, 0, "stationary", BLUE, (0, -9)), Mark(1, -1, "−1", RED, (-9, 0)),
         Mark(-1, -1, "−1", RED, (9, 0))],
        ("z", "f"),
    ),
    "kkt-differentiable/concave_branch": partial(
        objective,
        "The graph of −½(x + 1/9)² over [−1, 1]. The branch x = θ follows its top; "
        "the end x = 1 has the value −50/81.",
        lambda x: -((x + 1 / 9) ** 2) / 2, (-1.3, 1.3), [(-1, 1)],
        [Mark(-1 / 9, 0, "x = θ", BLUE, (0, -9)),
         Mark(1, -50 / 81, "−50/81", RED, (-9, 0))],
    ),
    "value-sensitivity/concave_objective": partial(
        below_tangent,
        "The value −½(1 + δ)² of the concave program touches the line of slope −λ at "
        "δ = 0 and lies below it elsewhere.",
        lambda a: -((1 + a) ** 2) / 2, (-0.9, 1.2), (0, 0.9), ("δ", "value"),
    ),
    "exact-penalty/saddle_along_the_constraint": partial(
        objective,
        "Along the constraint x₁ + x₂ = 0 the objective is −t², so the stationary "
        "point t = 0 is a top; no weight of a penalty changes that.",
        lambda t: -(t**2), (-1, 1), [(-1, 1)],
        [Mark(0, 0, "x*", BLUE, (0, -9)), Mark(0.6, -0.36, "lower", RED, (9, 2))],
        ("t", "f on Ax = b"),
    ),
    "kkt-inverse/indefinite": partial(
        contours,
        "Level lines of the saddle ½(x₁² − x₂²). Along the line x₁ = 0, which the "
        "constraint leaves free, the curvature is −1.",
        np.diag([1.0, -1.0]), (1, 0), (0, 1), ("Cx = 0", "curvature −1"),
    ),
}  # fmt: skip

SETS: dict[str, Callable[[], Picture]] = {
    "second-order-convexity/two_branches": partial(
        below_tangent,
        "The two branches of 1/a², one on each side of zero. The tangent of the left "
        "one at −2 passes 1 above the right one at 2.",
        _pole, (-2.6, 2.6), (-2, 2),
    ),
    "local-is-global/two_intervals": partial(
        objective,
        "The function |s| on two separate intervals. The inner end 2 of the right one "
        "is a local minimum; the inner end −1 of the left one lies lower.",
        np.abs, (-3.2, 3.2), [(-3, -1), (2, 3)],
        [Mark(2, 2, "2", BLUE, (0, 9)), Mark(-1, 1, "1", RED, (-9, -4))],
        ("s", "|s|"),
    ),
    "projection-characterization/notch_of_an_ell": partial(
        scene,
        "A set shaped like an L. The point v in its notch has the nearest point p on "
        "the lower arm; the tip z of the other arm lies on the side of v.",
        [ELL],
        [Mark(9 / 4, 2, "v", INK), Mark(9 / 4, 1, "p", BLUE, (6, -8)),
         Mark(1, 9 / 4, "z", RED, (-8, 0))],
        [((9 / 4, 1), (9 / 4, 2), BLUE), ((9 / 4, 1), (1, 9 / 4), RED)],
        window=(-0.4, 4.2, -0.2, 3.1),
    ),
    "projection-nonexpansive/jump_across_the_notch": partial(
        scene,
        "A set shaped like an L and two neighbouring points in its notch. One "
        "projects to the lower arm, the other to the upright one, far away.",
        [ELL],
        [Mark(9 / 4, 2, "v", INK, (8, 0)), Mark(2, 9 / 4, "w", INK, (0, 9)),
         Mark(9 / 4, 1, "", RED), Mark(1, 9 / 4, "", RED)],
        [((9 / 4, 2), (9 / 4, 1), RED), ((2, 9 / 4), (1, 9 / 4), RED)],
        window=(-0.4, 4.2, -0.2, 3.1),
    ),
    "moreau-decomposition/two_rays": partial(
        scene,
        "The cone of two rays, the halves of the axes. The point v = (3, 4) projects "
        "to p = (0, 4), and what is missing is not in the polar.",
        [],
        [Mark(3, 4, "v", INK), Mark(0, 4, "p", BLUE, (-8, 0))],
        [((0, 4), (3, 4), RED)],
        [([(0, 0), (0, 5)], BLUE), ([(0, 0), (6, 0)], BLUE)],
        window=(-2, 7, -0.6, 5.4),
    ),
    "kkt-sufficient/outside_of_an_interval": partial(
        objective,
        "The objective z over the outside of an interval. The KKT point z = 1 is the "
        "lowest of the right part; z = −2 in the left part lies 3 lower.",
        lambda z: z, (-2.4, 2.4), [(-2.4, -1), (1, 2.4)],
        [Mark(1, 1, "KKT", BLUE, (0, 9)), Mark(-2, -2, "3 lower", RED, (9, -3))],
        ("z", "f"),
    ),
}  # fmt: skip
