"""Complementary pairs of a cone and its dual are the points of space.

Chapter: cones.md.  Theorems: moreau-minty.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cones.regions import ROUNDING
from companion.proofs.convexity.moreau import CONE_POINTS, moreau, second_order
from companion.proofs.convexity.signed import TWO, T, W, gap, shown, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.reference import cones

p, q, r, s, v, w = W("p q r s v w")
Array = np.ndarray

# ---------------------------------------------------------------- moreau-minty
moreau_minty = theorem(
    "moreau-minty",
    claim=(
        "If (p, r) and (q, s) are complementary pairs, then the squared distance of "
        "p - r and q - s is ‖p-q‖² + ‖r-s‖² + 2pᵀs + 2qᵀr.  The pair of z is "
        "(Π(z), Π(z) - z), and the difference of the pair is z."
    ),
    source="moreau1962decomposition",
    implements=(cones.project, cones.project_dual),
    uses=(moreau.label,),
)


@moreau_minty.derivation
def pairs_are_as_far_apart_as_their_differences() -> Iterator[Step]:
    zero = [
        W.rule("v = p - r", v, [p, -r]),
        W.rule("w = q - s", w, [q, -s]),
        W.rule("pᵀr = 0", T(p) * r, sp.S.Zero),
        W.rule("qᵀs = 0", T(q) * s, sp.S.Zero),
    ]
    difference = [T(v - w) * (v - w)]
    terms = [
        square([p, -q]),
        square([r, -s]),
        gap([T(p) * s], "p is in the cone and s in its dual", TWO),
        gap([T(q) * r], "q is in the cone and r in its dual", TWO),
    ]
    yield from shown(r"\|v-w\|^2", difference, terms, *zero)


Pair = Callable[[Array], tuple[Array, Array]]
EVERY = Cones(2, 2, (4,), (3,), 1, 1, (0.3, -0.6))


def assert_parametrized(pair: Pair, K: Cones = EVERY) -> None:
    """Z ↦ (u, v) has u in K, v in K*, uᵀv = 0, and z = u - v, on random points."""
    for z in np.random.default_rng(3).normal(size=(20, K.rows)):
        u, dual = pair(z)
        assert np.abs(u - dual - z).max() < ROUNDING, "u - v is not z"
        assert np.abs(cones.project(u, K) - u).max() < ROUNDING, "u is not in K"
        moved = np.abs(cones.project_dual(dual, K) - dual).max()
        assert moved < ROUNDING, f"v is {moved:.2f} away from K*"
        assert abs(u @ dual) < ROUNDING, f"uᵀv = {u @ dual:.2e}"


def assert_recovered(u: Array, dual: Array, K: Cones) -> None:
    """The projection of u - v is u again."""
    found = cones.project(u - dual, K)
    assert np.abs(found - u).max() < ROUNDING, f"Π(u - v) = {found}, u = {u}"


@moreau_minty.check(Evidence.EXACT)
def pairs_of_rational_points_are_recovered() -> None:
    for at in CONE_POINTS:
        nearest, rest = second_order(at)
        again, left = second_order(
            tuple(a + b for a, b in zip(nearest, rest, strict=True))
        )
        assert (again, left) == (nearest, rest)
        assert sum(a * b for a, b in zip(nearest, rest, strict=True)) == 0


@moreau_minty.check(Evidence.NUMERIC)
def every_point_has_its_pair() -> None:
    project = functools.partial(cones.project, K=EVERY)
    assert_parametrized(lambda z: (project(z), project(z) - z))
    for z in np.random.default_rng(4).normal(size=(20, EVERY.rows)):
        u = cones.project(z, EVERY)
        assert_recovered(u, u - z, EVERY)


@moreau_minty.control(mutant="the projection of -z onto K in place of K*")
def same_cone_twice() -> None:
    assert_parametrized(lambda z: (cones.project(z, EVERY), cones.project(-z, EVERY)))


@moreau_minty.control(dropped="complementarity: u = (1, 1) and v = (1, 0)")
def pair_at_an_acute_angle() -> None:
    u, dual, K = np.array([1.0, 1.0]), np.array([1.0, 0.0]), Cones(nonneg=2)
    require(np.array_equal(cones.project(u, K), u), "u is in K")
    require(np.array_equal(cones.project_dual(dual, K), dual), "v is in K*")
    assert_recovered(u, dual, K)
