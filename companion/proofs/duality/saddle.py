"""A certified solution is a saddle point of the Lagrangian.

Chapter: duality.md.  Theorems: saddle-point.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion import sampling
from companion.proofs.duality import conditions as words
from companion.proofs.duality import instances
from companion.proofs.duality.bounds import one
from companion.proofs.duality.conditions import (
    HALF,
    TAU,
    A,
    G,
    P,
    T,
    W,
    b,
    h,
    kap,
    lam,
    mu,
    nu,
    q,
    w,
    x,
)
from companion.proofs.duality.instances import Array
from companion.proofs.inequalities import Nonnegative, nonnegative, product, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.reference import duality
from companion.reference import qp as reference
from companion.reference.duality import Data

saddle_point = theorem(
    "saddle-point",
    claim=(
        "For P ⪰ 0 and lam ≥ 0: stationarity, feasibility and complementary slackness "
        "at (x, nu, lam) give L(x, mu, kap) ≤ L(x, nu, lam) ≤ L(z, nu, lam) for every "
        "z, mu and kap ≥ 0; if one of them fails, a stated move of x, nu or lam "
        "violates an inequality."
    ),
    source="boyd2004convex",
    implements=(duality.lagrangian,),
    uses=("weak-duality", "strong-duality"),
)

OTHER_PRICES = Nonnegative(kap, "κ ≥ 0")


@saddle_point.derivation
def two_inequalities() -> Iterator[Step]:
    """The letter w stands for z - x."""
    here = words.minus(words.lagrangian(x))
    over_x = [*words.lagrangian(x + w), *here]
    name = r"L(x+w,\nu,\lambda) - L(x,\nu,\lambda)"
    yield from nonnegative(
        W, over_x, [square(W, w, words.CURVED, times=HALF)], words.AT_X, name=name
    )
    over_prices = [*words.lagrangian(x), *words.minus(words.lagrangian(x, mu, kap))]
    name = r"L(x,\nu,\lambda) - L(x,\mu,\kappa)"
    room = product(W, OTHER_PRICES, words.ROOM)
    yield from nonnegative(
        W, over_prices, [room], words.FEASIBLE, words.SLACK, name=name
    )


@saddle_point.check(Evidence.SYMBOLIC_ANY_SIZE)
def a_slope_is_a_descent() -> None:
    """Along the slope: x - τr with r = Px + q + Aᵀnu + Gᵀlam lowers L for small τ."""
    r = words.r
    at_x = W.rule("slope", q, [r, -P * x, -T(A) * nu, -T(G) * lam])
    fall = [*words.lagrangian(x - TAU * r), *words.minus(words.lagrangian(x))]
    wanted = [-TAU * T(r) * r, HALF * TAU**2 * T(r) * P * r]
    assert W.equal(fall, wanted, at_x, trace=True)


@saddle_point.check(Evidence.SYMBOLIC_ANY_SIZE)
def a_violation_is_an_ascent() -> None:
    """A move nu + (Ax - b) raises L by ‖Ax - b‖², lam + kap by kapᵀ(Gx - h).

    The move to zero multipliers of the inequalities raises it by lamᵀ(h - Gx).
    """
    violated = A * x - b
    up = [*words.lagrangian(x, nu + violated), *words.minus(words.lagrangian(x))]
    assert W.equal(up, T(violated) * violated, trace=True)
    up = [
        *words.lagrangian(x, nu, lam + kap), *words.minus(words.lagrangian(x)),
    ]  # fmt: skip
    assert W.equal(up, T(kap) * (G * x - h), trace=True)
    none = [*words.objective(x), T(nu) * violated]
    up = [*none, *words.minus(words.lagrangian(x))]
    assert W.equal(up, T(lam) * (h - G * x), trace=True)


def moves(data: Data, x: Array, nu: Array, lam: Array) -> list[tuple]:
    """The pairs (x, multipliers) to which the proof of the converse would move."""
    P, q, A, b, G, h = data
    slope = P @ x + q + A.T @ nu + G.T @ lam
    square, curvature = slope @ slope, slope @ P @ slope
    step = square / curvature if curvature > 0 else 1
    above = np.array([max(v, 0) for v in G @ x - h], dtype=object)
    return [
        (x - step * slope, nu, lam),
        (x, nu + A @ x - b, lam),
        (x, nu, lam + above.reshape(lam.shape)),
        (x, nu, 0 * lam),
    ]


def assert_saddle(
    data: Data, x: Array, nu: Array, lam: Array, others: list[tuple], sign: int = 1
) -> None:
    """No other x lowers L and no other multipliers raise it; `sign` is a mutant's."""
    value = duality.lagrangian(data, x, nu, sign * lam)
    for y, mu_, kap_ in others:
        fall = value - duality.lagrangian(data, y, nu, sign * lam)
        assert fall <= 0, f"L falls by {fall} in x"
        rise = duality.lagrangian(data, x, mu_, sign * kap_) - value
        assert rise <= 0, f"L rises by {rise} in the multipliers"


