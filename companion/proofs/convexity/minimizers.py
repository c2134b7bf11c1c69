"""Minimizers of convex functions: global, unique, and steady as the data move.

Chapter: convexity.md.  Theorems: local-is-global, strongly-convex-minimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.convexity import instances
from companion.proofs.convexity.functions import BETWEEN, CHORD, fx, fy, fz, x, y, z
from companion.proofs.convexity.instances import Fraction, Point
from companion.proofs.convexity.signed import HALF, TWO, T, W, gap, mu, shown, square, t
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Rule
from companion.reference import qp

# -------------------------------------------------------------- local-is-global
local_is_global = theorem(
    "local-is-global",
    claim=(
        "At z = (1-t)x + ty, f(y) - f(x) is the sum of the chord gap and of the rise "
        "f(z) - f(x), each divided by t: it is nonnegative if f is convex and x is no "
        "worse than z."
    ),
    source="boyd2004convex",
)


@local_is_global.derivation
def far_point_seen_from_near() -> Iterator[Step]:
    terms = [
        gap(CHORD, "f lies below its chord", 1 / t),
        gap([fz, -fx], "x is no worse than the nearby z", 1 / t),
    ]
    yield from shown("f(y) - f(x)", [fy, -fx], terms)


Graph = Sequence[tuple[Fraction, Fraction]]  # a polyline, by its corners


def assert_local_minima_agree(pieces: Sequence[Graph]) -> None:
    """Corners of polylines that are local minima have the same value, exactly."""
    values = set()
    for corners in pieces:
        heights = [height for _, height in corners]
        befores, afters = [heights[0], *heights], [*heights[1:], heights[-1]]
        values |= {
            here
            for left, here, right in zip(befores[:-1], heights, afters, strict=True)
            if here <= min(left, right)
        }
    assert len(values) == 1, f"local minima of values {sorted(map(str, values))}"


def polyline(f: Callable[[Fraction], Fraction], ends: tuple[int, int]) -> Graph:
    """A function with corners at multiples of ½, between two integers."""
    places = [Fraction(k, 2) for k in range(2 * ends[0], 2 * ends[1] + 1)]
    return [(place, f(place)) for place in places]


def absolute_sum(rng: np.random.Generator) -> Callable[[Fraction], Fraction]:
    """A sum of |s - c| with weights and corners at integers: convex."""
    terms = [(int(w), int(c)) for w, c in rng.integers((0, -4), (5, 5), (4, 2))]
    slope = int(rng.integers(-3, 4))
    return lambda s: sum((w * abs(s - c) for w, c in terms), slope * s)


@local_is_global.check(Evidence.EXACT)
def convex_polylines_have_one_least_value() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert_local_minima_agree([polyline(absolute_sum(rng), (-5, 5))])


def assert_descents_agree(pull: float = 0.0) -> None:
    """Gradient descent on log-sum-exp plus a square, less pull·|v₁|, from 20 starts."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((6, 3))
    reached = []
    for v in 3 * rng.standard_normal((20, 3)):
        for _ in range(400):
            weights = np.exp(A @ v) / np.exp(A @ v).sum()
            kink = pull * np.sign(v[0]) * np.eye(3)[0]
            v = v - 0.2 * (A.T @ weights + v - kink)
        value = np.log(np.exp(A @ v).sum()) + 0.5 * v @ v - pull * abs(v[0])
        reached.append(value)
    assert np.ptp(reached) < 1e-9, f"values differ by {np.ptp(reached):.2f}"


@local_is_global.check(Evidence.NUMERIC)
def descents_from_everywhere_reach_one_value() -> None:
    assert_descents_agree()


@local_is_global.control(mutant="maxima in place of minima")
def local_maxima() -> None:
    rise = absolute_sum(np.random.default_rng(0))
    assert_local_minima_agree([polyline(lambda s: -rise(s), (-5, 5))])


@local_is_global.control(dropped="f convex: ||s| - 1| + s/4")
def two_wells() -> None:
    assert_local_minima_agree([polyline(lambda s: abs(abs(s) - 1) + s / 4, (-3, 3))])


@local_is_global.control(dropped="f convex: a concave kink subtracted")
def descents_part() -> None:
    assert_descents_agree(pull=3.0)


