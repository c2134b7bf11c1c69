"""The smoothed conditions, their adjoint, and its distance from the unsmoothed one.

Chapter: differentiation-routes.md.  Theorems: smoothed-adjoint.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.layers.qp.routes import Smoothed, smoothed
from companion.problems import QP, QPSolution
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import FIELDS, LOSS, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.routes import samples
from companion.proofs.words import Link, alphabet, chain

W = alphabet(
    constant="L K S Z P A g u v w V E M R t f",
    latex={
        "L": r"D(\lambda)",
        "K": r"D(\lambda)^{-1}",
        "S": "D(s)",
        "Z": "D(s)^{-1}",
        "lam": r"\lambda",
        "u": "d_x",
        "v": r"d_\nu",
        "w": r"d_\lambda",
        "M": "K_0",
        "R": "K_0^{-1}",
        "t": "z_0",
        "f": r"z_\mu",
    },
    G="m n",
    h="m one",
    x="n one",
    lam="m one",
    L="m m symmetric",
    K="m m symmetric",
    S="m m symmetric",
    Z="m m symmetric",
    P="n n symmetric",
    A="p n",
    g="n one",
    u="n one",
    v="p one",
    w="m one",
    M="k k symmetric",  # the unsmoothed matrix, E what smoothing adds to it
    R="k k symmetric",
    E="k k symmetric",
    V="k one",  # the common right side
    t="k one",
    f="k one",
)
G, x, L, K, S, Z, P, A, g, u, v, w = W("G x L K S Z P A g u v w")
M, R, E, V, t, f, dx, dG, dh, dlam = W("M R E V t f dx dG dh dlam")
T = W.T
POSITIVE = W.inverse("λ > 0", L, K)

smoothed_adjoint = theorem(
    "smoothed-adjoint",
    claim=(
        "Where lam_i (h - Gx)_i = mu > 0 on every row, the differentials obey Gdx - "
        "D(s/lam)dlam = dh - dG x, so that with stationarity and Ax = b the matrix is "
        "symmetric, and eliminating dlam leaves P + GᵀD(lam/s)G; for every size.  Its "
        "solution z_mu and that of the active-set system, z_0, satisfy z_mu - z_0 = "
        "-K_0⁻¹E z_mu, where E is what smoothing adds, -mu/lam_i² on pushing rows and "
        "(mu/s_i²)G_iᵀG_i for the others: an error of order mu on samples with K_0 "
        "nonsingular.  The six gradients are exact on a rational instance."
    ),
    source="tracy2024differentiability",
    implements=(smoothed.adjoint,),
    uses=("central-path-smoothing", "full-and-reduced-agree", "qp-gradients"),
)


@smoothed_adjoint.derivation
def symmetric_system() -> Iterator[Step]:
    product = W.rule(
        "the differential of lam∘(h - Gx) = mu",
        S * dlam,
        [L * G * dx, L * dG * x, -L * dh],
    )
    yield from chain(
        W,
        [G * dx, -K * S * dlam],
        Link(
            [dh, -dG * x],
            "the differential of λ∘(h − Gx) = μ",
            (product, POSITIVE),
        ),
    )
    # the adjoint: G u - K S w = 0, so that w = Z L G u
    first = W.rule("adjoint, first row", P * u, [-g, -T(A) * v, -T(G) * w])
    last = W.rule("adjoint, last row", w, Z * L * G * u)
    yield from chain(
        W,
        [P * u, T(G) * Z * L * G * u, T(A) * v],
        Link(
            sp.S.NegativeOne * g,
            "the first and the last row of the adjoint",
            (first, last),
        ),
    )


@smoothed_adjoint.check(Evidence.SYMBOLIC_ANY_SIZE)
def distance_of_the_two_solutions() -> None:
    """K_0 z_0 = r and (K_0 + E)z_mu = r give z_mu - z_0 = -K_0⁻¹E z_mu."""
    rules = (
        W.inverse("K_0 is nonsingular", M, R),
        W.rule("unsmoothed", t, R * V),
        W.rule("smoothed", M * f, [V, -E * f]),
    )
    assert W.equal(M * (f - t), -E * f, *rules)
    assert W.equal(R * (V - E * f) - t, -R * E * f, *rules)


MU = sp.Rational(1, 2)
PATH = instances.instance(  # lam∘s = MU on both rows
    P=Matrix([[2, 1, 0], [1, 3, 0], [0, 0, 1]]),
    A=Matrix([[1, 1, 1]]),
    G=Matrix([[1, 0, -1], [0, 1, 1]]),
    x=Matrix([1, -1, 2]),
    nu=Matrix([-1]),
    lam=Matrix([2, sp.Rational(1, 3)]),
    slack=Matrix([sp.Rational(1, 4), sp.Rational(3, 2)]),
)


def adjoint(i: Instance, g_: Matrix, *, sign: int = -1, power: int = 1):
    """The adjoint of the symmetric system, with -D(s/lam) in the corner."""
    C = i.A.col_join(i.G)
    matrix = instances.saddle(i.P, C)
    n, p = i.P.rows, i.A.rows
    for k in range(i.G.rows):
        matrix[n + p + k, n + p + k] = sign * (i.slack[k] / i.lam[k]) ** power
    d = matrix.LUsolve((-g_).col_join(sp.zeros(C.rows, 1)))
    return instances.Adjoint(d[:n, :], d[n : n + p, :], d[n + p :, :])


def residual(i: Instance, data: dict[str, Matrix], z: Matrix) -> Matrix:
    """The smoothed conditions at a point (x, nu, lam), for given data."""
    n, p = i.P.rows, i.A.rows
    x_, nu_, lam_ = z[:n, :], z[n : n + p, :], z[n + p :, :]
    room = data["h"] - data["G"] * x_
    force = data["P"] * x_ + data["q"] + data["A"].T * nu_ + data["G"].T * lam_
    products = [a * c - MU for a, c in zip(lam_, room, strict=True)]
    gap = data["A"] * x_ - data["b"]
    return force.col_join(gap).col_join(Matrix(len(products), 1, products))


def assert_gradients(i: Instance, g_: Matrix, a: instances.Adjoint) -> None:
    """Each gradient is gᵀ times the implicit derivative of x, entry by entry."""
    step = sp.Symbol("t")
    values = [*i.x, *i.nu, *i.lam]
    names = [sp.Symbol(f"z{k}") for k in range(len(values))]
    unknown, at = Matrix(names), dict(zip(names, values, strict=True))
    data = {name: getattr(i, name) for name in FIELDS}
    assert not any(residual(i, data, Matrix(values)))
    inner = residual(i, data, unknown).jacobian(unknown).subs(at)
    found = instances.gradients(i, a)
    for name in FIELDS:
        for j, k, E_ in instances.entries(name, data[name].shape):
            moved = {**data, name: data[name] + step * E_}
            outer = residual(i, moved, unknown).jacobian([step]).subs(at)
            speed = -inner.LUsolve(outer)
            slope = (g_.T * speed[: i.P.rows, :])[0]
            assert found[name][j, k] == slope, f"{name}[{j},{k}]"


@smoothed_adjoint.check(Evidence.EXACT)
def gradients_on_a_rational_point() -> None:
    assert_gradients(PATH, LOSS, adjoint(PATH, LOSS))


def assert_order_two(problem: QP, known: QPSolution, mu: float) -> None:
    """The Taylor test of a loss of the smoothed layer."""
    direction = numeric.direction(problem, known, np.random.default_rng(7))
    loss = numeric.linear_loss(problem, "x")
    gradient = samples.gradient(problem, Smoothed(mu))

    def value(data: np.ndarray) -> np.ndarray:
        moved = numeric.unflat(problem, data).map(torch.tensor)
        return np.asarray(float(loss(layers.solve(moved, route=Smoothed(mu)))))

    report = gradcheck.taylor(
        value, numeric.flat(problem), direction,
        np.asarray(float(gradient @ direction)), steps=numeric.STEPS, noise=1e-9,
    )  # fmt: skip
    assert report.passes, f"{report}"


@smoothed_adjoint.check(Evidence.NUMERIC)
def taylor_order_with_and_without_rows_at_rest() -> None:
    for problem, known in numeric.draws("strictly_complementary", "weakly_active"):
        assert_order_two(problem, known, 1e-2)


def assert_error_of_order_mu(regime: str) -> None:
    """Ten times less mu, ten times less error of the gradient in q."""
    for problem, _ in numeric.draws(regime):
        true = samples.in_q(problem, samples.gradient(problem, "active_set"))
        errors = [
            np.linalg.norm(
                samples.in_q(problem, samples.gradient(problem, Smoothed(mu))) - true
            )
            for mu in (1e-4, 1e-5)
        ]
        ratio = errors[0] / errors[1]
        assert 9 < ratio < 11, f"the error falls {ratio:.2f} times"


@smoothed_adjoint.check(Evidence.NUMERIC)
def error_has_order_mu() -> None:
    assert_error_of_order_mu("strictly_complementary")


@smoothed_adjoint.control(mutant="+D(s/lam) in the corner")
def sign_of_the_corner() -> None:
    assert_gradients(PATH, LOSS, adjoint(PATH, LOSS, sign=1))


@smoothed_adjoint.control(mutant="D(lam/s) in place of D(s/lam)")
def quotient_reversed() -> None:
    assert_gradients(PATH, LOSS, adjoint(PATH, LOSS, power=-1))


@smoothed_adjoint.control(dropped="strict complementarity, for the error of order mu")
def row_at_rest() -> None:
    ((problem, known), *_) = numeric.draws("weakly_active")
    C = np.vstack([problem.A, problem.G[known.slack < 1e-9]])
    require(np.linalg.matrix_rank(C) == len(C), "independent touching rows")
    require(np.linalg.eigvalsh(problem.P)[0] > 0, "P ≻ 0")
    assert_error_of_order_mu("weakly_active")
