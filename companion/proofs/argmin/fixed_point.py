"""The derivative of a fixed point, and of projected gradient descent.

Chapter: argmin-differentiation.md.  Theorems: fixed-point-derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.argmin import samples
from companion.proofs.argmin.samples import Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import argmin, qp

W = alphabet(
    constant="P K U R D J Z Y",
    latex={
        "K": "T_x",
        "U": r"T_\theta",
        "R": "(I-T_x)^{-1}",
        "t": r"\theta",
    },
    x="n one",
    t="k one",
    P="n n symmetric",
    K="n n",  # T_x
    U="n k",  # T_θ
    R="n n",
    D="n n",  # a power of T_x
    J="n k",
    Z="n r",
    Y="r r symmetric",
)
P, K, U, R, D, J, Z, Y, dx, dt = W("P K U R D J Z Y dx dt")
T = W.T
RATE = sp.Symbol("alpha", positive=True)

# --------------------------------------------------------- fixed-point-derivative
fixed_point_derivative = theorem(
    "fixed-point-derivative",
    claim=(
        "Along a differentiable branch of x = T(x, θ) with I - T_x invertible, "
        "Dx = (I - T_x)⁻¹T_θ, and the sum of the first N terms T_x^j T_θ misses it by "
        "T_x^N Dx.  For T_x = Π(I - αP) and T_θ = -αΠ with Π = ZZᵀ, ZᵀZ = I, it is "
        "-Z(ZᵀPZ)⁻¹Zᵀ for every α ≠ 0."
    ),
    source="blondel2022efficient",
    implements=(argmin.fixed_point_jacobian, argmin.neumann),
    uses=("implicit-function", "equality-argmin"),
)


@fixed_point_derivative.derivation
def fixed_point_moves() -> Iterator[Step]:
    moves = W.rule("x = T(x, θ), differentiated", K * dx, dx - U * dt)
    inverse = W.rule("(I - T_x)⁻¹(I - T_x) = I", R * K, R - 1)
    yield from chain(
        W,
        dx,
        Link([R * dx, -R * K * dx], "I − Tₓ is invertible", (inverse,)),
        Link([R * U * dt], "x = T(x, θ), differentiated", (moves,)),
        name=r"\mathrm{d}x",
    )


@fixed_point_derivative.check(Evidence.SYMBOLIC_ANY_SIZE)
def series_misses_a_power() -> None:
    """S = J - T_x^N J implies T_θ + T_x S = J - T_x^(N+1) J, where J = T_θ + T_x J."""
    fixed = W.rule("J = T_θ + T_x J", K * J, J - U)
    partial = J - D * J
    commute = W.rule("powers commute", K * D, D * K)
    assert W.equal(U + K * partial, J - D * K * J, fixed, commute)
    zeroth = W.rule("no power yet", D, sp.S.One)
    assert W.equal(J - D * J, 0, zeroth), "the empty sum is not zero"


@fixed_point_derivative.check(Evidence.SYMBOLIC_ANY_SIZE)
def projected_gradient_gives_the_active_set() -> None:
    """(I - Π(I - αP))X = -αΠ for X = -Z(ZᵀPZ)⁻¹Zᵀ, whatever α is."""
    face = W.rule("ZᵀZ = 1", T(Z) * Z, sp.S.One)
    curved = W.inverse("ZᵀPZ is invertible", T(Z) * P * Z, Y)
    onto, X = Z * T(Z), -Z * Y * T(Z)
    left = X - onto * X + RATE * onto * P * X
    assert W.equal(left, -RATE * onto, face, curved)


def full(Tx: Matrix, Ttheta: Matrix) -> Matrix:
    return (sp.eye(Tx.rows) - Tx).inv() * Ttheta


def assert_fixed_point(
    formula: Callable[[Matrix, Matrix], Matrix] = full,
    Tx: Matrix | None = None,
) -> None:
    """T = T_x x + T_θ θ has the fixed point x = (I - T_x)⁻¹T_θ θ, to solve exactly."""
    Tx = Matrix([[sp.Rational(1, 2)]]) if Tx is None else Tx
    Ttheta = sp.ones(Tx.rows, 1)
    unknowns, theta = sp.symbols(f"x:{Tx.rows}"), sp.Symbol("theta")
    v = Matrix(unknowns)
    solved = sp.solve(list(v - Tx * v - Ttheta * theta), unknowns)
    want = Matrix([sp.diff(solved[u], theta) for u in unknowns])
    error = formula(Tx, Ttheta) - want
    assert max(abs(e) for e in error) < sp.Rational(1, 10**6), f"off by {list(error)}"


def series(Tx: Matrix, Ttheta: Matrix, terms: int = 40) -> Matrix:
    found = sp.zeros(*Ttheta.shape)
    for _ in range(terms):
        found = Ttheta + Tx * found
    return found


TWISTED = Matrix([[1, -2], [1, 1]]) / 4  # not symmetric, spectral radius √3/4


@fixed_point_derivative.check(Evidence.EXACT)
def linear_maps() -> None:
    for formula in (full, series):
        assert_fixed_point(formula)
        assert_fixed_point(formula, TWISTED)


@fixed_point_derivative.check(Evidence.NUMERIC)
def projected_gradient_of_a_box() -> None:
    """Against the QP solver: the same Jacobian for every rate, and Taylor's order."""
    n = 4
    for seed in range(4):
        rng = np.random.default_rng(seed)
        root = rng.standard_normal((n, n))
        P_, theta = root @ root.T / n + np.eye(n), 2 * rng.standard_normal(n)
        G_, h = np.vstack([np.eye(n), -np.eye(n)]), np.full(2 * n, 0.5)

        def minimizer(q: np.ndarray, P_=P_, G_=G_, h=h) -> np.ndarray:
            return qp.solve(QP(P_, q, G=G_, h=h)).x

        point = minimizer(theta)
        free = np.diag((np.abs(point) < 0.5 - 1e-7).astype(float))
        found = [
            argmin.fixed_point_jacobian(free @ (np.eye(n) - a * P_), -a * free)
            for a in (0.1, 0.3)
        ]
        samples.assert_close(found[1], found[0])
        Z_ = np.eye(n)[:, np.diag(free) > 0]
        samples.assert_close(
            found[0], argmin.equality_jacobian(P_, np.eye(n), np.eye(n) - Z_ @ Z_.T)
        )
        # a projection is piecewise affine: the displacement stays in the piece
        step = 1e-2 * rng.standard_normal(n)
        moved = minimizer(theta + step) - point
        samples.assert_close(moved, found[0] @ step, 1e-8)


@fixed_point_derivative.control(mutant="the one-step derivative T_θ alone")
def one_step() -> None:
    assert_fixed_point(lambda _, Ttheta: Ttheta)


@fixed_point_derivative.control(mutant="T_x transposed")
def transposed() -> None:
    assert_fixed_point(lambda Tx, Ttheta: full(Tx.T, Ttheta), TWISTED)


@fixed_point_derivative.control(
    dropped="spectral radius below 1, for the series: 2x + θ"
)
def series_that_diverges() -> None:
    Tx = Matrix([[2]])
    require(full(Tx, sp.ones(1, 1)) == Matrix([[-1]]), "I − Tₓ is invertible")
    assert_fixed_point(series, Tx)
