"""The minimizer under equality constraints moves inside their null space.

Chapter: argmin-differentiation.md.  Theorems: equality-argmin.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.proofs.argmin import samples
from companion.proofs.argmin.conditions import HESSIAN, B, G, H, T, W, dt, dx
from companion.proofs.argmin.samples import Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import argmin
from companion.reference.argmin import Equation

A, Z, Y, S, M, Q = W("A Z Y S M Q")
dnu, du, db = W("dnu du db")
TANGENT = W.rule("A Z = 0", A * Z, sp.S.Zero)
CURVED = W.inverse("ZᵀHZ is invertible", T(Z) * H * Z, Y)
SCHUR = W.inverse("AH⁻¹Aᵀ is invertible", A * G * T(A), S)

# --------------------------------------------------------------- equality-argmin
equality_argmin = theorem(
    "equality-argmin",
    claim=(
        "On a differentiable branch of points with Ax = b and f_x + Aᵀnu = 0, for Z "
        "whose columns span null(A) and ZᵀHZ invertible, Dx = -Z(ZᵀHZ)⁻¹ZᵀB.  If H and "
        "AH⁻¹Aᵀ are invertible this is (H⁻¹Aᵀ(AH⁻¹Aᵀ)⁻¹AH⁻¹ - H⁻¹)B, and the "
        "derivative in b is H⁻¹Aᵀ(AH⁻¹Aᵀ)⁻¹."
    ),
    source="gould2016differentiating",
    implements=(argmin.equality_jacobian, argmin.schur_jacobian),
    uses=("implicit-function", "unconstrained-argmin"),
)


@equality_argmin.derivation
def null_space_form() -> Iterator[Step]:
    inside = W.rule("A dx = 0, so dx = Z du", dx, Z * du)
    moves = W.rule("f_x + Aᵀν = 0 differentiated", H * Z * du, [-B * dt, -T(A) * dnu])
    yield from chain(
        W,
        dx,
        Link([Z * du], "A dx = 0, and Z spans null(A)", (inside,)),
        Link([Z * Y * T(Z) * H * Z * du], "ZᵀHZ is invertible", (CURVED,)),
        Link(
            [-Z * Y * T(Z) * B * dt, -Z * Y * T(Z) * T(A) * dnu],
            "fₓ + Aᵀν = 0, differentiated",
            (moves,),
        ),
        Link([-Z * Y * T(Z) * B * dt], "AZ = 0", (TANGENT,)),
    )


SCHUR_FORM = [G, -G * T(A) * S * A * G]  # H⁻¹ - H⁻¹Aᵀ(AH⁻¹Aᵀ)⁻¹AH⁻¹


@equality_argmin.check(Evidence.SYMBOLIC_ANY_SIZE)
def both_forms_agree() -> None:
    """Q = H⁻¹ - H⁻¹AᵀSAH⁻¹ has AQ = 0, so Q = ZM; and ZᵀHQ = Zᵀ, so M = YZᵀ."""
    rules = (HESSIAN, SCHUR, TANGENT)
    form = sum(SCHUR_FORM)
    assert W.equal(A * form, 0, *rules)
    assert W.equal(T(Z) * H * form, T(Z), *rules)
    range_ = W.rule("AQ = 0 and Z spans null(A): Q = ZM", Q, Z * M)
    assert W.equal(Y * T(Z) * H * Q, M, range_, CURVED)


@equality_argmin.check(Evidence.SYMBOLIC_ANY_SIZE)
def right_side_moves() -> None:
    """Dx = H⁻¹AᵀS db and dnu = -S db satisfy A dx = db and H dx + Aᵀdnu = 0."""
    move = G * T(A) * S * db
    assert W.equal(A * move, db, SCHUR)
    assert W.equal(H * move - T(A) * S * db, 0, HESSIAN)


# An instance with an H that is not diagonal, one row, and two parameters
HESS = Matrix([[2, 1, 0], [1, 3, 1], [0, 1, 2]])
MIXED = Matrix([[1, 2], [0, 1], [-1, 3]])
ROW = Matrix([[1, -1, 2]])


def null_form(H_: Matrix, B_: Matrix, A_: Matrix) -> Matrix:
    basis = Matrix.hstack(*A_.nullspace())
    inner = basis.T * H_ * basis
    assert inner.det() != 0, "no curvature on null(A)"
    return -basis * inner.inv() * basis.T * B_


def schur_form(H_: Matrix, B_: Matrix, A_: Matrix, sign: int = 1) -> Matrix:
    assert H_.det() != 0, "H has no inverse"
    inverse = H_.inv()
    rows = inverse * A_.T
    assert (A_ * rows).det() != 0, "AH⁻¹Aᵀ has no inverse"
    return (sign * rows * (A_ * rows).inv() * rows.T - inverse) * B_


def projected(H_: Matrix, B_: Matrix, A_: Matrix) -> Matrix:
    """The unconstrained derivative, orthogonally projected: a usual mistake."""
    project = sp.eye(H_.rows) - A_.T * (A_ * A_.T).inv() * A_
    return -project * H_.inv() * B_


def exact_motion(H_: Matrix, B_: Matrix, A_: Matrix) -> Matrix:
    """The solution of min ½xᵀHx + xᵀBθ, Ax = b is affine in θ: columns of the slope."""
    p = A_.rows
    K = H_.row_join(A_.T).col_join(A_.row_join(sp.zeros(p, p)))
    assert K.det() != 0, "the solution is not unique"
    return K.LUsolve((-B_).col_join(sp.zeros(p, B_.cols)))[: H_.rows, :]


def assert_form(
    found: Matrix, H_: Matrix = HESS, B_: Matrix = MIXED, A_: Matrix = ROW
) -> None:
    want = exact_motion(H_, B_, A_)
    assert found == want, f"{list(found)}, not {list(want)}"


FLAT = (sp.diag(0, 1), sp.eye(2), Matrix([[1, 0]]))  # H singular, ZᵀHZ = 1


@equality_argmin.check(Evidence.EXACT)
def forms_of_a_quadratic() -> None:
    assert_form(null_form(HESS, MIXED, ROW))
    assert_form(schur_form(HESS, MIXED, ROW))
    assert_form(null_form(*FLAT), *FLAT)
    assert null_form(*FLAT) == -sp.diag(0, 1)


@equality_argmin.check(Evidence.NUMERIC)
def taylor_order_under_constraints() -> None:
    for f, at in samples.draws():
        rows = np.random.default_rng(5).standard_normal((2, 4))
        b = np.array([0.3, -0.2])
        zero = np.zeros((2, 2))
        kkt = Equation(
            lambda v, th, f=f, A=rows, b=b: np.r_[
                f.gradient(v[:4], th) + A.T @ v[4:], A @ v[:4] - b
            ],
            lambda v, th, f=f, A=rows, z=zero: np.block(
                [[f.hessian(v[:4], th), A.T], [A, z]]
            ),
            lambda v, th, f=f: np.vstack([f.mixed(v[:4], th), np.zeros((2, 3))]),
        )

        def minimizer(th: np.ndarray, e: Equation = kkt) -> np.ndarray:
            return argmin.newton(e, np.zeros(6), th).x[:4]

        x = minimizer(at)
        H_, B_ = f.hessian(x, at), f.mixed(x, at)
        J = argmin.equality_jacobian(H_, B_, rows)
        samples.assert_derivative(minimizer, at, J)
        samples.assert_close(argmin.schur_jacobian(H_, B_, rows), J)


@equality_argmin.control(mutant="the sign of the Schur term")
def schur_sign() -> None:
    assert_form(schur_form(HESS, MIXED, ROW, sign=-1))


@equality_argmin.control(mutant="the unconstrained derivative projected onto null(A)")
def projected_afterwards() -> None:
    assert_form(projected(HESS, MIXED, ROW))


@equality_argmin.control(dropped="H invertible, in the Schur form: H = diag(0, 1)")
def schur_without_inverse() -> None:
    require(null_form(*FLAT) == exact_motion(*FLAT), "the minimizer is differentiable")
    assert_form(schur_form(*FLAT), *FLAT)


@equality_argmin.control(dropped="ZᵀHZ invertible: H = diag(1, 0) and A = (1, 0)")
def no_curvature_on_the_null_space() -> None:
    flat = sp.diag(1, 0), sp.eye(2), Matrix([[1, 0]])
    require(flat[2].rank() == 1, "A has full row rank")
    assert_form(null_form(*flat), *flat)
