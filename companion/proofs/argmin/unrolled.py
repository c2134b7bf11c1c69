"""Differentiating the solver: gradient descent, unrolled.

Chapter: argmin-differentiation.md.  Theorems: unrolled-descent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.argmin import samples
from companion.proofs.argmin.samples import Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import argmin
from companion.reference.argmin import Equation

W = alphabet(
    constant="P G B L J",
    latex={
        "G": "P^{-1}",
        "L": "M^k",
        "J": "J_k",
        "t": r"\theta",
        "x": "x_k",
    },
    x="n one",
    t="k one",
    P="n n symmetric",
    G="n n symmetric",
    B="n k",
    L="n n",  # a power of I - αP
    J="n k",
)
P, G, B, L, J = W("P G B L J")
x, t, dx, dt = W("x t dx dt")
RATE = sp.Symbol("alpha", positive=True)
INVERSE = W.inverse("P is invertible", P, G)

# --------------------------------------------------------------- unrolled-descent
unrolled_descent = theorem(
    "unrolled-descent",
    claim=(
        "Gradient descent with a constant rate α on ½xᵀPx + xᵀBθ, from a start that "
        "does not depend on θ, has J_k - J = (I - αP)^k P⁻¹B, where J_k = ∂x_k/∂θ and "
        "J = -P⁻¹B; the step holds for matrices of every size, and |1 - αμ| < 1 for "
        "an eigenvalue μ > 0 of P exactly if 0 < α < 2/μ."
    ),
    source="amos2019thesis",
    implements=(argmin.descend,),
    uses=("unconstrained-argmin",),
)


@unrolled_descent.derivation
def one_more_step() -> Iterator[Step]:
    moved = W.rule("Jₖ is the derivative of xₖ", dx, J * dt)
    yield from chain(
        W,
        W.d(x - RATE * P * x - RATE * B * t),
        Link([dx, -RATE * P * dx, -RATE * B * dt], "one step, differentiated"),
        Link(
            [J * dt, -RATE * P * J * dt, -RATE * B * dt],
            "Jₖ is the derivative of xₖ",
            (moved,),
        ),
        name=r"\mathrm{d}x_{k+1}",
    )
    power = W.rule("the claim at k", J, [L * G * B, -G * B])
    yield from chain(
        W,
        J - RATE * P * J - RATE * B + G * B,
        Link(
            [L * G * B, -RATE * P * L * G * B],
            "the claim at k",
            (power, INVERSE),
        ),
        name=r"J_{k+1} - J",
    )
    contracted = (1 - RATE * P) * L * G * B
    assert W.equal([L * G * B, -RATE * P * L * G * B], contracted)
    yield Step(
        W.latex([L * G * B, -RATE * P * L * G * B]),
        r"M^{k+1}\,P^{-1}\,B",
        "M = I − αP",
    )
    start = W.rule("J_0 = 0, and no power yet", L, sp.S.One)
    assert W.equal(L * G * B - G * B, 0, start), "the claim fails at k = 0"


@unrolled_descent.check(Evidence.SYMBOLIC)
def contraction_of_one_eigenvalue() -> None:
    """1 - (1 - αμ)² = αμ(2 - αμ), positive exactly if 0 < α < 2/μ for μ > 0."""
    mu = sp.Symbol("mu", positive=True)
    assert sp.expand(1 - (1 - RATE * mu) ** 2 - RATE * mu * (2 - RATE * mu)) == 0


CURVED = Matrix([[2, 1], [1, 3]])
SIDE = Matrix([[1, -2], [0, 3]])
THETA = sp.symbols("p1 p2")
Gradient = Callable[[Matrix], Matrix]


def iterate(gradient: Gradient, rate: sp.Expr, steps: int) -> Matrix:
    """The last iterate as a function of θ, from the start (1, -1)."""
    point = Matrix([1, -1])
    for _ in range(steps):
        point = (point - rate * gradient(point)).applyfunc(sp.expand)
    return point


def assert_unrolled(
    gradient: Gradient | None = None,
    steps: int = 4,
    recursion: Callable[[Matrix, sp.Expr], Matrix] | None = None,
) -> None:
    """The formula against the derivative of the iterate itself, exactly.

    `recursion` replaces the derivative of the iterate by some other rule.
    """
    rate, eye = sp.Rational(1, 4), sp.eye(2)
    gradient = gradient or (lambda v: CURVED * v + SIDE * Matrix(THETA))
    J_ = sp.zeros(2, 2)
    if recursion is None:
        J_ = iterate(gradient, rate, steps).jacobian(THETA)
    else:
        for _ in range(steps):
            J_ = recursion(J_, rate)
    error = (
        J_
        + CURVED.inv() * SIDE
        - (eye - rate * CURVED) ** steps * (CURVED.inv() * SIDE)
    )
    error = error.subs(dict.fromkeys(THETA, 1)).applyfunc(sp.expand)
    assert not any(error), f"off by {[float(e) for e in error]}"


@unrolled_descent.check(Evidence.EXACT)
def four_steps() -> None:
    assert_unrolled()
    assert_unrolled(recursion=lambda J_, rate: J_ - rate * (CURVED * J_ + SIDE))


def assert_converges(rate: float) -> None:
    """The error of J_k falls by the spectral radius of I - αP at every step."""
    rng = np.random.default_rng(0)
    root, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    P_, B_ = root @ np.diag([0.5, 1.0, 2.0]) @ root.T, rng.standard_normal((3, 2))
    quadratic = Equation(
        lambda v, th: P_ @ v + B_ @ th, lambda _v, _t: P_, lambda _v, _t: B_
    )
    points, found = argmin.descend(quadratic, np.ones(3), np.ones(2), rate, 60)
    ideal = argmin.jacobian(P_, B_)
    power = np.linalg.matrix_power(np.eye(3) - rate * P_, 60)
    samples.assert_close(found[-1] - ideal, -power @ ideal)
    samples.assert_derivative(
        lambda th: argmin.descend(quadratic, np.ones(3), th, rate, 60)[0][-1],
        np.ones(2),
        found[-1],
    )
    errors = [np.linalg.norm(J_ - ideal) for J_ in (found[0], found[-1])]
    assert errors[1] < errors[0] / 1000, (
        f"the error went from {errors[0]} to {errors[1]}"
    )
    assert np.linalg.norm(points[-1] + np.linalg.solve(P_, B_ @ np.ones(2))) < 0.1


@unrolled_descent.check(Evidence.NUMERIC)
def errors_fall_linearly() -> None:
    assert_converges(0.4)


@unrolled_descent.check(Evidence.NUMERIC)
def taylor_order_of_iterates() -> None:
    """The recursion differentiates the iterates of a function that is no quadratic."""
    for f, theta in samples.draws():
        start = np.ones(4)
        run = argmin.descend(f.equation, start, theta, 0.05, 12)
        samples.assert_derivative(
            lambda th, f=f: argmin.descend(f.equation, np.ones(4), th, 0.05, 12)[0][-1],
            theta,
            run[1][-1],
        )


@unrolled_descent.control(mutant="the derivative of the last step only")
def last_step_only() -> None:
    assert_unrolled(recursion=lambda _, rate: -rate * SIDE)


@unrolled_descent.control(dropped="a quadratic objective: x₁⁴/4 added")
def quartic_added() -> None:
    require(CURVED.is_positive_definite, "the objective is strictly convex")
    assert_unrolled(
        lambda v: CURVED * v + SIDE * Matrix(THETA) + Matrix([v[0] ** 3, 0]), steps=2
    )


@unrolled_descent.control(dropped="α < 2/μ: α = 3/μ")
def rate_too_large() -> None:
    assert_converges(1.5)
