"""Gradients from two solutions instead of a linear system.

Chapter: cone-derivative.md.  Theorems: lagrangian-perturbation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import ConeProgram, Cones, ConeSolution
from companion.proofs.cone_program import adjoint, instances, samples
from companion.proofs.cone_program.conditions import (
    HALF,
    STATIONARY,
    A,
    D,
    P,
    T,
    W,
    dA,
    db,
    dP,
    dq,
    dv,
    dx,
    dy,
    q,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero
tau = sp.Symbol("tau", positive=True)
WIDE = 1e-2  # a temperature; its half has a quarter of the error

lagrangian_perturbation = theorem(
    "lagrangian-perturbation",
    claim=(
        "Along a differentiable branch the optimal value p has dp = ½xᵀdP x + dqᵀx + "
        "yᵀdA x - yᵀdb, for every size.  So (x_τ - x)/τ, -(y_τ - y)/τ, "
        "(y_τx_τᵀ - yxᵀ)/τ and ½(x_τx_τᵀ - xxᵀ)/τ are the gradients of "
        "(p(q + τg) - p(q))/τ if (x_τ, y_τ), the solution at q + τg, is on such a "
        "branch too; their limits for τ → 0 are the gradients of gᵀx, exactly for "
        "min qᵀx over the unit disc, and the errors of central quotients are of second "
        "order on samples."
    ),
    source="paulus2024lpgd",
    implements=(reference.lpgd,),
    uses=("untransposed-adjoint", "perturbation-limit"),
)

FEASIBLE_MOVES = W.rule(
    "the differential of Ax + s = b, with ds = D dv - dv",
    A * dx,
    [db, -dA * x, -D * dv, dv],
)
KEPT = W.rule("Dy = y", D * y, y)
D_STATIONARY_V = W.rule(
    "the differential of stationarity", T(A) * D * dv,
    [-P * dx, -dP * x, -T(dA) * y, -dq],
)  # fmt: skip


@lagrangian_perturbation.derivation
def differential_of_the_value() -> Iterator[Step]:
    moved = [HALF * T(x) * dP * x, T(dq) * x]
    inner = [T(x) * P * dx, T(q) * dx]
    want = [*moved, T(y) * dA * x, -T(y) * db]
    yield from chain(
        W,
        [*moved, *inner],
        Link([*moved, -T(y) * A * dx], "stationarity", (STATIONARY,), trace=True),
        Link(
            [*want, T(y) * D * dv - T(y) * dv],
            "the differential of Ax + s = b",
            (FEASIBLE_MOVES,),
            trace=True,
        ),
        Link(want, "yᵀ(D dv - dv) = yᵀds = 0, for Dy = y", (KEPT,), trace=True),
        name=r"\mathrm{d}p = " + W.latex([*moved, *inner]),
    )


@lagrangian_perturbation.check(Evidence.SYMBOLIC_ANY_SIZE)
def quotients_of_an_affine_branch() -> None:
    """One-sided products have a bias in τ, central ones none."""
    ahead, behind = (x + k * tau * dx for k in (1, -1))
    up, down = (y + k * tau * dy for k in (1, -1))
    one = (up * T(ahead) - y * T(x)) / tau
    assert W.equal(one, [dy * T(x), y * T(dx), tau * dy * T(dx)])
    central = (up * T(ahead) - down * T(behind)) / (2 * tau)
    assert W.equal(central, [dy * T(x), y * T(dx)])
    square = (ahead * T(ahead) - behind * T(behind)) / (4 * tau)
    assert W.equal(square, [HALF * dx * T(x), HALF * x * T(dx)])


@lagrangian_perturbation.check(Evidence.SYMBOLIC_ANY_SIZE)
def branch_along_the_loss_is_the_untransposed_adjoint() -> None:
    """With dq = g and no other change the rows are those of M₁(d₁, d₂) = -(g, 0)."""
    still = [W.rule(f"{z} = 0", z, ZERO) for z in (dP, dA, db)]
    assert W.equal([P * dx, T(A) * D * dv, dq], 0, D_STATIONARY_V, *still)
    assert W.equal([A * dx, D * dv, -dv], 0, FEASIBLE_MOVES, *still)


def disc(q_: Matrix) -> tuple[Matrix, Matrix]:
    """The solution of min qᵀx over ‖x‖ ≤ 1, and its multiplier."""
    size = instances.size(q_)
    return -q_ / size, Matrix.vstack(column(size), q_)


def disc_instance(q_: Matrix) -> Instance:
    """The same as a cone program: (1, x) in the second-order cone."""
    A_ = -Matrix([[0, 0], [1, 0], [0, 1]])
    x_, y_ = disc(q_)
    s_ = Matrix.vstack(column(1), x_)
    K = Cones(soc=(3,))
    return Instance(sp.zeros(2, 2), q_, A_, column(1, 0, 0), K, x_, y_ - s_)


Products = Callable[[Matrix, Matrix], dict[str, Matrix]]


def products(x_: Matrix, y_: Matrix) -> dict[str, Matrix]:
    """The Lagrangian's gradients in the data."""
    return {"P": x_ * x_.T / 2, "q": x_, "A": y_ * x_.T, "b": -y_}


