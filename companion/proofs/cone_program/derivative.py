"""How a solution moves with its data.

Chapter: cone-derivative.md.  Theorems: cone-derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    D_FEASIBLE,
    D_STATIONARY,
    PROJECTED,
    SPLIT,
    A,
    D,
    P,
    T,
    W,
    dA,
    db,
    dP,
    dq,
    ds,
    dv,
    dx,
    dy,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.qp import instances as quadratic
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero

# -------------------------------------------------------------- cone-derivative
cone_derivative = theorem(
    "cone-derivative",
    claim=(
        "A differentiable branch of solutions has M₁(dx, dv) = "
        "-(dP x + dAᵀy + dq, db - dA x), dy = D dv, ds = dy - dv, with "
        "M₁ = [P AᵀD; -A I-D] and v = y - s, for every size; M₁ is M without its last "
        "row and column.  Over {0} × orthant det M₁ = ±det [P Cᵀ; C 0], exactly on "
        "random instances: it is nonsingular together with the KKT matrix."
    ),
    source="busseti2019solution",
    implements=(reference.reduced, reference.derivative),
    uses=("residual-map", "implicit-function", "kkt-nonsingular"),
)


@cone_derivative.derivation
def differentials_of_the_conditions() -> Iterator[Step]:
    first = [P * dx, T(A) * D * dv]
    force = [-dP * x, -T(dA) * y, -dq]
    yield from chain(
        W,
        first,
        Link([P * dx, T(A) * dy], "dy = D dv", (PROJECTED,)),
        Link(force, "the differential of Px + Aᵀy + q = 0", (D_STATIONARY,)),
    )
    second = [-A * dx, dv, -D * dv]
    yield from chain(
        W,
        second,
        Link([-A * dx, -ds], "ds = dy - dv = D dv - dv", (SPLIT,)),
        Link([dA * x, -db], "the differential of Ax + s = b", (D_FEASIBLE,)),
    )


def assert_branches(i: Instance, reduced: Matrix, D_: Matrix) -> None:
    """The system gives back every branch from the displacement of its data."""
    n, inverse = i.A.cols, reduced.inv()
    for c in instances.branches(i):
        force, room = c.dP * i.x + c.dA.T * i.y + c.dq, c.db - c.dA * i.x
        d = -inverse * Matrix.vstack(force, room)
        dx_, dv_ = d[:n, :], d[n:, :]
        assert dx_ == c.dx, f"dx is {list(dx_)}, not {list(c.dx)}"
        assert D_ * dv_ == c.dy, "another dy"
        assert D_ * dv_ - dv_ == c.ds, "another ds"


@cone_derivative.check(Evidence.EXACT)
def every_branch_of_the_master_instances() -> None:
    for i in instances.MASTERS:
        z = Matrix.vstack(i.x, i.v, column(1))
        assert instances.full(i, z)[:-1, :-1] == instances.reduced(i)
        assert_branches(i, instances.reduced(i), i.D)


def conic(problem: quadratic.Instance) -> Instance:
    """A quadratic program over {0} × orthant."""
    A_, v_ = problem.A.col_join(problem.G), problem.lam - problem.slack
    K = Cones(zero=problem.A.rows, nonneg=problem.G.rows)
    b = problem.b.col_join(problem.h)
    return Instance(problem.P, problem.q, A_, b, K, problem.x, problem.nu.col_join(v_))


@cone_derivative.check(Evidence.EXACT)
def nonsingular_together_with_the_kkt_matrix() -> None:
    rng, singular = np.random.default_rng(2), 0
    for _ in range(40):
        problem = quadratic.random_instance(rng)
        here = instances.reduced(conic(problem)).det()
        want = quadratic.saddle(problem.P, problem.C).det()
        assert abs(here) == abs(want), f"{here} and {want}"
        singular += want == 0
    assert 2 < singular < 38, singular


@cone_derivative.check(Evidence.NUMERIC)
def derivative_has_second_order() -> None:
    rng = np.random.default_rng(5)
    for problem, sol in samples.regular():
        change = samples.displacement(rng, problem)
        claimed = np.concatenate(reference.derivative(problem, sol, change))
        samples.assert_taylor(problem, sol, change, claimed)


@cone_derivative.control(mutant="DA in the second row: M₁ = [P Aᵀ; -DA I-D]")
def projection_on_the_wrong_side() -> None:
    i = instances.QUADRATIC
    lower = sp.eye(i.v.rows) - i.D
    wrong = Matrix(sp.BlockMatrix([[i.P, i.A.T], [-i.D * i.A, lower]]))
    assert_branches(i, wrong, i.D)


@cone_derivative.control(mutant="the curved cone treated as flat: D²")
def idempotent() -> None:
    i = instances.QUADRATIC
    assert_branches(i, instances.reduced(i, i.D * i.D), i.D * i.D)


def assert_affine(i: Instance, D_: Matrix, solve: Callable[[sp.Expr], sp.Expr]) -> None:
    """The system's dx for a change of q is the slope of x on both sides."""
    right = column(-1, *[0] * i.v.rows)
    slope = instances.reduced(i, D_).LUsolve(right)[0]
    for t in (sp.Rational(-1, 9), sp.Rational(1, 9)):
        found = (solve(i.q[0] + t) - i.x[0]) / t
        assert found == slope, f"the slope is {found}, not {slope}"


def half_line(q: sp.Expr) -> sp.Expr:
    """The minimizer of ½x² + qx over x ≥ 0."""
    return sp.Max(-q, 0)


def at(q: int) -> Instance:
    """That program with its solution."""
    x_, y_ = max(-q, 0), max(q, 0)
    K = Cones(nonneg=1)
    return instances.instance(sp.eye(1), column(-1), K, column(x_), column(y_ - x_))


@cone_derivative.check(Evidence.EXACT)
def slopes_on_both_sides() -> None:
    for q in (-2, 3):
        assert_affine(at(q), at(q).D, half_line)


@cone_derivative.control(dropped="Π differentiable at y - s: min ½x² over x ≥ 0")
def corner() -> None:
    i = at(0)
    D_ = instances.derivative_dual(i.v, i.K, sp.Rational(1, 2))
    require(instances.solves(i, i.x, i.y, i.s), "x = y = s = 0 is the solution")
    require(instances.reduced(i, D_).det() != 0, "M₁ with D = ½ is nonsingular")
    assert_affine(i, D_, half_line)
