"""Parameters that can be learned without leaving the feasible, strictly convex QPs.

Chapter: optnet.md.  Theorems: qp-parametrisation.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import LOSS, MASTER, Matrix
from companion.proofs.registry import Evidence, theorem
from companion.proofs.words import alphabet

# ----------------------------------------------------------- qp-parametrisation
qp_parametrisation = theorem(
    "qp-parametrisation",
    claim=(
        "P = LLᵀ + eps I, b = A z0, h = G z0 + s0 with eps > 0 and s0 > 0 is strictly "
        "convex and strictly feasible at z0 for all L, A, G, z0, and the gradient "
        "through L is 2∇_P L."
    ),
    source="amos2017optnet",
    implements=(layers.QPLayer,),
    uses=("qp-gradients", "qp-uniqueness"),
)


@qp_parametrisation.check(Evidence.SYMBOLIC_ANY_SIZE)
def convex_feasible_and_chained() -> None:
    F = alphabet(
        constant="y M N v eps", L="n n", A="p n", G="m n", z="n 1", s="m 1",
        y="n 1", M="n n symmetric", N="m n", v="m 1",
    )  # fmt: skip
    L_, G_, z0, s0, y, M, N, v_ = F("L G z s y M N v")
    eps, t = sp.Symbol("eps", positive=True), F.T
    # yᵀPy is a square plus eps times a square; the slack at z0 is s0
    squares = [t(t(L_) * y) * t(L_) * y, eps * t(y) * y]
    assert F.equal(t(y) * (L_ * t(L_) + eps) * y, squares)
    h = G_ * z0 + s0
    assert F.equal(h - G_ * z0, s0)
    # M = ∇_P, N = ∇_G, v = ∇_h: gradients through L, G, z0 and s0
    dL_, dG_, dz, ds = F("dL dG dz ds")
    assert F.equal(F.gradient(M * F.d(L_ * t(L_)), dL_), 2 * M * L_)
    through = [F.trace(t(N) * dG_), F.trace(t(v_) * F.d(h))]
    assert F.equal(F.gradient(through, dG_), [N, v_ * t(z0)])
    assert F.equal(F.gradient(through, dz), t(G_) * v_)
    assert F.equal(F.gradient(through, ds), v_)


FACTOR = Matrix([[1, 0, 0], [1, 1, 0], [0, -1, 2]])


def assert_factor_gradient(times: int = 2) -> None:
    """The gradient in every entry of L, exactly, on the master constraints."""
    eps = sp.Rational(1, 4)
    i = instances.instance(
        FACTOR * FACTOR.T + eps * sp.eye(3), MASTER.A, MASTER.G, MASTER.x, MASTER.nu,
        MASTER.lam, MASTER.slack,
    )  # fmt: skip
    claimed = times * instances.gradients(i, instances.adjoint(i, LOSS))["P"] * FACTOR
    for j, k, E in instances.entries("L", claimed.shape):
        bend = FACTOR * E.T + E * FACTOR.T + instances.t * E * E.T
        slope = instances.slope(i, {"P": bend}, lambda s: (LOSS.T * s.x)[0])
        assert slope == claimed[j, k], f"L[{j},{k}]: {slope}, not {claimed[j, k]}"


def assert_strict(factor: Matrix, eps: sp.Expr, s0: Matrix) -> None:
    """P ≻ 0, and z0 satisfies every inequality with room to spare."""
    H = factor * factor.T + eps * sp.eye(factor.rows)
    assert H.det() > 0, "P is singular"
    assert min(s0) > 0, "z0 is not strictly feasible"


@qp_parametrisation.check(Evidence.EXACT)
def factor_gradient_of_the_master_instance() -> None:
    assert_factor_gradient()
    assert_strict(sp.zeros(3, 3), sp.Rational(1, 4), Matrix([1, 1]))


@qp_parametrisation.check(Evidence.NUMERIC)
def every_parameter_has_second_order() -> None:
    generator = torch.Generator().manual_seed(3)
    module = layers.QPLayer(4, 1, 3, dtype=torch.float64, generator=generator)
    queries = torch.randn(2, 4, dtype=torch.float64, generator=generator)
    names = dict(module.named_parameters())
    start = torch.nn.utils.parameters_to_vector(names.values()).detach()
    step = numeric.REACH * torch.randn(
        len(start), dtype=start.dtype, generator=generator
    )

    def loss(entries: torch.Tensor) -> torch.Tensor:
        torch.nn.utils.vector_to_parameters(entries, names.values())
        return (module(queries) ** 3).sum()

    gradients = torch.autograd.grad(loss(start), list(names.values()))
    slope = torch.cat([part.ravel() for part in gradients]) @ step
    report = gradcheck.taylor(
        lambda entries: np.asarray(float(loss(torch.tensor(entries)).detach())),
        start.numpy(),
        step.numpy(),
        slope.numpy(),
    )
    assert report.passes, f"order {report.order:.2f}"


@qp_parametrisation.control(mutant="∇_P L in place of 2∇_P L")
def factor_two_dropped() -> None:
    assert_factor_gradient(times=1)


@qp_parametrisation.control(dropped="eps > 0: L = 0 and eps = 0")
def no_shift() -> None:
    assert_strict(sp.zeros(3, 3), sp.S.Zero, Matrix([1, 1]))


@qp_parametrisation.control(dropped="s0 > 0: a slack that may take either sign")
def slack_of_either_sign() -> None:
    assert_strict(FACTOR, sp.Rational(1, 4), Matrix([1, -1]))
