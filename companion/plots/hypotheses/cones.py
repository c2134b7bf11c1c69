"""Kinks of projections onto cones, and formulas outside the piece they are for.

Chapter: gallery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from companion.plots import INK
from companion.plots.hypotheses.canvas import BLUE, GREY, RED, Array, Mark, Picture
from companion.plots.hypotheses.lines import branches, kink, objective
from companion.plots.hypotheses.planes import ring, scene

ALPHA = 0.3  # of the power cones drawn here
INSIDE = (0.998, 1.897, 0.626)  # a point of that cone, by size
BETWEEN = (0.998, 1.897, 3.0)  # and one outside of it


def _height(rho: Array) -> Array:
    """The last entry of aP + bD less z, at v = (-1, 1, -0.2)."""
    x, y, z = -1.0, 1.0, -0.2
    below = rho * (rho - 1) + 1
    a, b = ((rho - 1) * x + y) / below, (x - rho * y) / below
    return a * np.exp(rho) - b * np.exp(-rho) - z


def _phi(t: Array, v: tuple[float, float, float]) -> Array:
    """The function whose zero is the projection onto the power cone."""
    total = -t
    for weight, entry in ((ALPHA, v[0]), (1 - ALPHA, v[1])):
        ratio = entry * np.cosh(t) / (np.sqrt(weight) * v[2])
        total = total + weight * (np.log(weight) / 2 + np.arcsinh(ratio))
    return total


def _two_zeros() -> Picture:
    rho = np.linspace(-2.1, 2.45, 60)
    marks = [
        Mark(-1.4158, 0.0, "a, b > 0", BLUE, (9, -8)),
        Mark(2.1255, 0.0, "a, b < 0", RED, (-6, -12)),
    ]
    curves = [(rho, _height(rho), BLUE), (rho[[0, -1]], np.zeros(2), GREY)]
    return branches(
        "A function of ρ with two zeros. The one at −1.42, below the bound −1, is the "
        "projection; the one at 2.13 has negative weights a and b.",
        curves, marks, ("ρ", "aP₃ + bD₃ − z"),
    )  # fmt: skip


def _no_zero() -> Picture:
    t = np.linspace(-1.5, 2.5, 60)
    curves = [(t, _phi(t, BETWEEN), BLUE), (t, _phi(t, INSIDE), RED),
              (t[[0, -1]], np.zeros(2), GREY)]  # fmt: skip
    marks = [Mark(2.5, float(_phi(t, INSIDE)[-1]), "inside", RED, (-8, 9))]
    return branches(
        "Two falling functions of t. That of a point outside the cone crosses zero; "
        "that of a point inside levels off above it.",
        curves, marks, ("t", "Φ(t)"),
    )  # fmt: skip


def _above_exp() -> Array:
    x = np.linspace(-4, 1.1, 30)
    return np.vstack([np.column_stack([x, np.exp(x)]), [(1.1, 3.1), (-4, 3.1)]])


KINKS: dict[str, Callable[[], Picture]] = {
    "soc-derivative/on_the_boundary": partial(
        kink,
        "The first entry of the projection against t, at the boundary t = r. Its slope "
        "is ½ outside and 1 inside; ½ is claimed.",
        (0.5, 1.0), 0.5, ("t − r", "Π₁ − r"), ("slope ½", "slope 1", "claimed ½"),
    ),
    "psd-derivative/singular_matrix": partial(
        kink,
        "The positive part of an eigenvalue λ near 0: slope 0 on the left, slope 1 on "
        "the right. The formula claims 0.",
        (0.0, 1.0), 0.0, ("λ", "λ₊"), ("slope 0", "slope 1", "claimed 0"),
    ),
    "exponential-derivative/corner_of_the_face": partial(
        kink,
        "From (−1, −1, z) the last entry of the projection is max(z, 0): slope 0 for "
        "z < 0 and 1 for z > 0. At z = 0 the formula claims 0.",
        (0.0, 1.0), 0.0, ("z", "Π₃"), ("slope 0", "slope 1", "claimed 0"),
    ),
    "power-derivative/on_the_boundary": partial(
        kink,
        "The last entry of the projection against z at x = y = z, for exponent 0.3. "
        "Its slope is 1 inside and 0.37 outside, which is claimed.",
        (1.0, 1 - 1 / 1.58), 1 - 1 / 1.58, ("z − x", "Π₃ − x"),
        ("slope 1", "slope 0.37", "claimed 0.37"),
    ),
}  # fmt: skip

SIGNS: dict[str, Callable[[], Picture]] = {
    "dual-cones/formula_at_positive_u": partial(
        scene,
        "The section y = 1 of the exponential cone and the line x + z = 0. The point "
        "(−3, 1, 1) of the cone has the product −2 with (1, 0, 1).",
        [_above_exp()],
        [Mark(-3, 1, "−2", RED, (-7, -6)), Mark(0, 0, "x + z = 0", INK, (9, 0))],
        (), [([(-3.1, 3.1), (1, -1)], GREY)], (-4.2, 2.4, -1, 3.2),
    ),
    "exponential-projection/zero_beyond_the_bounds": _two_zeros,
    "moreau-minty/pair_at_an_acute_angle": partial(
        scene,
        "The quadrant with u = (1, 1) and v = (1, 0), at an acute angle. The "
        "projection of u − v = (0, 1) is (0, 1) and not u.",
        [((0, 0), (2, 0), (2, 1.6), (0, 1.6))],
        [Mark(1, 1, "u", BLUE), Mark(1, 0, "v", BLUE, (7, 6)),
         Mark(0, 1, "Π(u − v)", RED, (-8, 0))],
        [((0, 0), (1, 1), BLUE), ((0, 0), (1, 0), BLUE)],
        window=(-1.1, 2.3, -0.4, 1.8),
    ),
}  # fmt: skip

STRUCTURE: dict[str, Callable[[], Picture]] = {
    "projection-derivative/disc": partial(
        scene,
        "The unit disc and v = (2, 0). The nearest point p is (1, 0) and does not move "
        "as v moves outwards: Dv is 0 and not p.",
        [ring()],
        [Mark(2, 0, "v", INK), Mark(1, 0, "p", BLUE, (7, 7)),
         Mark(0, 0, "Dv", RED, (-8, 0))],
        [((1, 0), (2, 0), BLUE)], window=(-1.4, 2.5, -1.2, 1.2),
    ),
    "soc-projection/formula_inside": partial(
        scene,
        "The half plane of r and t with the cone t ≥ r. The point v = (1, 2) is in the "
        "cone, and the formula moves it to (3/2, 3/2).",
        [((0, 0), (2.6, 2.6), (0, 2.6))],
        [Mark(1, 2, "v", BLUE, (-8, 0)), Mark(1.5, 1.5, "formula", RED, (9, -4))],
        [((1, 2), (1.5, 1.5), RED)],
        [([(0, 0), (2.6, 2.6)], BLUE), ([(0, 0), (0, 2.6)], GREY)],
        window=(-0.8, 3.6, -0.3, 2.7),
    ),
    "psd-projection/shear": partial(
        objective,
        "The squared distance of [0 2; 0 0] from s times the matrix of halves. It is 4 "
        "at s = 0, which the eigenvalues 0 suggest, and 3 at s = 1.",
        lambda s: 4 - 2 * s + s**2, (-0.6, 2.2), [(0, 2.2)],
        [Mark(0, 4, "4", BLUE, (-8, 0)), Mark(1, 3, "3", RED, (0, -9))],
        ("s", "distance²"),
    ),
    "ray-derivative/oblique_direction": partial(
        scene,
        "Across a ray, seen along it: the boundary moves in the direction P′, and D "
        "meets it at an angle that is not right.",
        [((-2, -1), (2, 1), (2, -1.2), (-2, -1.2))],
        [Mark(0, 0, "", INK), Mark(1.4, 0.7, "P′", RED, (0, -10)),
         Mark(0, 1.2, "D", BLUE)],
        [((0, 0), (1.4, 0.7), RED), ((0, 0), (0, 1.2), BLUE)],
        window=(-2, 2, -1.2, 1.5),
    ),
    "power-projection/inside_the_cone": _no_zero,
}  # fmt: skip
