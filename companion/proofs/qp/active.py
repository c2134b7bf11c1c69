"""The KKT system on the active rows: what the layer factors, and why that is enough.

Chapter: optnet.md.  Theorems: qp-active-set, qp-augmented.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.layers.qp.kkt import solve_kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.conditions import BLOCKS as B
from companion.proofs.qp.instances import FIELDS, MASTER, Instance, Matrix, saddle
from companion.proofs.registry import Evidence, require, theorem

# ---------------------------------------------------------------- qp-active-set
qp_active_set = theorem(
    "qp-active-set",
    claim=(
        "If P ≻ 0, active rows are independent and have positive multipliers, then "
        "for all nearby data the solution is that of the QP with the active rows as "
        "equalities, given by the block inverse of [P Cᵀ; C 0] with block -(CP⁻¹Cᵀ)⁻¹."
    ),
    source="magoon2024differentiation",
    implements=(solve_kkt, layers.solve),
    uses=("kkt-nonsingular",),
)


@qp_active_set.check(Evidence.SYMBOLIC_ANY_SIZE)
def block_inverse() -> None:
    """[P Cᵀ; C 0] times its inverse is 1, where H = P⁻¹ and R = (CP⁻¹Cᵀ)⁻¹."""
    P_, C, H, R = B("P C H R")
    Ct = B.T(C)
    rules = (
        B.rule("P H = 1", P_ * H, sp.S.One),
        B.rule("C H Cᵀ R = 1", C * H * Ct * R, sp.S.One),
    )
    X11, X12, X22 = H - H * Ct * R * C * H, H * Ct * R, -R
    assert B.equal(P_ * X11 + Ct * B.T(X12), 1, *rules)
    assert B.equal(P_ * X12 + Ct * X22, 0, *rules)
    assert B.equal(C * X11, 0, *rules)
    assert B.equal(C * X12, 1, *rules)


def assert_block_inverse(sign: int = -1) -> None:
    """The stated inverse of the master instance's matrix, exactly."""
    H, C = MASTER.P.inv(), MASTER.C
    R = (C * H * C.T).inv()
    upper = (H - H * C.T * R * C * H).row_join(H * C.T * R)
    X = upper.col_join((R * C * H).row_join(sign * R))
    assert saddle(MASTER.P, C) * X == sp.eye(X.rows)


def assert_locally_equivalent(i: Instance, step: sp.Expr) -> None:
    """Displaced data of every entry leave the active-set solution a KKT point."""
    for name in FIELDS:
        for _, _, E in instances.entries(name, getattr(i, name).shape):
            for sign in (1, -1):
                j = instances.moved(i, {name: sign * E}, step)
                assert instances.satisfies_kkt(j), f"another active set wins in {name}"


@qp_active_set.check(Evidence.EXACT)
def equivalent_near_the_master_instance() -> None:
    assert_block_inverse()
    assert_locally_equivalent(MASTER, sp.Rational(1, 50))


@qp_active_set.check(Evidence.NUMERIC)
def active_set_system_predicts_the_layer() -> None:
    for problem, known in numeric.regular():
        step = numeric.direction(problem, known, np.random.default_rng(3)) / 10
        moved = numeric.unflat(problem, numeric.flat(problem) + step)
        C = np.vstack([moved.A, moved.G[known.lam > 1e-9]])
        rhs = np.concatenate([-moved.q, moved.b, moved.h[known.lam > 1e-9]])
        K = np.block([[moved.P, C.T], [C, np.zeros((len(C), len(C)))]])
        x_moved = np.linalg.solve(K, rhs)[: problem.n]
        numeric.assert_close(layers.solve(moved.map(torch.tensor)).x, x_moved, "x")


@qp_active_set.control(mutant="the sign of the Schur block: +(CP⁻¹Cᵀ)⁻¹")
def schur_sign() -> None:
    assert_block_inverse(sign=1)


@qp_active_set.control(
    dropped="a positive multiplier: min ½(x - c)² over x ≥ 0 at c = 0"
)
def relu_at_zero() -> None:
    zero = sp.zeros(1, 1)
    i = instances.instance(
        sp.eye(1), sp.zeros(0, 1), -sp.eye(1), zero, sp.zeros(0, 1), zero, zero
    )
    require(instances.satisfies_kkt(i) and i.G.rank() == 1, "KKT, independent rows")
    assert_locally_equivalent(i, sp.Rational(1, 50))


# ----------------------------------------------------------------- qp-augmented
qp_augmented = theorem(
    "qp-augmented",
    claim=(
        "Replacing P by P + rho CᵀC and r1 by r1 + rho Cᵀr2 leaves the solutions of "
        "[P Cᵀ; C 0](u, y) = (r1, r2) unchanged; if P ⪰ 0 and rho > 0 the new block is "
        "positive definite if and only if null(P) ∩ null(C) = {0}."
    ),
    source="golub2003solving",
    implements=(solve_kkt,),
    uses=("kkt-nonsingular",),
)


