"""Lower bounds by multiplication, and the dual program that seeks the best one.

Chapter: duality.md.  Theorems: weak-duality, qp-dual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy as sp
import torch

from companion import sampling
from companion.layers import qp as layers
from companion.proofs.duality import conditions as words
from companion.proofs.duality import instances
from companion.proofs.duality.conditions import (
    DUAL,
    HALF,
    TAU,
    A,
    G,
    H,
    P,
    T,
    W,
    b,
    h,
    lam,
    nu,
    r,
    u,
    w,
    x,
)
from companion.proofs.duality.instances import Array, Certified
from companion.proofs.inequalities import Nonnegative, nonnegative, product, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import duality
from companion.reference import qp as reference
from companion.reference.duality import Data

ROUNDING = 1e-8  # relative; the solutions are accurate to 1e-10

# ----------------------------------------------------------------- weak-duality
weak_duality = theorem(
    "weak-duality",
    claim=(
        "If Pu + q + Aᵀnu + Gᵀlam = 0, every x with Ax = b has p(x) - d = "
        "½(x-u)ᵀP(x-u) + lamᵀ(h-Gx) with d = -½uᵀPu - bᵀnu - hᵀlam; both terms are "
        "nonnegative if P ⪰ 0, lam ≥ 0 and Gx ≤ h.  With b + s and h + t in place of b "
        "and h, the same holds with d - nuᵀs - lamᵀt."
    ),
    source="boyd2004convex",
    implements=(duality.lower_bound,),
)

GAP_TERMS = [
    square(W, x - u, words.CURVED, times=HALF),
    product(W, words.PRICES, words.ROOM),
]


@weak_duality.derivation
def gap_is_a_sum_of_signed_terms() -> Iterator[Step]:
    gap = [*words.objective(x), *words.minus(DUAL)]
    multiplied = [
        HALF * T(x) * P * x, -T(u) * P * x, HALF * T(u) * P * u,
        -T(nu) * A * x, T(b) * nu, -T(lam) * G * x, T(h) * lam,
    ]  # fmt: skip
    link = Link(multiplied, "stationarity", (words.STATIONARY,), trace=True)
    yield from chain(W, gap, link, name="p(x) - d")
    terms = [term.word for term in GAP_TERMS]
    assert W.equal(multiplied, terms, words.FEASIBLE, trace=True)
    closed = r"\tfrac12(x-u)^{\mathsf T}P(x-u) + \lambda^{\mathsf T}(h - Gx)"
    yield Step(W.latex(multiplied), closed, "Ax = b, and a completed square")


@weak_duality.check(Evidence.SYMBOLIC_ANY_SIZE)
def gap_has_a_sign() -> None:
    gap = [*words.objective(x), *words.minus(DUAL)]
    list(nonnegative(W, gap, GAP_TERMS, words.STATIONARY, words.FEASIBLE))


@weak_duality.check(Evidence.SYMBOLIC_ANY_SIZE)
def perturbed_gap_has_a_sign() -> None:
    s, t = W("s t")
    moved = W.rule("Ax = b + s", A * x, b + s)
    gap = [*words.objective(x), *words.minus(DUAL), T(nu) * s, T(lam) * t]
    room = Nonnegative(h + t - G * x, "Gx ≤ h + t")
    terms = [GAP_TERMS[0], product(W, words.PRICES, room)]
    list(nonnegative(W, gap, terms, words.STATIONARY, moved))


Bound = Callable[[Data, Array, Array, Array], Any]


def bound(data: Data, u: Array, nu: Array, lam: Array) -> Any:
    """The formula alone, without the refusals of `reference.duality.lower_bound`."""
    P, _, _, b, _, h = data
    return -(u @ P @ u) / 2 - b @ nu - h @ lam


def assert_gap(i: Certified, points: list[Array], value: Bound = bound) -> None:
    """The gap identity and the sign of both its terms, exactly."""
    P, _, _, _, G, h = i.data
    for y in points:
        assert instances.feasible(i.data, y)
        quadratic = (y - i.u) @ P @ (y - i.u) / 2
        linear = i.lam @ (h - G @ y)
        gap = duality.objective(i.data, y) - value(i.data, i.u, i.nu, i.lam)
        assert gap == quadratic + linear, f"the gap is {gap}, not {quadratic + linear}"
        assert quadratic >= 0, f"a point lies {-quadratic} below by its curvature"
        assert linear >= 0, f"a point lies {-linear} below by its slack"


@weak_duality.check(Evidence.EXACT)
def gap_at_rational_points() -> None:
    rng = np.random.default_rng(0)
    for rank in (0, 1, 3) * 20:
        i = instances.certified(rng, rank=rank)
        points = instances.neighbours(rng, i)
        assert_gap(i, points)
        assert duality.lower_bound(i.data, i.u, i.nu, i.lam) == bound(
            i.data, i.u, i.nu, i.lam
        )


@weak_duality.check(Evidence.NUMERIC)
def any_prices_bound_the_solvers_value() -> None:
    for regime in ("strictly_complementary", "weakly_active", "licq_failing"):
        problem, _ = sampling.qp(np.random.default_rng(3), regime=regime)
        best = reference.solve(problem).value
        rng = np.random.default_rng(4)
        for _ in range(20):
            nu_, lam_ = rng.standard_normal(problem.p), rng.exponential(size=problem.m)
            slope = problem.q + problem.A.T @ nu_ + problem.G.T @ lam_
            u_ = -np.linalg.solve(problem.P, slope)
            found = bound(problem.fields, u_, nu_, lam_)
            assert found <= best + ROUNDING * (1 + abs(best)), f"{found} above {best}"


def one(P: int, q: int, G: list[int], h: list[int], at: tuple) -> Certified:
    """A program in one variable with u, lam and x as given."""
    data = instances.data([[P]], [q], [[g] for g in G], h)
    u, lam, x = (duality.rational(v) for v in at)
    return Certified(data, u, duality.rational(np.zeros(0, dtype=int)), lam, x)


@weak_duality.control(mutant="hᵀlam added in place of subtracted")
def sign_of_the_right_side() -> None:
    def turned(data: Data, u: Array, nu: Array, lam: Array) -> Any:
        return bound(data, u, nu, lam) + 2 * data[5] @ lam

    i = one(1, -3, [1], [1], ([1], [2], [1]))
    assert_gap(i, [i.x], turned)


@weak_duality.control(mutant="the ½ of the quadratic term forgotten")
def whole_quadratic_term() -> None:
    def doubled(data: Data, u: Array, nu: Array, lam: Array) -> Any:
        return bound(data, u, nu, lam) - u @ data[0] @ u / 2

    i = one(1, -3, [1], [1], ([1], [2], [1]))
    assert_gap(i, [i.x], doubled)


@weak_duality.control(dropped="lam ≥ 0: min -x over x ≥ 0 with lam = -1")
def negative_price() -> None:
    i = one(0, -1, [-1], [0], ([0], [-1], [1]))
    require(not any(i.data[1] + i.data[4].T @ i.lam), "stationarity")
    assert_gap(i, [i.x])


@weak_duality.control(dropped="P ⪰ 0: min -½x² over [-1, 1] with u = 0, lam = 0")
def concave_objective() -> None:
    i = one(-1, 0, [1, -1], [1, 1], ([0], [0, 0], [1]))
    require(all(i.lam >= 0), "lam ≥ 0")
    assert_gap(i, [i.x])


# ---------------------------------------------------------------------- qp-dual
qp_dual = theorem(
    "qp-dual",
    claim=(
        "With r = q + Aᵀnu + Gᵀlam and P ≻ 0, L(x) - d = ½(x+P⁻¹r)ᵀP(x+P⁻¹r) with d = "
        "-½rᵀP⁻¹r - bᵀnu - hᵀlam, so d is the minimum of L over x.  If P is singular "
        "and r = -Pu, it is -½uᵀPu - bᵀnu - hᵀlam; if Pw = 0 and rᵀw ≠ 0, L is "
        "unbounded below.  With P = 0 it is -bᵀnu - hᵀlam where r = 0."
    ),
    source="boyd2004convex",
    implements=(duality.dual,),
    uses=("weak-duality",),
)

CONSTANTS = [-T(b) * nu, -T(h) * lam]


@qp_dual.derivation
def completed_square() -> Iterator[Step]:
    collected = [HALF * T(x) * P * x, T(r) * x, *CONSTANTS]
    added = [
        HALF * T(x) * P * x, T(r) * x, HALF * T(r) * H * r, -HALF * T(r) * H * r,
        *CONSTANTS,
    ]  # fmt: skip
    yield from chain(
        W,
        words.lagrangian(x),
        Link(collected, "collect r = q + Aᵀν + Gᵀλ", (words.SLOPE,), trace=True),
        Link(added, "add and subtract ½rᵀP⁻¹r"),
        name=r"L(x,\nu,\lambda)",
    )
    v = x + H * r
    closed = [sp.expand(HALF * T(v) * P * v), -HALF * T(r) * H * r, *CONSTANTS]
    assert W.equal(added, closed, words.INVERSE, trace=True)
    yield Step(
        W.latex(added),
        r"\tfrac12(x+P^{-1}r)^{\mathsf T}P(x+P^{-1}r) - "
        r"\tfrac12 r^{\mathsf T}P^{-1}r - b^{\mathsf T}\nu - h^{\mathsf T}\lambda",
        "complete the square",
    )


@qp_dual.check(Evidence.SYMBOLIC_ANY_SIZE)
def minimum_if_the_slope_is_in_the_range() -> None:
    gap = [*words.lagrangian(x), *words.minus(DUAL)]
    list(nonnegative(W, gap, GAP_TERMS[:1], words.STATIONARY))


@qp_dual.check(Evidence.SYMBOLIC_ANY_SIZE)
def unbounded_if_it_is_not() -> None:
    flat = W.rule("Pw = 0", P * w, sp.S.Zero)
    fall = [*words.lagrangian(x - TAU * w), *words.minus(words.lagrangian(x))]
    assert W.equal(fall, -TAU * T(r) * w, flat, words.SLOPE, trace=True)


@qp_dual.check(Evidence.SYMBOLIC_ANY_SIZE)
def linear_program_is_the_case_of_no_curvature() -> None:
    linear = W.rule("P = 0", P, sp.S.Zero)
    left = [*words.lagrangian(x), *words.minus(CONSTANTS)]
    assert W.equal(left, T(r) * x, linear, words.SLOPE, trace=True)


def assert_minimum(i: Certified, value: Any, rng: np.random.Generator) -> None:
    """No x has a Lagrangian below the value; exactly, at random rational points."""
    for _ in range(12):
        y = 4 * instances.integers(rng, len(i.x))
        L = duality.lagrangian(i.data, y, i.nu, i.lam)
        assert value <= L, f"L falls to {L}, below {value}"
    at_u = duality.lagrangian(i.data, i.u, i.nu, i.lam)
    assert at_u == value, f"L(u) = {at_u}, not {value}"


@qp_dual.check(Evidence.EXACT)
def minimum_at_rational_points() -> None:
    rng = np.random.default_rng(1)
    for rank in (0, 1, 3) * 10:
        i = instances.certified(rng, rank=rank)
        assert_minimum(i, duality.lower_bound(i.data, i.u, i.nu, i.lam), rng)


@qp_dual.check(Evidence.NUMERIC)
def both_programs_have_one_value() -> None:
    """The dual as a QP, solved by the reference; its minimizer against the layer's."""
    for seed in range(3):
        problem, known = sampling.qp(np.random.default_rng(seed))
        second = duality.dual(problem)
        solved = reference.solve(second)
        constant = problem.q @ np.linalg.solve(problem.P, problem.q) / 2
        value = -solved.value - constant
        assert abs(value - known.value) < ROUNDING * (1 + abs(known.value))
        sol = layers.solve(problem.map(torch.tensor))
        prices = np.concatenate([sol.nu.numpy(), sol.lam.numpy()])
        assert np.max(np.abs(prices - solved.x)) < 1e-6 * (1 + np.max(np.abs(prices)))


@qp_dual.control(mutant="rᵀP⁻¹r without its ½")
def whole_square() -> None:
    i = one(2, -3, [1], [1], ([1], [1], [1]))
    slope = i.data[1] + i.data[4].T @ i.lam
    value = -(slope @ slope) / 2 - i.data[5] @ i.lam
    assert_minimum(i, value, np.random.default_rng(2))


@qp_dual.control(dropped="r in the range of P: pseudo-inverse of diag(1, 0), q = -e₂")
def slope_outside_the_range() -> None:
    data = instances.data([[1, 0], [0, 0]], [0, -1], [[1, 0]], [0])
    zero = duality.rational([0, 0])
    i = Certified(data, zero, zero[:0], zero[:1], zero)
    require(all(i.lam >= 0) and data[0][1, 1] == 0, "P ⪰ 0 and singular, lam ≥ 0")
    slope = data[1]
    value = -slope @ data[0] @ slope / 2  # the pseudo-inverse of P is P itself
    assert_minimum(i, value, np.random.default_rng(2))
