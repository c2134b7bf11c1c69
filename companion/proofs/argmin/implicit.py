"""The derivative of a root, and why it does not depend on the residual.

Chapter: argmin-differentiation.md.  Theorems: implicit-function, residual-rescaling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp

from companion import sampling
from companion.proofs.argmin import samples
from companion.proofs.argmin.conditions import (
    INVERSE,
    MOVES,
    ROOT,
    F,
    N,
    R,
    V,
    W,
    X,
    dF,
    dt,
    dx,
)
from companion.proofs.argmin.samples import Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import argmin
from companion.reference.argmin import Equation

Formula = Callable[[Matrix, Matrix], Matrix]
x1, x2, p1, p2 = sp.symbols("x1 x2 p1 p2")
HERE = {p1: sp.Integer(2), p2: sp.Integer(3)}  # a parameter without symmetry


def stated(Fx: Matrix, Ftheta: Matrix) -> Matrix:
    """The formula of the theorem, for rational matrices."""
    assert Fx.det() != 0, "the derivative in x has no inverse"
    return -Fx.inv() * Ftheta


# ------------------------------------------------------------ implicit-function
implicit_function = theorem(
    "implicit-function",
    claim=(
        "Along every differentiable branch of roots of F(x, θ) = 0 with F_x invertible "
        "the derivative of x in θ is -F_x⁻¹F_θ, for every number of variables and "
        "parameters.  That a branch exists is cited, not checked."
    ),
    source="dontchev2014implicit",
    implements=(argmin.jacobian, argmin.newton),
)


@implicit_function.derivation
def differentiated() -> Iterator[Step]:
    yield from chain(
        W,
        dx,
        Link([R * X * dx], "Fₓ is invertible", (INVERSE,)),
        Link([-R * N * dt], "the differential of F(x, θ) = 0", (MOVES,)),
    )


def assert_branch(formula: Formula = stated) -> None:
    """The formula against a branch that is known in closed form.

    θ₁x₁ = θ₂ and x₂ + x₁² = θ₁θ₂ give x₁ = θ₂/θ₁ and x₂ = θ₁θ₂ - θ₂²/θ₁².
    """
    residual = Matrix([p1 * x1 - p2, x2 + x1**2 - p1 * p2])
    branch = Matrix([p2 / p1, p1 * p2 - p2**2 / p1**2])
    at = {x1: branch[0], x2: branch[1]}
    Fx, Ftheta = residual.jacobian([x1, x2]), residual.jacobian([p1, p2])
    error = formula(Fx.subs(at), Ftheta.subs(at)) - branch.jacobian([p1, p2])
    assert not any(sp.simplify(e) for e in error), f"off by {list(error.subs(HERE))}"


@implicit_function.check(Evidence.SYMBOLIC)
def branch_in_closed_form() -> None:
    assert_branch()


STEPS = [sp.Rational(1, 8**j) for j in (1, 2, 3, 4)]


@implicit_function.check(Evidence.EXACT)
def regular_roots_are_a_graph() -> None:
    """2x + x² = θ(2 + θ) has the roots θ, near zero, and -2 - θ."""

    def roots(theta: sp.Rational) -> list[sp.Expr]:
        return [r for r in (theta, -2 - theta) if abs(r) < 1]

    require(all(2 * r + r**2 == h * (2 + h) for h in STEPS for r in roots(h)), "roots")
    samples.assert_graph(roots, STEPS)


@implicit_function.check(Evidence.NUMERIC)
def taylor_order_of_polynomial_roots() -> None:
    """F = Mx + (x∘x)∘c - Eθ - (Lθ)∘x with an M that is not symmetric."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        M = 3 * np.eye(4) + rng.standard_normal((4, 4)) / 2
        E, L, c = (0.5 * rng.standard_normal(s) for s in ((4, 3), (4, 3), 4))
        equation = Equation(
            lambda x, th, M=M, E=E, L=L, c=c: M @ x + c * x * x - E @ th - (L @ th) * x,
            lambda x, th, M=M, L=L, c=c: M + np.diag(2 * c * x - L @ th),
            lambda x, _, E=E, L=L: -E - x[:, None] * L,
        )
        theta = rng.standard_normal(3) / 2

        def root(th: np.ndarray, e: Equation = equation) -> np.ndarray:
            return argmin.newton(e, np.zeros(4), th).x

        x = root(theta)
        J = argmin.jacobian(equation.Fx(x, theta), equation.Ftheta(x, theta))
        samples.assert_derivative(root, theta, J)


@implicit_function.control(mutant="the minus sign dropped")
def plus_sign() -> None:
    assert_branch(lambda Fx, Ftheta: -stated(Fx, Ftheta))


@implicit_function.control(mutant="F_x transposed")
def transposed() -> None:
    assert_branch(lambda Fx, Ftheta: stated(Fx.T, Ftheta))


@implicit_function.control(dropped="F_x invertible: x³ = θ at zero, a vertical tangent")
def vertical_tangent() -> None:
    def roots(theta: sp.Rational) -> list[sp.Expr]:
        return [sp.real_root(theta, 3)]

    require(all(r**3 == h for h in STEPS for r in roots(h)), "the roots are roots")
    samples.assert_graph(roots, STEPS)


@implicit_function.control(dropped="F_x invertible: x² = θ² at zero, two branches")
def crossing_branches() -> None:
    samples.assert_graph(lambda theta: sorted({theta, -theta}), STEPS)


# ----------------------------------------------------------- residual-rescaling
residual_rescaling = theorem(
    "residual-rescaling",
    claim=(
        "Where F(x, θ) = 0 and W(x, θ) is invertible, the partial derivatives of WF "
        "are WF_x and WF_θ, and -(WF_x)⁻¹WF_θ = -F_x⁻¹F_θ."
    ),
    source="dontchev2014implicit",
    implements=(argmin.jacobian,),
    uses=("implicit-function",),
)


