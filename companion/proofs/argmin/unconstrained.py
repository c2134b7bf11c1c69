"""The minimizer and the optimal value of a smooth problem, as functions of θ.

Chapter: argmin-differentiation.md.  Theorems: unconstrained-argmin, value-function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.argmin import samples
from companion.proofs.argmin.conditions import (
    HESSIAN,
    STATIONARY_MOVES,
    B,
    G,
    H,
    T,
    W,
    dt,
    dx,
)
from companion.proofs.argmin.samples import Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import argmin

z = sp.Symbol("z")
theta = sp.Symbol("theta", positive=True)
Slope = Callable[[sp.Expr, sp.Expr], sp.Expr]


def stated(fxx: sp.Expr, fxtheta: sp.Expr) -> sp.Expr:
    return -fxtheta / fxx


# --------------------------------------------------------- unconstrained-argmin
unconstrained_argmin = theorem(
    "unconstrained-argmin",
    claim=(
        "Along every differentiable branch of stationary points of f(., θ) with "
        "invertible Hessian H = f_xx, minima and maxima alike, the derivative of x in "
        "θ is -H⁻¹B with B = f_xθ."
    ),
    source="gould2016differentiating",
    implements=(argmin.jacobian, argmin.newton),
    uses=("implicit-function",),
)


@unconstrained_argmin.derivation
def stationary_point_moves() -> Iterator[Step]:
    moves = Link([-G * B * dt], "the differential of fₓ = 0", (STATIONARY_MOVES,))
    yield from chain(W, dx, Link([G * H * dx], "H is invertible", (HESSIAN,)), moves)


@unconstrained_argmin.check(Evidence.SYMBOLIC_ANY_SIZE)
def ridge_of_every_size() -> None:
    """M = ΦᵀΦ and Mx + λx = Φᵀy give dx = -(M + λI)⁻¹x dλ; K is that inverse."""
    A = alphabet(
        constant="M c K",
        M="n n symmetric", c="n one", K="n n symmetric", x="n one",
        l="one one symmetric",
    )  # fmt: skip
    M, c, K, x, l, dx_, dl = A("M c K x l dx dl")
    moved = A.d(M * x + x * l - c)
    assert A.equal(moved, [M * dx_, dx_ * l, x * dl])
    shifted = A.rule("(M + λI)⁻¹(M + λI) = I", K * M * dx_, dx_ - K * dx_ * l)
    assert A.equal(K * moved, [dx_, K * x * dl], shifted)


def assert_quartic(formula: Slope = stated) -> None:
    """Gould's θx⁴ + 2θ²x³ - 12x², on its three branches, for every θ > 0."""
    f = theta * z**4 + 2 * theta**2 * z**3 - 12 * z**2
    root = sp.sqrt(9 * theta**3 + 96) / (4 * sp.sqrt(theta))
    for branch in (sp.S.Zero, -3 * theta / 4 + root, -3 * theta / 4 - root):
        assert sp.simplify(sp.diff(f, z).subs(z, branch)) == 0, "not stationary"
        slope = formula(sp.diff(f, z, 2), sp.diff(f, z, theta)).subs(z, branch)
        error = sp.simplify(slope - sp.diff(branch, theta))
        assert error == 0, f"off by {float(error.subs(theta, 2)):.3g} at θ = 2"


@unconstrained_argmin.check(Evidence.SYMBOLIC)
def quartic_with_three_branches() -> None:
    assert_quartic()


PHI, TARGETS, STRENGTH = Matrix([[1, 2], [0, 1], [3, -1]]), Matrix([1, 2, -1]), 2


def assert_ridge(fit: int = 1, claimed: int = 1) -> None:
    """Ridge regression with fit/2·‖Φx - y‖² + λ/2·‖x‖², in rational numbers.

    `claimed` is the factor that the stated derivative -(claimed·ΦᵀΦ + λI)⁻¹x assumes.
    """
    l, eye = sp.Symbol("l"), sp.eye(2)
    x = (fit * PHI.T * PHI + l * eye).LUsolve(fit * PHI.T * TARGETS)
    true = x.diff(l).subs(l, STRENGTH)
    formula = -(claimed * PHI.T * PHI + STRENGTH * eye).LUsolve(x.subs(l, STRENGTH))
    assert true == formula, f"{list(formula)}, not {list(true)}"


@unconstrained_argmin.check(Evidence.EXACT)
def ridge_with_either_factor() -> None:
    assert_ridge()
    assert_ridge(fit=2, claimed=2)


@unconstrained_argmin.check(Evidence.NUMERIC)
def taylor_order_of_minimizers() -> None:
    for f, at in samples.draws():
        x = f.minimizer(at)
        J = argmin.jacobian(f.hessian(x, at), f.mixed(x, at))
        samples.assert_derivative(f.minimizer, at, J)


@unconstrained_argmin.control(mutant="the minus sign dropped")
def plus_sign() -> None:
    assert_quartic(lambda fxx, fxtheta: fxtheta / fxx)


@unconstrained_argmin.control(mutant="‖Φx - y‖² differentiated as if it were halved")
def factor_two() -> None:
    assert_ridge(fit=2, claimed=1)


