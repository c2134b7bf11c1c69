"""Cones of directions: where a point may go, and what holds it there.

Chapter: convexity.md.  Theorems: normal-cone-optimality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.convexity import instances
from companion.proofs.convexity.functions import d, fx, fy, x, y
from companion.proofs.convexity.instances import Fraction, Point, dot, minus
from companion.proofs.convexity.signed import T, W, gap, shown
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.reference import qp

J, R, lam, u, z = W("J R lam normal z")

# -------------------------------------------------------- normal-cone-optimality
normal_cone = theorem(
    "normal-cone-optimality",
    claim=(
        "f(y) - f(x) is the gap of the tangent plus ∇f(x)ᵀ(y-x).  If G_I has a right "
        "inverse R and u is orthogonal to the null space of G_I, then u = G_Iᵀ(Rᵀu), "
        "where the entry i of Rᵀu is -uᵀd for the direction d = -Re_i, with "
        "G_I d = -e_i; and the weights of G_Iᵀλ are λ."
    ),
    source="rockafellar1970convex",
    implements=(qp.solve,),
    uses=("first-order-convexity",),
)


@normal_cone.derivation
def optimal_against_every_direction() -> Iterator[Step]:
    terms = [
        gap([fy, -fx, -T(d) * (y - x)], "the tangent at x lies below f"),
        gap([T(d) * (y - x)], "-∇f(x) is a normal at x, and y is in the set"),
    ]
    yield from shown("f(y) - f(x)", [fy, -fx], terms)
    along, across = T(J) * (T(R) * u), T(1 - R * J) * u
    assert W.equal(u, [along, across]), "not a splitting of u"
    yield Step(
        W.latex(u),
        rf"{W.latex(along)} + (I - R\,G_I)^{{\mathsf T}}\,{W.latex(u)}",
        "add and subtract. The second term is zero: I - R G_I maps into the null space "
        "of G_I, and u is orthogonal to it",
    )


RIGHT = W.rule("G_I R = I", J * R, 1)


@normal_cone.check(Evidence.SYMBOLIC_ANY_SIZE)
def polar_of_the_tangent_cone() -> None:
    # I - R G_I maps into the null space of G_I, and d = -R w steps inside every wall
    (w,) = W("lam")
    assert W.equal(J - J * R * J, 0, RIGHT)
    assert W.equal(J * -R * w, -w, RIGHT)
    # the weights of a combination of normals are recovered: Rᵀ(G_Iᵀλ) = λ
    assert W.equal(T(R) * T(J) * lam, lam, RIGHT)
    # and a combination of normals makes no acute angle with a direction: λᵀ(G_I d)
    assert W.equal(T(T(J) * lam) * z, T(lam) * (J * z))


# a polygon Gz ≤ h by its rows, with its corners
ROWS = [tuple(map(Fraction, row)) for row in ((1, 2), (-1, 0), (0, -1), (1, -1))]
BOUNDS = [Fraction(6), Fraction(0), Fraction(0), Fraction(3)]
CORNERS = [tuple(map(Fraction, c)) for c in ((0, 0), (0, 3), (4, 1), (3, 0))]
ARROWS = instances.grid(range(-3, 4), range(-3, 4))


def by_directions(arrow: Point, at: Point) -> bool:
    """Whether arrowᵀ(z - at) ≤ 0 for every z of the polygon: its corners decide."""
    return all(dot(arrow, minus(corner, at)) <= 0 for corner in CORNERS)


def by_walls(arrow: Point, at: Point) -> bool:
    """Whether arrow = Σ λ_i (row i) with λ ≥ 0 over the rows that are active."""
    rows = [
        row for row, bound in zip(ROWS, BOUNDS, strict=True) if dot(row, at) == bound
    ]
    if not rows:
        return not any(arrow)
    M = sp.Matrix([[sp.Rational(c) for c in row] for row in rows])
    target = sp.Matrix([sp.Rational(c) for c in arrow])
    weights = (M * M.T).inv() * M * target
    return bool(M.T * weights == target and min(weights) >= 0)


Test = Callable[[Point, Point], bool]


EDGES = [(Fraction(0), Fraction(1)), (Fraction(2), Fraction(2))]
INSIDE = [(Fraction(1), Fraction(1))]
PLACES = [*CORNERS, *EDGES, *INSIDE]


def assert_cones_agree(
    one: Test = by_directions, other: Test = by_walls, places: Sequence[Point] = PLACES
) -> None:
    """Both tests of a normal agree at these places, for a grid of arrows, exactly."""
    for at in places:
        for arrow in ARROWS:
            here = f"{instances.told(arrow)} at {instances.told(at)}"
            assert one(arrow, at) == other(arrow, at), f"they differ on {here}"


@normal_cone.check(Evidence.EXACT)
def normals_of_a_polygon_are_combinations_of_walls() -> None:
    assert_cones_agree()


def assert_normal_means_optimal(
    f: instances.Smooth, points: Sequence[Point], sign: int = 1
) -> None:
    """-sign·∇f(x) is a normal at x exactly where f is least, on these points."""
    least = min(map(f.value, points))
    for at in points:
        slope = tuple(-sign * c for c in f.slope(at))
        normal = all(dot(slope, minus(other, at)) <= 0 for other in points)
        assert normal == (f.value(at) == least), (
            f"normal: {normal}, value {f.value(at)}, least {least}"
        )


def polygon(steps: int = 3) -> list[Point]:
    """Points of the polygon on a grid, its corners among them."""
    fine = [Fraction(k, steps) for k in range(4 * steps + 1)]
    return [
        at
        for at in instances.grid(fine, fine)
        if all(dot(row, at) <= bound for row, bound in zip(ROWS, BOUNDS, strict=True))
    ]


@normal_cone.check(Evidence.EXACT)
def least_where_the_slope_is_held() -> None:
    a, b = instances.a, instances.b
    for f in ((a - 5) ** 2 + (b - 3) ** 2, (a - 1) ** 2 + b**2, -a - 2 * b + a**4):
        assert_normal_means_optimal(instances.smooth(f), polygon(1))


@normal_cone.check(Evidence.NUMERIC)
def solver_stops_where_the_slope_is_held() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        root, G = rng.standard_normal((3, 3)), rng.standard_normal((5, 3))
        problem = QP(
            root @ root.T + np.eye(3),
            3 * rng.standard_normal(3),
            G=G,
            h=rng.uniform(0.1, 1, 5),
        )
        found = qp.solve(problem)
        slope = -(problem.P @ found.x + problem.q)
        assert np.allclose(slope, G.T @ found.lam, atol=1e-7)
        others = rng.standard_normal((400, 3))
        others = others[np.all(others @ G.T <= problem.h, 1)]
        assert np.max((others - found.x) @ slope, initial=0) < 1e-7


@normal_cone.control(mutant="∇f(x) in place of -∇f(x)")
def slope_of_the_other_sign() -> None:
    a, b = instances.a, instances.b
    f = instances.smooth((a - 5) ** 2 + (b - 3) ** 2)
    assert_normal_means_optimal(f, polygon(1), sign=-1)


@normal_cone.control(mutant="weights of either sign")
def linear_span_of_the_walls() -> None:
    assert_cones_agree(
        other=lambda arrow, at: by_walls(arrow, at) or _in_span(arrow, at)
    )


def _in_span(arrow: Point, at: Point) -> bool:
    return by_walls(tuple(-c for c in arrow), at)


@normal_cone.control(dropped="f convex: -s² on [-1, 2]")
def concave_objective() -> None:
    f = instances.smooth(-(instances.a**2), [instances.a])
    interval = instances.grid([Fraction(k, 2) for k in range(-2, 5)])
    left = interval[0]
    held = all(dot(f.slope(left), minus(z, left)) >= 0 for z in interval)
    require(held, "-∇f is a normal at the left end")
    assert_normal_means_optimal(f, interval)


@normal_cone.control(dropped="linear walls: the line z₁ = 0 written as z₁² ≤ 0")
def curved_wall() -> None:
    """The gradient of z₁² vanishes on the line, so it yields no normal but zero."""
    line = instances.grid([0], range(-2, 3))
    require(all(z[0] ** 2 <= 0 for z in line), "the line is the set")

    def by_line(arrow: Point, at: Point) -> bool:
        return all(dot(arrow, minus(z, at)) <= 0 for z in line)

    origin = (Fraction(0), Fraction(0))
    require(2 * origin[0] == 0, "the gradient (2z₁, 0) vanishes there")
    assert_cones_agree(by_line, lambda arrow, _: not any(arrow), [origin])
