"""The transposed derivative of the alternating directions, and what it converges to.

Chapter: differentiation-routes.md.  Theorems: alternating-derivative.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion import sampling
from companion.layers.qp.interior_point import Data
from companion.layers.qp.routes import Alternating, alternating
from companion.layers.qp.routes.route import Point
from companion.problems import QP, QPSolution
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import LOSS, MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.routes import samples
from companion.proofs.words import Link, alphabet, chain

RHO = sp.Symbol("rho", positive=True)
W = alphabet(
    constant="P A G B g u v w a c",
    latex={"u": "d_x", "v": r"w_\nu", "w": "w_u", "a": r"d_\nu", "c": r"d_\lambda"},
    P="n n symmetric",
    A="p n",
    G="m n",
    B="m m symmetric",  # ones on the rows that are held
    g="n one",
    u="n one",
    v="p one",
    w="m one",
    a="p one",
    c="m one",
)
P, A, G, B, g, u, v, w, a, c = W("P A G B g u v w a c")
T = W.T
NU = W.rule("d_nu = ρ(w_nu + A d_x)", a, [RHO * v, RHO * A * u])
LAM = W.rule("d_lam = ρG d_x - w_u", c, [RHO * G * u, -w])
X_STEP = W.rule(
    "the x-step, transposed",
    P * u,
    [
        -g,
        -RHO * T(A) * A * u,
        -RHO * T(G) * G * u,
        -RHO * T(A) * v,
        T(G) * w,
    ],
)
GATE = W.rule("B² = B", B * B, B)

alternating_derivative = theorem(
    "alternating-derivative",
    claim=(
        "A fixed point (w_nu, w_u) of the transposed derivative of an alternating step "
        "with gates B (ones where lam_i > 0) and penalty ρ > 0 gives, by d_nu = "
        "ρ(w_nu + Ad_x) and d_lam = ρGd_x - w_u, a solution of Pd_x + Aᵀd_nu + Gᵀd_lam "
        "= -g, Ad_x = 0, BGd_x = 0, d_lam = Bd_lam: the adjoint on the held rows, for "
        "every size and every ρ.  Under strict complementarity, P ≻ 0 and independent "
        "held rows d_x is the gradient of gᵀx in q, exactly on instances."
    ),
    source="sun2023alternating",
    implements=(alternating.adjoint, alternating.find),
    uses=("fixed-point-derivative", "full-and-reduced-agree"),
)


@alternating_derivative.derivation
def limit_is_the_adjoint() -> Iterator[Step]:
    yield from chain(
        W,
        [P * u, T(A) * a, T(G) * c],
        Link(
            [
                P * u,
                RHO * T(A) * v,
                RHO * T(A) * A * u,
                RHO * T(G) * G * u,
                -T(G) * w,
            ],
            "the definitions of the two",
            (NU, LAM),
        ),
        Link(-g, "the x-step, transposed", (X_STEP,)),
    )
    gap = [B * B * w, RHO * B * G * u, -2 * RHO * B * B * G * u, -B * w]
    assert W.equal(W.normal(gap, GATE), -RHO * B * G * u)
    yield Step(
        r"0 = B\,(B w_u+\rho\,(I-2B)\,G d_x) - B w_u",
        W.latex(-RHO * B * G * u),
        "w_u stays, on the held rows",
    )


@alternating_derivative.check(Evidence.SYMBOLIC_ANY_SIZE)
def free_rows_get_nothing() -> None:
    """With BGd_x = 0 the fixed point is w_u = Bw_u + ρGd_x, so d_lam = -Bw_u."""
    held = W.rule("B G d_x = 0", B * G * u, sp.S.Zero)
    after = [B * w, RHO * G * u, -2 * RHO * B * G * u]
    assert W.equal(after, [B * w, RHO * G * u], held)
    dlam = RHO * G * u - (B * w + RHO * G * u)
    assert W.equal(dlam, -B * w)
    assert W.equal(B * dlam, dlam, GATE)


def transposed_step(i: Instance, rho: sp.Expr, held: Matrix) -> tuple[Matrix, Matrix]:
    """Tᵀ of the recursion w <- Tᵀw + w0, and the matrix with w0 = -(it)g."""
    M = (i.P + rho * (i.A.T * i.A + i.G.T * i.G)).inv()
    sign = sp.eye(i.G.rows) - 2 * held
    # d_x = -M(g + (ρAᵀ, -Gᵀ)w), w <- (w_nu + A d_x, B w_u + ρ sign G d_x)
    into = (rho * i.A.T).row_join(-i.G.T)
    out = i.A.col_join(rho * sign * i.G)
    keep = sp.diag(sp.eye(i.A.rows), held)
    return keep - out * M * into, out * M


def limit(i: Instance, g_: Matrix, rho: sp.Expr, held: Matrix) -> Matrix:
    """d_x at the fixed point of the recursion, exactly."""
    Tt, out = transposed_step(i, rho, held)
    fixed = (sp.eye(Tt.rows) - Tt).LUsolve(-out * g_)
    M = (i.P + rho * (i.A.T * i.A + i.G.T * i.G)).inv()
    return -M * (g_ + (rho * i.A.T).row_join(-i.G.T) * fixed)


def gates(i: Instance) -> Matrix:
    """B: ones where a multiplier is positive."""
    return sp.diag(*[int(bool(value > 0)) for value in i.lam])


def assert_limit(i: Instance, g_: Matrix, held: Matrix | None = None) -> None:
    """The limit is the gradient of gᵀx in q, on both sides, whatever ρ is."""
    held = gates(i) if held is None else held
    for rho in (sp.Integer(1), sp.Rational(1, 3)):
        samples.assert_slopes_in_q(i, g_, limit(i, g_, rho, held))


@alternating_derivative.check(Evidence.EXACT)
def limit_on_the_master_instance() -> None:
    assert_limit(MASTER, LOSS)
    dx = limit(MASTER, LOSS, sp.Integer(2), gates(MASTER))
    assert dx == instances.adjoint(MASTER, LOSS).dx


def as_batch(problem: QP, known: QPSolution) -> tuple[Data, Point]:
    """One instance as a batch."""
    data = Data(*(torch.tensor(field)[None] for field in problem.fields))
    point = Point(
        *(torch.tensor(part)[None] for part in (known.x, known.nu, known.lam))
    )
    return data, point


@alternating_derivative.check(Evidence.NUMERIC)
def truncation_falls_at_the_rate_of_the_recursion() -> None:
    """‖d_k - d‖ is the k-th power of Tᵀ at work: its spectral radius, observed."""
    for seed in (0, 1, 2):
        problem, known = sampling.qp(np.random.default_rng(seed))
        data, point = as_batch(problem, known)
        g_ = Point(torch.ones(1, 4).double(), 0 * point.nu, 0 * point.lam)
        deep = alternating.adjoint(data, point, g_, 4000, 1.0)[0].x
        held = np.diag((known.lam > 0).astype(float))
        M = np.linalg.inv(problem.P + problem.A.T @ problem.A + problem.G.T @ problem.G)
        into = np.hstack([problem.A.T, -problem.G.T])
        out = np.vstack([problem.A, (np.eye(problem.m) - 2 * held) @ problem.G])
        keep = np.diag(np.append(np.ones(problem.p), np.diag(held)))
        radius = np.abs(np.linalg.eigvals(keep - out @ M @ into)).max()
        assert radius < 1
        steps = [int(np.log(level) / np.log(radius)) for level in (1e-4, 1e-9)]
        errors = [
            float((alternating.adjoint(data, point, g_, k, 1.0)[0].x - deep).norm())
            for k in steps
        ]
        found = (errors[1] / errors[0]) ** (1 / (steps[1] - steps[0]))
        assert abs(np.log(found) / np.log(radius) - 1) < 0.15, f"{found}, {radius}"


@alternating_derivative.check(Evidence.NUMERIC)
def layer_agrees_with_the_active_set() -> None:
    for problem, _ in numeric.draws("strictly_complementary"):
        one, other = (
            samples.gradient(problem, r, "x", "nu", "lam")
            for r in (Alternating(steps=1500, tolerance=1e-8), "active_set")
        )
        numeric.assert_close(one, other, "gradients")


@alternating_derivative.control(mutant="no gates: every row held")
def every_row_held() -> None:
    assert_limit(MASTER, LOSS, sp.eye(2))


@alternating_derivative.control(mutant="gates the other way round")
def gates_reversed() -> None:
    assert_limit(MASTER, LOSS, sp.eye(2) - gates(MASTER))


@alternating_derivative.control(
    dropped="strict complementarity: min ½x² over x ≥ 0 at q = 0"
)
def row_at_rest() -> None:
    i = samples.relu_at_zero()
    require(instances.satisfies_kkt(i) and i.G.rank() == 1, "KKT, independent rows")
    assert_limit(i, sp.ones(1, 1))
