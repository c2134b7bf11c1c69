"""Inequalities through a logarithmic barrier, and the kink that its limit has.

Chapter: argmin-differentiation.md.  Theorems: log-barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.argmin import samples
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import argmin
from companion.reference.argmin import Constraints, Equation

W = alphabet(
    constant="e H B J E L K N S",
    latex={
        "g": "f_x",
        "G": "J",
        "c": "w",
        "e": r"\mathbf 1",
        "t": r"\theta",
        "L": "D(w)^2",
        "K": r"M",
        "N": r"N",
        "S": r"\Phi^{-1}",
    },
    x="n one",
    t="k one",
    g="n one",  # f_x
    G="m n",  # D_x h, when it is differentiated
    c="m one",  # w_i = -1/h_i
    H="n n symmetric",
    B="n k",
    J="m n",
    E="m k",
    L="m m symmetric",  # D(w)²
    K="n n symmetric",  # M = Σ w_i h_i,xx
    N="n k",  # Σ w_i h_i,xθ
    S="n n symmetric",
)
T = W.T
g, G, c, H, B, J, E, L, K, N, S = W("g G c H B J E L K N S")
dx, dt, dg, dG, dc = W("dx dt dg dG dc")
SHARP = sp.Symbol("t", positive=True)
MOVES = W.rule("the chain rule for f_x", dg, [H * dx, B * dt])
WEIGHTS = W.rule("d(-1/h) = dh/h²", dc, [L * J * dx, L * E * dt])
BENDS = W.rule("Σ w_i d(∇h_i)", T(dG) * c, [K * dx, N * dt])
ROWS = W.rule("G is D_xh", G, J)

# -------------------------------------------------------------------- log-barrier
log_barrier = theorem(
    "log-barrier",
    claim=(
        "With w_i = -1/h_i, J = D_x h and E = D_θ h, a differentiable branch of "
        "stationary points of t f - Σ log(-h_i) has Φ dx = -(t B + JᵀD(w)²E + "
        "Σ w_i h_i,xθ) dθ, where Φ = t H + JᵀD(w)²J + Σ w_i h_i,xx.  For "
        "½(x - θ)² over x ≥ 0 the derivative is ½ + θ/(2√(θ² + 4/t)), within 1/(tθ²) "
        "of the ReLU's where θ ≠ 0, and ½ at θ = 0 for every t."
    ),
    source="gould2016differentiating",
    implements=(argmin.barrier_jacobian,),
    uses=("unconstrained-argmin",),
)


@log_barrier.derivation
def barrier_moves() -> Iterator[Step]:
    first = [SHARP * dg, T(dG) * c, T(G) * dc]
    in_x = [SHARP * H * dx, T(J) * L * J * dx, K * dx]
    in_t = [SHARP * B * dt, T(J) * L * E * dt, N * dt]
    yield from chain(
        W,
        W.d(SHARP * g + T(G) * c),
        Link(first, "the product rule"),
        Link(
            [*in_x, *in_t],
            "w = -1/h, so dw = D(w)² dh",
            (MOVES, BENDS, WEIGHTS, ROWS),
        ),
        name=r"\mathrm{d}\bigl(t f_x + J^{\mathsf T}w\bigr)",
    )
    # the sum is zero, and Φ is the sum of what stands before dx
    moved = W.rule(
        "stationary",
        H * dx,
        [-(T(J) * L * J * dx + K * dx + sum(in_t)) / SHARP],
    )
    assert W.equal(S * sum(in_x), -S * sum(in_t), moved), "not solved for dx"
    yield Step(
        r"\mathrm{d}x",
        W.latex([-S * term for term in in_t]),
        "the sum vanishes along the branch; Φ is invertible",
    )


x, at, slack = sp.symbols("x theta slack")
away = sp.Symbol("theta", positive=True)


def ramp(theta: sp.Expr) -> sp.Expr:
    """The minimizer of t·½(x - θ)² - log x."""
    return (theta + sp.sqrt(theta**2 + 4 / SHARP)) / 2


@log_barrier.check(Evidence.SYMBOLIC)
def smoothed_ramp() -> None:
    curve = ramp(at)
    assert sp.simplify(SHARP * (curve - at) - 1 / curve) == 0, "not stationary"
    # h = -x: w = 1/x, D_x h = -1, and f_xθ = -1
    formula = SHARP / (SHARP + 1 / curve**2)
    assert sp.simplify(formula - sp.diff(curve, at)) == 0
    stated = sp.Rational(1, 2) + at / (2 * sp.sqrt(at**2 + 4 / SHARP))
    assert sp.simplify(stated - sp.diff(curve, at)) == 0
    root = sp.sqrt(away**2 + 4 / SHARP)
    for sign, ideal in ((1, 1), (-1, 0)):
        error = (ideal - stated.subs(at, sign * away)) * sign
        closed = 2 / (SHARP * root * (root + away))  # at most 1/(tθ²): root > θ > 0
        assert sp.simplify(error - closed) == 0
    assert sp.simplify(root**2 - away**2).is_positive


def assert_slope_of_ramp(theta: sp.Rational) -> None:
    """As t grows, the barrier's derivative tends to that of max(θ, 0)."""
    slope = sp.limit(sp.diff(ramp(at), at).subs(at, theta), SHARP, sp.oo)
    for h in (sp.Rational(1, 10), sp.Rational(-1, 10)):
        quotient = (max(theta + h, 0) - max(theta, 0)) / h
        assert slope == quotient, f"the limit is {slope}, the slope {quotient}"


