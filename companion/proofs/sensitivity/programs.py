"""The branch of solutions of a smooth program, with and without convexity.

Chapter: sensitivity.md.  Theorems: kkt-differentiable, basic-sensitivity.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.sensitivity import conditions as kkt
from companion.proofs.sensitivity import obstacle, quadratics
from companion.proofs.sensitivity.conditions import F, J, L, T, W, w
from companion.proofs.words import Link, alphabet, chain

Matrix = sp.Matrix

# ----------------------------------------------------------- kkt-differentiable
kkt_differentiable = theorem(
    "kkt-differentiable",
    claim=(
        "The residual g of a program has the stated derivatives, and a weakly active "
        "row makes D_w g singular (any size); with convex quadratic functions the "
        "tangent -(D_w g)⁻¹ D_θ g keeps g at zero to first order (exact), and the "
        "branch along it consists of minimizers (numeric)."
    ),
    source="barratt2018differentiability",
    uses=("implicit-function", "kkt-sufficient"),
)


@kkt_differentiable.derivation
def differential_of_the_residual() -> Iterator[Step]:
    rules = {
        "stationarity": (kkt.GRADIENT,),
        "complementary slackness": (kkt.SWAP, kkt.INEQUALITIES),
        "feasibility": (kkt.EQUALITIES,),
    }
    for row, parts in kkt.RESIDUAL.items():
        reason = "; ".join(rule.name for rule in rules[row])
        shown = rf"\mathrm{{d}}({W.latex(parts)})"
        link = Link(kkt.ROWS[row], f"{row}: {reason}", rules[row])
        yield from chain(W, W.d(parts), link, name=shown)


@kkt_differentiable.check(Evidence.SYMBOLIC_ANY_SIZE)
def weakly_active_row_is_a_zero_row() -> None:
    """With w = e_i, wᵀD(lam) = 0 and wᵀD(f) = 0 the row i of D_w g vanishes."""
    rules = W.rule("λᵢ = 0", T(w) * L, sp.S.Zero), W.rule("fᵢ = 0", T(w) * F, sp.S.Zero)
    for block in (T(w) * L * J, T(w) * F):
        assert W.normal(block, *rules) == 0


@kkt_differentiable.check(Evidence.EXACT)
def tangents_of_quadratic_programs() -> None:
    for n in (2, 3):
        p, point = quadratics.convex(np.random.default_rng(n), n, exact=True)
        require(not any(quadratics.residual(p, point)), "a KKT point")
        quadratics.assert_tangent(p, point)


@kkt_differentiable.check(Evidence.NUMERIC)
def branches_of_quadratic_programs_have_second_order() -> None:
    for seed, n in enumerate((2, 3, 3)):
        p, point = quadratics.convex(np.random.default_rng(seed), n, exact=False)
        quadratics.assert_branch_moves(p, point)


@kkt_differentiable.control(mutant="the curvature of the constraints left out of D_w g")
def flat_constraints() -> None:
    p, point = quadratics.convex(np.random.default_rng(3), 3, exact=True)
    quadratics.assert_tangent(p, point, curved=False)


@kkt_differentiable.control(mutant="the same, judged by the order of the remainder")
def flat_constraints_in_floating_point() -> None:
    p, point = quadratics.convex(np.random.default_rng(1), 3, exact=False)
    quadratics.assert_branch_moves(p, point, curved=False)


def assert_two_sided(at: sp.Expr) -> None:
    """The nearest point of x ≥ 0 to θ has equal slopes on both sides of θ = at."""
    step = sp.Rational(1, 1000)
    right, left = (sp.Max(at + s * step, 0) for s in (1, -1))
    here = sp.Max(at, 0)
    quotients = (right - here) / step, (here - left) / step
    assert quotients[0] == quotients[1], f"one-sided slopes {quotients}"


@kkt_differentiable.check(Evidence.EXACT)
def nearest_point_of_a_half_line() -> None:
    """At θ = 1 and θ = -1, where D_w g = [1, -1; -λ, -x] is nonsingular."""
    for theta in (1, -1):
        x, multiplier = sp.Max(theta, 0), sp.Max(-theta, 0)
        assert Matrix([[1, -1], [-multiplier, -x]]).det() != 0
        assert_two_sided(sp.Integer(theta))


@kkt_differentiable.control(dropped="D_w g nonsingular: the nearest x ≥ 0 to θ = 0")
def half_line_at_zero() -> None:
    require(sp.Max(0, 0) == 0, "x = 0 with λ = 0 is a KKT point, and x = 1 is Slater's")
    assert_two_sided(sp.Integer(0))


def assert_minimizer(curvature: int) -> None:
    """The KKT point x = θ of min ½·curvature·(x - θ)² over |x| ≤ 1 is optimal."""
    for theta in (sp.Rational(-1, 9), sp.Integer(0), sp.Rational(1, 9)):
        require(curvature != 0, "D_w g is nonsingular at the free point x = θ")
        others = [curvature * (y - theta) ** 2 / 2 for y in (-1, 0, 1)]
        assert min(others) >= 0, f"θ = {theta}: a feasible point has {min(others)}"


@kkt_differentiable.check(Evidence.EXACT)
def convex_branch_is_optimal() -> None:
    assert_minimizer(1)


@kkt_differentiable.control(dropped="convexity: the objective -½(x - θ)² on [-1, 1]")
def concave_branch() -> None:
    assert_minimizer(-1)


# ------------------------------------------------------------ basic-sensitivity
basic_sensitivity = theorem(
    "basic-sensitivity",
    claim=(
        "At a KKT point with independent active gradients, positive active "
        "multipliers and ∇²L positive on the critical directions, D_w g is "
        "nonsingular (any size); the nearest point outside a disc moves as "
        "-(D_w g)⁻¹ D_θ g says, and does not when one hypothesis fails."
    ),
    source="fiacco1976sensitivity",
    uses=("kkt-differentiable", "implicit-function"),
)

KERNEL = alphabet(constant="H C u y", H="n n symmetric", C="k n", u="n 1", y="k 1")


@basic_sensitivity.derivation
def kernel_of_the_matrix() -> Iterator[Step]:
    """Once the inactive rows have given dlam = 0: Hu + Cᵀy = 0 and Cu = 0."""
    K = KERNEL
    H, C, u, y = K("H C u y")
    first = K.rule("the first block row", H * u, -K.T(C) * y)
    second = K.rule("the second block row, Cu = 0", C * u, sp.S.Zero)
    yield from chain(
        K,
        K.T(u) * H * u,
        Link(-K.T(u) * K.T(C) * y, first.name, (first,)),
        Link(sp.S.Zero, second.name, (second,)),
    )


@basic_sensitivity.check(Evidence.SYMBOLIC)
def disc_in_general_position() -> None:
    obstacle.assert_generic_disc()


@basic_sensitivity.check(Evidence.EXACT)
def nearest_points_outside_a_disc() -> None:
    for c in (Matrix([3, 4]) / 10, Matrix([-5, 12]) / 26):
        for move in ((1, 0), (0, 1)):
            obstacle.assert_moves_smoothly(obstacle.Case(c, move=Matrix(move)))


@basic_sensitivity.check(Evidence.NUMERIC)
def branches_without_convexity_have_second_order() -> None:
    for seed, n in enumerate((2, 3, 4)):
        p, point = quadratics.saddle_shaped(np.random.default_rng(seed), n)
        require(np.linalg.eigvalsh(p.P[0])[0] < 0, "the objective is not convex")
        quadratics.assert_branch_moves(p, point)


@basic_sensitivity.control(mutant="λ∇²f with the wrong sign in ∇²L")
def curvature_added() -> None:
    case = obstacle.Case(Matrix([3, 4]) / 10, move=Matrix([0, 1]))
    obstacle.assert_moves_smoothly(case, sign=1)


@basic_sensitivity.control(dropped="strict complementarity: c on the circle")
def point_on_the_circle() -> None:
    case = obstacle.Case(Matrix([1, 0]), move=Matrix([1, 0]))
    require(case.licq and case.curved and not case.strict, "the other two hypotheses")
    obstacle.assert_moves_smoothly(case)


@basic_sensitivity.control(dropped="curvature: c in the middle of the disc")
def point_in_the_middle() -> None:
    case = obstacle.Case(Matrix([0, 0]), point=Matrix([1, 0]), move=Matrix([1, 0]))
    require(case.licq and case.strict and not case.curved, "the other two hypotheses")
    obstacle.assert_moves_smoothly(case)


@basic_sensitivity.control(dropped="independence: a wall that touches the disc")
def wall_that_touches() -> None:
    case = obstacle.Case(
        Matrix([1, 0]) / 2,
        wall=sp.Integer(1),
        wall_moves=sp.Integer(1),
        wall_force=sp.Rational(1, 4),
    )
    require(case.strict and case.curved and not case.licq, "the other two hypotheses")
    obstacle.assert_moves_smoothly(case)
