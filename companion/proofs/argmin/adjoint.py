"""One transposed solve gives the gradient in every parameter.

Chapter: argmin-differentiation.md.  Theorems: adjoint-solve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.argmin import samples
from companion.proofs.argmin.conditions import ADJOINT, MOVES, N, T, W, X, dt, dx, g, w
from companion.proofs.argmin.samples import Matrix
from companion.proofs.registry import Evidence, Step, theorem
from companion.proofs.words import Link, chain
from companion.reference import argmin
from companion.reference.argmin import Equation

adjoint_solve = theorem(
    "adjoint-solve",
    claim=(
        "If F_xᵀw = g, a loss with gradient g at a root of F(x, θ) = 0 has gradient "
        "-F_θᵀw in θ along every differentiable branch, for every number of parameters."
    ),
    source="blondel2022efficient",
    implements=(argmin.vjp,),
    uses=("implicit-function",),
)


@adjoint_solve.derivation
def loss_moves() -> Iterator[Step]:
    final = [-T(w) * N * dt]
    yield from chain(
        W,
        T(g) * dx,
        Link([T(w) * X * dx], "Fₓᵀw = g", (ADJOINT,)),
        Link(final, "the differential of F(x, θ) = 0", (MOVES,)),
        name=r"\mathrm{d}\ell",
    )
    found = W.gradient(final, dt)
    assert W.equal(found, -T(N) * w), f"the coefficient is {found}"
    yield Step(r"\nabla_{\!\theta}\,\ell", W.latex(-T(N) * w), "coefficient of dθ")


# KKT matrix of min ½(x - c)² subject to gx ≤ h with multiplier 2: rows (1, g; 2g, 0),
# which is not symmetric because the second is multiplied by the multiplier
ROWS = Matrix([[1, 3], [6, 0]])
SIDE = Matrix([[-1, 0], [0, -2]])
WEIGHTS = Matrix([1, 2])
Solve = Callable[[Matrix, Matrix], Matrix]


def transposed(matrix: Matrix, right: Matrix) -> Matrix:
    assert matrix.det() != 0, "no adjoint: the transposed system has no solution"
    return matrix.T.LUsolve(right)


def assert_gradient(
    solve: Solve = transposed, sign: int = -1, matrix: Matrix = ROWS
) -> None:
    """The adjoint's gradient is Jᵀg with the full Jacobian, in rational numbers."""
    found = sign * SIDE.T * solve(matrix, WEIGHTS)
    want = -(matrix.inv() * SIDE).T * WEIGHTS
    assert found == want, f"{list(found)}, not {list(want)}"


@adjoint_solve.check(Evidence.EXACT)
def gradient_of_a_kkt_system() -> None:
    assert ROWS != ROWS.T
    assert_gradient()


@adjoint_solve.check(Evidence.NUMERIC)
def taylor_order_of_a_loss() -> None:
    """F = Px + Σ c_i tanh(s_iᵀx + d_iᵀθ), whose F_x is not symmetric for c ≠ s."""
    for f, theta in samples.draws():
        S = f.C + np.random.default_rng(9).standard_normal(f.C.shape) / 4
        P = f.P + 2 * np.eye(4)

        def bent(v: np.ndarray, th: np.ndarray, f=f, S=S) -> np.ndarray:
            return 1 / np.cosh(S @ v + f.D @ th) ** 2

        equation = Equation(
            lambda v, th, f=f, S=S, P=P: P @ v + f.C.T @ np.tanh(S @ v + f.D @ th),
            lambda v, th, f=f, S=S, P=P, k=bent: P + f.C.T @ (k(v, th)[:, None] * S),
            lambda v, th, f=f, k=bent: f.C.T @ (k(v, th)[:, None] * f.D),
        )

        def loss(th: np.ndarray, e: Equation = equation) -> float:
            return float(np.sin(argmin.newton(e, np.zeros(4), th).x).sum())

        x = argmin.newton(equation, np.zeros(4), theta).x
        Fx, Ftheta = equation.Fx(x, theta), equation.Ftheta(x, theta)
        assert np.abs(Fx - Fx.T).max() > 0.1, (
            "a symmetric matrix would hide a transpose"
        )
        gradient = argmin.vjp(Fx, Ftheta, np.cos(x))
        samples.assert_derivative(loss, theta, gradient)


@adjoint_solve.control(mutant="F_x in place of its transpose")
def not_transposed() -> None:
    assert_gradient(lambda matrix, right: matrix.LUsolve(right))


@adjoint_solve.control(mutant="the minus sign dropped")
def plus_sign() -> None:
    assert_gradient(sign=1)


@adjoint_solve.control(dropped="F_x invertible: two equal rows")
def equal_rows() -> None:
    assert_gradient(matrix=sp.ones(2, 2))