@local_is_global.control(dropped="a convex set: |s| on [-3, -1] and [2, 3]")
def two_intervals() -> None:
    assert_local_minima_agree([polyline(abs, (-3, 3))])  # on the whole segment: one
    assert_local_minima_agree([polyline(abs, (-3, -1)), polyline(abs, (2, 3))])


# ---------------------------------------------------- strongly-convex-minimizer
strongly_convex = theorem(
    "strongly-convex-minimizer",
    claim=(
        "With curvature μ, f(y) - f(x) - (μ/2)(1-t)‖y-x‖² is the strong chord gap plus "
        "the rise from x to z, divided by t.  For x_p and x_q, ‖p-q‖² - μ²‖x_p-x_q‖² "
        "is a square plus 2μ times the gaps by which f + pᵀ· grows from x_p to x_q, "
        "and f + qᵀ· back, by more than (μ/2)‖x_p-x_q‖²."
    ),
    source="bauschke2017convex",
    implements=(qp.solve,),
    uses=("local-is-global",),
)


@strongly_convex.derivation
def lipschitz_in_the_linear_term() -> Iterator[Step]:
    # the growth of f from its minimizer, in the limit of small t
    chord = [*CHORD, -HALF * mu * t * (1 - t) * T(y - x) * (y - x)]
    growth = [fy, -fx, -HALF * mu * (1 - t) * T(y - x) * (y - x)]
    name = r"f(y) - f(x) - \tfrac{\mu}{2}(1-t)\|y-x\|^2"
    terms = [
        gap(chord, "f is μ-strongly convex", 1 / t),
        gap([fz, -fx], "x is a minimizer", 1 / t),
    ]
    yield from shown(name, growth, terms)
    # two linear terms p and q, over one set
    p, q, XP, XQ, FP, FQ = W("p q xp xq fp fq")
    pp, pq, qp_, qq = W("pp pq qp qq")
    values = (
        (pp, [FP, T(p) * XP]), (pq, [FQ, T(p) * XQ]),
        (qp_, [FP, T(q) * XP]), (qq, [FQ, T(q) * XQ]),
    )  # fmt: skip
    name = "F_p(x) = f(x) + pᵀx and F_q(x) = f(x) + qᵀx"
    objectives = Rule(
        name, tuple(pair for F, sum_ in values for pair in W.rule(name, F, sum_).pairs)
    )
    far = HALF * mu * T(XQ - XP) * (XQ - XP)
    difference = [T(p - q) * (p - q), -(mu**2) * T(XP - XQ) * (XP - XQ)]
    terms = [
        square([p, -q, mu * (XP - XQ)]),
        gap([pq, -pp, -far], "F_p grows from x_p, and F_q from x_q", TWO * mu),
        gap([qp_, -qq, -far], "F_p grows from x_p, and F_q from x_q", TWO * mu),
    ]
    yield from shown(
        r"\|p-q\|^2 - \mu^2\|x_p-x_q\|^2", difference, terms, objectives
    )  # fmt: skip


@strongly_convex.check(Evidence.SYMBOLIC_ANY_SIZE)
def strong_convexity_is_convexity_less_a_square() -> None:
    """(1-t)‖x‖² + t‖y‖² - ‖z‖² = t(1-t)‖y-x‖²: both definitions have one gap."""
    norms = [(1 - t) * T(x) * x, t * T(y) * y, -T(z) * z]
    spread = t * (1 - t) * T(y - x) * (y - x)
    assert W.equal(norms, spread, BETWEEN, trace=True)


CURVATURES = (Fraction(2), Fraction(5))
MODULUS = min(CURVATURES)
Set = Callable[[Point], Point]


def minimizer(linear: Point, curvatures: Point = CURVATURES) -> Point:
    """The minimizer over [0, 1] × [0, 2] of ½Σ c_i x_i² + qᵀx, entry by entry."""
    return instances.box(
        tuple(-q / c for q, c in zip(linear, curvatures, strict=True))
    )  # fmt: skip


LINEAR = instances.grid((-12, -3, 0, Fraction(5, 2)), (-11, -4, 0, 1))


