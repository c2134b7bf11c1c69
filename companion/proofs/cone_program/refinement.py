"""Newton's method on the residual map: where it goes, and where it should go.

Chapter: cone-derivative.md.  Theorems: solution-refinement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import derivative, instances, samples
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.cone_program.residual import residual
from companion.proofs.cone_program.singular import EULER, E, Q, X, pu, pz
from companion.proofs.qp import instances as qp
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero
START = 1e-3  # distance from the solution at which one step is taken, and half of it

solution_refinement = theorem(
    "solution-refinement",
    claim=(
        "At every z the Newton equation M dz = -R(z) has the solution dz = -z, so that "
        "a step with a nonsingular M ends at 0, for every size.  With τ = 1 held and "
        "the last row and column dropped, a step is exact where Π is linear between "
        "the point and the solution, and the error after a step is of second order in "
        "the error before it on samples; from the splitting method's accuracy it "
        "reaches rounding."
    ),
    source="busseti2019solution",
    implements=(reference.newton, reference.refine),
    uses=("singular-embedding", "cone-derivative"),
)

V = alphabet(
    constant="M H w r",
    latex={"M": "M_1", "H": "M_1^{-1}"},
    M="N N",
    H="N N",
    w="N one",
    r="N one",
)
M, H, w, r = V("M H w r")
INVERSE = V.inverse("the inverse", M, H)


@solution_refinement.derivation
def two_newton_steps() -> Iterator[Step]:
    left = [-Q * E * pz, E * pz, -pz]
    yield from chain(
        X,
        left,
        Link([-Q * pu, pu, -pz], "Dz = Πz", (EULER,)),
        name="M(-z) = " + X.latex(left),
    )
    yield Step(X.latex([-Q * pu, pu, -pz]), "-R(z)", "the residual map")
    step = w - H * (M * w + r)
    yield from chain(
        V,
        M * step + r,
        Link(ZERO, "the inverse", (INVERSE,)),
        name=r"R_1(w^+) = M_1(w-M_1^{-1}(M_1w+r)) + r",
    )


Step_ = Callable[[Instance, Matrix], Matrix]


def newton(i: Instance, z: Matrix) -> Matrix:
    """A step with τ = 1 held, exactly."""
    d = instances.full(i, z)[:-1, :-1].LUsolve(residual(i, z)[:-1, :])
    return Matrix.vstack(z[:-1, :] - d, column(1))


def whole(i: Instance, z: Matrix) -> Matrix:
    """A step with the whole matrix."""
    M_ = instances.full(i, z)
    require(M_.det() != 0, "M is nonsingular")
    return z - M_.LUsolve(residual(i, z))


def assert_solves(i: Instance, z: Matrix, step: Step_ = newton) -> None:
    """One step from z arrives at the solution."""
    want = Matrix.vstack(i.x, i.v, column(1))
    require(instances.solves(i, i.x, i.y, i.s), "the solution")
    found = step(i, z)
    assert found == want, f"the step ends at {list(found)}, not {list(want)}"


def beside(i: Instance) -> Matrix:
    """A point off the solution, in the same piece of a polyhedral projection."""
    tenth = sp.Rational(1, 10)
    moved = [e + tenth * (k % 3 - 1) for k, e in enumerate([*i.x, *i.v])]
    return column(*moved, 1)


@solution_refinement.check(Evidence.EXACT)
def one_step_over_the_orthant() -> None:
    i = derivative.conic(qp.MASTER)
    z = beside(i)
    assert any(residual(i, z))
    assert_solves(i, z)


@solution_refinement.check(Evidence.EXACT)
def whole_step_ends_at_the_origin() -> None:
    for i in (instances.QUADRATIC, derivative.conic(qp.MASTER)):
        moved = Matrix.vstack(i.x.applyfunc(lambda e: e + 1), i.v, column(1))
        assert any(residual(i, moved))
        assert not any(whole(i, moved))


@solution_refinement.check(Evidence.NUMERIC)
def error_after_a_step_has_second_order() -> None:
    rng, orders = np.random.default_rng(10), []
    for problem, sol in samples.regular():
        z = reference.point(sol)
        step = np.append(rng.standard_normal(len(z) - 1), 0)
        step /= np.linalg.norm(step)
        far, near = (
            np.linalg.norm(reference.newton(problem, z + t * step) - z)
            for t in (START, START / 2)
        )
        assert far < START / 10, f"from {START} to {far}"
        if near > samples.ROUNDING:
            orders.append(np.log2(far / near))
    assert len(orders) >= len(samples.KINDS)
    assert min(orders) > 1.8, f"orders {np.round(orders, 2)}"


@solution_refinement.check(Evidence.NUMERIC)
def splitting_method_is_refined_to_rounding() -> None:
    for problem, _, found in samples.solved():
        after = reference.refine(problem, found)
        worst = max(reference.violations(problem, after).values())
        assert worst < 1e-13, f"{worst:.1e} is left"


@solution_refinement.control(mutant="the whole matrix M in place of M₁")
def whole_matrix() -> None:
    i = derivative.conic(qp.MASTER)
    moved = Matrix.vstack(
        i.x.applyfunc(lambda e: e + sp.Rational(1, 10)), i.v, column(1)
    )
    assert_solves(i, moved, whole)


@solution_refinement.control(mutant="a step in the direction +M₁⁻¹R₁")
def uphill() -> None:
    i = derivative.conic(qp.MASTER)
    assert_solves(i, beside(i), lambda j, z: 2 * z - newton(j, z))


@solution_refinement.control(dropped="a linear Π on the way: y - s of the other sign")
def other_piece() -> None:
    """The program min ½x² over x ≥ 1, from x = 2 with y - s = -1."""
    i = instances.instance(sp.eye(1), column(-1), Cones(nonneg=1), column(1), column(1))
    require(instances.reduced(i).det() != 0, "M₁ is nonsingular at the solution")
    assert_solves(i, column(2, -1, 1))
