"""The nearest point of a convex set: the angle that marks it, and its steadiness.

Chapter: convexity.md.  Theorems: projection-characterization, projection-nonexpansive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from companion.proofs.convexity import instances
from companion.proofs.convexity.instances import Fraction, Point
from companion.proofs.convexity.minimizers import assert_attained
from companion.proofs.convexity.signed import (
    HALF,
    TWO,
    T,
    W,
    gap,
    printed,
    shown,
    square,
    t,
)
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.reference import projections

v, w, z, p, r = W("v w z p r")

# --------------------------------------------------- projection-characterization
characterization = theorem(
    "projection-characterization",
    claim=(
        "‖v-z‖² - ‖v-p‖² = ‖z-p‖² + 2(p-v)ᵀ(z-p) for all v, z, p; and at "
        "s = p + t(z-p), (p-v)ᵀ(z-p) is (‖v-s‖² - ‖v-p‖²)/(2t) - (t/2)‖z-p‖²."
    ),
    source="bauschke2017convex",
    implements=(
        projections.box,
        projections.halfspace,
        projections.affine,
        projections.ball,
    ),
    uses=("strongly-convex-minimizer",),
)


@characterization.derivation
def nearer_than_every_other_point() -> Iterator[Step]:
    distances = [T(v - z) * (v - z), -T(v - p) * (v - p)]
    terms = [
        square([z, -p]),
        gap([T(p - v) * (z - p)], "the angle at p is at least a right one", TWO),
    ]
    yield from shown(printed(distances), distances, terms)
    (at,) = W("s")
    segment = W.rule("s = p + t(z-p)", at, [p, t * (z - p)])
    nearest = gap(
        [T(v - at) * (v - at), -T(v - p) * (v - p)], "p is nearest", HALF / t
    )  # fmt: skip
    angle, far = T(p - v) * (z - p), HALF * t * T(z - p) * (z - p)
    assert W.equal(angle, [nearest.term.word, -far], segment, trace=True)
    yield Step(
        printed([angle]),
        f"{nearest.latex} - {printed([far])}",
        "s = p + t(z-p), a point of the set. The first term is nonnegative: "
        "p is nearest. The second vanishes with t",
    )


Set = Callable[[Point], Point]


def assert_obtuse(
    project: Set, points: Sequence[Point], members: Sequence[Point] = ()
) -> None:
    """(v-p)ᵀ(z-p) ≤ 0 for the nearest points p and all members z, exactly."""
    members = [*map(project, points), *members]
    for point in points:
        nearest = project(point)
        away = instances.minus(point, nearest)
        for other in members:
            angle = instances.dot(away, instances.minus(other, nearest))
            assert angle <= 0, (
                f"at {instances.told(nearest)}, {instances.told(other)} lies on the "
                f"side of {instances.told(point)}"
            )


@characterization.check(Evidence.EXACT)
def nearest_points_see_the_set_under_obtuse_angles() -> None:
    for project, points in instances.SETS:
        assert_obtuse(project, points)


Projection = Callable[[np.ndarray], np.ndarray]


def samples(rng: np.random.Generator, n: int = 4) -> list[Projection]:
    """The four projections of the reference onto random sets."""
    A, a, c = (
        rng.standard_normal((2, n)),
        rng.standard_normal(n),
        rng.standard_normal(n),
    )
    return [
        lambda u: projections.box(u, -0.5, 0.7),
        lambda u: projections.halfspace(u, a, 0.3),
        lambda u: projections.affine(u, A, np.array([0.2, -1.0])),
        lambda u: projections.ball(u, c, 1.3),
    ]


def assert_reference_obtuse(alter: Callable[[np.ndarray], np.ndarray]) -> None:
    """The same inequality for the reference, with p altered, against members."""
    rng = np.random.default_rng(0)
    for project in samples(rng):
        members = np.array([project(u) for u in 3 * rng.standard_normal((40, 4))])
        for point in 3 * rng.standard_normal((20, 4)):
            nearest = project(alter(point))
            worst = np.max((members - nearest) @ (point - nearest))
            assert worst < 1e-9, f"an angle of cosine sign {worst:.1e}"


@characterization.check(Evidence.NUMERIC)
def reference_sees_obtuse_angles() -> None:
    assert_reference_obtuse(lambda u: u)


@characterization.control(mutant="the nearest point of v/2 in place of v")
def another_point_of_the_set() -> None:
    assert_reference_obtuse(lambda u: u / 2)


@characterization.control(mutant="the other sign: (v-p)ᵀ(z-p) ≥ 0")
def acute_angles() -> None:
    for project, points in instances.SETS:
        mirrored = [
            tuple(2 * a - b for a, b in zip(project(u), u, strict=True)) for u in points
        ]
        for point, other in zip(points, mirrored, strict=True):
            here = project(point)
            assert_obtuse(lambda _, here=here: here, [other], [*map(project, points)])


NOTCH = [
    tuple(map(Fraction, point)) for point in ((Fraction(9, 4), 2), (2, Fraction(9, 4)))
]


@characterization.control(dropped="convexity: an L, seen from its notch")
def notch_of_an_ell() -> None:
    for point in NOTCH:
        near = instances.ell(point)
        least = instances.dot(
            instances.minus(point, near), instances.minus(point, near)
        )
        for other in instances.grid(range(4), range(4)):
            away = instances.minus(point, instances.ell(other))
            require(instances.dot(away, away) >= least, "p is nearest")
    assert_obtuse(instances.ell, NOTCH)


@characterization.control(dropped="closedness: the interval (0, 1), seen from 2")
def open_interval() -> None:
    members = [1 - Fraction(1, k) for k in range(2, 50)]
    require(all(0 < s < 1 for s in members), "members of the interval")
    closer = (1 - Fraction(1, 2 * k) - 2 for k in range(2, 50))
    assert_attained(closer, [s - 2 for s in members])


# ------------------------------------------------------- projection-nonexpansive
nonexpansive = theorem(
    "projection-nonexpansive",
    claim=(
        "(v-w)ᵀ(p-r) - ‖p-r‖² = (p-v)ᵀ(r-p) + (r-w)ᵀ(p-r), and ‖v-w‖² - ‖p-r‖² is "
        "‖(v-w)-(p-r)‖² plus twice that: nonnegative if p and r are the nearest points "
        "of v and w in a convex set."
    ),
    source="bauschke2017convex",
    implements=(projections.box, projections.halfspace, projections.ball),
    uses=("projection-characterization",),
)


@nonexpansive.derivation
def firmly() -> Iterator[Step]:
    firm = [T(v - w) * (p - r), -T(p - r) * (p - r)]
    angles = [
        gap([T(p - v) * (r - p)], "p is the nearest point of v"),
        gap([T(r - w) * (p - r)], "r is the nearest point of w"),
    ]
    yield from shown(printed(firm), firm, angles)
    lengths = [T(v - w) * (v - w), -T(p - r) * (p - r)]
    terms = [square([v, -w, -p, r]), gap(firm, "the line above", TWO)]
    yield from shown(printed(lengths), lengths, terms)


def assert_firm(project: Set, points: Sequence[Point], factor: int = 1) -> None:
    """factor·‖p-r‖² ≤ (v-w)ᵀ(p-r), and ‖p-r‖ ≤ ‖v-w‖, exactly."""
    for one, other in instances.pairs(points):
        apart = instances.minus(one, other)
        moved = instances.minus(project(one), project(other))
        squared = factor * instances.dot(moved, moved)
        text = f"from {instances.told(one)} to {instances.told(other)}"
        assert squared <= instances.dot(apart, moved), f"not firm {text}"
        assert squared <= instances.dot(apart, apart), f"moves too far {text}"


@nonexpansive.check(Evidence.EXACT)
def nearest_points_are_firmly_nonexpansive() -> None:
    for project, points in instances.SETS:
        assert_firm(project, points)


def assert_reference_firm(order: float = 2) -> None:
    """Nonexpansive in the norm of this order, for points drawn near and far."""
    rng = np.random.default_rng(4)
    for project in samples(rng):
        for reach in (0.1, 3.0):
            at = rng.standard_normal((60, 4))
            step = reach * rng.choice([-1.0, 1.0], (60, 4))
            for one, apart in zip(at, step, strict=True):
                moved = project(one + apart) - project(one)
                lengths = [np.linalg.norm(u, order) for u in (moved, apart)]
                assert lengths[0] <= lengths[1] + 1e-12, (
                    f"{lengths[0]:.3f} from {lengths[1]:.3f}"
                )


@nonexpansive.check(Evidence.NUMERIC)
def reference_is_nonexpansive() -> None:
    assert_reference_firm()


@nonexpansive.control(mutant="a contraction: 2‖p-r‖² ≤ (v-w)ᵀ(p-r)")
def contraction() -> None:
    assert_firm(instances.box, instances.PLANE, 2)


@nonexpansive.control(mutant="distances in the maximum norm")
def maximum_norm() -> None:
    assert_reference_firm(order=np.inf)


@nonexpansive.control(dropped="convexity: an L, seen from its notch")
def jump_across_the_notch() -> None:
    assert_firm(instances.ell, NOTCH)
