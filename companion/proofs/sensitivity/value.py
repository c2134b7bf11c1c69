"""How the optimal value moves: at the price of the multipliers.

Chapter: sensitivity.md.  Theorems: value-sensitivity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.problems import QP
from companion.proofs import inequalities
from companion.proofs.inequalities import Nonnegative, Semidefinite
from companion.proofs.qp import instances
from companion.proofs.qp.instances import MASTER, Instance
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.sensitivity import conditions as kkt
from companion.proofs.sensitivity import quadratics
from companion.proofs.sensitivity.conditions import A, J, N, T, W, a, c, dtheta, dx
from companion.proofs.words import Link, alphabet, chain
from companion.reference import sensitivity as reference

Matrix = sp.Matrix

# ------------------------------------------------------------ value-sensitivity
value_sensitivity = theorem(
    "value-sensitivity",
    claim=(
        "Along a C¹ branch of solutions dv = ∂_θL dθ; for a convex QP, "
        "v(b + δb, h + δh) ≥ v - νᵀδb - λᵀδh and v(q + δq) ≤ v + xᵀδq for every "
        "displacement; on exact instances the one-sided derivatives in h are maxima "
        "over the multipliers, those in q minima over the minimizers."
    ),
    source="rockafellar1970convex",
    implements=(reference.multiplier_vertices,),
    uses=("weak-duality", "strong-duality", "value-function"),
)


@value_sensitivity.derivation
def value_along_a_branch() -> Iterator[Step]:
    E, lam, nu = W("E lam nu")
    start = [T(c) * dx, a * dtheta]
    yield Step(r"\mathrm{d}v", W.latex(start), kkt.OBJECTIVE.name)
    held = [-T(lam) * J * dx, -T(nu) * A * dx, a * dtheta]
    paid = [a * dtheta, T(lam) * N * dtheta, T(nu) * E * dtheta]
    moving = f"{kkt.HELD.name}; {kkt.FEASIBLE.name}"
    yield from chain(
        W,
        start,
        Link(held, kkt.STATIONARY.name, (kkt.STATIONARY,)),
        Link(paid, moving, (kkt.HELD, kkt.FEASIBLE)),
    )


# A second solution-like point y, feasible for displaced bounds b + k and h + l.
SHIFT = alphabet(
    constant="P q A b G h x y nu lam k l r",
    latex={"nu": r"\nu", "lam": r"\lambda"},
    P="n n symmetric",
    q="n 1",
    A="p n",
    b="p 1",
    G="m n",
    h="m 1",
    x="n 1",
    y="n 1",
    nu="p 1",
    lam="m 1",
    k="p 1",
    l="m 1",
    r="n 1",
)


@value_sensitivity.check(Evidence.SYMBOLIC_ANY_SIZE)
def prices_bound_the_value_from_below() -> None:
    S = SHIFT
    P, q, A_, b, G, h, x, y, nu, lam, k, l = S("P q A b G h x y nu lam k l")
    t, half = S.T, sp.Rational(1, 2)
    rules = (
        S.rule("stationarity", q, [-P * x, -t(A_) * nu, -t(G) * lam]),
        S.rule("Ax = b", A_ * x, b),
        S.rule("complementary slackness", t(lam) * G * x, t(lam) * h),
        S.rule("Ay = b + k", A_ * y, b + k),
    )
    rise = [half * t(y) * P * y, t(q) * y, -half * t(x) * P * x, -t(q) * x]
    priced = [*rise, t(nu) * k, t(lam) * l]
    room = Nonnegative(h + l - G * y, "Gy ≤ h + l")
    terms = [
        inequalities.square(S, y - x, Semidefinite(P, "P ⪰ 0"), times=half),
        inequalities.product(S, Nonnegative(lam, "λ ≥ 0"), room),
    ]
    assert list(inequalities.nonnegative(S, priced, terms, *rules))


@value_sensitivity.check(Evidence.SYMBOLIC_ANY_SIZE)
def a_minimizer_bounds_the_value_from_above() -> None:
    """X stays feasible when q becomes q + r, and costs rᵀx more."""
    S = SHIFT
    P, q, x, r = S("P q x r")
    before = [S.T(x) * P * x / 2, S.T(q) * x]
    after = [S.T(x) * P * x / 2, S.T(q + r) * x]
    assert S.equal([*after, *(-v for v in before)], S.T(r) * x)


Value = Callable[[Matrix], sp.Expr]
SMALL = sp.Rational(1, 1000)
FAR = (SMALL, sp.Integer(1), sp.Integer(3))


def assert_priced(value: Value, prices: list[Matrix], sign: int = -1) -> None:
    """Value(δ) ≥ value(0) + sign·λᵀδ for every price λ, near and far."""
    m = prices[0].rows
    for direction in directions(m):
        for step in FAR:
            for lam in prices:
                bound = value(sp.zeros(m, 1)) + sign * step * lam.dot(direction)
                found = value(step * direction)
                assert found >= bound, f"{found} lies below {bound}"


def assert_one_sided(
    value: Value, slopes: list[Matrix], choose: Callable = max
) -> None:
    """The one-sided derivative in every direction is the chosen one of the slopes.

    The value is piecewise quadratic, so two steps determine the slope exactly.
    """
    zero = sp.zeros(slopes[0].rows, 1)
    for direction in directions(zero.rows):
        one, two = (
            (value(k * SMALL * direction) - value(zero)) / (k * SMALL) for k in (1, 2)
        )
        found, claimed = 2 * one - two, choose(s.dot(direction) for s in slopes)
        assert found == claimed, f"slope {found}, not {claimed}, along {direction.T}"


def directions(m: int) -> list[Matrix]:
    """Unit vectors, their negatives, and mixtures."""
    eye = sp.eye(m)
    units = [eye[:, i] for i in range(m)]
    mixed = [units[0] - 2 * units[-1], sum(units, sp.zeros(m, 1))]
    return [s * v for v in (*units, *mixed) for s in (1, -1)]


def two_walls(delta: Matrix) -> sp.Expr:
    """Min ½x² - 3x subject to x ≤ 1 + δ₁ and x ≤ 1 + δ₂."""
    x = min(1 + delta[0], 1 + delta[1], sp.Integer(3))
    return x**2 / 2 - 3 * x


TWO_PRICES = [Matrix([2, 0]), Matrix([0, 2])]
CORNER = Matrix([[1, 0], [0, 1], [1, 1]])  # three lines through the origin
PULL = Matrix([2, 1])


def corner(delta: Matrix) -> sp.Expr:
    """Min ½‖x - (2, 1)‖² subject to x₁ ≤ δ₁, x₂ ≤ δ₂, x₁ + x₂ ≤ δ₃, by enumeration."""
    found = []
    for size in range(3):
        for rows in combinations(range(3), size):
            C = instances.rows(CORNER, list(rows))
            h = Matrix(size, 1, [delta[i] for i in rows])
            x = PULL - C.T * (C * C.T).inv() * (C * PULL - h) if size else PULL
            if all(v <= 0 for v in CORNER * x - delta):
                found.append((x - PULL).dot(x - PULL) / 2)
    return min(found)


# extreme points of {λ ≥ 0 : λ₁ + λ₃ = 2, λ₂ + λ₃ = 1}
CORNER_PRICES = [Matrix([2, 1, 0]), Matrix([1, 0, 1])]


def flat_box(delta: Matrix) -> sp.Expr:
    """Min (q + δ)ᵀx over [0, 1]² with q = (0, 1), where the minimizers are an edge."""
    return min(delta[0], sp.S.Zero) + min(1 + delta[1], sp.S.Zero)


@value_sensitivity.check(Evidence.EXACT)
def walls_without_independence() -> None:
    for value, prices in ((two_walls, TWO_PRICES), (corner, CORNER_PRICES)):
        assert_priced(value, prices)
        assert_one_sided(value, [-lam for lam in prices])


@value_sensitivity.check(Evidence.EXACT)
def minimizers_without_uniqueness() -> None:
    edge = [Matrix([0, 0]), Matrix([1, 0])]
    assert_one_sided(flat_box, edge, min)
    for x in edge:
        for direction in directions(2):
            for step in FAR:
                assert flat_box(step * direction) <= step * x.dot(direction)


@value_sensitivity.check(Evidence.EXACT)
def the_prices_are_the_vertices_that_the_reference_finds() -> None:
    problem = QP(
        np.eye(2), -np.array([2.0, 1]), G=np.array(CORNER, float), h=np.zeros(3)
    )
    found = reference.multiplier_vertices(problem, np.zeros(2))
    assert sorted(found.tolist()) == sorted(
        np.array(v.T, float)[0].tolist() for v in CORNER_PRICES
    )


def assert_value_moves(seed: int, *, priced: bool = True) -> None:
    """Second order of v along a random change of all the data, with slope ∂_θL."""
    rng = np.random.default_rng(seed)
    p, w = quadratics.convex(rng, 3, exact=False)
    delta = quadratics.change(rng, p)
    scale = 0.25 / (1 + np.abs(quadratics.tangent(p, w, delta)).max())

    def value(step: np.ndarray) -> float:
        moved = p.plus(step[0] * scale, delta)
        return quadratics.functions(moved, quadratics.newton(moved, w).x)[0]

    free = quadratics.functions(delta, w.x)[0]
    slope = scale * (quadratics.lagrangian(delta, w) if priced else free)
    steps = quadratics.STEPS
    report = gradcheck.taylor(value, np.zeros(1), np.ones(1), slope, steps=steps)
    assert report.passes, f"dv: {report}"


@value_sensitivity.check(Evidence.NUMERIC)
def values_of_quadratic_programs_have_second_order() -> None:
    for seed in range(3):
        assert_value_moves(seed)


@value_sensitivity.control(mutant="∂_θf₀ for ∂_θL, the prices forgotten")
def prices_forgotten() -> None:
    assert_value_moves(0, priced=False)


@value_sensitivity.control(mutant="+λ for the price of a bound")
def wrong_sign() -> None:
    assert_priced(two_walls, TWO_PRICES, sign=1)


@value_sensitivity.control(mutant="the least over the multipliers in place of the most")
def least_price() -> None:
    assert_one_sided(corner, [-lam for lam in CORNER_PRICES], min)


@value_sensitivity.control(dropped="unique multipliers: one of them taken for all")
def one_of_two_prices() -> None:
    require(
        TWO_PRICES[0].dot(sp.ones(2, 1)) == 3 - 1, "λ = (2, 0) balances x - 3 at x = 1"
    )
    assert_one_sided(two_walls, [-TWO_PRICES[0]])


@value_sensitivity.control(dropped="unique minimizer: one of them taken for all")
def one_of_many_minimizers() -> None:
    require(flat_box(sp.zeros(2, 1)) == 0, "x = (0, 0) is a minimizer")
    assert_one_sided(flat_box, [Matrix([0, 0])], min)


@value_sensitivity.control(dropped="convexity: min -½x² subject to x ≤ h and -x ≤ 1")
def concave_objective() -> None:
    def value(delta: Matrix) -> sp.Expr:
        ends = [1 + delta[0], -1 - delta[1]]
        return min(-(y**2) / 2 for y in ends) if ends[0] >= ends[1] else sp.oo

    require(-1 + 1 == 0, "x = 1 with λ = (1, 0) is a KKT point")
    assert_priced(value, [Matrix([1, 0])])


def objective(i: Instance) -> sp.Expr:
    """½xᵀPx + qᵀx."""
    return (i.x.T * i.P * i.x)[0] / 2 + (i.q.T * i.x)[0]


@value_sensitivity.check(Evidence.EXACT)
def prices_of_the_master_instance() -> None:
    require(instances.satisfies_kkt(MASTER), "a KKT point")
    for name, prices in (("h", MASTER.lam), ("b", MASTER.nu)):
        for _, _, D in instances.entries(name, prices.shape):
            moved = instances.moved(MASTER, {name: D}, SMALL)
            bound = objective(MASTER) - SMALL * prices.dot(D)
            assert objective(moved) >= bound, f"below the price of {name}"
