"""Hypotheses of the statements on layers: representation, reductions and routes.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots.hypotheses.canvas import Picture
from companion.plots.hypotheses.counts import runs, tiles
from companion.plots.hypotheses.lines import jump, kink

Pictures = dict[str, Callable[[], Picture]]

STEPS = 2.0 ** -np.arange(4, 12)
COUNT = np.arange(1, 13)
LOG = ("log", "log")

STRICT: Pictures = {
    "backward-is-a-qp/row_at_rest": partial(
        kink,
        "The nearest point of x ≥ 0 to c: zero, then c itself. At c = 0 the program of "
        "the backward pass holds the row, and its slope 0 is right on one side only.",
        (0, 1), 0, ("c", "max(c, 0)"), ("held", "released", "row held"),
    ),
    "full-and-reduced-agree/row_at_rest": partial(
        tiles,
        "The full KKT matrix of min ½x² over x ≥ 0 at q = 0. Its second row, λG and "
        "the slack, is zero, while the reduced one has only the entry 1.",
        np.array([[1.0, -1], [0, 0]]), [(1, 0), (1, 1)], "neither held nor free",
    ),
    "unrolled-projected/row_at_rest": partial(
        kink,
        "The minimizer of ½x² + qx over x ≥ 0 against q: it falls to zero and stays. "
        "Steps that start above the wall unroll to the slope −1, on both sides.",
        (-1, 0), -1, ("q", "x(q)"), ("free", "touches", "unrolled"),
    ),
    "alternating-derivative/row_at_rest": partial(
        kink,
        "The minimizer of ½x² + qx over x ≥ 0 against q, with its kink at q = 0. The "
        "gates of the alternating steps shut there, and they give the slope 0.",
        (-1, 0), 0, ("q", "x(q)"), ("free", "touches", "gates shut"),
    ),
    "perturbation-limit/at_the_kink": partial(
        kink,
        "The minimizer of ½x² + qx over x ≥ 0 against q. A central quotient straddles "
        "the kink at q = 0 and gives −½, however small the temperature.",
        (-1, 0), -0.5, ("q", "x(q)"), ("free", "touches", "central quotient"),
    ),
    "smoothed-adjoint/row_at_rest": partial(
        runs,
        "Error of the smoothed minimizer over mu, both logarithmic. At a row at rest "
        "it is the square root of mu, above the line that falls like mu.",
        {"mu": (STEPS, STEPS), "row at rest": (STEPS, np.sqrt(STEPS))},
        ("mu", "error"), LOG,
    ),
}  # fmt: skip

INDEPENDENT: Pictures = {
    "schur-reduction/equality_twice": partial(
        tiles,
        "The reduced matrix of an equality that is written twice: four equal entries, "
        "so its determinant is zero and the elimination stops.",
        np.array([[1.0, 1], [1, 1]]), [(1, 0), (1, 1)], "a row and its copy",
    ),
    "qp-layer-lipschitz/coinciding_walls": partial(
        runs,
        "How far the solution moves over how far two walls that coincide are pushed "
        "apart, both logarithmic: like a square root, above the line of slope one.",
        {"Lipschitz": (STEPS, STEPS), "coinciding walls": (STEPS, np.sqrt(STEPS))},
        ("data", "solution"), LOG,
    ),
}  # fmt: skip

INTERIOR: Pictures = {
    "qp-layer-lipschitz/no_slater_point": partial(
        jump,
        "The first coordinate of the solution over t: one where t is zero, because the "
        "feasible set is a line there, and zero for every t beyond.",
        (1, 0), ("t", "x₁(t)"), ("a line", "a wedge"),
    ),
}  # fmt: skip

STRUCTURE: Pictures = {
    "pwl-layer/step_function": partial(
        jump,
        "A step from zero to one. A sum of hinges is continuous and cannot jump, so "
        "whatever their number it is wrong beside the step.",
        (0, 1), ("x", "f(x)"), ("zero", "one"),
    ),
    "max-affine-separation/two_hidden_layers": partial(
        kink,
        "Along x₁ = x₂ = s the greatest of 0 and s: a kink at zero, which a second "
        "hidden layer reproduces exactly.",
        (0, 1), None, ("s", "max(0, s)"), ("zero", "s", ""),
    ),
    "max-affine-separation/beyond_a_crease": partial(
        kink,
        "A crease that misses the origin, along a line that crosses it: beyond it the "
        "argument from values near zero has nothing to say.",
        (0, 0.5), 0, ("s", "f"), ("near 0", "beyond", "from near 0"),
    ),
    "exact-regularization/curved_wall": partial(
        runs,
        "Distance of the regularized solution from that of the linear program over the "
        "weight, on a disc: it falls like the weight and is never zero.",
        {"disc": (STEPS, STEPS / 2)}, ("weight", "distance"), LOG,
    ),
}  # fmt: skip

LIMITS: Pictures = {
    "unrolled-projected/step_too_long": partial(
        runs,
        "Distance to the solution over the steps of a projected gradient method that "
        "are three times too long: it doubles at every step instead of falling.",
        {"short": (COUNT, 0.5**COUNT), "too long": (COUNT, 2.0**COUNT)},
        ("step", "distance"), ("linear", "log"),
    ),
    "perturbation-limit/another_piece": partial(
        kink,
        "The minimizer along the seed: two slopes with a kink between. A temperature "
        "of 20 reaches across it, and its quotient is neither of them.",
        (-1, 0), -0.3, ("τ", "x"), ("this piece", "another", "quotient"),
    ),
}  # fmt: skip
