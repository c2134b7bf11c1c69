"""Every solution of a convex QP has multipliers that certify it.

Chapter: duality.md.  Theorems: strong-duality.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from companion import sampling
from companion.layers import qp as layers
from companion.problems import Status
from companion.proofs.duality import conditions as words
from companion.proofs.duality import instances
from companion.proofs.duality.bounds import one
from companion.proofs.duality.conditions import (
    DUAL,
    HALF,
    TAU,
    A,
    G,
    P,
    T,
    W,
    b,
    h,
    lam,
    nu,
    q,
    w,
    x,
)
from companion.proofs.duality.instances import Array
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import duality
from companion.reference import qp as reference
from companion.reference.duality import Data

strong_duality = theorem(
    "strong-duality",
    claim=(
        "With u = x and Ax = b the gap is lamᵀ(h-Gx), zero under complementary "
        "slackness; for every size.  On the convex rational instances that were drawn, "
        "every minimizer has multipliers with gap zero, and every feasible point has "
        "either those or a direction along which the objective falls, never both."
    ),
    source="boyd2004convex",
    implements=(duality.optimality, reference.solve, layers.solve),
    uses=("weak-duality", "farkas-lemma"),
)


@strong_duality.derivation
def gap_at_a_candidate() -> Iterator[Step]:
    gap = [*words.objective(x), HALF * T(x) * P * x, T(b) * nu, T(h) * lam]
    products = [-T(nu) * A * x, -T(lam) * G * x, T(b) * nu, T(h) * lam]
    left = [-T(lam) * G * x, T(h) * lam]
    yield from chain(
        W,
        gap,
        Link(products, "stationarity at u = x", (words.AT_X,), trace=True),
        Link(left, "Ax = b", (words.FEASIBLE,), trace=True),
        Link(0, "complementary slackness", (words.SLACK,), trace=True),
        name="p(x) - d",
    )


@strong_duality.check(Evidence.SYMBOLIC_ANY_SIZE)
def descent_has_a_slope_and_a_curvature() -> None:
    """p(x + τw) - p(x) = τ(Px + q)ᵀw + ½τ²wᵀPw: a negative slope wins for small τ."""
    rise = [*words.objective(x + TAU * w), *words.minus(words.objective(x))]
    slope, curvature = T(P * x + q) * w, T(w) * P * w
    assert W.equal(rise, [TAU * slope, HALF * TAU**2 * curvature], trace=True)


@strong_duality.check(Evidence.SYMBOLIC_ANY_SIZE)
def multipliers_exclude_descent() -> None:
    """Aw = 0 gives (Px + q)ᵀw = -lamᵀGw, nonnegative along permitted directions."""
    along = W.rule("Aw = 0", A * w, 0)
    slope = T(P * x + q) * w
    assert W.equal(slope, -T(lam) * G * w, words.AT_X, along, trace=True)


@strong_duality.check(Evidence.SYMBOLIC_ANY_SIZE)
def equal_values_share_multipliers() -> None:
    """With u apart from x the gap is the weak one, so gap zero means P(x - u) = 0."""
    gap = [*words.objective(x), *words.minus(DUAL)]
    terms = [HALF * T(x - words.u) * P * (x - words.u), T(lam) * (h - G * x)]
    assert W.equal(gap, terms, words.STATIONARY, words.FEASIBLE, trace=True)


def certificate(data: Data, x: Array, *, every_row: bool = False) -> Any:
    """Multipliers of x by elimination; the mutant counts every row as active."""
    if not every_row:
        return duality.optimality(data, x)
    P, q, A, b, G, _ = data
    return duality.optimality((P, q, A, b, G, G @ x), x)


def assert_certified(
    data: Data, x: Array, others: list[Array], *, every_row: bool = False
) -> None:
    """Multipliers exist, the gap at x is zero, and no other feasible point is lower."""
    found = certificate(data, x, every_row=every_row)
    assert found.lam is not None, f"the objective falls along {found.x.tolist()}"
    gap = duality.objective(data, x) - duality.lower_bound(data, x, *found.lam)
    assert gap == 0, f"the gap is {gap}"
    for y in others:
        fall = duality.objective(data, x) - duality.objective(data, y)
        assert fall <= 0, f"another feasible point lies {fall} lower"


@strong_duality.check(Evidence.EXACT)
def every_minimizer_is_certified() -> None:
    rng = np.random.default_rng(3)
    for rank in (0, 1, 3) * 20:
        i = instances.certified(rng, rank=rank, optimal=True)
        assert_certified(i.data, i.x, instances.neighbours(rng, i))


def assert_descends(data: Data, x: Array, w: Array) -> None:
    """A rational step along w stays feasible and lowers the objective."""
    P, q, _, _, G, h = data
    rates, slack = G @ w, h - G @ x
    room = [s / v for s, v in zip(slack, rates, strict=True) if v > 0]
    slope, curvature = (P @ x + q) @ w, w @ P @ w
    if curvature > 0:
        room.append(-slope / curvature)
    y = x + min(room, default=1) * w
    assert instances.feasible(data, y)
    assert duality.objective(data, y) < duality.objective(data, x)


@strong_duality.check(Evidence.EXACT)
def every_feasible_point_is_certified_or_descends() -> None:
    rng, counts = np.random.default_rng(4), [0, 0]
    for rank in (0, 1, 3) * 20:
        i = instances.certified(rng, rank=rank)
        found = duality.optimality(i.data, i.x)
        counts[found.lam is None] += 1
        if found.lam is None:
            assert_descends(i.data, i.x, found.x)
        else:
            assert_certified(i.data, i.x, instances.neighbours(rng, i))
    assert min(counts) > 5, f"{counts} certified and not"


@strong_duality.check(Evidence.NUMERIC)
def solvers_close_the_gap_in_every_regime() -> None:
    for regime in sampling.REGIMES:
        problem, _ = sampling.qp(np.random.default_rng(6), regime=regime)
        for sol in (reference.solve(problem), layers.solve(problem.map(torch.tensor))):
            assert int(sol.status) == Status.SOLVED
            x_, nu_, lam_ = (np.asarray(v) for v in (sol.x, sol.nu, sol.lam))
            P, _, _, b, _, h = problem.fields
            primal = duality.objective(problem.fields, x_)
            value = -(x_ @ P @ x_) / 2 - b @ nu_ - h @ lam_
            size = 1 + abs(primal) + abs(x_ @ P @ x_) + abs(b @ nu_) + abs(h @ lam_)
            assert abs(primal - value) < 1e-8 * size, f"{regime}: {primal - value:.1e}"


@strong_duality.control(mutant="every row counted as active")
def inactive_rows_push_too() -> None:
    i = one(1, 2, [-1], [2], ([-2], [0], [0]))  # min ½x² + 2x over x ≥ -2, at x = 0
    assert_certified(i.data, i.x, [], every_row=True)


@strong_duality.control(dropped="x a minimizer: x = 0 for min ½x² + 2x over x ≥ -2")
def point_that_is_not_a_minimizer() -> None:
    i = one(1, 2, [-1], [2], ([-2], [0], [0]))
    require(instances.feasible(i.data, i.x), "x is feasible, and P ⪰ 0")
    assert_certified(i.data, i.x, [])


@strong_duality.control(dropped="P ⪰ 0: min -½x² over [-1, 2] at x = -1")
def local_minimizer_of_a_concave_objective() -> None:
    i = one(-1, 0, [-1, 1], [1, 2], ([-1], [1, 0], [-1]))
    require(instances.feasible(i.data, i.x), "x is feasible")
    require(duality.optimality(i.data, i.x).lam is not None, "it has multipliers")
    assert_certified(i.data, i.x, [duality.rational([2])])