def certifies(data: Data, x: Array, nu: Array, lam: Array) -> bool:
    """Stationarity, feasibility and complementary slackness, exactly."""
    P, q, A, _, G, h = data
    slope = P @ x + q + A.T @ nu + G.T @ lam
    still = not any(slope) and not any(lam * (h - G @ x))
    return still and instances.feasible(data, x)


def random_moves(rng: np.random.Generator, i: instances.Certified) -> list[tuple]:
    return [
        (
            i.x + instances.integers(rng, len(i.x)),
            i.nu + instances.integers(rng, len(i.nu)),
            instances.integers(rng, len(i.lam), low=0),
        )
        for _ in range(6)
    ]


@saddle_point.check(Evidence.EXACT)
def saddle_if_and_only_if_certified() -> None:
    rng, seen = np.random.default_rng(7), [0, 0]
    for k in range(80):
        i = instances.certified(rng, rank=k % 4, optimal=k % 2 == 0)
        x = i.x + (instances.integers(rng, len(i.x)) if k % 8 == 0 else 0)
        triple = (i.data, x, i.nu, i.lam)
        known = certifies(*triple)
        seen[known] += 1
        others = moves(*triple) + (random_moves(rng, i) if known else [])
        try:
            assert_saddle(*triple, others)
            found = True
        except AssertionError:
            found = False
        assert found == known
    assert min(seen) > 15, seen


@saddle_point.check(Evidence.NUMERIC)
def solutions_are_saddle_points() -> None:
    for regime in ("strictly_complementary", "weakly_active", "lp_face"):
        problem, _ = sampling.qp(np.random.default_rng(8), regime=regime)
        sol, rng = reference.solve(problem), np.random.default_rng(9)
        value = duality.lagrangian(problem.fields, sol.x, sol.nu, sol.lam)
        for _ in range(20):
            z, mu_ = (v + rng.standard_normal(len(v)) for v in (sol.x, sol.nu))
            kap_ = rng.exponential(size=problem.m)
            above = duality.lagrangian(problem.fields, z, sol.nu, sol.lam)
            below = duality.lagrangian(problem.fields, sol.x, mu_, kap_)
            assert below - 1e-8 <= value <= above + 1e-8, f"{below} {value} {above}"


# min ½x² - 2x over x ≤ 1: the saddle point is (1; 1)
WALL = one(1, -2, [1], [1], ([1], [1], [1]))


@saddle_point.control(mutant="the multiplier term with the other sign")
def prices_subtracted() -> None:
    other = (2 * WALL.x, WALL.nu, WALL.lam)
    assert_saddle(WALL.data, WALL.x, WALL.nu, WALL.lam, [other], sign=-1)


@saddle_point.control(dropped="kap ≥ 0: x ≤ 3 is inactive, and kap = -1 is let in")
def negative_competitor() -> None:
    loose = one(1, -2, [1], [3], ([2], [0], [2]))
    require(certifies(loose.data, loose.x, loose.nu, loose.lam), "x is certified")
    other = (loose.x, loose.nu, duality.rational([-1]))
    assert_saddle(loose.data, loose.x, loose.nu, loose.lam, [other])


@saddle_point.control(dropped="P ⪰ 0: min -½x² over [-1, 1] at x = 0")
def concave_saddle() -> None:
    i = one(-1, 0, [1, -1], [1, 1], ([0], [0, 0], [0]))
    require(certifies(i.data, i.x, i.nu, i.lam), "all conditions but convexity")
    assert_saddle(i.data, i.x, i.nu, i.lam, [(i.x + 1, i.nu, i.lam)])


@saddle_point.control(dropped="feasibility: x = 2 for min ½x² - 2x over x ≤ 1")
def violated_wall() -> None:
    zero, two = duality.rational([0]), duality.rational([2])
    require(not any(WALL.data[0] @ two + WALL.data[1]), "stationary with lam = 0")
    others = moves(WALL.data, two, WALL.nu, zero)
    require(sp.Integer(len(others)) == 4, "the four moves of the proof")
    assert_saddle(WALL.data, two, WALL.nu, zero, others)
