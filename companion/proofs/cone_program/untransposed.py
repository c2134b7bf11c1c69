"""A backward pass that forgets the transpose and is right.

Chapter: cone-derivative.md.  Theorems: untransposed-adjoint.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.adjoint import assert_gradients, formula, seeds
from companion.proofs.cone_program.conditions import (
    A,
    D,
    P,
    T,
    W,
    d1,
    d2,
    g,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero

# --------------------------------------------------------- untransposed-adjoint
untransposed_adjoint = theorem(
    "untransposed-adjoint",
    claim=(
        "For nonsingular M₁ and a loss in x alone M₁(d₁, d₂) = -(g, 0) gives d_x = d₁ "
        "and d_y = Dd₂ with "
        "the gradients ½(d_xxᵀ + xd_xᵀ), d_x, d_yxᵀ + yd_xᵀ, -d_y, because r₁ = d₁, "
        "r₂ = -Dd₂ solves the transposed system if D is symmetric, for every size."
    ),
    source="amos2019thesis",
    implements=(reference.adjoint,),
    uses=("cone-adjoint", "reciprocity"),
)

UPPER = W.rule("M₁, first row", T(A) * D * d2, [-P * d1, -g])
LOWER = W.rule("M₁, second row", A * d1, [d2, -D * d2])


@untransposed_adjoint.derivation
def transposed_rows() -> Iterator[Step]:
    """The rows of M₁ᵀ at (d₁, -Dd₂); D is symmetric."""
    first = [P * d1, T(A) * D * d2]
    yield from chain(W, first, Link(-g, "the first row of M₁", (UPPER,)))
    second = [D * A * d1, -D * d2, D * D * d2]
    yield from chain(
        W,
        second,
        Link(ZERO, "the second row of M₁, times D", (LOWER,)),
        name=r"D A\,d_1 - (I-D)\,D\,d_2",
    )


def short(i: Instance, g_: tuple[Matrix, ...], M: Matrix) -> dict[str, Matrix]:
    """The gradients from d_x = d₁, d_y = D d₂."""
    n = i.A.cols
    d = M.LUsolve(-Matrix.vstack(g_[0], 0 * i.v))
    return formula(i, d[:n, :], -i.D * d[n:, :])


@untransposed_adjoint.check(Evidence.EXACT)
def every_branch_of_a_loss_in_x() -> None:
    for i in instances.MASTERS:
        g_ = seeds(i, x_only=True)
        assert_gradients(i, g_, short(i, g_, instances.reduced(i)))


@untransposed_adjoint.check(Evidence.NUMERIC)
def same_gradients_as_the_adjoint() -> None:
    rng = np.random.default_rng(7)
    for problem, sol in samples.regular():
        gx = rng.standard_normal(len(sol.x))
        M, D_ = reference.reduced(problem, sol)
        d = np.linalg.solve(M, -np.append(gx, np.zeros(len(sol.y))))
        first, second = d[: len(gx)], D_ @ d[len(gx) :]
        want = reference.adjoint(problem, sol, gx)
        samples.assert_close(first, want.q, "the gradient in q")
        samples.assert_close(-second, want.b, "the gradient in b")
        found = np.outer(second, sol.x) + np.outer(sol.y, first)
        samples.assert_close(found, want.A, "the gradient in A")


@untransposed_adjoint.control(mutant="M₁ transposed, with the same read-out")
def transposed() -> None:
    i = instances.QUADRATIC
    g_ = seeds(i, x_only=True)
    assert_gradients(i, g_, short(i, g_, instances.reduced(i).T))


@untransposed_adjoint.control(mutant="d_y = d₂, without D")
def not_projected() -> None:
    i = instances.QUADRATIC
    g_ = seeds(i, x_only=True)
    n = i.A.cols
    d = instances.reduced(i).LUsolve(-Matrix.vstack(g_[0], 0 * i.v))
    assert_gradients(i, g_, formula(i, d[:n, :], -d[n:, :]))


@untransposed_adjoint.control(dropped="a loss in x alone: the loss is y")
def loss_in_the_multiplier() -> None:
    """For min ½x² over x ≥ 1 the multiplier is y = 1 and rises with the bound."""
    i = instances.instance(sp.eye(1), column(-1), Cones(nonneg=1), column(1), column(1))
    g_ = (column(0), column(1), column(0))
    M = instances.reduced(i)
    require(M.det() != 0, "M₁ is nonsingular")
    seed = Matrix.vstack(g_[0], i.D * g_[1])
    d = M.LUsolve(-seed)
    assert_gradients(i, g_, formula(i, d[:1, :], -i.D * d[1:, :]))
