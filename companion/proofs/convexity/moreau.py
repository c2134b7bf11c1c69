"""A vector is the sum of its nearest points in a cone and in the polar cone.

Chapter: convexity.md.  Theorems: moreau-decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.convexity import instances
from companion.proofs.convexity.instances import Fraction, Point, dot, minus
from companion.proofs.convexity.projections import p, r, v, z
from companion.proofs.convexity.signed import T, W, gap, printed, shown
from companion.proofs.registry import Evidence, Step, theorem
from companion.reference import qp

# --------------------------------------------------------- moreau-decomposition
moreau = theorem(
    "moreau-decomposition",
    claim=(
        "If v = p + r with pᵀr = 0, then (p-v)ᵀ(z-p) = -rᵀz for every z; and for a "
        "nearest point p of a cone, comparing with 2p and with 0 gives (p-v)ᵀp = 0, so "
        "that (p-v)ᵀ(z-p) = -(v-p)ᵀz."
    ),
    source="moreau1962decomposition",
    uses=("projection-characterization",),
)


@moreau.derivation
def two_right_angles() -> Iterator[Step]:
    split = W.rule("v = p + r", v, [p, r])
    right = W.rule("pᵀr = 0", T(p) * r, sp.S.Zero)
    angle = T(p - v) * (z - p)
    terms = [gap([-T(r) * z], "r is in the polar cone and z in the cone")]
    yield from shown(printed([angle]), [angle], terms, split, right)
    # z = 2p and z = 0 in the characterization of p
    assert W.equal(T(p - v) * (2 * p - p), T(p - v) * p, trace=True)
    assert W.equal(T(p - v) * (0 * p - p), -T(p - v) * p, trace=True)
    still = W.rule("(p-v)ᵀp = 0, from z = 2p and z = 0", T(v) * p, T(p) * p)
    assert W.equal(angle, T(p - v) * z, still, trace=True)
    yield Step(printed([angle]), printed([T(p - v) * z]), still.name)


Split = Callable[[Point], tuple[Point, Point]]


def orthant(at: Point) -> tuple[Point, Point]:
    """The nearest points of the nonnegative orthant and of its polar."""
    zero = Fraction(0)
    return tuple(max(c, zero) for c in at), tuple(min(c, zero) for c in at)


def second_order(at: Point) -> tuple[Point, Point]:
    """The same for {(s, w) : ‖w‖ ≤ s}, at points with rational ‖w‖."""
    s, w = at[0], at[1:]
    length = instances.length(w)
    zero = tuple(0 * c for c in at)
    if length <= abs(s):
        return (at, zero) if s >= 0 else (zero, at)
    half = (1 + s / length) / 2
    nearest = (half * length, *(half * c for c in w))
    return nearest, minus(at, nearest)


def in_second_order(at: Point) -> bool:
    return at[0] >= 0 and dot(at[1:], at[1:]) <= at[0] ** 2


CONE_POINTS = [
    (Fraction(s), Fraction(a), Fraction(b))
    for s in (-7, -1, 0, 2, 6)
    for a, b in ((3, 4), (-4, 3), (Fraction(3, 5), Fraction(-4, 5)))
]


def assert_splits(split: Split, member: Callable[[Point], bool], sign: int = 1) -> None:
    """Whether v = p + r with p in the cone, r in its polar, and pᵀr = 0, exactly.

    The polar of both cones is their negative; `sign` = -1 claims the cone itself.
    """
    for at in CONE_POINTS:
        nearest, rest = split(at)
        assert minus(at, nearest) == rest, "v is not p + r"
        assert member(nearest), "p is outside the cone"
        assert member(tuple(-sign * c for c in rest)), "r is outside the polar cone"
        assert dot(nearest, rest) == 0, f"pᵀr = {dot(nearest, rest)}"


def in_orthant(at: Point) -> bool:
    return min(at) >= 0


@moreau.check(Evidence.EXACT)
def orthant_and_second_order_cone_split() -> None:
    assert_splits(orthant, in_orthant)
    assert_splits(second_order, in_second_order)


@moreau.check(Evidence.NUMERIC)
def both_parts_come_from_separate_problems() -> None:
    """A random polyhedral cone {z : Gz ≤ 0}, and {Gᵀλ : λ ≥ 0}, each by the solver."""
    rng = np.random.default_rng(6)
    for _ in range(10):
        G, at = rng.standard_normal((3, 4)), rng.standard_normal(4)
        near = qp.solve(QP(np.eye(4), -at, G=G, h=np.zeros(3))).x
        weights = qp.solve(QP(G @ G.T, -G @ at, G=-np.eye(3), h=np.zeros(3))).x
        assert np.allclose(near + G.T @ weights, at, atol=1e-7)
        assert abs(near @ (G.T @ weights)) < 1e-7


@moreau.control(mutant="the dual cone in place of the polar cone")
def dual_for_polar() -> None:
    assert_splits(second_order, in_second_order, sign=-1)


@moreau.control(dropped="a cone: the unit disc")
def disc() -> None:
    def split(at: Point) -> tuple[Point, Point]:
        nearest = instances.ball(at[1:])
        return (at[0], *nearest), (Fraction(0), *minus(at[1:], nearest))

    assert_splits(split, lambda _: True)


@moreau.control(dropped="convexity: two rays")
def two_rays() -> None:
    """The cone {z ≥ 0 : at most one entry not zero}; its polar is -orthant."""

    def split(at: Point) -> tuple[Point, Point]:
        top = max(range(3), key=lambda i: at[i])
        nearest = tuple(
            max(c, Fraction(0)) if i == top else Fraction(0) for i, c in enumerate(at)
        )
        return nearest, orthant(at)[1]

    assert_splits(split, in_orthant)