@qp_augmented.check(Evidence.SYMBOLIC_ANY_SIZE)
def augmentation_changes_no_solution() -> None:
    P, C, y, s, r, t = B("P C y s r t")
    rho = sp.Symbol("rho", positive=True)
    rows = (
        B.rule("first block row", P * y, r - B.T(C) * s),
        B.rule("second block row", C * y, t),
    )
    H = P + rho * B.T(C) * C
    assert B.equal(H * y + B.T(C) * s, r + rho * B.T(C) * t, *rows)
    # and back: the second row is shared, and gives the first one again
    back = B.rule("first row, augmented", P * y, [r, rho * B.T(C) * t, -B.T(C) * s,
                                                  -rho * B.T(C) * C * y])  # fmt: skip
    assert B.equal(P * y + B.T(C) * s, r, back, rows[1])


@qp_augmented.check(Evidence.SYMBOLIC_ANY_SIZE)
def curvature_is_a_sum_of_two_squares() -> None:
    """yᵀ(P + rho CᵀC)y = yᵀPy + rho (Cy)ᵀ(Cy): zero only where both terms are."""
    P, C, y = B("P C y")
    rho = sp.Symbol("rho", positive=True)
    terms = [B.T(y) * P * y, rho * B.T(C * y) * (C * y)]
    assert B.equal(B.T(y) * (P + rho * B.T(C) * C) * y, terms)


def assert_same_solution(i: Instance, weight: sp.Expr) -> None:
    """The augmented system has the plain one's solution; `weight` multiplies Cᵀr2."""
    rho = sp.Rational(3, 2)
    r1, r2 = -i.q, i.C * i.x
    plain = saddle(i.P, i.C).LUsolve(r1.col_join(r2))
    augmented = saddle(i.P + rho * i.C.T * i.C, i.C)
    right = (r1 + weight * rho * i.C.T * r2).col_join(r2)
    assert augmented * plain == right, "the augmented system has another solution"


def assert_definite(i: Instance) -> None:
    """P + rho CᵀC is positive definite (all leading minors positive)."""
    H = i.P + i.C.T * i.C * sp.Rational(3, 2)
    minors = [H[:k, :k].det() for k in range(1, H.rows + 1)]
    assert min(minors) > 0, f"leading minors {minors}"


@qp_augmented.check(Evidence.EXACT)
def definite_iff_null_spaces_meet_in_zero() -> None:
    assert_same_solution(MASTER, sp.S.One)
    rng, seen = np.random.default_rng(4), {True: 0, False: 0}
    for _ in range(100):
        i = instances.random_instance(rng, rank=int(rng.integers(0, 3)))
        curved = i.P.col_join(i.C).rank() == i.P.rows
        seen[curved] += 1
        try:
            assert_definite(i)
            definite = True
        except AssertionError:
            definite = False
        assert definite == curved
    assert min(seen.values()) > 10, seen


@qp_augmented.check(Evidence.NUMERIC)
def layer_solves_the_plain_system() -> None:
    rng = np.random.default_rng(6)
    for rank in (2, 3, 5):
        F, C = rng.standard_normal((rank, 5)), rng.standard_normal((4, 5))
        active = np.array([True, True, False, True])
        r = rng.standard_normal(9)
        y = solve_kkt(
            *(torch.tensor(v)[None] for v in (F.T @ F, C, active, r[:5], r[5:]))
        )
        kept = C[active]
        K = np.block([[F.T @ F, kept.T], [kept, np.zeros((3, 3))]])
        want = np.linalg.solve(K, np.concatenate([r[:5], r[5:][active]]))
        numeric.assert_close(y[0][0], want[:5], "u")
        numeric.assert_close(y[1][0][active], want[5:], "y on active rows")
        numeric.assert_close(y[1][0][~active], np.zeros(1), "y elsewhere")


@qp_augmented.control(mutant="r1 left as it is")
def right_side_left() -> None:
    assert_same_solution(MASTER, sp.S.Zero)


@qp_augmented.control(dropped="null(P) ∩ null(C) = {0}: P = diag(1, 0), C = (1, 0)")
def common_null_vector() -> None:
    i = instances.instance(
        sp.diag(1, 0), Matrix([[1, 0]]), sp.zeros(0, 2), sp.ones(2, 1),
        sp.ones(1, 1), sp.zeros(0, 1), sp.zeros(0, 1),
    )  # fmt: skip
    require(instances.satisfies_kkt(i) and i.C.rank() == i.C.rows, "KKT and full rank")
    assert_definite(i)
