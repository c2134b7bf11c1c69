"""How fast the central path arrives at the solution, and the adjoint along with it.

Chapter: interior-point.md.  Theorems: central-path-accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.problems import QP
from companion.proofs.qp import numeric
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import interior_point, kkt

Array = np.ndarray

central_path_accuracy = theorem(
    "central-path-accuracy",
    claim=(
        "Let every row push (I: lam_i > 0 = s_i) or have room (N: s_i > 0 = lam_i).  A "
        "differentiable branch of the path leaves the solution at mu = 0 with the "
        "speed P u + G_Iᵀw + Aᵀv = -G_NᵀD(s_N)⁻¹1, G_I u = -D(lam_I)⁻¹1, A u = 0, for "
        "every size.  On samples with an invertible matrix x(mu) - x - mu u is of "
        "order mu², and the adjoint at the path's point is off by an order mu."
    ),
    source="fiacco1976sensitivity",
    implements=(kkt.central_path, interior_point.adjoint),
    uses=("kkt-differentiable", "schur-reduction"),
)

V = alphabet(
    constant="P A B N K L S Z u v w y o e",
    latex={
        "B": "G_I",
        "N": "G_N",
        "K": r"D(\lambda_I)",
        "L": r"D(\lambda_I)^{-1}",
        "S": "D(s_N)",
        "Z": "D(s_N)^{-1}",
        "u": r"\dot x",
        "v": r"\dot\nu",
        "w": r"\dot\lambda_I",
        "y": r"\dot\lambda_N",
        "o": r"\mathbf 1",
        "e": r"\mathbf 1",
    },
    P="n n symmetric",
    A="p n",
    B="k n",
    N="l n",
    K="k k symmetric",
    L="k k symmetric",
    S="l l symmetric",
    Z="l l symmetric",
    u="n one",
    v="p one",
    w="k one",
    y="l one",
    o="k one",
    e="l one",
)


@central_path_accuracy.derivation
def speed_at_the_solution() -> Iterator[Step]:
    """At mu = 0 the derivative of lam∘(h - Gx) = mu is one row of each kind."""
    P_, A_, B, N, K, L, S, Z, u, v, w, y, o, e = V("P A B N K L S Z u v w y o e")
    pushed = V.rule("λᵢsᵢ = μ on I, where s = 0", K * B * u, -o)
    roomy = V.rule("λᵢsᵢ = μ on N, where λ = 0", S * y, e)
    still = V.rule("stationarity", P_ * u, [-V.T(A_) * v, -V.T(B) * w, -V.T(N) * y])
    signs = V.inverse("λ > 0 on I", L, K), V.inverse("s > 0 on N", Z, S)
    assert V.equal(L * K * B * u, B * u, signs[0])
    yield from chain(
        V,
        L * K * B * u,
        Link(-L * o, pushed.name, (pushed,)),
        name=r"G_I\dot x",
    )
    assert V.equal(Z * S * y, y, signs[1])
    yield from chain(
        V, Z * S * y, Link(Z * e, roomy.name, (roomy,)), name=r"\dot\lambda_N"
    )
    found = V.rule("the last line", y, Z * e)
    yield from chain(
        V,
        [P_ * u, V.T(B) * w, V.T(A_) * v],
        Link(-V.T(N) * Z * e, "stationarity, and the last line", (still, found)),
    )


def speed(problem: QP, lam_: Array, slack: Array, *, sign: float = -1) -> Array:
    """The speed of x at mu = 0, by the system of the claim."""
    held = lam_ > slack
    C = np.vstack([problem.A, problem.G[held]])
    top = -problem.G[~held].T @ (1 / slack[~held])
    low = np.concatenate([np.zeros(problem.p), sign / lam_[held]])
    K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
    return np.linalg.solve(K, np.concatenate([top, low]))[: problem.n]


def assert_second_order(
    problem: QP, lam_: Array, slack: Array, **change: float
) -> None:
    """Ten times less mu, a hundred times less distance of x(mu) from x + mu u."""
    u = speed(problem, lam_, slack, **change)
    goal = kkt.central_path(problem, 1e-10).x - 1e-10 * u
    large, small = (
        np.linalg.norm(kkt.central_path(problem, mu).x - goal - mu * u)
        for mu in (1e-3, 1e-4)
    )
    ratio = large / small
    assert 80 < ratio < 125, f"the remainder falls {ratio:.1f} times, not 100"


@central_path_accuracy.check(Evidence.EXACT)
def speed_of_a_path_in_closed_form() -> None:
    """½x² - 3x₁ over x₁ ≤ 1 and x₂ ≥ -1: one row pushes, the other has room."""
    v, mu = sp.symbols("v mu")
    curves = ((v - 3 + mu / (1 - v), 1), (v - mu / (1 + v), 0))
    slopes = []
    for curve, end in curves:
        path = sp.numer(sp.together(curve))
        slope = -(sp.diff(path, mu) / sp.diff(path, v)).subs({mu: 0, v: end})
        slopes.append(slope)
    eye = np.eye(2)
    wedge = QP(eye, np.array([-3.0, 0]), G=eye * [1, -1], h=np.ones(2))
    lam_, slack = np.array([2.0, 0]), np.array([0.0, 1])
    assert slopes == [-sp.Rational(1, 2), 1]
    assert list(speed(wedge, lam_, slack)) == [float(v) for v in slopes]


@central_path_accuracy.check(Evidence.NUMERIC)
def remainder_is_of_second_order() -> None:
    for problem, known in numeric.draws("strictly_complementary"):
        assert_second_order(problem, known.lam, known.slack)


@central_path_accuracy.check(Evidence.NUMERIC)
def adjoint_is_off_by_an_order_mu() -> None:
    for problem, known in numeric.draws("strictly_complementary"):
        g = np.random.default_rng(9).standard_normal(problem.n)
        fixed, found = interior_point.prepare(problem), []
        held = problem.G[known.lam > known.slack]
        C = np.vstack([problem.A, held])
        K = np.block([[problem.P, C.T], [C, np.zeros((len(C), len(C)))]])
        want = np.linalg.solve(K, np.r_[-g, np.zeros(len(C))])[: problem.n]
        for mu in (1e-4, 1e-5):
            point = kkt.central_path(problem, mu)
            factored = interior_point.factor(fixed, point.s / point.lam)
            dx = interior_point.adjoint(problem, fixed, factored, g)[0]
            found.append(np.linalg.norm(dx - want))
        ratio = found[0] / found[1]
        assert 9 < ratio < 11, f"the error falls {ratio:.2f} times, not ten"


@central_path_accuracy.control(mutant="G_I u = +D(lam_I)⁻¹1: out through the walls")
def outwards() -> None:
    ((problem, known), *_) = numeric.draws("strictly_complementary")
    assert_second_order(problem, known.lam, known.slack, sign=1.0)


@central_path_accuracy.control(dropped="strict complementarity: a row at rest")
def row_at_rest() -> None:
    ((problem, known), *_) = numeric.draws("weakly_active")
    touching = np.vstack([problem.A, problem.G[known.slack < 1e-9]])
    require(np.linalg.matrix_rank(touching) == len(touching), "independent rows")
    require(np.linalg.eigvalsh(problem.P)[0] > 0, "P ≻ 0")
    room = np.where(known.lam + known.slack > 0, known.slack, 1.0)  # declared roomy
    assert_second_order(problem, known.lam, room)
