"""How wrong the implicit derivative is at a point that is nearly a solution.

Chapter: argmin-differentiation.md.  Theorems: inexact-jacobian.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.proofs.argmin import samples
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import argmin

W = alphabet(
    constant="X N R Y M S",
    latex={
        "X": "A",
        "N": "B",
        "R": "A^{-1}",
        "Y": r"\hat A",
        "M": r"\hat B",
        "S": r"\hat A^{-1}",
    },
    X="n n",
    N="n k",
    R="n n",
    Y="n n",
    M="n k",
    S="n n",
)
X, N, R, Y, M, S = W("X N R Y M S")
EXACT_ = W.inverse("A is invertible", X, R)
NEARBY = W.inverse("Â is invertible", Y, S)

inexact_jacobian = theorem(
    "inexact-jacobian",
    claim=(
        "A⁻¹B - Â⁻¹B̂ = A⁻¹(B - B̂) + A⁻¹(Â - A)Â⁻¹B̂ for matrices of every size, so "
        "that a Jacobian evaluated at distance δ from the solution is wrong by at most "
        "(L_B/μ + R L_A/μ²)δ; on an exact instance no bound of order δ² holds."
    ),
    source="blondel2022efficient",
    implements=(argmin.jacobian,),
    uses=("implicit-function",),
)


@inexact_jacobian.derivation
def resolvent() -> Iterator[Step]:
    yield from chain(
        W,
        R * N - S * M,
        Link([R * N, -R * M, R * M, -S * M], "add and subtract A⁻¹B̂"),
        Link(
            [R * N, -R * M, R * Y * S * M, -R * X * S * M],
            "A and Â are invertible",
            (EXACT_, NEARBY),
        ),
        name=r"J-\hat J",
    )
    closed = R * (N - M) + R * (Y - X) * S * M
    assert W.equal([R * N, -R * M, R * Y * S * M, -R * X * S * M], closed)
    yield Step(
        W.latex([R * N, -R * M, R * Y * S * M, -R * X * S * M]),
        r"A^{-1}(B-\hat B) + A^{-1}(\hat A-A)\,\hat A^{-1}\hat B",
        "two common factors",
    )


DISTANCES = [sp.Rational(1, 4**j) for j in range(1, 7)]


def assert_bound(order: int = 1, in_A: int = 1, *, rough: bool = False) -> None:
    """The bound for F = x + x² - θ at the root 0: A = 1 + 2x, B = 1 and J = 1/A.

    L_B = 0, L_A = 2 and μ = R = 1, so that the error is at most 2δ.  `order` is a
    claimed power of δ and `in_A` multiplies the term of A.  With `rough` it is
    F = x + ⅔|x|^{3/2}, whose A = 1 + √|x| has no Lipschitz constant.
    """
    for delta in DISTANCES:
        slope = 1 + sp.sqrt(delta) if rough else 1 + 2 * delta
        error = abs(1 / slope - 1)
        bound = in_A * 2 * delta**order
        assert error <= bound, f"the error at distance {delta} is {error}, not {bound}"


@inexact_jacobian.check(Evidence.EXACT)
def bound_in_one_dimension() -> None:
    assert_bound()


def jacobian_errors(f: samples.LogCosh, theta: np.ndarray) -> tuple[list, list]:
    """Distances of points from the minimizer, and the errors of the Jacobian there."""
    x = f.minimizer(theta)
    ideal = argmin.jacobian(f.hessian(x, theta), f.mixed(x, theta))
    v = np.random.default_rng(3).standard_normal(4)
    distances, errors = [], []
    for delta in 2.0 ** -np.arange(4, 16):
        y = x + delta * v / np.linalg.norm(v)
        J = argmin.jacobian(f.hessian(y, theta), f.mixed(y, theta))
        distances.append(delta)
        errors.append(np.linalg.norm(J - ideal, 2))
    return distances, errors


@inexact_jacobian.check(Evidence.NUMERIC)
def order_one_and_below_the_bound() -> None:
    """L_A and L_B from |d sech²| ≤ 4/(3√3), μ from P, R from the columns of B."""
    for f, theta in samples.draws():
        distances, errors = jacobian_errors(f, theta)
        (order, _) = np.polyfit(np.log(distances), np.log(errors), 1)
        assert 0.9 < order < 1.1, f"order {order:.2f}"
        mu = np.linalg.eigvalsh(f.P)[0]
        bend = 4 / (3 * np.sqrt(3)) * np.linalg.norm(f.C, axis=1).max()
        C, D = np.linalg.norm(f.C, 2), np.linalg.norm(f.D, 2)
        bound = bend * C * D / mu + C * D * bend * C**2 / mu**2
        assert all(e <= bound * d for e, d in zip(errors, distances, strict=True))


@inexact_jacobian.control(mutant="an error of order δ², as Newton's method would have")
def second_order() -> None:
    assert_bound(order=2)


@inexact_jacobian.control(mutant="the term of A forgotten: L_B δ/μ alone")
def term_of_A_forgotten() -> None:
    assert_bound(in_A=0)


@inexact_jacobian.control(dropped="A Lipschitz: A = 1 + √|x|")
def rough_derivative() -> None:
    require(all(1 + sp.sqrt(d) >= 1 for d in DISTANCES), "‖A⁻¹‖ ≤ 1")
    assert_bound(rough=True)