@log_barrier.check(Evidence.EXACT)
def limit_on_either_side() -> None:
    assert_slope_of_ramp(sp.Integer(2))
    assert_slope_of_ramp(sp.Integer(-2))


def assert_curved(bend: int = 1) -> None:
    """Min x² - θx subject to x² ≤ 1, t = 3: θ is a rational function of x.

    `bend` multiplies the term of the curvature of h.
    """
    t, point = sp.Integer(3), sp.Rational(1, 2)
    h = x**2 - 1
    gradient = t * (2 * x - at) - sp.diff(h, x) / h
    (inverse,) = sp.solve(gradient, at)
    true = 1 / sp.diff(inverse, x).subs(x, point)
    w = -1 / h
    Phi = 2 * t + (w * sp.diff(h, x)) ** 2 + bend * w * sp.diff(h, x, 2)
    found = (t / Phi).subs(x, point)
    assert found == true, f"{found}, not {true}"


@log_barrier.check(Evidence.EXACT)
def disc_in_one_dimension() -> None:
    assert_curved()


def ball(
    f: samples.LogCosh, t: float
) -> tuple[Equation, Callable[[np.ndarray, np.ndarray], Constraints]]:
    """T f - Σ log(-h_i) for h = (½‖x‖² - 1 - θ₁²/4, x₁ - ½ + θ₂/4)."""
    eye, zero = np.eye(4), np.zeros((4, 4))

    def constraints(v: np.ndarray, th: np.ndarray) -> Constraints:
        return Constraints(
            np.array([v @ v / 2 - 1 - th[0] ** 2 / 4, v[0] - 0.5 + th[1] / 4]),
            np.vstack([v, eye[0]]),
            np.array([[-th[0] / 2, 0, 0], [0, 0.25, 0]]),
            np.stack([eye, zero]),
            np.zeros((2, 4, 3)),
        )

    def gradient(v: np.ndarray, th: np.ndarray) -> np.ndarray:
        c_ = constraints(v, th)
        inside = np.all(c_.h < 0)
        return t * f.gradient(v, th) - c_.x.T @ (1 / c_.h) if inside else v + np.inf

    def hessian(v: np.ndarray, th: np.ndarray) -> np.ndarray:
        c_ = constraints(v, th)
        w, rows = -1 / c_.h, c_.x / c_.h[:, None]
        return t * f.hessian(v, th) + rows.T @ rows + np.einsum("i,ijk", w, c_.xx)

    return Equation(gradient, hessian, f.mixed), constraints


@log_barrier.check(Evidence.NUMERIC)
def taylor_order_of_the_barrier() -> None:
    for f, theta in samples.draws():
        for t in (1.0, 30.0):
            equation, constraints = ball(f, t)

            def minimizer(th: np.ndarray, e: Equation = equation) -> np.ndarray:
                return argmin.newton(e, np.full(4, -0.2), th).x

            v = minimizer(theta / 2)
            J_ = argmin.barrier_jacobian(
                t,
                f.hessian(v, theta / 2),
                f.mixed(v, theta / 2),
                constraints(v, theta / 2),
            )
            samples.assert_derivative(minimizer, theta / 2, J_)


@log_barrier.control(mutant="the curvature of h with the other sign")
def curvature_sign() -> None:
    assert_curved(bend=-1)


@log_barrier.control(mutant="the curvature of h forgotten")
def curvature_forgotten() -> None:
    assert_curved(bend=0)


@log_barrier.control(dropped="θ ≠ 0: the limit at the kink is ½")
def at_the_kink() -> None:
    require(ramp(sp.S.Zero) > 0, "the barrier's minimizer is inside")
    assert_slope_of_ramp(sp.S.Zero)
