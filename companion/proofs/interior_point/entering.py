"""The steps of a dual active-set method: one row in, others out.

Chapter: interior-point.md.  Theorems: dual-active-set.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.qp import numeric
from companion.proofs.qp.instances import Matrix
from companion.proofs.registry import Evidence, Step, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import active_set, duality
from companion.reference.duality import Data

HALF = sp.Rational(1, 2)

dual_active_set = theorem(
    "dual-active-set",
    claim=(
        "Let R ⪰ 0, f(lam) = ½lamᵀR lam + rᵀlam, w = R lam + r with w_W = 0 and R_WW "
        "invertible, and d_j = 1, d_W = -R_WW⁻¹R_Wj, zero elsewhere.  Along lam + t d "
        "w_W stays zero, w_j grows by t k with k = R_jj - R_jW R_WW⁻¹R_Wj = dᵀRd, and "
        "f changes by t w_j + ½t²k, at most ½t w_j for 0 ≤ t ≤ -w_j/k.  If Rd = 0, "
        "then rᵀd = w_j.  For every size; the reference ends at a minimizer or, on "
        "infeasible programs, at a ray that proves it."
    ),
    source="goldfarb1983numerically",
    implements=(
        active_set.minimize,
        active_set.direction,
        active_set.admit,
    ),
    uses=("nonnegative-dual", "farkas-lemma"),
)

LENGTH = sp.Symbol("t", nonnegative=True)
V = alphabet(
    constant="S N c K R r lam d w j k",
    latex={
        "S": "R_{WW}",
        "N": "R_{WW}^{-1}",
        "c": "R_{Wj}",
        "K": "R_{jj}",
        "lam": r"\lambda",
        "j": "w_j",
        "k": r"\kappa",
    },
    S="l l symmetric",
    N="l l symmetric",
    c="l one",
    K="one one symmetric",
    R="m m symmetric",
    r="m one",
    lam="m one",
    d="m one",
    j="one one symmetric",
    k="one one symmetric",
)


@dual_active_set.derivation
def one_row_enters() -> Iterator[Step]:
    S, N, c, K, R_, r_, lam_, d, j, k = V("S N c K R r lam d j k")
    t = LENGTH
    unit = V.inverse("R_WW is invertible", S, N)
    dW = -N * c
    still = Link(sp.S.Zero, unit.name, (unit,))
    yield from chain(V, [S * dW, c], still, name=r"R_{WW}d_W+R_{Wj}")
    form = [V.T(dW) * S * dW, V.T(dW) * c, V.T(c) * dW, K]
    curvature = Link([K, -V.T(c) * N * c], unit.name, (unit,), trace=True)
    yield from chain(V, form, curvature, name=r"d^{\mathsf T}Rd")
    rise = [
        t * V.T(d) * R_ * lam_,
        HALF * t**2 * V.T(d) * R_ * d,
        t * V.T(d) * r_,
    ]
    whole = HALF * V.T(lam_ + t * d) * R_ * (lam_ + t * d) + V.T(r_) * (lam_ + t * d)
    start = HALF * V.T(lam_) * R_ * lam_ + V.T(r_) * lam_
    assert V.equal(whole - start, rise, trace=True)
    slope = V.rule("dᵀw = w_j, since w_W = 0", V.T(d) * r_, [j, -V.T(d) * R_ * lam_])
    bend = V.rule("dᵀRd = κ", V.T(d) * R_ * d, k)
    yield from chain(
        V,
        rise,
        Link([t * j, HALF * t**2 * k], "dᵀw = wⱼ and dᵀRd = κ", (slope, bend)),
        name=r"f(\lambda+td)-f(\lambda)",
    )


@dual_active_set.check(Evidence.SYMBOLIC_ANY_SIZE)
def slope_along_a_flat_direction_is_the_violation() -> None:
    R_, r_, lam_, d, j = V("R r lam d j")
    rules = (
        V.rule("Rd = 0", R_ * d, sp.S.Zero),
        V.rule("dᵀw = w_j", j, [V.T(d) * R_ * lam_, V.T(d) * r_]),
    )
    assert V.equal(j, V.T(r_) * d, *rules, trace=True)


@dual_active_set.check(Evidence.SYMBOLIC)
def fall_is_at_least_half_the_slope() -> None:
    """½t w_j - (t w_j + ½t²k) = ½t(-w_j - t k), a product of nonnegative factors."""
    t, k, w = sp.symbols("t k w")
    assert sp.expand(t * w / 2 - (t * w + t**2 * k / 2) - t * (-w - t * k) / 2) == 0


def assert_falls(share: sp.Rational) -> None:
    """Steps that are this share of -w_j/k lower f by half of t|w_j| at least."""
    R_ = Matrix([[2, 1, 0], [1, 3, 1], [0, 1, 2]])
    r_, lam_ = Matrix([-2, -3, 1]), Matrix([1, 0, 0])

    def f(v: Matrix) -> sp.Expr:
        return (v.T * R_ * v)[0] / 2 + (r_.T * v)[0]

    w = R_ * lam_ + r_
    assert w[0] == 0 > w[1]
    d = Matrix([-R_[0, 1] / R_[0, 0], 1, 0])
    k = (d.T * R_ * d)[0]
    assert k == R_[1, 1] - R_[0, 1] ** 2 / R_[0, 0]
    t = share * -w[1] / k
    after = R_ * (lam_ + t * d) + r_
    assert (after[0], after[1]) == (0, w[1] + t * k)
    fall = f(lam_) - f(lam_ + t * d)
    assert fall >= -t * w[1] / 2, f"f falls by {fall} where {-t * w[1] / 2} is promised"


@dual_active_set.check(Evidence.EXACT)
def fall_in_rational_numbers() -> None:
    for share in (sp.Rational(1, 3), sp.S.One):
        assert_falls(share)


@dual_active_set.check(Evidence.NUMERIC)
def every_change_lowers_the_value() -> None:
    for problem, _ in numeric.draws("strictly_complementary", "near_infeasible"):
        R_, r_ = active_set.reduced(problem)
        changes = active_set.minimize(R_, r_).changes
        values = [0.0, *(c.lam @ R_ @ c.lam / 2 + r_ @ c.lam for c in changes)]
        assert changes
        assert all(np.diff(values) < 0), f"values {values}"


def assert_ray(problem: QP) -> None:
    """The reference ends at a ray, with its nu a Farkas certificate, in fractions."""
    ray = active_set.minimize(*active_set.reduced(problem)).ray
    assert ray is not None, "it found a minimizer"
    P_, q_, A_, b_, G_, h_ = problem.fields
    nu_ = active_set.recover(QP(P_, 0 * q_, A_, 0 * b_, G_, h_), ray).nu
    data: Data = tuple(map(duality.rational, problem.fields))  # type: ignore[assignment] - six fields
    assert duality.proves_infeasible(data, *map(duality.rational, (nu_, ray)))


def wedge(gap: float) -> QP:
    """Two half-planes in the plane, apart by `gap`, and a line across them."""
    G_ = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    return QP(
        np.eye(2), np.array([-1.0, 1.0]), np.array([[1.0, -1.0]]), np.zeros(1), G_,
        np.array([0.0, -gap, 5.0]),
    )  # fmt: skip


@dual_active_set.check(Evidence.NUMERIC)
def ray_of_an_infeasible_program() -> None:
    for gap in (1e-3, 1.0):
        assert_ray(wedge(gap))


@dual_active_set.control(mutant="a ray also where the constraints agree")
def ray_of_a_feasible_program() -> None:
    assert_ray(wedge(-1.0))


@dual_active_set.control(dropped="a step no longer than -w_j/k")
def step_too_long() -> None:
    assert_falls(sp.Integer(3))
