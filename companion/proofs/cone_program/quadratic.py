"""A quadratic objective inside the embedding, without an epigraph.

Chapter: cone-derivative.md.  Theorems: quadratic-cone-program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import QP as Program
from companion.problems import Cones
from companion.proofs.cone_program import adjoint, derivative, instances, samples
from companion.proofs.cone_program.conditions import (
    HALF,
    A,
    D,
    P,
    T,
    W,
    b,
    d1,
    d2,
    g,
    q,
    r1,
    r2,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.qp import instances as qp
from companion.proofs.qp import numeric
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference
from companion.reference import qp as reference_qp

ZERO = sp.S.Zero
tau = sp.Symbol("tau", positive=True)
c = sp.Symbol("c", real=True)

quadratic_cone_program = theorem(
    "quadratic-cone-program",
    claim=(
        "𝒬(u) = (Px + Aᵀy + qτ, -Ax + bτ, -xᵀPx/τ - qᵀx - bᵀy) has uᵀ𝒬(u) = 0, "
        "D𝒬(u)u = 𝒬(u) and D𝒬(u)ᵀu = -𝒬(u) for symmetric P, for every size; so M is "
        "singular as for P = 0.  From any adjoint (r₁, r₂, r₃) of M the gradients are "
        "½(r₁xᵀ + xr₁ᵀ) - r₃xxᵀ, r₁ - r₃x, yr₁ᵀ - r₂xᵀ, r₂ - r₃y.  Over {0} × orthant "
        "r₁ = d_x and r₂ = -(d_ν, d_λ): they are the gradients of qp-gradients."
    ),
    source="healey2025differentiating",
    implements=(
        reference.operator,
        reference.operator_jacobian,
        reference.embedded_adjoint,
    ),
    uses=("singular-embedding", "cone-adjoint", "qp-gradients"),
)

ROWS = (
    [P * x, T(A) * y, tau * q],
    [-A * x, tau * b],
    [-T(x) * P * x / tau, -T(q) * x, -T(b) * y],
)


@quadratic_cone_program.derivation
def three_identities() -> Iterator[Step]:
    first, second, third = ROWS
    whole = [*(T(x) * w for w in first), *(T(y) * w for w in second)]
    whole += [tau * w for w in third]
    yield from chain(
        W,
        whole,
        Link(ZERO, "the terms cancel in pairs", trace=True),
        name=r"u^{\mathsf T}\mathcal Q(u)",
    )
    last = [-2 / tau * T(x) * P * x, -T(q) * x, -T(b) * y, T(x) * P * x / tau]
    yield from chain(
        W,
        last,
        Link(third, "τ · xᵀPx/τ² in its last entry"),
        name=r"\text{last row of }\mathrm D\mathcal Q(u)\,u",
    )
    column_x = [P * x, -T(A) * y, -2 * P * x, -tau * q]
    yield from chain(
        W,
        column_x,
        Link([-w for w in first], "P is symmetric"),
        name=r"\text{first rows of }\mathrm D\mathcal Q(u)^{\mathsf T}u",
    )


@quadratic_cone_program.check(Evidence.SYMBOLIC_ANY_SIZE)
def other_columns_of_the_transpose() -> None:
    _, second, third = ROWS
    assert W.equal([A * x, -tau * b], [-w for w in second])
    column_tau = [T(q) * x, T(b) * y, T(x) * P * x / tau]
    assert W.equal(column_tau, [-w for w in third], trace=True)


@quadratic_cone_program.check(Evidence.SYMBOLIC_ANY_SIZE)
def every_adjoint_gives_the_same_gradients() -> None:
    """Adjoints differ by multiples c of u = (x, y, 1)."""
    first, second = r1 + c * x, r2 + c * y
    P_ = HALF * (first * T(x) + x * T(first)) - c * x * T(x)
    assert W.equal(P_, HALF * (r1 * T(x) + x * T(r1)))
    assert W.equal(first - c * x, r1)
    assert W.equal(y * T(first) - second * T(x), y * T(r1) - r2 * T(x))
    assert W.equal(second - c * y, r2)


@quadratic_cone_program.check(Evidence.SYMBOLIC_ANY_SIZE)
def orthant_gives_the_adjoint_of_optnet() -> None:
    """(d₁, -d₂) solves M₁ᵀ if d₂ is zero off the active rows and Ad₁ on them."""
    upper = W.rule("Pd_x + Cᵀd_y = -g", P * d1, [-T(A) * d2, -g])
    held = W.rule("the active rows of Ad_x", D * A * d1, ZERO)
    idle = W.rule("no multiplier off them", D * d2, d2)
    assert W.equal([P * d1, T(A) * d2], -g, upper)
    assert W.equal([D * A * d1, -d2, D * d2], ZERO, held, idle)


def assert_identities(i: Instance, u: Matrix, factor: int = 2) -> None:
    """The three identities, exactly."""
    value, slope = instances.operator(i, u), instances.slope(i, u, factor)
    assert (u.T * value)[0] == 0, f"uᵀ𝒬(u) is {(u.T * value)[0]}"
    assert slope * u == value, "D𝒬(u)u is not 𝒬(u)"
    assert slope.T * u == -value, f"D𝒬(u)ᵀu + 𝒬(u) is {list(slope.T * u + value)}"


def points(i: Instance) -> Iterator[Matrix]:
    for k in (1, 2, 5):
        parts = [j % 3 - k for j in range(i.A.cols + i.A.rows)]
        yield column(*parts, sp.Rational(k, 2))


@quadratic_cone_program.check(Evidence.EXACT)
def identities_at_rational_points() -> None:
    for i in instances.MASTERS:
        for u in points(i):
            assert_identities(i, u)


Formula = Callable[[Instance, Matrix, Matrix, sp.Expr], dict[str, Matrix]]


def whole(i: Instance, first: Matrix, second: Matrix, third: sp.Expr):
    """The gradients of an adjoint of the whole matrix."""
    found = adjoint.formula(i, first, second)
    return {
        "P": found["P"] - third * i.x * i.x.T,
        "q": found["q"] - third * i.x,
        "A": found["A"],
        "b": found["b"] - third * i.y,
    }


def assert_any_adjoint(formula: Formula = whole) -> None:
    """Gradients from an adjoint with r₃ = 3, exactly on every branch."""
    i, third = instances.QUADRATIC, sp.Integer(3)
    g_ = adjoint.seeds(i)
    first, second = adjoint.solve(i, g_, instances.reduced(i).T)
    r = Matrix.vstack(first + third * i.x, second + third * i.y, column(third))
    M = instances.full(i, Matrix.vstack(i.x, i.v, column(1)))
    scale = -sum((p.T * w)[0] for p, w in zip(g_, (i.x, i.y, i.s), strict=True))
    seed = Matrix.vstack(g_[0], i.D * (g_[1] + g_[2]) - g_[2], column(scale))
    require(M.T * r == -seed, "an adjoint of the whole matrix")
    n = i.A.cols
    adjoint.assert_gradients(i, g_, formula(i, r[:n, :], r[n:-1, :], third))


@quadratic_cone_program.check(Evidence.EXACT)
def gradients_with_a_last_entry() -> None:
    assert_any_adjoint()


@quadratic_cone_program.check(Evidence.EXACT)
def gradients_of_the_quadratic_program() -> None:
    """The master instance of qp-gradients, as a cone program."""
    i = derivative.conic(qp.MASTER)
    g_ = (qp.LOSS, 0 * i.v, 0 * i.v)
    found = adjoint.formula(i, *adjoint.solve(i, g_, instances.reduced(i).T))
    want = qp.gradients(qp.MASTER, qp.adjoint(qp.MASTER, qp.LOSS))
    assert found["P"] == want["P"]
    assert found["q"] == want["q"]
    assert found["A"] == want["A"].col_join(want["G"])
    assert found["b"] == want["b"].col_join(want["h"])


def as_cone_program(problem: Program):
    """A quadratic program with its solution, over {0} × orthant."""
    P_, q_, A_, b_, G_, h_ = problem.fields
    rows, bounds = np.vstack([A_, G_]), np.concatenate([b_, h_])
    K = Cones(zero=len(b_), nonneg=len(h_))
    return samples.ConeProgram(P_, q_, rows, bounds, K)


@quadratic_cone_program.check(Evidence.NUMERIC)
def reference_agrees_with_the_quadratic_reference() -> None:
    rng = np.random.default_rng(8)
    for problem, known in numeric.draws("strictly_complementary"):
        there = as_cone_program(problem)
        y_ = np.concatenate([known.nu, known.lam])
        s_ = np.concatenate([0 * known.nu, known.slack])
        sol = samples.ConeSolution(known.x, y_, s_, known.value, known.status)
        gx = rng.standard_normal(problem.n)
        found = reference.adjoint(there, sol, gx)
        want = reference_qp.vjp(problem, known, gx)
        samples.assert_close(found.P, want.P, "the gradient in P")
        samples.assert_close(found.q, want.q, "the gradient in q")
        samples.assert_close(found.A, np.vstack([want.A, want.G]), "in A and G")
        samples.assert_close(found.b, np.append(want.b, want.h), "in b and h")


@quadratic_cone_program.control(mutant="the term -r₃xxᵀ of the gradient in P dropped")
def term_dropped() -> None:
    def wrong(i: Instance, first: Matrix, second: Matrix, third: sp.Expr):
        short = adjoint.formula(i, first, second)["P"]
        return {**whole(i, first, second, third), "P": short}

    assert_any_adjoint(wrong)


@quadratic_cone_program.control(mutant="xᵀP/τ in the last row of D𝒬, not 2xᵀP/τ")
def factor_dropped() -> None:
    i = instances.QUADRATIC
    assert_identities(i, next(points(i)), factor=1)


@quadratic_cone_program.control(dropped="P symmetric: the same form, entries 2 and 0")
def lopsided() -> None:
    i = derivative.at(-1)
    P_ = Matrix([[1, 2], [0, 1]])
    two = Instance(
        P_, column(1, 1), Matrix([[1, 1]]), column(1), Cones(nonneg=1),
        column(1, 1), column(1),
    )  # fmt: skip
    require((P_ + P_.T).is_positive_semidefinite, "P + Pᵀ ⪰ 0")
    assert_identities(i, column(1, 1, 1))
    assert_identities(two, column(1, 1, 1, 1))