def assert_lipschitz(
    solve: Callable[[Point], Point] = minimizer,
    modulus: Fraction = MODULUS,
    data: Sequence[Point] = LINEAR,
) -> None:
    """modulus·‖x_p - x_q‖ ≤ ‖p - q‖ for all pairs, squared, exactly."""
    for p, q in instances.pairs(data):
        moved, change = instances.minus(solve(p), solve(q)), instances.minus(p, q)
        left = modulus**2 * instances.dot(moved, moved)
        assert left <= instances.dot(change, change), (
            f"from {instances.told(p)} to {instances.told(q)}: moves too far"
        )


@strongly_convex.check(Evidence.EXACT)
def box_minimizers_are_lipschitz_and_grow() -> None:
    assert_lipschitz()
    others = instances.grid((0, Fraction(1, 3), 1), (0, 1, 2))
    for linear in LINEAR:
        at = minimizer(linear)

        def value(v: Point, q: Point = linear) -> Fraction:
            squares = sum(c * s * s for c, s in zip(CURVATURES, v, strict=True))
            return Fraction(squares) / 2 + instances.dot(q, v)

        for other in others:
            away = instances.minus(other, at)
            growth = MODULUS * instances.dot(away, away) / 2
            assert value(other) - value(at) >= growth


def assert_solver_is_steady(modulus: float = 1.0) -> None:
    """Solutions of random QPs with P ⪰ I move at most ‖p - q‖/modulus."""
    rng = np.random.default_rng(3)
    for _ in range(10):
        root, G = rng.standard_normal((2, 4, 4))
        P, h = root @ root.T + np.eye(4), rng.uniform(0, 1, 4)
        p, q = 3 * rng.standard_normal((2, 4))
        found = [qp.solve(QP(P, v, G=G, h=h)).x for v in (p, q)]
        moved = np.linalg.norm(found[0] - found[1])
        assert modulus * moved <= np.linalg.norm(p - q) + 1e-8


@strongly_convex.check(Evidence.NUMERIC)
def solver_moves_no_faster_than_the_bound() -> None:
    assert_solver_is_steady()


@strongly_convex.control(mutant="a modulus of 2μ, as if the growth were μ‖·‖²")
def modulus_doubled() -> None:
    assert_lipschitz(modulus=2 * MODULUS)


def linear_choice(q: Point) -> Point:
    """A minimizer of qᵀx alone over [0, 1] × [0, 2]: a corner."""
    return tuple(
        Fraction(top if c < 0 else 0) for c, top in zip(q, (1, 2), strict=True)
    )


@strongly_convex.control(dropped="strong convexity: a linear objective on the box")
def linear_objective() -> None:
    tiny = Fraction(1, 100)
    data = [(tiny, tiny), (-tiny, tiny)]
    corners = instances.grid((0, 1), (0, 2))
    for q in data:
        least = min(instances.dot(q, corner) for corner in corners)
        require(instances.dot(q, linear_choice(q)) == least, "a minimizer")
    assert_lipschitz(linear_choice, data=data)


@strongly_convex.control(dropped="one fixed set: min ½x² with qx = 1, the datum q")
def moving_set() -> None:
    """The minimizer is 1/q and μ = 1, but here q moves the set."""
    data = [(Fraction(1, 10),), (Fraction(1, 5),)]
    assert_lipschitz(lambda q: (1 / q[0],), Fraction(1), data)


def assert_attained(points: Iterator[Fraction], least: Sequence[Fraction]) -> None:
    """Some candidate has s² no larger than every point of the set."""
    best = min(s * s for s in least)
    assert all(best <= s * s for s in points), "a point of the set does better"


@strongly_convex.check(Evidence.EXACT)
def closed_interval_attains() -> None:
    assert_attained((1 + Fraction(1, k) for k in range(1, 50)), [Fraction(1)])


@strongly_convex.control(dropped="closedness: s² on the interval (1, 2]")
def open_interval() -> None:
    members = [1 + Fraction(1, k) for k in range(1, 50)]
    require(all(1 < s <= 2 for s in members), "members of the interval")
    assert_attained((1 + Fraction(1, 2 * k) for k in range(1, 50)), members)


@strongly_convex.check(Evidence.EXACT)
def equality_is_reached_without_walls() -> None:
    """The bound 1/μ is sharp: f = (μ/2)‖x‖² on the whole plane has x = -q/μ."""
    modulus = sp.Rational(3)
    p, q = sp.Matrix([1, 2]), sp.Matrix([-1, 5])
    moved, change = (p - q) / modulus, p - q
    assert modulus**2 * moved.dot(moved) == change.dot(change)
