"""The duality gap at a point of the central path.

Chapter: interior-point.md.  Theorems: central-path-gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy as sp

from companion.proofs.duality.instances import Certified, certified, integers
from companion.proofs.inequalities import (
    Nonnegative,
    Semidefinite,
    nonnegative,
    product,
    square,
)
from companion.proofs.qp import numeric
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import duality, kkt
from companion.reference.duality import Data, rational

HALF = sp.Rational(1, 2)
Array = np.ndarray

W = alphabet(
    constant="P q A b G h x nu lam z k",
    latex={"nu": r"\nu", "lam": r"\lambda", "k": r"m\mu"},
    P="n n symmetric",
    q="n 1",
    A="p n",
    b="p 1",
    G="m n",
    h="m 1",
    x="n 1",
    nu="p 1",
    lam="m 1",
    z="n 1",  # a feasible point
    k="1 1 symmetric",  # the sum of m products
)
P, q, A, b, G, h, x, nu, lam, z, k = W("P q A b G h x nu lam z k")
T = W.T
RULES = (
    W.rule("stationarity", q, [-P * x, -T(A) * nu, -T(G) * lam]),
    W.rule("Ax = b", A * x, b),
    W.rule("every product λᵢ(h − Gx)ᵢ is μ", T(lam) * h, [T(lam) * G * x, k]),
)
ANY = W.rule("Az = b", A * z, b)

central_path_gap = theorem(
    "central-path-gap",
    claim=(
        "Let Px + q + Aᵀnu + Gᵀlam = 0, Ax = b and lam_i (h - Gx)_i = mu on m rows.  "
        "Then p(x) - L(x, nu, lam) = m mu, and every z with Az = b has p(z) - p(x) + "
        "m mu = ½(z-x)ᵀP(z-x) + lamᵀ(h-Gz); both terms are nonnegative if P ⪰ 0, lam "
        "> 0 and Gz ≤ h, so p(x) exceeds the optimal value by at most m mu."
    ),
    source="boyd2004convex",
    implements=(kkt.central_path,),
    uses=("weak-duality",),
)


@central_path_gap.derivation
def gap_on_the_path() -> Iterator[Step]:
    multipliers = [-T(nu) * A * x, T(nu) * b, -T(lam) * G * x, T(lam) * h]
    yield from chain(
        W,
        multipliers,
        Link([T(lam) * h, -T(lam) * G * x], "Ax = b", RULES[1:2]),
        Link(k, "every product is μ", RULES[2:]),
        name=r"p(x)-L(x,\nu,\lambda)",
    )
    rise = [HALF * T(z) * P * z, T(q) * z, -HALF * T(x) * P * x, -T(q) * x, k]
    terms = (
        square(W, z - x, Semidefinite(P, "P is positive semidefinite"), times=HALF),
        product(W, Nonnegative(lam, "λ > 0"), Nonnegative(h - G * z, "Gz ≤ h")),
    )
    _, *signs = nonnegative(W, rise, terms, *RULES, ANY)
    shown = (r"\tfrac12(z-x)^{\mathsf T}P(z-x)", r"\lambda^{\mathsf T}(h-Gz)")
    name = r"p(z)-p(x)+m\mu"
    yield Step(name, "+".join(shown), "stationarity, Ax = b = Az, the products")
    for left, sign in zip(shown, signs, strict=True):
        yield Step(left, sign.rhs, sign.rule)


def on_the_path(rng: np.random.Generator) -> tuple[Certified, Fraction]:
    """A random rational program with a point at which every product is one number."""
    i = certified(rng)
    P_, _, A_, _, G_, _ = i.data
    mu = Fraction(int(rng.integers(1, 6)), 4)
    lam_ = integers(rng, len(G_), low=1) / 2
    q_ = -(P_ @ i.x + A_.T @ i.nu + G_.T @ lam_)
    data: Data = P_, q_, A_, A_ @ i.x, G_, G_ @ i.x + mu / lam_
    return Certified(data, i.x, i.nu, lam_, i.x), mu


def assert_gap(i: Certified, mu: Fraction, points: list[Array], rows: int) -> None:
    """The gap is rows·mu, and no feasible point is better by more."""
    value = duality.objective(i.data, i.x)
    gap = value - duality.lagrangian(i.data, i.x, i.nu, i.lam)
    assert gap == rows * mu, f"the gap is {gap}, not {rows * mu}"
    for point in points:
        better = value - duality.objective(i.data, point)
        assert better <= rows * mu, f"a point is better by {better}, mu is {mu}"


def feasible(i: Certified, rng: np.random.Generator) -> list[Array]:
    """Points that satisfy all constraints, x itself among them."""
    _, _, A_, b_, G_, h_ = i.data
    moves = [i.x + integers(rng, len(i.x)) / 3 for _ in range(6)]
    return [v for v in [i.x, *moves] if not any(A_ @ v - b_) and all(G_ @ v <= h_)]


@central_path_gap.check(Evidence.EXACT)
def gap_at_rational_points() -> None:
    rng, seen = np.random.default_rng(0), 0
    for _ in range(25):
        i, mu = on_the_path(rng)
        points = feasible(i, rng)
        assert_gap(i, mu, points, len(i.lam))
        seen += len(points)
    assert seen > 50, "too few feasible points to mean anything"


@central_path_gap.check(Evidence.NUMERIC)
def gap_of_the_reference() -> None:
    for problem, known in numeric.draws("strictly_complementary", "weakly_active"):
        for mu in (1.0, 1e-3):
            point = kkt.central_path(problem, mu)
            value = 0.5 * point.x @ problem.P @ point.x + problem.q @ point.x
            excess = (value - known.value) / (problem.m * mu)
            assert 0 < excess <= 1, f"the excess is {excess} of m mu"
            numeric.assert_close(point.s @ point.lam, problem.m * mu, "s·lam")


@central_path_gap.control(mutant="a gap of mu, whatever the number of rows")
def one_mu() -> None:
    i, mu = on_the_path(np.random.default_rng(0))
    require(len(i.lam) > 1, "several rows")
    assert_gap(i, mu, [], 1)


def beyond_the_wall() -> tuple[Certified, Fraction]:
    """½x² over x ≤ 1 at x = 3/2: multiplier and slack negative, their product 3/4."""
    data = tuple(map(rational, ([[1]], [0], np.zeros((0, 1)), [], [[1]], [1])))
    point, lam_ = rational([1.5]), rational([-1.5])
    return Certified(data, point, rational([]), lam_, point), Fraction(3, 4)  # type: ignore[arg-type] - six fields


@central_path_gap.control(dropped="positive multipliers and slacks")
def both_factors_negative() -> None:
    i, mu = beyond_the_wall()
    slack = i.data[5] - i.data[4] @ i.x
    require(i.lam[0] * slack[0] == mu, "the product is mu > 0")
    require(not any(i.data[0] @ i.x + i.data[1] + i.data[4].T @ i.lam), "stationarity")
    assert_gap(i, mu, [0 * i.x], 1)
