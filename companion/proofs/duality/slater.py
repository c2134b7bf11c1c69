"""What a strictly feasible point buys, and three convex programs without one.

Chapter: duality.md.  Theorems: slater-condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp

from companion import sampling
from companion.problems import QP
from companion.proofs.duality import conditions as words
from companion.proofs.duality import instances
from companion.proofs.duality.bounds import GAP_TERMS
from companion.proofs.duality.conditions import G, T, W, h, lam, x
from companion.proofs.inequalities import nonnegative
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.reference import duality
from companion.reference import qp as reference
from companion.reference.duality import Data

slater_condition = theorem(
    "slater-condition",
    claim=(
        "(i) Zero gap and attained multipliers under Slater's condition are cited.  "
        "(ii) For QPs of every size, multipliers of a lower bound d and a feasible x̂ "
        "satisfy lamᵀ(h-Gx̂) ≤ p(x̂) - d.  (iii) Without a strictly feasible point: "
        "min x over x² ≤ 0 has gap zero and no multiplier, min e^-x over x²/y ≤ 0 has "
        "gap one, and min x over x ≤ 0, -x ≤ 0 has multipliers of every size."
    ),
    source="boyd2004convex",
    implements=(duality.lower_bound,),
    uses=("weak-duality",),
    cited=True,
)


@slater_condition.derivation
def multipliers_are_bounded() -> Iterator[Step]:
    room = [T(lam) * G * x, -T(lam) * h]
    left = [*words.objective(x), *words.minus(words.DUAL), *room]
    hypotheses = (words.STATIONARY, words.FEASIBLE)
    _, sign = nonnegative(W, left, GAP_TERMS[:1], *hypotheses)
    square = r"\tfrac12(\hat x-u)^{\mathsf T}P(\hat x-u)"
    name = r"p(\hat x) - d - \lambda^{\mathsf T}(h - G\hat x)"
    yield Step(name, square, "the gap identity, with λᵀ(h - Gx̂) taken to the left")
    yield Step(square, sign.rhs, sign.rule)


def assert_bounded(data: Data, u: Any, nu: Any, lam: Any, point: Any, by: str) -> None:
    """The sum of the multipliers is at most the gap over the least slack at a point."""
    slack = data[5] - data[4] @ point
    gap = duality.objective(data, point) - duality.lower_bound(data, u, nu, lam)
    limit = {"least slack": gap / min(slack), "no slack": gap}[by]
    assert sum(lam) <= limit, f"multipliers sum to {sum(lam)}, above {limit}"


@slater_condition.check(Evidence.EXACT)
def bound_on_rational_instances() -> None:
    rng, seen = np.random.default_rng(10), 0
    for rank in (0, 1, 3) * 20:
        i = instances.certified(rng, rank=rank)
        strict = [
            y for y in instances.neighbours(rng, i, 12) if slack_at(i.data, y) > 0
        ]
        for y in strict:
            assert_bounded(i.data, i.u, i.nu, i.lam, y, "least slack")
        seen += len(strict)
    assert seen > 20, "too few strictly feasible points to mean anything"


def slack_at(data: Data, y: Any) -> Any:
    return min(data[5] - data[4] @ y)


# ------------------------------------------------- the programs without Slater's point
X, MULTIPLIER = sp.Symbol("x", real=True), sp.Symbol("lam", positive=True)


def dual_function(width: sp.Expr | int) -> Any:
    """The minimum of x + lam (x² - width) over x, for lam > 0; at lam = 0 it is -∞."""
    L = X + MULTIPLIER * (X**2 - width)
    (at,) = sp.solve(sp.diff(L, X), X)
    return sp.simplify(L.subs(X, at))


def assert_attained(width: sp.Expr | int) -> None:
    """Some lam > 0 has a dual value equal to the optimum, -√width."""
    d = dual_function(width)
    reached = sp.solveset(
        sp.Eq(d, -sp.sqrt(width)), MULTIPLIER, sp.Interval.open(0, sp.oo)
    )
    assert reached is not sp.S.EmptySet, f"no multiplier: the dual function is {d}"


@slater_condition.check(Evidence.EXACT)
def multiplier_of_a_widened_ball() -> None:
    """For min x over x² ≤ ε: the multiplier is 1/(2√ε), and (ii) allows 1/√ε."""
    eps = sp.Symbol("eps", positive=True)
    d = dual_function(eps)
    best = 1 / (2 * sp.sqrt(eps))
    assert sp.simplify(d.subs(MULTIPLIER, best) + sp.sqrt(eps)) == 0
    assert sp.simplify(sp.diff(d, MULTIPLIER).subs(MULTIPLIER, best)) == 0
    assert_attained(sp.Rational(1, 4))
    limit = (0 - (-sp.sqrt(eps))) / eps  # the gap at x̂ = 0 over its slack
    assert sp.simplify(limit / best) == 2


@slater_condition.check(Evidence.EXACT)
def without_a_ball_the_gap_is_zero_and_no_multiplier_exists() -> None:
    d = dual_function(0)
    assert sp.simplify(d + 1 / (4 * MULTIPLIER)) == 0
    assert sp.limit(d, MULTIPLIER, sp.oo) == 0  # the optimum, never reached
    assert d.is_negative


@slater_condition.check(Evidence.EXACT)
def a_convex_program_with_gap_one() -> None:
    """For min e^-x over x²/y ≤ 0, y > 0: optimum 1 at x = 0, dual function 0."""
    k, price = sp.symbols("k lam", positive=True)
    y = sp.Symbol("y", positive=True)
    hessian = sp.hessian(X**2 / y, (X, y))
    assert sp.simplify(hessian.det()) == 0
    assert hessian.trace().is_positive  # hence positive semidefinite
    assert sp.exp(-X).subs(X, 0) == 1  # x²/y ≤ 0 leaves x = 0 only
    L = sp.exp(-k) + price * k**2 / k**3  # at x = k, y = k³
    assert L.is_positive
    assert sp.limit(L, k, sp.oo) == 0


@slater_condition.check(Evidence.EXACT)
def affine_rows_need_no_strict_point() -> None:
    """For min x over x ≤ 0, -x ≤ 0 every (t, 1 + t) with t ≥ 0 certifies x = 0."""
    data = instances.data([[0]], [1], [[1], [-1]], [0, 0])
    zero = duality.rational([0])
    for size in (0, 1, 1000):
        prices = duality.rational([size, 1 + size])
        assert duality.lower_bound(data, zero, zero[:0], prices) == 0


@slater_condition.check(Evidence.NUMERIC)
def multipliers_of_solutions_are_bounded() -> None:
    """Widening slabs of a QP: the bound holds, and both sides fall with the width."""
    problem, known = sampling.qp(np.random.default_rng(11))
    for width in (1e-3, 1e-2, 1e-1, 1.0):
        P, q, A, b, G, _ = problem.fields
        wide = QP(P, q, A, b, G, G @ known.x + width)
        sol = reference.solve(wide)
        gap = duality.objective(wide.fields, known.x) - sol.value
        assert sol.lam.sum() * width <= gap + 1e-8


@slater_condition.control(mutant="the slack left out of the bound")
def bound_without_slack() -> None:
    """For min ½x² - 3x over x ≤ 1 at x̂ = 1/2: lam = 2, gap 9/8, slack 1/2."""
    data = instances.data([[1]], [-3], [[1]], [1])
    u, lam_ = duality.rational([1]), duality.rational([2])
    half = duality.rational([0.5])
    assert_bounded(data, u, u[:0], lam_, half, "no slack")


@slater_condition.control(dropped="a strictly feasible point: min x over x² ≤ 0")
def no_multiplier() -> None:
    require((X**2).subs(X, 0) <= 0 and sp.diff(X**2, X, 2) >= 0, "feasible and convex")
    assert_attained(0)


@slater_condition.control(dropped="a strictly feasible point: min x over x ≤ 0, -x ≤ 0")
def multipliers_of_every_size() -> None:
    """Any limit on the multipliers is passed, here 1000."""
    data = instances.data([[0]], [1], [[1], [-1]], [0, 0])
    zero = duality.rational([0])
    prices = duality.rational([500, 501])
    require(instances.feasible(data, zero), "a feasible point")
    require(duality.lower_bound(data, zero, zero[:0], prices) == 0, "optimal prices")
    assert sum(prices) <= 1000, f"multipliers sum to {sum(prices)}"
