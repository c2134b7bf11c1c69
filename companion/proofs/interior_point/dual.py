"""The program in the multipliers alone that elimination leaves.

Chapter: interior-point.md.  Theorems: nonnegative-dual.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference import active_set

nonnegative_dual = theorem(
    "nonnegative-dual",
    claim=(
        "Let P ≻ 0 and A have full row rank, M = (AP⁻¹Aᵀ)⁻¹, R = GP⁻¹Gᵀ - "
        "GP⁻¹AᵀMAP⁻¹Gᵀ and r = GP⁻¹q + h - GP⁻¹AᵀM(AP⁻¹q + b).  For every lam the "
        "points nu = -M(AP⁻¹(q + Gᵀlam) + b), x = -P⁻¹(q + Aᵀnu + Gᵀlam) satisfy "
        "stationarity and Ax = b, and h - Gx = R lam + r.  With E = G - GP⁻¹AᵀMA, "
        "zᵀRz = (Eᵀz)ᵀP⁻¹(Eᵀz) ≥ 0.  For every size; so lam ≥ 0 minimizes ½lamᵀR lam "
        "+ rᵀlam exactly if (x, nu, lam) satisfies the KKT conditions of the QP."
    ),
    source="goldfarb1983numerically",
    implements=(active_set.reduced, active_set.recover),
    uses=("qp-dual", "kkt-sufficient"),
)

W = alphabet(
    constant="P H q A b G h M lam z k",
    latex={"H": "P^{-1}", "lam": r"\lambda"},
    P="n n symmetric",
    H="n n symmetric",
    q="n one",
    A="p n",
    b="p one",
    G="m n",
    h="m one",
    M="p p symmetric",
    lam="m one",
    z="m one",
)
P, H, q, A, b, G, h, M, lam, z = W("P H q A b G h M lam z")
T = W.T
INVERSES = (
    W.inverse("P P⁻¹ = I", P, H),
    W.rule("AP⁻¹AᵀM = I", A * H * T(A) * M, sp.S.One),
    W.rule("MAP⁻¹Aᵀ = I", M * A * H * T(A), sp.S.One),
)
SHARE = G * H * T(A) * M
R = G * H * T(G) - SHARE * A * H * T(G)
LINEAR = G * H * q + h - SHARE * (A * H * q + b)
NU = -M * (A * H * (q + T(G) * lam) + b)
X = -H * (q + T(A) * NU + T(G) * lam)


@nonnegative_dual.derivation
def slack_is_the_gradient() -> Iterator[Step]:
    dual = [P * X, q, T(A) * NU, T(G) * lam]
    assert W.equal(dual, 0, *INVERSES)
    yield Step(r"Px+q+A^{\mathsf T}\nu+G^{\mathsf T}\lambda", "0", "P P⁻¹ = I")
    assert W.equal(A * X, b, *INVERSES)
    yield Step("Ax", "b", "AP⁻¹AᵀM = I")
    assert W.equal([h, -G * X], [R * lam, LINEAR], *INVERSES)
    yield Step("h-Gx", r"R\lambda+r", "expansion")
    E = G - SHARE * A
    assert W.equal(T(z) * R * z, T(z) * E * H * T(E) * z, *INVERSES)
    yield Step(
        r"z^{\mathsf T}Rz",
        r"(E^{\mathsf T}z)^{\mathsf T}P^{-1}(E^{\mathsf T}z)",
        "MAP⁻¹Aᵀ = I; a square in the metric of P⁻¹",
    )


def assert_reduced(
    i: Instance, inverse: Matrix | None = None, *, pay: bool = True, sign: int = 1
) -> None:
    """The three claims at an instance's multipliers; `pay` for the equalities."""
    H_ = i.P.inv() if inverse is None else inverse
    M_ = (i.A * H_ * i.A.T).inv() if i.A.rows else sp.zeros(0, 0)
    share = i.G * H_ * i.A.T * M_ if pay else sp.zeros(i.G.rows, i.A.rows)
    R_ = i.G * H_ * i.G.T - share * i.A * H_ * i.G.T
    r_ = i.G * H_ * i.q + sign * i.h - share * (i.A * H_ * i.q + i.b)
    nu_ = -M_ * (i.A * H_ * (i.q + i.G.T * i.lam) + i.b)
    x_ = -H_ * (i.q + i.A.T * nu_ + i.G.T * i.lam)
    left = i.P * x_ + i.q + i.A.T * nu_ + i.G.T * i.lam
    assert not any(left), f"the force {list(left)} is left"
    assert i.A * x_ == i.b, "not on the equalities"
    w = R_ * i.lam + r_
    assert w == i.h - i.G * x_, f"the gradient {list(w)} is not the slack"


def programs() -> Iterator[Instance]:
    """Rational programs with P ≻ 0 and independent equalities."""
    yield MASTER
    rng = np.random.default_rng(3)
    for _ in range(20):
        i = instances.random_instance(rng)
        if not i.A.rows or any(i.A):
            yield i


@nonnegative_dual.check(Evidence.EXACT)
def slack_in_rational_numbers() -> None:
    for i in programs():
        assert_reduced(i)


@nonnegative_dual.check(Evidence.NUMERIC)
def reference_finds_the_solution() -> None:
    for problem, known in numeric.draws("strictly_complementary", "weakly_active"):
        found = active_set.minimize(*active_set.reduced(problem))
        point = active_set.recover(problem, found.lam)
        for name in ("x", "nu", "lam", "slack"):
            numeric.assert_close(getattr(point, name), getattr(known, name), name)


@nonnegative_dual.control(mutant="the equalities left out of R and r")
def equalities_for_nothing() -> None:
    assert_reduced(MASTER, pay=False)


@nonnegative_dual.control(mutant="-h for h in r")
def sign_of_the_right_side() -> None:
    assert_reduced(MASTER, sign=-1)


@nonnegative_dual.control(dropped="P ≻ 0: the pseudo-inverse of a singular P")
def flat_direction() -> None:
    """½x₁² + x₂ over x₂ ≥ 0, and its multiplier 1 halved: x₂ is not bound by P."""
    i = instances.instance(
        P=Matrix([[1, 0], [0, 0]]), A=sp.zeros(0, 2), G=Matrix([[0, -1]]),
        x=Matrix([0, 0]), nu=sp.zeros(0, 1), lam=Matrix([1]), slack=Matrix([0]),
    )  # fmt: skip
    require(instances.satisfies_kkt(i), "x solves the program with these multipliers")
    require(not i.A.rows, "independent equalities: there are none")
    half = instances.Instance(i.P, i.q, i.A, i.b, i.G, i.h, i.x, i.nu, i.lam / 2)
    assert_reduced(half, i.P.pinv())
