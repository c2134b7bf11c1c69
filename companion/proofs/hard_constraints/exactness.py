"""An absolute penalty can be exact: a weight above every multiplier is enough.

Chapter: hard-constraints.md.  Theorems: exact-penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.hard_constraints.penalties import (
    PLANE,
    SPACE,
    Data,
    Matrix,
    drawn,
    with_multiplier,
)
from companion.proofs.inequalities import (
    Nonnegative,
    Semidefinite,
    nonnegative,
    product,
    square,
)
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference import penalty
from companion.reference import qp as reference

HALF = sp.Rational(1, 2)

# ---------------------------------------------------------------- exact-penalty
exact_penalty = theorem(
    "exact-penalty",
    claim=(
        "Let x minimize ½xᵀPx + qᵀx on Ax = b with multipliers ν, P ≻ 0.  If "
        "ω ≥ max|ν_i|, x is the only minimizer of ½zᵀPz + qᵀz + ω‖Az-b‖₁; if the rows "
        "of A are independent and ω < max|ν_i|, x is not a minimizer."
    ),
    source="nocedal2006numerical",
    implements=(penalty.absolute,),
)

# Az − b = u − v with u, v ≥ 0 and ‖Az − b‖₁ = 1ᵀ(u + v); o is ω times the ones.
E = alphabet(
    latex={"n": r"\nu", "o": r"\omega\mathbf 1", "u": "r_+", "v": "r_-"},
    P="n n symmetric",
    A="p n",
    q="n one",
    b="p one",
    x="n one",
    z="n one",
    d="n one",
    n="p one",
    o="p one",
    u="p one",
    v="p one",
)
t = sp.Symbol("t", positive=True)


def objective(point: sp.Expr) -> list[sp.Expr]:
    """½zᵀPz + qᵀz in the letters of this theorem."""
    P, q = E("P q")
    return [HALF * E.T(point) * P * point, E.T(q) * point]


@exact_penalty.derivation
def excess() -> Iterator[Step]:
    P, q, A, b, x, z, n, o, u, v = E("P q A b x z n o u v")
    stationary = E.rule("x is stationary", P * x, -q - E.T(A) * n)
    feasible = E.rule("Ax = b", A * x, b)
    split = E.rule("Az − b is split by sign", A * z, b + u - v)
    gap = [*objective(z), *(-term for term in objective(x)), E.T(o) * (u + v)]
    terms = (
        square(E, z - x, Semidefinite(P, "P is positive definite"), times=HALF),
        product(E, Nonnegative(o - n, "ν_i ≤ ω"), Nonnegative(u, "a positive part")),
        product(E, Nonnegative(o + n, "−ν_i ≤ ω"), Nonnegative(v, "a negative part")),
    )
    assert list(nonnegative(E, gap, terms, stationary, feasible, split))
    difference = [HALF * E.T(z) * P * z, -E.T(z) * P * x, HALF * E.T(x) * P * x]
    assert E.equal(difference, terms[0].word, trace=True)
    forces = (E.T(o) * (u + v), -E.T(n) * (u - v))
    assert E.equal(forces, [terms[1].word, terms[2].word], trace=True)
    bare = r"\tfrac12\|z-x\|_P^2"
    left = r"\omega\mathbf 1^{\mathsf T}(r_+ + r_-) - \nu^{\mathsf T}(r_+ - r_-)"
    right = (
        r"(\omega\mathbf 1-\nu)^{\mathsf T}r_+ + (\omega\mathbf 1+\nu)^{\mathsf T}r_-"
    )
    yield Step(
        r"F_\omega(z) - F_\omega(x)",
        rf"{bare} + {left}",
        "expansion about x, stationarity, and Ax = b",
    )
    yield Step(left, right, "sort by the two parts")


@exact_penalty.check(Evidence.SYMBOLIC_ANY_SIZE)
def first_order_loss_off_the_plane() -> None:
    """f(x + td) - f(x) = t²/2 dᵀPd - t νᵀAd: below -tω‖Ad‖₁ for small t, if νᵀAd is."""
    P, q, A, x, d, n = E("P q A x d n")
    stationary = E.rule("x is stationary", P * x, -q - E.T(A) * n)
    change = [*objective(x + t * d), *(-term for term in objective(x))]
    stated = [t**2 / 2 * E.T(d) * P * d, -t * E.T(n) * A * d]
    assert E.equal(change, stated, stationary, trace=True)


def l1(data: Data, weight: sp.Expr | int, point: Matrix) -> sp.Expr:
    """½zᵀPz + qᵀz + weight ‖Az - b‖₁."""
    P, q, A, b = data
    fit = (point.T * P * point)[0] / 2 + q.dot(point)
    return fit + weight * sum(abs(c) for c in A * point - b)


Measure = Callable[[Data, sp.Expr | int, Matrix], sp.Expr]


def assert_exact(
    data: Data, x: Matrix, weight: sp.Expr | int, measure: Measure = l1
) -> None:
    """No rational point near x or far from it lies as low as x."""
    best = measure(data, weight, x)
    axes = [sp.eye(x.rows)[:, i] for i in range(x.rows)]
    for axis in (*axes, sum(axes, 0 * x), axes[0] - axes[1]):
        for step in (sp.Rational(1, 1000), sp.Rational(1, 10), 1, 5):
            for sign in (1, -1):
                rise = measure(data, weight, x + sign * step * axis) - best
                assert rise > 0, f"a point lies {-rise} lower"


def assert_not_exact(data: Data, x: Matrix, nu: Matrix, weight: sp.Expr | int) -> None:
    """Some point lies below x: the one that moves the row of the largest |ν_i|."""
    worst = max(range(nu.rows), key=lambda i: abs(nu[i]))
    target = sp.sign(nu[worst]) * sp.eye(nu.rows)[:, worst]
    A = data[2]
    direction = A.pinv() * target
    step = sp.Rational(1, 1000)
    fall = l1(data, weight, x) - l1(data, weight, x + step * direction)
    assert fall > 0, "the constrained minimizer is not undercut"


@exact_penalty.check(Evidence.EXACT)
def threshold_in_rational_numbers() -> None:
    for data, x, nu in (
        (PLANE, Matrix([1, 1]), Matrix([-3])),
        (SPACE, Matrix([1, 2, -1]), Matrix([2, -5])),
    ):
        edge = max(abs(c) for c in nu)
        for weight in (edge, edge + 1, 100 * edge):
            assert_exact(data, x, weight)
        for weight in (0, edge / 2, edge - sp.Rational(1, 10)):
            assert_not_exact(data, x, nu, weight)


@exact_penalty.check(Evidence.NUMERIC)
def solver_returns_the_constrained_minimizer_above_the_threshold() -> None:
    for seed in range(3):
        problem = drawn(seed)
        hard = reference.solve(problem)
        edge = float(np.abs(hard.nu).max())
        for share in (1.05, 3.0):
            soft = reference.solve(penalty.absolute(problem, share * edge)).x[:6]
            assert np.abs(soft - hard.x).max() < 1e-7
        soft = reference.solve(penalty.absolute(problem, 0.8 * edge)).x[:6]
        assert np.abs(problem.A @ soft - problem.b).max() > 1e-3


@exact_penalty.control(mutant="a squared penalty of the same weight")
def squared_of_the_same_weight() -> None:
    def squares(data: Data, weight: sp.Expr | int, point: Matrix) -> sp.Expr:
        r = data[2] * point - data[3]
        return l1(data, 0, point) + weight * r.dot(r)

    assert_exact(PLANE, Matrix([1, 1]), 4, squares)


@exact_penalty.control(dropped="ω ≥ max|ν_i|: ω = 2 where the multiplier is -3")
def weight_below_the_multiplier() -> None:
    require(PLANE[0].is_positive_definite, "P ≻ 0")
    assert_exact(PLANE, Matrix([1, 1]), 2)


@exact_penalty.control(dropped="P ≻ 0: a saddle along the constraint")
def saddle_along_the_constraint() -> None:
    P, x = Matrix([[0, 1], [1, 0]]), Matrix([0, 0])
    data = with_multiplier(P, Matrix([[1, 1]]), x, Matrix([-3]))
    require(
        not any(data[0] * x + data[1] + data[2].T * Matrix([-3])), "x is stationary"
    )
    assert_exact(data, x, 4)


@exact_penalty.control(dropped="independent rows, for the converse: one row twice")
def shared_force() -> None:
    A, x, nu = Matrix([[1, 1], [1, 1]]), Matrix([1, 1]), Matrix([-5, 2])
    data = with_multiplier(PLANE[0], A, x, nu)
    require(max(abs(c) for c in nu) > 4, "ω = 4 is below max|ν_i|")
    assert_not_exact(data, x, nu, 4)
