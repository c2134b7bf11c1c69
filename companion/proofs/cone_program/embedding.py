"""One linear system for solutions and for certificates.

Chapter: embedding.md.  Theorems: homogeneous-embedding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    FEASIBLE,
    OPPOSITE,
    A,
    T,
    W,
    b,
    q,
    s,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero
tau, kappa = sp.symbols("tau kappa", nonnegative=True)

# -------------------------------------------------------- homogeneous-embedding
homogeneous_embedding = theorem(
    "homogeneous-embedding",
    claim=(
        "Let P = 0 and let Q(x, y, τ) = (0, s, κ) with y ∈ K*, s ∈ K, τ, κ ≥ 0.  Then "
        "sᵀy + τκ = 0, for every size, so each product is zero.  If τ > 0, (x, y, s)/τ "
        "is optimal; if κ > 0, then Aᵀy = 0, Ax + s = 0 and qᵀx + bᵀy = -κ, so that y "
        "or x is a certificate.  A solution (x, y, s) gives the zeros "
        "(τx, τy, τ), (0, τs, 0)."
    ),
    source="ye1994homogeneous",
    implements=(reference.embedding, reference.solution),
    uses=("cone-duality", "infeasibility-certificate"),
)

FIRST = W.rule("the first row of Qu = v", T(A) * y, -tau * q)
SECOND = W.rule("the second row", s, [tau * b, -A * x])


@homogeneous_embedding.derivation
def products_vanish() -> Iterator[Step]:
    """With κ = -qᵀx - bᵀy, the third row."""
    last = [-T(q) * x, -T(b) * y]
    pieces = [T(s) * y, *(tau * part for part in last)]
    yield from chain(
        W,
        pieces,
        Link(
            [-T(x) * T(A) * y, -tau * T(q) * x],
            "the second row",
            (SECOND,),
            trace=True,
        ),
        Link(ZERO, "the first row", (FIRST,), trace=True),
        name=r"s^{\mathsf T}y+\tau\kappa = " + W.latex(pieces),
    )


@homogeneous_embedding.check(Evidence.SYMBOLIC_ANY_SIZE)
def operator_is_skew() -> None:
    """UᵀQu = 0 for every u, which is where the products come from."""
    form = [T(x) * T(A) * y, T(x) * q * tau, -T(y) * A * x, T(y) * b * tau]
    assert W.equal([*form, -tau * T(q) * x, -tau * T(b) * y], 0, trace=True)


@homogeneous_embedding.check(Evidence.SYMBOLIC_ANY_SIZE)
def solutions_are_zeros_at_every_scale() -> None:
    """Q(τx, τy, τ) = (0, τs, 0) by the optimality conditions with P = 0."""
    linear = W.rule("q = -Aᵀy", q, -T(A) * y)
    assert W.equal([T(A) * (tau * y), tau * q], 0, linear)
    assert W.equal([-A * (tau * x), tau * b], tau * s, FEASIBLE)
    last = [-tau * T(q) * x, -tau * T(b) * y]
    assert W.equal(last, 0, linear, FEASIBLE, OPPOSITE, trace=True)


def assert_decides(i: Instance, u: Matrix, v: Matrix) -> None:
    """What a zero of the embedding says: a solution, or a certificate."""
    n = i.A.cols
    x_, y_, s_ = u[:n, :], u[n:-1, :], v[n:-1, :]
    require(instances.skew(i) * u == v, "Qu = v")
    require(instances.in_dual(y_, i.K) and instances.in_cone(s_, i.K), "y ∈ K*, s ∈ K")
    if u[-1] > 0:
        assert instances.solves(i, *(part / u[-1] for part in (x_, y_, s_)))
        return
    assert v[-1] > 0, "τ = κ = 0: it says nothing"
    flat = [*(i.A.T * y_), *(i.A * x_ + s_)]
    assert not any(flat), "no certificate"
    gains = (i.b.T * y_)[0], (i.q.T * x_)[0]
    assert min(gains) < 0, f"no certificate: gains {gains}"


def encode(i: Instance, scale: sp.Expr, divide: int = 1) -> tuple[Matrix, Matrix]:
    """The pair (u, v) of a solution; a mutant divides by the scale."""
    u = Matrix.vstack(*(p * scale**divide for p in (i.x, i.y)), column(scale))
    v = Matrix.vstack(0 * i.x, scale * i.s, column(0))
    return u, v


def assert_encodes(i: Instance, scale: sp.Expr, divide: int = 1) -> None:
    u, v = encode(i, scale, divide)
    assert instances.skew(i) * u == v, f"Qu - v is {list(instances.skew(i) * u - v)}"
    assert_decides(i, u, v)


@homogeneous_embedding.check(Evidence.EXACT)
def solution_at_three_scales() -> None:
    for scale in (1, 3, sp.Rational(1, 7)):
        assert_encodes(instances.LINEAR, sp.sympify(scale))


def crossed() -> tuple[Instance, Matrix, Matrix]:
    """The rows 1 ≤ x ≤ -1 with a cost: a certificate y and κ > 0."""
    zero = sp.zeros(1, 1)
    i = Instance(
        zero, column(1), column(-1, 1), column(-1, -1), Cones(nonneg=2),
        column(0), column(1, 1),
    )  # fmt: skip
    return i, column(0, 1, 1, 0), column(0, 0, 0, 2)


@homogeneous_embedding.check(Evidence.EXACT)
def certificate_of_crossed_bounds() -> None:
    assert_decides(*crossed())


@homogeneous_embedding.check(Evidence.NUMERIC)
def splitting_method_finds_one_or_the_other() -> None:
    for _, sol, found in samples.solved():
        assert np.abs(found.x - sol.x).max() < samples.SOLVED
    for problem, status in samples.without_solution():
        found = reference.solve(problem).solution
        assert found.status is status, f"{found.status.name} for {status.name}"


@homogeneous_embedding.control(mutant="u = (x/τ, y/τ, τ), as in amos2019thesis")
def divided() -> None:
    assert_encodes(instances.LINEAR, sp.Integer(2), divide=-1)


@homogeneous_embedding.control(dropped="τ + κ > 0: min x₁ over x₁x₂ ≥ 1")
def neither() -> None:
    """The infimum 0 is not attained: s = (x₁ + x₂, x₁ - x₂, 2)."""
    A_ = -Matrix([[1, 1], [1, -1], [0, 0]])
    i = Instance(
        sp.zeros(2, 2), column(1, 0), A_, column(0, 0, 2), Cones(soc=(3,)),
        column(0, 1), column(-1, 1, 0),
    )  # fmt: skip
    u, v = column(0, 1, 0, 0, 0, 0), column(0, 0, 1, -1, 0, 0)
    require(any(u), "u ≠ 0")
    assert_decides(i, u, v)