@unconstrained_argmin.control(dropped="H invertible: x⁴ - θx at θ = 0")
def flat_minimum() -> None:
    steps = [4 * sp.Rational(1, 8**j) for j in (1, 2, 3)]

    def minimizers(at: sp.Rational) -> list[sp.Expr]:
        return [sp.real_root(at / 4, 3)]

    require(all(4 * x**3 == at for at in steps for x in minimizers(at)), "stationary")
    samples.assert_graph(minimizers, steps)


# --------------------------------------------------------------- value-function
value_function = theorem(
    "value-function",
    claim=(
        "Along a differentiable branch of stationary points the value V = f(x(θ), θ) "
        "has gradient f_θ, with x held fixed, and second derivative f_θθ - BᵀH⁻¹B."
    ),
    source="milgrom2002envelope",
    implements=(argmin.value_hessian,),
    uses=("unconstrained-argmin",),
)


@value_function.derivation
def value_moves() -> Iterator[Step]:
    e, a, C = W("e a C")
    stationary = W.rule("f_x = 0", e, sp.S.Zero)
    yield from chain(
        W,
        T(e) * dx + T(a) * dt,
        Link([T(e) * dx, T(a) * dt], "the chain rule"),
        Link([T(a) * dt], "fₓ = 0 at the minimizer", (stationary,)),
        name=r"\mathrm{d}V",
    )
    # dx = -H⁻¹B dθ is theorem unconstrained-argmin
    moves = W.rule("unconstrained-argmin", dx, -G * B * dt)
    yield from chain(
        W,
        T(B) * dx + C * dt,
        Link([C * dt, T(B) * dx], "the chain rule"),
        Link([C * dt, -T(B) * G * B * dt], "the derivative of an argmin", (moves,)),
        name=r"\mathrm{d}(\nabla V)",
    )


Curvature = Callable[[sp.Expr, sp.Expr, sp.Expr], sp.Expr]


def assert_value(
    branch: sp.Expr | None = None,
    second: Curvature = lambda fxx, fxt, ftt: ftt - fxt**2 / fxx,
) -> None:
    """V' and V'' of f = ½(1 + θ²)x² - θx + θ³, whose minimizer is θ/(1 + θ²)."""
    f = (1 + theta**2) * z**2 / 2 - theta * z + theta**3
    x = theta / (1 + theta**2) if branch is None else branch
    V = f.subs(z, x)
    first = sp.simplify(sp.diff(f, theta).subs(z, x) - sp.diff(V, theta))
    assert first == 0, f"V' is off by {first.subs(theta, 2)} at θ = 2"
    parts = [sp.diff(f, *by) for by in ((z, z), (z, theta), (theta, theta))]
    error = sp.simplify(second(*parts).subs(z, x) - sp.diff(V, theta, 2))
    assert error == 0, f"V'' is off by {error.subs(theta, 2)} at θ = 2"


@value_function.check(Evidence.SYMBOLIC)
def value_in_closed_form() -> None:
    assert_value()


@value_function.check(Evidence.NUMERIC)
def taylor_order_of_values() -> None:
    for f, at in samples.draws():
        x = f.minimizer(at)
        samples.assert_derivative(
            lambda v, f=f: f.value(f.minimizer(v), v), at, f.in_theta(x, at)
        )
        second = argmin.value_hessian(
            f.hessian(x, at), f.mixed(x, at), f.twice_theta(x, at)
        )
        samples.assert_derivative(
            lambda v, f=f: f.in_theta(f.minimizer(v), v), at, second
        )
        assert np.allclose(second, second.T)


@value_function.control(mutant="f_θθ alone, without BᵀH⁻¹B")
def schur_term_forgotten() -> None:
    assert_value(second=lambda _fxx, _fxt, ftt: ftt)


@value_function.control(mutant="f_θθ + BᵀH⁻¹B")
def schur_sign() -> None:
    assert_value(second=lambda fxx, fxt, ftt: ftt + fxt**2 / fxx)


@value_function.control(dropped="x stationary: x after one gradient step from zero")
def one_step_away() -> None:
    assert_value(branch=theta / 4)


def assert_value_slope(upper: Callable[[sp.Rational], sp.Expr], V0: sp.Expr) -> None:
    """An upper bound of V leaves room for a slope at zero.

    V with a derivative has V(h) + V(-h) - 2V(0) = o(h), which a bound below a negative
    multiple of h contradicts.
    """
    for h in (sp.Rational(1, 10**j) for j in (1, 2, 3)):
        gap = upper(h) + upper(-h) - 2 * V0
        assert gap >= -h / 8, f"V(h) + V(-h) - 2V(0) ≤ {gap} at h = {h}"


@value_function.check(Evidence.EXACT)
def one_well_has_a_slope() -> None:
    """The value of ½x² - θx is -½θ²."""
    assert_value_slope(lambda h: -(h**2) / 2, sp.S.Zero)


@value_function.control(dropped="one minimizer: (x² - 1)²/8 - θx at θ = 0 has two")
def minimizer_that_jumps() -> None:
    def f(x: int, at: sp.Expr) -> sp.Expr:
        return sp.Rational((x**2 - 1) ** 2, 8) - at * x

    require(f(1, sp.S.Zero) == f(-1, sp.S.Zero) == 0, "±1 attain the least value 0")
    assert_value_slope(lambda h: min(f(1, h), f(-1, h)), sp.S.Zero)