def assert_limits(parts: Products = products) -> None:
    """The quotients at q = (3, 4) tend to the gradients of gᵀx, entry by entry."""
    t = instances.t
    i, g_ = disc_instance(column(3, 4)), column(2, -1)
    require(instances.solves(i, i.x, i.y, i.s), "the solution")
    seeds = (g_, 0 * i.v, 0 * i.v)
    r = adjoint.solve(i, seeds, instances.reduced(i).T)
    moved = parts(*disc(i.q + t * g_))
    for name, want in adjoint.formula(i, *r).items():
        found = moved[name].applyfunc(lambda e: sp.diff(e, t).subs(t, 0))
        assert found == want, f"{name}: {list(found)}, not {list(want)}"


@lagrangian_perturbation.check(Evidence.EXACT)
def limits_on_the_disc() -> None:
    assert_limits()


@lagrangian_perturbation.check(Evidence.NUMERIC)
def central_error_has_second_order() -> None:
    rng = np.random.default_rng(9)
    for problem, sol in samples.regular():

        def near(there: ConeProgram, start: ConeSolution = sol) -> ConeSolution:
            return reference.refine(there, start)

        gx = 0.3 * rng.standard_normal(len(sol.x))
        want = reference.adjoint(problem, sol, gx)
        errors = []
        for tau_ in (WIDE, WIDE / 2):
            found = reference.lpgd(problem, gx, tau_, near)
            gaps = [getattr(found, f) - getattr(want, f) for f in "PqAb"]
            errors.append(max(np.abs(gap).max() for gap in gaps))
        flat = errors[0] < samples.ROUNDING
        assert flat or 3.5 < errors[0] / errors[1] < 4.5, f"errors {errors}"


@lagrangian_perturbation.control(mutant="+(y_τ - y)/τ for the gradient in b")
def sign_of_the_bound() -> None:
    assert_limits(lambda x_, y_: {**products(x_, y_), "b": y_})


@lagrangian_perturbation.control(mutant="the diagonal of the gradient in P alone")
def diagonal_alone() -> None:
    def parts(x_: Matrix, y_: Matrix) -> dict[str, Matrix]:
        return {**products(x_, y_), "P": sp.diag(*[e**2 / 2 for e in x_])}

    assert_limits(parts)


@lagrangian_perturbation.control(mutant="the half in P dropped")
def half_dropped() -> None:
    assert_limits(lambda x_, y_: {**products(x_, y_), "P": x_ * x_.T})


def assert_settles(solve: Callable[[sp.Expr], sp.Expr], q_: sp.Expr) -> None:
    """Central quotients at a temperature and at half of it are within a tenth."""
    wide, narrow = (
        (solve(q_ + t) - solve(q_ - t)) / (2 * t)
        for t in (sp.Rational(1, 10), sp.Rational(1, 20))
    )
    gap = abs(wide - narrow)
    assert gap <= abs(narrow) / 10, f"{wide} at τ = 1/10, {narrow} at τ = 1/20"


def bowl(q_: sp.Expr) -> sp.Expr:
    """The minimizer of ½x² + qx over |x| ≤ 1."""
    return sp.Max(-1, sp.Min(1, -q_))


@lagrangian_perturbation.check(Evidence.EXACT)
def quotients_settle_with_curvature() -> None:
    assert_settles(bowl, ZERO)


@lagrangian_perturbation.control(dropped="a branch through q: min qx over |x| ≤ 1")
def flat_objective() -> None:
    q_ = ZERO
    require(all(q_ * e == 0 for e in (-1, 0, 1)), "every x is a solution at q = 0")
    assert_settles(lambda at: -sp.sign(at), q_)
