"""Hypotheses of the statements on layers: representation, reductions and routes.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, RED, Mark, Picture
from companion.plots.hypotheses.counts import bars, runs, tiles
from companion.plots.hypotheses.lines import branches, kink, objective
from companion.plots.hypotheses.planes import ring, scene

Pictures = dict[str, Callable[[], Picture]]

LOG = ("log", "log")
BEHIND, AHEAD, LEVEL = np.array([-1.0, 0]), np.array([0, 1.0]), np.zeros(2)
SIDES = (-1, 0)  # slopes of max(−q, 0), the minimizer of ½x² + qx over x ≥ 0
UNROLLED = np.arange(7.0)  # steps of length ½ from 1
OPEN = 1 - 0.5**UNROLLED  # derivative of the iterate, whose row never shuts
AT_REST = np.array([  # OptNet's matrix with λ = (2, 0) and slack (0, 0)
    [2, 1, 0, 1, 0, 1],
    [1, 3, 0, 0, 1, 1],
    [0, 0, 1, -1, 1, 1],
    [2, 0, -2, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
    [1, 1, 1, 0, 0, 0],
])  # fmt: skip
TWICE = np.array(
    [  # CP⁻¹Cᵀ + E with the equality in two rows
        [8 / 5, 8 / 5, -3 / 5, 6 / 5],
        [8 / 5, 8 / 5, -3 / 5, 6 / 5],
        [-3 / 5, -3 / 5, 77 / 45, -6 / 5],
        [6 / 5, 6 / 5, -6 / 5, 27 / 5],
    ]
)
ANGLES = 10.0 ** -np.arange(1, 7)  # between two walls
MU = 10.0 ** -np.arange(2, 7)
SMOOTHED = {  # error of the gradient in q, as measured at these values of mu
    "no row at rest": np.array([7.751e-2, 8.862e-3, 8.992e-4, 9.006e-5, 9.007e-6]),
    "row at rest": np.array([9.421e-2, 5.908e-2, 5.878e-2, 5.895e-2, 5.901e-2]),
}
DISC = ring() + np.array([1.0, 0.0])
WEIGHTS = np.array([1, 0.5, 0.25, 0.1, 0.03, 0.001])  # of the ridge
HELD = np.array([[8 / 5, -3 / 5], [-3 / 5, 8 / 5]])  # CP⁻¹Cᵀ on the rows that push
ALL_ROWS = np.array(
    [  # and on all rows
        [8 / 5, -3 / 5, 6 / 5],
        [-3 / 5, 8 / 5, -6 / 5],
        [6 / 5, -6 / 5, 7 / 5],
    ]
)
COUNT = np.arange(41)
PULLED = np.array([[0, 1], [22 / 9, 17 / 9], [18, -2], [20, -2]])  # τ and x₁
SLOPE = 4 / 11  # of x₁ in τ on the first piece


def over_the_disc(weight: np.ndarray) -> np.ndarray:
    """Minimizers of x₂ + ½γ|x|² over the disc of radius one about (1, 0)."""
    size = np.hypot(1, weight)
    return np.column_stack([1 - weight / size, -1 / size])


def curved_wall() -> Picture:
    """The disc, its lowest point, and the minimizers for falling weights."""
    points = over_the_disc(WEIGHTS)
    at = ", ".join(f"{c:.3f}" for c in points[0]).replace("-", "−")
    return scene(
        "A disc and its lowest point (1, −1), the solution of the linear program. The "
        f"minimizers with a ridge lie beside it on the circle: for γ = 1 at ({at}).",
        [DISC],
        [*(Mark(x, y, "", RED) for x, y in points[1:-1]),
         Mark(points[0, 0], points[0, 1], "γ = 1", RED, (-7, -6)),
         Mark(1, -1, "(1, −1)", BLUE, (0, -9))],
        paths=[(DISC, BLUE)], window=(-0.6, 2.1, -1.4, 0.4),
    )  # fmt: skip


def rates() -> dict[str, float]:
    """What an error is multiplied by, for α = 1/λ_max(H) and six times that."""
    values, top = np.linalg.eigvalsh(HELD), np.linalg.eigvalsh(ALL_ROWS)[-1]
    return {f"α = {k}/λₘₐₓ": float(np.abs(1 - k * values / top).max()) for k in (1, 6)}


def step_too_long() -> Picture:
    """Bounds on the error over forty steps."""
    short, long = rates().values()
    power = int(np.log10(long**40))
    return runs(
        f"Forty steps of projected ascent, logarithmic. A step 1/λₘₐₓ multiplies the "
        f"error by {short:.2f} each time; one of 6/λₘₐₓ by {long:.2f}, in all by "
        f"{long**40 / 10.0**power:.1f}·10^{power}.",
        {name: (COUNT[::4], rate ** COUNT[::4]) for name, rate in rates().items()},
        ("step", "error"),
    )


def another_piece() -> Picture:
    """A coordinate of the solution along the seed, and its first piece continued."""
    tau, x = PULLED.T
    line = 1 + SLOPE * tau
    return branches(
        f"The first coordinate of the solution for q + τg. It has the slope 4/11 as "
        f"far as τ = 22/9 and then turns; at τ = 20 it is {x[-1]:g}, where the line of "
        f"the first piece has {line[-1]:.3g}.".replace("-", "−"),
        [(tau, x, BLUE), (tau[1:], line[1:], RED)],
        [Mark(tau[-1], x[-1], "τ = 20", BLUE, (0, 9)),
         Mark(tau[-1], line[-1], "x + τdₓ", RED, (-9, 2))],
        ("τ", "x₁"),
    )  # fmt: skip


STRICT: Pictures = {
    "backward-is-a-qp/row_at_rest": partial(
        kink,
        "The minimizer of ½x² + qx over x ≥ 0 against q, and g = 1. At q = 0 no row "
        "pushes, so the backward program returns −1; for q > 0 the loss moves by 0.",
        SIDES, -1, ("q", "x(q)"), ("free", "moves by 0", "dₓ = −1"),
    ),
    "full-and-reduced-agree/row_at_rest": partial(
        tiles,
        "OptNet's matrix of six rows for λ = (2, 0) and slack (0, 0). Its fifth row, "
        "λ₂G₂ and −s₂, is zero; the reduced matrix leaves it out and is nonsingular.",
        AT_REST, [(4, j) for j in range(6)], "λ₂ = s₂ = 0",
    ),
    "unrolled-projected/row_at_rest": partial(
        branches,
        "Derivative of a multiplier by steps of length ½ from 1, where the row is at "
        "rest. The iterates 1, ½, ¼, … stay positive, and it climbs to 63/64 in six "
        "steps; with the row shut it is 0.",
        [(UNROLLED, 0 * UNROLLED, BLUE), (UNROLLED, OPEN, RED)],
        [*(Mark(k, d, "", RED) for k, d in enumerate(OPEN)),
         Mark(4, 0, "row shut", BLUE, (0, 9)), Mark(6, OPEN[6], "63/64", RED, (0, -9))],
        ("step", "dy/dq"),
    ),
    "alternating-derivative/row_at_rest": partial(
        kink,
        "The minimizer of ½x² + qx over x ≥ 0 against q. At q = 0 no multiplier is "
        "positive, and the alternating recursion ends at −1; to the right the slope "
        "is 0.",
        SIDES, -1, ("q", "x(q)"), ("free", "slope 0", "its limit −1"),
    ),
    "perturbation-limit/at_the_kink": partial(
        branches,
        "The minimizer of ½x² + qx over x ≥ 0 against q. At q = 0 the one-sided "
        "quotient of g = 1 is 0 and that of −g is 1, where a gradient would have "
        "minus the former.",
        [(AHEAD, LEVEL, BLUE),
         (BEHIND, -BEHIND, RED)],
        [Mark(0.6, 0, "g: quotient 0", BLUE, (0, 9)),
         Mark(-0.6, 0.6, "−g: quotient 1", RED), Mark(0, 0, "", INK)],
        ("q", "x(q)"),
    ),
    "central-path-accuracy/row_at_rest": partial(
        runs,
        "Distance of the central path from its end over mu, both logarithmic. Where a "
        "row of ½x² - 3x over x ≤ 1 pushes it falls like mu/2; where that of ½x² over "
        "x ≥ 0 is at rest it is the root of mu.",
        {"pushed": (MU, MU / 2), "row at rest": (MU, np.sqrt(MU))},
        ("mu", "distance"), LOG,
    ),
    "smoothed-adjoint/row_at_rest": partial(
        runs,
        "Error of the smoothed gradient in q as mu falls from 0.01 to 0.000001, both "
        "logarithmic. It falls like mu, but stays at 0.059 where a row is at rest.",
        {name: (MU, error) for name, error in SMOOTHED.items()}, ("mu", "error"), LOG,
    ),
}  # fmt: skip

INDEPENDENT: Pictures = {
    "schur-reduction/equality_twice": partial(
        tiles,
        "The reduced matrix of an equality that is written twice: its first two rows "
        "are equal. The leading minors are 8/5, 0, 0, 0.",
        TWICE, [(0, 0), (0, 1), (1, 0), (1, 1)], "a row and its copy",
    ),
    "qp-layer-lipschitz/coinciding_walls": partial(
        runs,
        "Two walls at an angle t, one of which moves back by t²: the solution moves "
        "by t, so on logarithmic axes the slope is ½. At a right angle it moves by t² "
        "and the slope is 1.",
        {"right angle": (ANGLES**2, ANGLES**2), "angle t": (ANGLES**2, ANGLES)},
        ("data", "solution"), LOG,
    ),
}  # fmt: skip

SIGNS: Pictures = {
    "central-path-gap/both_factors_negative": partial(
        objective,
        "Half of x² over x at most one. At x = 3/2 multiplier and slack are both "
        "negative, their product is ¾, and the allowed point zero is better by 9/8.",
        lambda x: x**2 / 2, (-0.8, 1.8), [(-0.8, 1)],
        [Mark(1.5, 1.125, "λ, s < 0", RED, (-9, 6)), Mark(0, 0, "", shift=(7, 9))],
    ),
}  # fmt: skip

FEASIBLE: Pictures = {
    "newton-residual-decrease/outside_the_feasible_set": partial(
        bars,
        "Two numbers that agree at feasible points, at a point that is not: the "
        "curvature along the step is positive, the sum of the products is negative.",
        {"dxᵀPdx": 88061 / 17298, "dsᵀdλ": -22609 / 17298}, ["dsᵀdλ"],
    ),
}  # fmt: skip

CURVATURE: Pictures = {
    "nonnegative-dual/flat_direction": partial(
        bars,
        "The force that is left at the recovered point of a program without curvature "
        "in x₂: none along x₁, and one half along x₂, which no x can answer.",
        {"along x₁": 0, "along x₂": 0.5}, ["along x₂"],
    ),
}  # fmt: skip

INTERIOR: Pictures = {
    "qp-layer-lipschitz/no_slater_point": partial(
        branches,
        "First coordinate of the point of tx₁ ≤ x₂ ≤ 0 nearest to (1, 0), over t. At "
        "t = 0 the set is a line and the coordinate 1; in the wedge of any t > 0 it "
        "is 0.",
        [(AHEAD, LEVEL, BLUE), (LEVEL, AHEAD, RED)],
        [Mark(0, 1, "t = 0: a line", BLUE, (9, -2)), Mark(0, 0, "", RED, hollow=True),
         Mark(0.6, 0, "t > 0: a wedge", BLUE, (0, 9))],
        ("t", "x₁"),
    ),
}  # fmt: skip

STRUCTURE: Pictures = {
    "pwl-layer/step_function": partial(
        branches,
        "A step from 0 to 1 at zero, with the slope 0 on both sides. A hinge weighted "
        "with the change of slope adds nothing, so the form is 0 at zero and f is 1.",
        [(BEHIND, LEVEL, BLUE), (AHEAD, np.ones(2), BLUE),
         (AHEAD, LEVEL, RED)],
        [Mark(0, 1, "f(0) = 1", BLUE, (-8, 0)), Mark(0, 0, "form: 0", RED, (4, 9))],
        ("x", "f(x)"),
    ),
    "max-affine-separation/two_hidden_layers": partial(
        bars,
        "f(x) − f(−x) for two hidden layers, max(0, x₂ + max(x₁ − x₂, 0)): 1 at e₁, "
        "at e₂ and at e₁ + e₂, where a linear function has the sum 2.",
        {"e₁": 1, "e₂": 1, "e₁ + e₂": 1}, ["e₁ + e₂"], [(2, "sum of the two")],
    ),
    "max-affine-separation/beyond_a_crease": partial(
        branches,
        "f(x) − f(−x) for f = max(x₁ + x₂ − 1, 0) along x = s(1, 1): zero, hence "
        "linear, for |s| ≤ ½, and 1 at s = 1, while it is 0 at e₁ and at e₂.",
        [(AHEAD - 0.5, LEVEL, BLUE),
         (AHEAD / 2 + 0.5, AHEAD, RED),
         (BEHIND / 2 - 0.5, BEHIND, RED)],
        [Mark(1, 1, "1 at e₁ + e₂", RED, (-9, 0)), Mark(0, 0, "near 0", BLUE, (0, 9))],
        ("s", "f(x) − f(−x)"),
    ),
    "exact-regularization/curved_wall": curved_wall,
}  # fmt: skip

LIMITS: Pictures = {
    "dual-active-set/step_too_long": partial(
        objective,
        "The dual objective along a multiplier that enters: a parabola whose lowest "
        "point is at t = 0.8. Three times as far it is higher than at the start.",
        lambda t: -2 * t + 1.25 * t**2, (0, 2.6), [(0, 0.8)],
        [Mark(2.4, 2.4, "too long", RED, (-9, 9)), Mark(0, 0, "")], ("t", "f"),
    ),
    "unrolled-projected/step_too_long": step_too_long,
    "perturbation-limit/another_piece": another_piece,
}  # fmt: skip
