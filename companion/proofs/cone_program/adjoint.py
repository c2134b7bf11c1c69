"""Gradients of a loss through a cone program.

Chapter: cone-derivative.md.  Theorems: cone-adjoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    ADJOINT_V,
    ADJOINT_X,
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
    g,
    gs,
    gy,
    r1,
    r2,
    x,
    y,
)
from companion.proofs.cone_program.instances import Branch, Instance, Matrix, column
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero

# ----------------------------------------------------------------- cone-adjoint
cone_adjoint = theorem(
    "cone-adjoint",
    claim=(
        "If M₁ is nonsingular and M₁ᵀ(r₁, r₂) = -(g_x, D(g_y + g_s) - g_s), a loss "
        "with gradients g_x, g_y, g_s has the gradients ½(r₁xᵀ + xr₁ᵀ), r₁, "
        "yr₁ᵀ - r₂xᵀ, r₂ in P, q, A, b, for every size."
    ),
    source="agrawal2019cone",
    implements=(reference.adjoint,),
    uses=("cone-derivative", "adjoint-solve"),
)

LOSS_DIFFERENTIAL = [
    T(r1) * dP * x,
    T(r1) * dq,
    T(r1) * T(dA) * y,
    T(r2) * db,
    -T(r2) * dA * x,
]
GRADIENTS = {
    dP: (r1 * T(x) + x * T(r1)) / 2,
    dq: r1,
    dA: y * T(r1) - r2 * T(x),
    db: r2,
}


@cone_adjoint.derivation
def loss_differential() -> Iterator[Step]:
    """GᵀD dv and -gₛᵀdv come from dy = D dv and ds = D dv - dv."""
    seeds = [T(g) * dx, T(gy) * D * dv, T(gs) * D * dv, -T(gs) * dv]
    both = [-T(r1) * P * dx, T(r2) * A * dx]
    rest = [-T(r1) * T(A) * D * dv, -T(r2) * dv, T(r2) * D * dv]
    yield from chain(
        W,
        [T(g) * dx, T(gy) * dy, T(gs) * ds],
        Link(seeds, "dy = D dv and ds = D dv - dv", (PROJECTED, SPLIT)),
        Link([*both, *rest], "the rows of the adjoint", (ADJOINT_X, ADJOINT_V)),
        Link(LOSS_DIFFERENTIAL, "the rows of the differential", ROWS),
        name=r"\mathrm{d}\ell",
    )
    for letter, claimed in GRADIENTS.items():
        found = W.gradient(LOSS_DIFFERENTIAL, letter)
        assert W.equal(found, claimed), f"another gradient in {letter}"
        name = W.latex(letter).removeprefix(r"\mathrm{d}")
        yield Step(rf"\nabla_{{{name}}}\ell", W.latex(claimed), "its coefficient")


FIRST = W.rule("M₁, first row", T(A) * D * dv, [-P * dx, -dP * x, -T(dA) * y, -dq])
SECOND = W.rule("M₁, second row", A * dx, [dv, -D * dv, db, -dA * x])
ROWS = (FIRST, SECOND)

Formula = Callable[[Instance, Matrix, Matrix], dict[str, Matrix]]


def formula(i: Instance, first: Matrix, second: Matrix) -> dict[str, Matrix]:
    """The four gradients from (r₁, r₂)."""
    return {
        "P": (first * i.x.T + i.x * first.T) / 2,
        "q": first,
        "A": i.y * first.T - second * i.x.T,
        "b": second,
    }


def seeds(i: Instance, *, x_only: bool = False) -> tuple[Matrix, Matrix, Matrix]:
    """Fixed gradients of a loss in x, y and s."""
    first = column(*range(1, i.x.rows + 1))
    second = column(*((-1) ** k * (k + 2) for k in range(i.v.rows)))
    third = column(*(k % 3 - 1 for k in range(i.v.rows)))
    if x_only:
        return first, 0 * second, 0 * third
    return first, second, third


def solve(i: Instance, g_: tuple[Matrix, ...], M: Matrix) -> tuple[Matrix, Matrix]:
    """(r₁, r₂) for these seeds, from a matrix that should be M₁ᵀ."""
    n = i.A.cols
    seed = Matrix.vstack(g_[0], i.D * (g_[1] + g_[2]) - g_[2])
    r = M.LUsolve(-seed)
    return r[:n, :], r[n:, :]


def inner(gradients: dict[str, Matrix], c: Branch) -> sp.Expr:
    """The inner product of gradients with a displacement of the data."""
    moves = {"P": c.dP, "q": c.dq, "A": c.dA, "b": c.db}
    return sp.Add(*((gradients[f].T * moves[f]).trace() for f in moves))


def assert_gradients(
    i: Instance, g_: tuple[Matrix, ...], gradients: dict[str, Matrix]
) -> None:
    """They predict the change of the loss along every branch, exactly."""
    for c in instances.branches(i):
        change = (g_[0].T * c.dx + g_[1].T * c.dy + g_[2].T * c.ds)[0]
        found = inner(gradients, c)
        assert found == change, f"the loss moves by {change}, not {found}"


@cone_adjoint.check(Evidence.EXACT)
def every_branch_of_the_loss() -> None:
    for i in instances.MASTERS:
        g_ = seeds(i)
        r = solve(i, g_, instances.reduced(i).T)
        assert_gradients(i, g_, formula(i, *r))


@cone_adjoint.check(Evidence.NUMERIC)
def adjoint_of_the_derivative() -> None:
    """⟨Dv, w⟩ = ⟨v, Dᵀw⟩, and the whole singular matrix gives the same gradients."""
    rng = np.random.default_rng(6)
    for problem, sol in samples.regular():
        sizes = (len(sol.x), len(sol.y), len(sol.s))
        gx, gy_, gs_ = (rng.standard_normal(k) for k in sizes)
        gradients = reference.adjoint(problem, sol, gx, gy_, gs_)
        whole = reference.embedded_adjoint(problem, sol, gx, gy_, gs_)
        for f in "PqAb":
            one, other = getattr(gradients, f), getattr(whole, f)
            samples.assert_close(other, one, f"the gradient in {f}")
        change = samples.displacement(rng, problem, 1.0)
        moves = reference.derivative(problem, sol, change)
        ahead = sum(a @ c for a, c in zip((gx, gy_, gs_), moves, strict=True))
        samples.assert_close(samples.pair(gradients, change), ahead, "the adjoint")


@cone_adjoint.control(mutant="M₁ in place of its transpose")
def untransposed() -> None:
    i = instances.QUADRATIC
    g_ = seeds(i)
    assert_gradients(i, g_, formula(i, *solve(i, g_, instances.reduced(i))))


@cone_adjoint.control(mutant="the seed of s forgotten: D(g_y + g_s)")
def seed_of_the_slack() -> None:
    i = instances.QUADRATIC
    g_ = seeds(i)
    moved = (g_[0], g_[1] + g_[2], 0 * g_[2])
    r = solve(i, moved, instances.reduced(i).T)
    assert_gradients(i, g_, formula(i, *r))


@cone_adjoint.control(mutant="the half of the gradient in P dropped")
def half_dropped() -> None:
    i = instances.QUADRATIC
    g_ = seeds(i)
    found = formula(i, *solve(i, g_, instances.reduced(i).T))
    assert_gradients(i, g_, {**found, "P": 2 * found["P"]})


def assert_one_sided(gradients: dict[str, Matrix]) -> None:
    """The gradient of x in the first bound of x ≥ 1, x ≥ 1 is the slope both ways.

    The bounds are b = (-1, -1); raising the first one lets the other hold.
    """
    for move, change in (
        (sp.Rational(-1, 9), sp.Rational(1, 9)),
        (sp.Rational(1, 9), ZERO),
    ):
        found = gradients["b"][0] * move
        assert found == change, f"x moves by {change}, not {found}"


def twice() -> Instance:
    """The program min ½x² over x ≥ 1, written twice."""
    K = Cones(nonneg=2)
    half = sp.Rational(1, 2)
    return instances.instance(
        sp.eye(1), column(-1, -1), K, column(1), column(half, half)
    )


@cone_adjoint.control(dropped="M₁ nonsingular: x ≥ 1 twice, by least squares")
def bound_twice() -> None:
    i = twice()
    require(instances.solves(i, i.x, i.y, i.s), "a solution")
    require(all(c != 0 for c in i.v), "Π differentiable at y - s")
    M = instances.reduced(i).T
    r = M.pinv() * -column(1, 0, 0)
    require(M * r == -column(1, 0, 0), "the adjoint equation has a solution")
    assert_one_sided(formula(i, r[:1, :], r[1:, :]))
