"""Gradients of a loss through a quadratic program.

Chapter: optnet.md.  Theorems: qp-gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QPSolution
from companion.proofs.qp import conditions as kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.conditions import (
    G,
    L,
    P,
    S,
    T,
    W,
    e,
    g,
    lam,
    nu,
    u,
    v,
    w,
    x,
)
from companion.proofs.qp.instances import LOSS, MASTER, Adjoint, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import qp as reference

A, b, dP, dq, dA, db, dG, dh = W("A b dP dq dA db dG dh")
dx, dnu, dlam = W("dx dnu dlam")

# ----------------------------------------------------------------- qp-gradients
qp_gradients = theorem(
    "qp-gradients",
    claim=(
        "With the adjoint (d_x, d_nu, d_lam) of the differential system, the gradients "
        "of a loss are ½(d_x xᵀ + x d_xᵀ), d_x, d_nu xᵀ + nu d_xᵀ, -d_nu, "
        "d_lam xᵀ + lam d_xᵀ, -d_lam in P, q, A, b, G, h, for matrices of every size; "
        "OptNet's eq. (8) applies D(lam) to the last but one twice."
    ),
    source="amos2017optnet",
    implements=(layers.solve, reference.vjp),
    uses=("qp-differential", "kkt-nonsingular"),
)

LOSS_DIFFERENTIAL = [
    T(u) * dP * x,
    T(u) * dq,
    T(u) * T(dA) * nu,
    T(v) * dA * x,
    -T(v) * db,
    T(u) * T(dG) * lam,
    T(w) * dG * x,
    -T(w) * dh,
]


@qp_gradients.derivation
def loss_differential() -> Iterator[Step]:
    moved = [T(u) * dP * x, T(u) * dq, T(u) * T(dA) * nu, T(u) * T(dG) * lam]
    duals = [T(u) * T(A) * dnu, T(u) * T(G) * dlam]
    rest = [-T(e) * L * G * dx, -T(v) * A * dx]
    bounds = [T(e) * L * dG * x, -T(e) * L * dh, T(e) * S * dlam]
    rows = [T(v) * dA * x, -T(v) * db]
    links = (
        Link(
            [-T(u) * P * dx, *rest],
            "the first row of the adjoint system replaces g",
            (kkt.ADJOINT_X,),
        ),
        Link(
            [*moved, *duals, *rest],
            "the differential of stationarity",
            (kkt.D_STATIONARY,),
        ),
        Link(
            [*moved, *duals, *bounds, *rows],
            "the differentials of complementary slackness and of Ax = b",
            (kkt.D_SLACK, kkt.D_FEASIBLE),
        ),
        Link(
            [*moved, *bounds[:2], *rows],
            "the other rows of the adjoint system: dnu and dlam cancel",
            (kkt.ADJOINT_LAM, kkt.ADJOINT_NU),
        ),
        Link(
            LOSS_DIFFERENTIAL,
            "the multiplier of the text, d_lam = D(lam)e",
            (kkt.SCALED,),
        ),
    )
    yield from chain(
        W, T(g) * dx, *links, name=r"\mathrm{d}\ell = " + W.latex(T(g) * dx)
    )
    yield from kkt.read_gradients(LOSS_DIFFERENTIAL, kkt.GRADIENTS, r"\ell")


Formula = Callable[[Instance, Adjoint], dict[str, Matrix]]


def assert_exact(
    formula: Formula = instances.gradients, *, transposed: bool = True
) -> None:
    """Every entry of every gradient of gᵀx equals the exact derivative."""
    i = MASTER
    claimed = formula(i, instances.adjoint(i, LOSS, transposed=transposed))
    for name, gradient in claimed.items():
        for j, k, E in instances.entries(name, gradient.shape):
            slope = instances.slope(i, {name: E}, lambda s: (LOSS.T * s.x)[0])
            assert slope == gradient[j, k], (
                f"d/d{name}[{j},{k}] is {slope}, not {gradient[j, k]}"
            )


@qp_gradients.check(Evidence.EXACT)
def every_entry_of_the_master_instance() -> None:
    assert_exact()


@qp_gradients.check(Evidence.NUMERIC)
def layer_gradients_have_second_order() -> None:
    for problem, known in numeric.regular():
        for outputs in (("x",), ("x", "nu", "lam", "slack")):
            loss = numeric.linear_loss(problem, *outputs)
            numeric.assert_gradients(problem, known, loss)


@qp_gradients.check(Evidence.NUMERIC)
def reference_and_layer_agree() -> None:
    rng = np.random.default_rng(8)
    for problem, known in numeric.regular():
        weights = [rng.standard_normal(k) for k in (problem.n, problem.p, problem.m)]

        def loss(s: QPSolution, c: list[np.ndarray] = weights) -> torch.Tensor:
            pairs = zip(c, (s.x, s.nu, s.lam), strict=True)
            return sum((torch.tensor(a) @ y for a, y in pairs), torch.zeros(()))

        _, layer = numeric.value_and_gradient(problem, loss)
        by_hand = numeric.flat(reference.vjp(problem, known, *weights))
        numeric.assert_close(layer, by_hand, "gradients")


@qp_gradients.control(mutant="the printed eq. (8): D(lam) applied to lam d_xᵀ as well")
def printed_equation() -> None:
    assert_exact(printed)


def printed(i: Instance, a: Adjoint) -> dict[str, Matrix]:
    """OptNet's gradients with eq. (8) as printed: ∇_G = D(lam)(e xᵀ + lam d_xᵀ)."""
    wrong = a.dlam * i.x.T + sp.diag(*i.lam) * i.lam * a.dx.T
    return {**instances.gradients(i, a), "G": wrong}


@qp_gradients.control(mutant="the ½ of the gradient in P dropped")
def half_dropped() -> None:
    assert_exact(lambda i, a: {"P": 2 * instances.gradients(i, a)["P"]})


@qp_gradients.control(mutant="the gradient in P not symmetrised: d_x xᵀ")
def symmetry_dropped() -> None:
    assert_exact(lambda i, a: {"P": a.dx * i.x.T})


@qp_gradients.control(mutant="the untransposed system solved")
def untransposed() -> None:
    assert_exact(transposed=False)


@qp_gradients.control(dropped="strict complementarity: weakly active rows")
def weakly_active() -> None:
    ((problem, known), *_) = numeric.draws("weakly_active")
    C = np.vstack([problem.A, problem.G[known.slack < 1e-9]])
    require(np.linalg.matrix_rank(C) == len(C), "independent active rows")
    require(np.linalg.eigvalsh(problem.P)[0] > 0, "P ≻ 0")
    numeric.assert_gradients(problem, known, numeric.linear_loss(problem, "x"))
