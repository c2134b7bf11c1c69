"""What every derivative of a projection onto a closed convex cone has in common.

Chapter: cones.md.  Theorems: projection-derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.cones.moreau import moreau_minty
from companion.proofs.cones.regions import (
    PRODUCTS,
    ROUNDING,
    derivative,
    drawn,
    project,
    smooth,
)
from companion.proofs.convexity.projections import nonexpansive
from companion.proofs.convexity.signed import HALF, T, W, gap, shown, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference import cones, projections

Array = np.ndarray
p, q, r, s, v, w = W("p q r s v w")

# ----------------------------------------------------------- projection-derivative
projection_derivative = theorem(
    "projection-derivative",
    claim=(
        "For the complementary pairs of v = p - r and w = q - s, ½‖q‖² - ½‖p‖² - "
        "pᵀ(w-v) lies between 0 and ½‖w-v‖².  If D is symmetric, D - D² is positive "
        "semidefinite, Dv = p and vᵀp = pᵀp, then vᵀ(D - D²)v = 0."
    ),
    source="busseti2019solution",
    implements=(cones.derivative, cones.derivative_dual),
    uses=(moreau_minty.label, nonexpansive.label),
)

PAIRS = (
    W.rule("v = p - r", v, [p, -r]),
    W.rule("w = q - s", w, [q, -s]),
    W.rule("pᵀr = 0", T(p) * r, sp.S.Zero),
    W.rule("qᵀs = 0", T(q) * s, sp.S.Zero),
)
DERIVATIVE = alphabet(constant="D u p", D="n n symmetric", u="n 1", p="n 1",
                      latex={"u": "v"})  # fmt: skip


@projection_derivative.derivation
def a_symmetric_contraction() -> Iterator[Step]:
    energy = [HALF * T(q) * q, -HALF * T(p) * p, -T(p) * (w - v)]
    name = r"\tfrac12\|q\|^2-\tfrac12\|p\|^2-p^{\mathsf T}(w-v)"
    low = [
        square([q, -p], HALF),
        gap([T(p) * s], "p is in the cone and s in its dual"),
    ]
    yield from shown(name, energy, low, *PAIRS)
    room = [HALF * T(w - v) * (w - v), *(-e for e in energy)]
    high = [
        square([s, -r], HALF),
        gap([T(q) * r], "q is in the cone and r in its dual"),
    ]
    yield from shown(rf"\tfrac12\|w-v\|^2-\bigl({name}\bigr)", room, high, *PAIRS)
    D, u, at = DERIVATIVE("D u p")
    t = DERIVATIVE.T
    euler = DERIVATIVE.rule("Dv = p", D * u, at)
    still = DERIVATIVE.rule("vᵀp = pᵀp", t(u) * at, t(at) * at)
    left = t(u) * (D - D * D) * u
    assert DERIVATIVE.equal(left, 0, euler, still)
    yield Step(
        r"v^{\mathsf T}(D-D^2)v",
        "0",
        "Dv = p because Π is homogeneous, and vᵀp = pᵀp by Moreau",
    )
    split = [t(u) * D * u, -t(D * u) * (D * u)]
    assert DERIVATIVE.equal(left, split)


def assert_identities(
    derive: Callable[[str], Callable[[Array], Array]], power: int = 1
) -> None:
    """D is symmetric, 0 ⪯ D ⪯ I, Dv = Dp = p, and D(v-p) = 0, in every region.

    With power = 2 the last is asked of D², D² = D: idempotence.
    """
    for cone in PRODUCTS:
        for region in smooth(cone):
            for point in drawn(cone, region):
                D, nearest = derive(cone)(point), project(cone)(point)
                text = f"{cone}, {region}"
                assert np.abs(D - D.T).max() < ROUNDING, f"{text}: not symmetric"
                values = np.linalg.eigvalsh(D)
                assert values[0] > -ROUNDING, f"{text}: eigenvalue {values[0]:.2f}"
                assert values[-1] < 1 + ROUNDING, f"{text}: {values[-1]:.2f}"
                for kept in (point, nearest):
                    gone = np.abs(D @ kept - nearest).max()
                    assert gone < ROUNDING, f"{text}: Dv - p is {gone:.2f}"
                if power == 2:
                    moved = np.abs(D @ D - D).max()
                    assert moved < ROUNDING, f"{text}: D² - D has entries {moved:.2f}"


@projection_derivative.check(Evidence.EXACT)
def second_order_cone_at_rational_points() -> None:
    for t, w1, w2, length in ((1, 3, 4, 5), (-2, 5, 12, 13), (7, 8, 15, 17)):
        u = sp.Matrix([w1, w2]) / length
        k = sp.Rational(t, length)
        side = (1 + k) * sp.eye(2) - k * u * u.T
        D = sp.Matrix(sp.BlockMatrix([[sp.eye(1), u.T], [u, side]])) / 2
        point = sp.Matrix([t, w1, w2])
        nearest = D * point
        assert D * nearest == nearest
        assert nearest.dot(point - nearest) == 0
        assert sorted(D.eigenvals()) == sorted({0, 1, (1 + k) / 2})


@projection_derivative.check(Evidence.NUMERIC)
def identities_hold_in_every_region_of_every_cone() -> None:
    assert_identities(derivative)


@projection_derivative.control(mutant="idempotence: D² = D")
def idempotent() -> None:
    assert_identities(derivative, power=2)


@projection_derivative.control(mutant="the derivative of the dual cone")
def derivative_of_the_dual() -> None:
    def derive(cone: str) -> Callable[[Array], Array]:
        K = PRODUCTS[cone]
        return lambda point: cones.derivative_dual(point, K)

    assert_identities(derive)


def assert_homogeneous(f: Callable[[Array], Array], D: Array, point: Array) -> None:
    found = D @ point - f(point)
    assert np.abs(found).max() < ROUNDING, f"Dv - p = {found.round(3)}"


@projection_derivative.check(Evidence.NUMERIC)
def homogeneity_of_one_cone() -> None:
    point = np.array([0.0, 2.0, 0.0, 1.0])
    assert_homogeneous(project("soc"), derivative("soc")(point), point)


@projection_derivative.control(dropped="a cone: the unit disc, from (2, 0)")
def disc() -> None:
    point, centre = np.array([2.0, 0.0]), np.zeros(2)
    u = point / 2
    D = (np.eye(2) - np.outer(u, u)) / 2  # of v/‖v‖
    step = 1e-6
    slope = (projections.ball(point + step * np.array([0, 1]), centre, 1.0) - u) / step
    require(np.abs(slope - D @ [0, 1]).max() < 1e-5, "D is the derivative")
    require(np.abs(D - D.T).max() == 0, "D is symmetric")
    assert_homogeneous(lambda a: projections.ball(a, centre, 1.0), D, point)