@residual_rescaling.derivation
def weight_cancels() -> Iterator[Step]:
    weight, dweight = W("W dW")
    chained = W.rule("the chain rule", dF, [X * dx, N * dt])
    yield from chain(
        W,
        W.d(weight * F),
        Link([dweight * F, weight * dF], "the product rule"),
        Link([weight * dF], "F = 0 at the root", (ROOT,)),
        Link([weight * X * dx, weight * N * dt], "the chain rule", (chained,)),
        name=r"\mathrm{d}(WF)",
    )
    invertible = W.inverse("W is invertible", weight, V)
    yield from chain(
        W,
        -R * V * weight * N,
        Link([-R * N], "W is invertible", (invertible,)),
        name=r"-(WF_x)^{-1}\,WF_\theta",
    )
    assert W.equal(weight * X * R * V, 1, invertible, INVERSE), "not the inverse of WFx"


Weighted = tuple[Matrix, Matrix, Matrix, Matrix]  # (WF)_x, (WF)_θ, F_x, F_θ


def weighted(W_: Matrix, F_: Matrix, at: Mapping[sp.Symbol, Any]) -> Weighted:
    """Exact derivatives of WF and of F in x = (x1, x2) and θ = (p1, p2)."""
    both = (W_ * F_, F_)
    unknowns = [s for s in (x1, x2) if F_.has(s)]
    return tuple(  # pyright: ignore[reportReturnType]
        r.jacobian(v).subs(at) for r in both for v in (unknowns, [p1, p2])
    )


def assert_same_derivative(parts: Weighted) -> None:
    WFx, WFtheta, Fx, Ftheta = parts
    found, want = stated(WFx, WFtheta), stated(Fx, Ftheta)
    assert found == want, f"{list(found)}, not {list(want)}"


PLANE = Matrix([p1 * x1 - p2, x2 + x1**2 - p1 * p2])
WEIGHT = Matrix([[1 + x1, x2], [p1, 4]])
ON_ROOT = {**HERE, x1: sp.Rational(3, 2), x2: sp.Rational(15, 4)}


@residual_rescaling.check(Evidence.EXACT)
def weight_that_varies() -> None:
    require(not any(PLANE.subs(ON_ROOT)), "the point is a root")
    assert_same_derivative(weighted(WEIGHT, PLANE, ON_ROOT))


@residual_rescaling.check(Evidence.SYMBOLIC)
def three_residuals_of_one_complementarity() -> None:
    """lam·s, and the Fischer-Burmeister function, at lam > 0 = s and lam = 0 < s.

    min ½(x - θ₁)² subject to x ≤ θ₂, with slack s = θ₂ - x and multiplier lam.
    """
    lam, s = x2, p2 - x1
    positive = sp.Symbol("c", positive=True)
    for at, want in (
        ({x2: positive, x1: p2, p1: p2 + positive}, [0, 1]),
        ({x2: 0, x1: p2 - positive, p1: p2 - positive}, [1, 0]),
    ):
        for phi in (lam * s, lam + s - sp.sqrt(lam**2 + s**2)):
            residual = Matrix([x1 - p1 + lam, phi])
            slopes = [residual.jacobian(v).subs(at) for v in ([x1, x2], [p1, p2])]
            found = stated(*slopes)[0, :]
            assert not any(sp.simplify(e) for e in list(found - Matrix([want]))), found


@residual_rescaling.check(Evidence.NUMERIC)
def three_residuals_of_a_quadratic_program() -> None:
    for seed in range(4):
        problem, sol = sampling.qp(np.random.default_rng(seed))
        n, p, m = problem.n, problem.p, len(sol.lam)
        lam, s = sol.lam, problem.h - problem.G @ sol.x
        root = np.sqrt(lam**2 + s**2)
        pairs = {  # derivatives of the complementarity in lam and in s
            "product": (s, lam),
            "minimum": (1.0 * (lam < s), 1.0 * (s < lam)),
            "Fischer-Burmeister": (1 - lam / root, 1 - s / root),
        }
        found = []
        for in_lam, in_s in pairs.values():
            Fx = np.block([
                [problem.P, problem.A.T, problem.G.T],
                [problem.A, np.zeros((p, p + m))],
                [-in_s[:, None] * problem.G, np.zeros((m, p)), np.diag(in_lam)],
            ])  # fmt: skip
            Ftheta = np.vstack([np.eye(n), np.zeros((p + m, n))])
            found.append(argmin.jacobian(Fx, Ftheta)[:n])
        for other in found[1:]:
            samples.assert_close(other, found[0])


@residual_rescaling.control(mutant="W left in F_θ and forgotten in F_x")
def weight_on_one_side() -> None:
    _, WFtheta, Fx, Ftheta = weighted(WEIGHT, PLANE, ON_ROOT)
    assert_same_derivative((Fx, WFtheta, Fx, Ftheta))


LINE = Matrix([x1 - p1])


@residual_rescaling.control(dropped="F = 0: F = x - θ and W = 1 + x at x = 2, θ = 0")
def away_from_the_root() -> None:
    at = {x1: 2, p1: 0, p2: 0}
    weight = Matrix([1 + x1])
    require(weight.subs(at).det() != 0, "W is invertible")
    assert_same_derivative(weighted(weight, LINE, at))


@residual_rescaling.control(dropped="W invertible: F = x - θ and W = x at zero")
def weight_without_inverse() -> None:
    at = {x1: 0, p1: 0, p2: 0}
    require(LINE.subs(at)[0] == 0, "the point is a root")
    assert_same_derivative(weighted(Matrix([x1]), LINE, at))
