"""A squared penalty on equalities misses them, by the multiplier over the weight.

Chapter: hard-constraints.md.  Theorems: penalty-bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.hard_constraints import letters as it
from companion.proofs.hard_constraints.letters import A, P, R, S, T, W, rho
from companion.proofs.inequalities import (
    Semidefinite,
    nonnegative,
    square,
)
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import penalty
from companion.reference import qp as reference

Matrix = sp.Matrix
n, v, w, x, y = it.n, it.v, it.w, it.x, it.y

# ----------------------------------------------------------------- penalty-bias
penalty_bias = theorem(
    "penalty-bias",
    claim=(
        "Let P ≻ 0, let x* minimize ½xᵀPx + qᵀx on Ax = b with multipliers ν*, let x_ρ "
        "minimize ½xᵀPx + qᵀx + ρ/2 ‖Ax-b‖² with ρ > 0, and let S = AP⁻¹Aᵀ.  Then "
        "Ax_ρ - b = ν_ρ/ρ with ν_ρ = ν* - (I + ρS)⁻¹ν*, and ‖Ax_ρ - b‖ ≤ ‖ν*‖/ρ.  If "
        "A has full row rank, Ax_ρ = b only if ν* = 0."
    ),
    source="nocedal2006numerical",
    implements=(penalty.squared,),
)


@penalty_bias.derivation
def violation() -> Iterator[Step]:
    links = (
        Link([A * x, -A * y], "x* is feasible", (it.VIOLATION, it.FEASIBLE)),
        Link([A * it.H * P * x, -A * it.H * P * y], "P⁻¹P = I", (it.INVERSE,)),
        Link([S * n, -rho * S * v], "both are stationary", (it.SOFT, it.STATIONARY)),
    )
    yield from chain(W, v, *links)
    # collect v on the left: (I + rho S)v = S n, and apply R
    collected = [v, rho * S * v]
    assert W.equal([S * n, -rho * S * v, rho * S * v], S * n)
    yield Step(W.latex(collected), W.latex(S * n), "collect v on the left")
    assert W.equal([R * term for term in collected], v, it.RESOLVENT)
    # so v = RSn
    rule = "(I + ρS)⁻¹ρS = I − (I + ρS)⁻¹"
    last = Link([n / rho, -R * n / rho], rule, (it.RESOLVENT,))
    yield from chain(W, R * S * n, last, name=W.latex(v))


@penalty_bias.check(Evidence.SYMBOLIC_ANY_SIZE)
def violation_is_below_the_multiplier() -> None:
    """‖ν*‖²/ρ² - ‖v‖² = ‖w‖²/ρ² + 2/ρ wᵀSw, where w = (I + ρS)⁻¹ν* and v = Sw."""
    curved = Semidefinite(it.H, "P is positive definite")
    multiplier = w + rho * S * w  # ν* in terms of w
    assert W.equal(R * multiplier, w, it.RESOLVENT), "w is not R applied to ν*"
    assert W.equal(R * S * multiplier, S * w, it.RESOLVENT), "v is not Sw"
    gap = T(multiplier) * multiplier / rho**2 - T(S * w) * S * w
    terms = (
        square(W, w, times=1 / rho**2),
        square(W, T(A) * w, curved, times=2 / rho),
    )
    assert list(nonnegative(W, gap, terms))


Data = tuple[Matrix, Matrix, Matrix, Matrix]  # P, q, A, b
Claim = Callable[[Data, Matrix, sp.Expr | int], Matrix]


def with_multiplier(P: Matrix, A: Matrix, x: Matrix, nu: Matrix) -> Data:
    """The data of which x is the constrained minimizer with multipliers nu."""
    return P, -(P * x + A.T * nu), A, A * x


PLANE = with_multiplier(
    Matrix([[2, 1], [1, 3]]), Matrix([[1, 1]]), Matrix([1, 1]), Matrix([-3])
)
SPACE = with_multiplier(
    Matrix([[3, 1, 0], [1, 2, 0], [0, 0, 1]]),
    Matrix([[1, 1, 1], [0, 1, -1]]),
    Matrix([1, 2, -1]),
    Matrix([2, -5]),
)


def penalized(data: Data, weight: sp.Expr | int) -> Matrix:
    """The stationary point of ½xᵀPx + qᵀx + weight/2 ‖Ax - b‖²."""
    P, q, A, b = data
    return (P + weight * A.T * A).LUsolve(weight * A.T * b - q)


def left_over(data: Data, weight: sp.Expr | int) -> Matrix:
    """The violation Ax - b at the penalized minimizer."""
    return data[2] * penalized(data, weight) - data[3]


def stated(data: Data, nu: Matrix, weight: sp.Expr | int) -> Matrix:
    """The violation of the claim, (ν* - (I + ρS)⁻¹ν*)/ρ."""
    P, _, A, _ = data
    S = A * P.inv() * A.T
    return (nu - (sp.eye(A.rows) + weight * S).LUsolve(nu)) / weight


def assert_violation(
    data: Data,
    nu: Matrix,
    weight: sp.Expr | int,
    *,
    claim: Claim = stated,
    factor: int = 1,
) -> None:
    """Exactly the stated violation; `factor` rescales the weight of the penalty."""
    r, want = left_over(data, factor * weight), claim(data, nu, weight)
    assert r == want, f"the violation is {list(r)}, not {list(want)}"
    assert r.dot(r) <= nu.dot(nu) / weight**2


def assert_vanishes(data: Data) -> None:
    """The violation falls a hundredfold when the weight rises from 10 to a million."""
    sizes = [left_over(data, weight).norm() for weight in (10, 10**6)]
    assert sizes[1] < sizes[0] / 100, f"the violation stays at {sizes[1].evalf(3)}"


def assert_zero_only_without_force(data: Data, nu: Matrix) -> None:
    """Some constraint stays violated whatever the weight, unless nu is zero."""
    for weight in (1, 100, 10**6):
        r = left_over(data, weight)
        assert any(r) == any(nu), f"violation {list(r)} with multipliers {list(nu)}"


@penalty_bias.check(Evidence.EXACT)
def violation_in_rational_numbers() -> None:
    for data, nu in ((PLANE, Matrix([-3])), (SPACE, Matrix([2, -5]))):
        for weight in (sp.Rational(1, 3), 1, 10, 10**6):
            assert_violation(data, nu, weight)
        assert_vanishes(data)
        assert_zero_only_without_force(data, nu)
        free = with_multiplier(data[0], data[2], data[0][:, 0], 0 * nu)
        assert_zero_only_without_force(free, 0 * nu)


def drawn(seed: int) -> QP:
    """A strictly convex QP with three equalities in six variables."""
    rng = np.random.default_rng(seed)
    F, A = rng.standard_normal((6, 6)), rng.standard_normal((3, 6))
    return QP(F @ F.T + np.eye(6), rng.standard_normal(6), A, rng.standard_normal(3))


@penalty_bias.check(Evidence.NUMERIC)
def violation_falls_like_the_weight_and_conditioning_grows() -> None:
    for seed in range(3):
        problem = drawn(seed)
        nu = reference.solve(problem).nu
        weights = np.geomspace(1e3, 1e7, 5)
        found = [problem.A @ penalty.squared(problem, s) - problem.b for s in weights]
        for s, r in zip(weights, found, strict=True):
            assert np.linalg.norm(r) <= np.linalg.norm(nu) / s
        sizes = [np.linalg.norm(r) for r in found]
        slope = np.polyfit(np.log(weights), np.log(sizes), 1)[0]
        assert abs(slope + 1) < 0.02, f"the violation falls with exponent {slope:.3f}"
        stiff = [
            np.linalg.cond(problem.P + s * problem.A.T @ problem.A) for s in weights
        ]
        growth = np.polyfit(np.log(weights), np.log(stiff), 1)[0]
        assert abs(growth - 1) < 0.02, f"conditioning grows with exponent {growth:.3f}"


@penalty_bias.control(mutant="ρ ‖Ax - b‖² for ρ/2 ‖Ax - b‖²")
def half_forgotten() -> None:
    assert_violation(PLANE, Matrix([-3]), 4, factor=2)


@penalty_bias.control(
    mutant="the violation is ν*/ρ, the multiplier of the hard problem"
)
def wrong_multiplier() -> None:
    def hard(data: Data, nu: Matrix, weight: sp.Expr | int) -> Matrix:
        del data
        return nu / weight

    assert_violation(PLANE, Matrix([-3]), 4, claim=hard)


@penalty_bias.control(dropped="full row rank: one equality written twice")
def balanced_forces() -> None:
    A = Matrix([[1, 1], [1, 1]])
    data = with_multiplier(PLANE[0], A, Matrix([1, 1]), Matrix([1, -1]))
    require(
        data[0].is_positive_definite and data[2] * Matrix([1, 1]) == data[3],
        "P ≻ 0, and x* is feasible",
    )
    assert_zero_only_without_force(data, Matrix([1, -1]))


@penalty_bias.control(dropped="a feasible point: x = 0 and x = 1")
def contradictory_rows() -> None:
    one = Matrix([[1]])
    data = (one, 0 * one, Matrix([1, 1]), Matrix([0, 1]))
    require(data[0].is_positive_definite, "P ≻ 0")
    assert_vanishes(data)
