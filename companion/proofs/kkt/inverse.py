"""The saddle matrix [P Cᵀ; C 0]: its inverse, and the signs of its eigenvalues.

Chapter: kkt.md.  Theorems: kkt-inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import sympy as sp

from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import MASTER, Matrix, saddle
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

kkt_inverse = theorem(
    "kkt-inverse",
    claim=(
        "If P ≻ 0 and C has full row rank, [P Cᵀ; C 0] has the inverse with blocks "
        "H - HCᵀRCH, HCᵀR, RCH, -R, where H = P⁻¹ and R = (CHCᵀ)⁻¹.  If P ⪰ 0, C has "
        "full row rank and null(P) ∩ null(C) = {0}, n eigenvalues are positive and k "
        "negative: it is congruent to diag(M, -CM⁻¹Cᵀ) with M = P + CᵀC ≻ 0."
    ),
    source="benzi2005numerical",
    implements=(kkt.jacobian,),
    uses=("qp-augmented", "kkt-nonsingular", "equality-argmin"),
)

W = alphabet(
    P="n n symmetric",
    C="k n",
    H="n n symmetric",
    R="k k symmetric",
    M="n n symmetric",
    N="n n symmetric",
)
P, C, H, R, M, N = W("P C H R M N")
T = W.T
INVERSE = W.inverse("PH = 1", P, H)
SCHUR = W.rule("CHCᵀR = 1", C * H * T(C) * R, sp.S.One)
CURVED = W.inverse("MN = 1", M, N)


@kkt_inverse.derivation
def block_inverse() -> Iterator[Step]:
    """K times its claimed inverse, block by block."""
    X11, X12, X22 = [H, -H * T(C) * R * C * H], H * T(C) * R, -R
    expanded = [P * H, -P * H * T(C) * R * C * H, T(C) * R * C * H]
    first = Link(expanded, "multiply out")
    yield from chain(
        W,
        P * sp.Add(*X11) + T(C) * T(X12),
        first,
        Link(sp.S.One, "PH = 1", (INVERSE,)),
        name=r"P X_{11} + C^{\mathsf T}X_{21}",
    )
    yield from chain(
        W,
        [P * X12, T(C) * X22],
        Link(sp.S.Zero, "PH = 1", (INVERSE,)),
        name=r"P X_{12} + C^{\mathsf T}X_{22}",
    )
    yield from chain(
        W,
        [C * H, -C * H * T(C) * R * C * H],
        Link(sp.S.Zero, "CHCᵀR = 1", (SCHUR,)),
        name="C X_{11}",
    )
    yield from chain(W, C * X12, Link(sp.S.One, "CHCᵀR = 1", (SCHUR,)), name="C X_{12}")


@kkt_inverse.check(Evidence.SYMBOLIC_ANY_SIZE)
def congruences() -> None:
    """[1 ½Cᵀ; 0 1] K [1 0; ½C 1] = [M Cᵀ; C 0] = L diag(M, -CNCᵀ) Lᵀ, M = P + CᵀC.

    Both outer factors are triangular with ones on the diagonal, hence invertible, and
    a congruence keeps the signs of the eigenvalues (Sylvester's law of inertia).
    """
    half = sp.Rational(1, 2)
    row = (P + half * T(C) * C, T(C))  # the first block row of [1 ½Cᵀ; 0 1] K
    assert W.equal(row[0] + half * row[1] * C, P + T(C) * C)
    # L = [1 0; CN 1]: rows times diag(M, -CNCᵀ) times Lᵀ = [1 NCᵀ; 0 1]
    assert W.equal(M * N * T(C), T(C), CURVED)
    assert W.equal(C * N * M, C, CURVED)
    assert W.equal(C * N * M * N * T(C) - C * N * T(C), 0, CURVED)


def inertia(K: Matrix) -> tuple[int, int, int]:
    """Numbers of positive, negative and zero eigenvalues of a symmetric matrix.

    All roots of its characteristic polynomial are real, so Descartes' rule of signs
    counts the positive ones, and the multiplicity of zero can be read off.
    """
    coefficients = K.charpoly().all_coeffs()
    zero = 0
    while zero < K.rows and coefficients[-1 - zero] == 0:
        zero += 1
    signs = [sp.sign(v) for v in coefficients if v != 0]
    positive = sum(a != e for a, e in pairwise(signs))
    return positive, K.rows - zero - positive, zero


def assert_saddle(curvature: Matrix, rows: Matrix) -> None:
    """There are n positive and k negative eigenvalues."""
    found, n, k = inertia(saddle(curvature, rows)), curvature.rows, rows.rows
    assert found == (n, k, 0), f"inertia {found}, expected {(n, k, 0)}"


def assert_inverse(curvature: Matrix, rows: Matrix, sign: int = -1) -> None:
    """K times the claimed inverse is 1, exactly; `sign` is that of the corner."""
    inverse = curvature.inv()
    schur = (rows * inverse * rows.T).inv()
    across = inverse * rows.T * schur
    X = (inverse - across * rows * inverse).row_join(across)
    X = X.col_join(across.T.row_join(sign * schur))
    assert saddle(curvature, rows) * X == sp.eye(X.rows), "not the inverse"


@kkt_inverse.check(Evidence.EXACT)
def signs_on_integer_instances() -> None:
    assert_inverse(MASTER.P, MASTER.C)
    rng, seen = np.random.default_rng(0), {"definite": 0, "semidefinite": 0}
    for _ in range(80):
        i = instances.random_instance(rng, rank=int(rng.integers(0, 4)))
        full = i.C.rank() == i.C.rows and i.P.col_join(i.C).rank() == i.P.rows
        if not full or not i.C.rows:
            continue
        assert_saddle(i.P, i.C)
        definite = i.P.det() > 0
        seen["definite" if definite else "semidefinite"] += 1
        if definite:
            assert_inverse(i.P, i.C)
    assert min(seen.values()) > 8, seen


@kkt_inverse.check(Evidence.NUMERIC)
def blocks_and_signs_in_the_regular_regimes() -> None:
    """The block formula subtracts: with P of condition 1e8 it is no algorithm."""
    for problem, known in numeric.regular():
        rows = np.vstack([problem.A, problem.G[known.lam > 1e-9]])
        inverse = np.linalg.inv(problem.P)
        schur = np.linalg.inv(rows @ inverse @ rows.T)
        across = inverse @ rows.T @ schur
        X = np.block([[inverse - across @ rows @ inverse, across], [across.T, -schur]])
        corner = np.zeros((len(rows), len(rows)))
        K = np.block([[problem.P, rows.T], [rows, corner]])
        if np.linalg.cond(problem.P) < 1e6:
            numeric.assert_close(K @ X, np.eye(len(K)), "K times its inverse")
        signs = np.sign(np.linalg.eigvalsh(K))
        assert (signs > 0).sum() == problem.n
        assert (signs < 0).sum() == len(rows)


@kkt_inverse.control(mutant="+R in the corner")
def corner_sign() -> None:
    assert_inverse(MASTER.P, MASTER.C, sign=1)


@kkt_inverse.control(dropped="full row rank: one row written twice")
def repeated_row() -> None:
    assert_saddle(sp.eye(2), Matrix([[1, 0], [1, 0]]))


@kkt_inverse.control(dropped="P ⪰ 0: P = diag(1, -1), C = (1, 0)")
def indefinite() -> None:
    rows = Matrix([[1, 0]])
    require(
        rows.rank() == 1 and saddle(sp.diag(1, -1), rows).det() != 0, "K invertible"
    )
    assert_saddle(sp.diag(1, -1), rows)


@kkt_inverse.control(dropped="null(P) ∩ null(C) = {0}: P = diag(1, 0), C = (1, 0)")
def flat_direction() -> None:
    assert_saddle(sp.diag(1, 0), Matrix([[1, 0]]))
