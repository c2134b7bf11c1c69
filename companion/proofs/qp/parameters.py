"""What a QP layer does with its parameters: sharing and invariances.

Chapter: optnet.md.  Theorems: qp-shared-parameters, qp-invariances.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.qp import conditions as kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.conditions import G, P, T, W, g, lam, q, u, v, w, x
from companion.proofs.qp.gradients import printed
from companion.proofs.qp.instances import LOSS, MASTER, Adjoint, Instance, Matrix
from companion.proofs.registry import Evidence, require, theorem
from companion.proofs.words import Rule, alphabet

# --------------------------------------------------------- qp-shared-parameters
qp_shared = theorem(
    "qp-shared-parameters",
    claim=(
        "A parameter shared by the instances of a batch has as gradient the sum of the "
        "gradients of the instances, for losses added over the batch."
    ),
    source="amos2017optnet",
    implements=(layers.solve,),
    uses=("qp-gradients",),
)


@qp_shared.check(Evidence.SYMBOLIC_ANY_SIZE)
def gradient_of_a_sum_of_forms() -> None:
    """Two instances share dP: the gradient read off their sum is the sum."""
    pair = W("u x"), W("z g")  # adjoint and solution of either instance
    (dP,) = W("dP")
    forms = [T(a) * dP * y for a, y in pair]
    apart = [W.gradient(form, dP) for form in forms]
    assert W.equal([W.gradient(forms, dP)], apart)


SECOND = instances.instance(
    MASTER.P, Matrix([[1, 0, 2]]), MASTER.G, Matrix([0, 1, 1]), Matrix([2]),
    Matrix([0, 3]), Matrix([1, 0]),
)  # fmt: skip


def assert_shared(weight: sp.Expr = sp.S.One) -> None:
    """The exact derivative of two instances' losses in the P that they share."""
    pair = (MASTER, SECOND)
    each = [instances.gradients(i, instances.adjoint(i, LOSS))["P"] for i in pair]
    claimed = weight * (each[0] + each[1])
    for j, k, E in instances.entries("P", claimed.shape):
        slopes = [
            instances.slope(i, {"P": E}, lambda s: (LOSS.T * s.x)[0]) for i in pair
        ]
        assert sum(slopes) == claimed[j, k], f"{sum(slopes)}, not {claimed[j, k]}"


@qp_shared.check(Evidence.EXACT)
def two_instances_share_a_matrix() -> None:
    require(instances.satisfies_kkt(SECOND), "the second instance is a KKT point")
    assert_shared()


def assert_batch_gradient(scale: float = 1.0) -> None:
    """Taylor order of a batch's loss in a shared P; `scale` alters the gradient."""
    ((problem, _), *_) = numeric.regular()
    drift = np.linspace(-0.01, 0.01, 3)[:, None]  # three instances, one active set
    queries = torch.tensor(problem.q + drift)

    def loss(entries: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = numeric.as_tensors(problem)
        shared = torch.tensor(entries.reshape(problem.P.shape), requires_grad=True)
        batch = QP(shared, queries, *tensors.fields[2:])
        return (layers.solve(batch).x ** 2).sum(), shared

    value, shared = loss(problem.P.ravel())
    (gradient,) = torch.autograd.grad(value, shared)
    E = np.random.default_rng(9).standard_normal(problem.P.shape) * numeric.REACH
    E = E + E.T
    report = gradcheck.taylor(
        lambda entries: np.asarray(float(loss(entries)[0].detach())),
        problem.P.ravel(),
        E.ravel(),
        np.asarray(scale * float((gradient.numpy() * E).sum())),
    )
    assert report.passes, f"order {report.order:.2f}"


@qp_shared.check(Evidence.NUMERIC)
def batch_of_three_has_second_order() -> None:
    assert_batch_gradient()


@qp_shared.control(mutant="the mean over the batch in place of the sum")
def mean_for_sum() -> None:
    assert_shared(sp.Rational(1, 2))


@qp_shared.control(mutant="the layer's gradient divided by the size of the batch")
def batch_mean_for_sum() -> None:
    assert_batch_gradient(1 / 3)


# --------------------------------------------------------------- qp-invariances
qp_invariances = theorem(
    "qp-invariances",
    claim=(
        "The gradients satisfy (i) ⟨∇_Gᵢ, Gᵢ⟩ + ∇_hᵢ hᵢ = 0 for every row, "
        "(ii) ∇_A Aᵀ + ∇_b bᵀ = 0, (iii) ⟨∇_P, P⟩ + ⟨∇_q, q⟩ = 0, "
        "(iv) g = -P∇_q + Aᵀ∇_b + Gᵀ∇_h, "
        "(v) 2P∇_P + q∇_qᵀ + Aᵀ∇_A + Gᵀ∇_G = -g xᵀ."
    ),
    source="amos2017optnet",
    implements=(layers.solve,),
    uses=("qp-gradients",),
)

# The adjoint system once w = D(lam) e has replaced e, and complementary slackness of
# primal and adjoint, row by row: (G u)ᵢ lamᵢ = 0 and (Gx - h)ᵢ wᵢ = 0.
TEXT_ADJOINT = W.rule(
    "the adjoint system", g, [-P * u, -T(G) * w, -T(kkt.W("A")[0]) * v]
)


@qp_invariances.check(Evidence.SYMBOLIC_ANY_SIZE)
def identities_two_to_five() -> None:
    A, b = W("A b")
    grads = kkt.GRADIENTS
    flat = W.rule("A u = 0", A * u, sp.S.Zero)
    still = W.rule("lamᵀG u = 0", T(lam) * G * u, sp.S.Zero)
    stationary, feasible = kkt.STATIONARY, kkt.FEASIBLE
    assert W.equal([grads["A"] * T(A), grads["b"] * T(b)], 0, flat, feasible)
    scaling = [grads["P"] * P, T(grads["q"]) * q]
    assert _trace_zero(scaling, stationary, flat, still)
    translation = [-P * grads["q"], T(A) * grads["b"], T(G) * grads["h"]]
    assert W.equal(g, translation, TEXT_ADJOINT)
    change = [
        2 * P * grads["P"],
        q * T(grads["q"]),
        T(A) * grads["A"],
        T(G) * grads["G"],
    ]
    assert W.equal(change, -g * T(x), stationary, TEXT_ADJOINT)


def _trace_zero(terms: list[sp.Expr], *rules: Rule) -> bool:
    """The trace of both terms is zero: as 1 x 1 words first, then by the rules."""
    scalars = [T(u) * P * x, T(u) * q]
    split = W.trace(terms[0]) - W.trace(scalars[0]) == 0 and terms[1] - scalars[1] == 0
    return split and W.normal(scalars, *rules) == 0


@qp_invariances.check(Evidence.SYMBOLIC_ANY_SIZE)
def identity_one() -> None:
    """Row i by a unit vector E."""
    R = alphabet(
        constant="E", E="m 1", G="m n", h="m 1", x="n 1", u="n 1", w="m 1", lam="m 1"
    )
    E, G_, h, x_, u_, w_, lam_ = R("E G h x u w lam")
    t = R.T
    row = [
        t(E) * (w_ * t(x_) + lam_ * t(u_)) * t(G_) * E,
        -t(E) * w_ * t(h) * E,
    ]
    inactive = R.rule("wᵢ(Gx - h)ᵢ = 0", t(E) * w_ * t(x_) * t(G_) * E,
                      t(E) * w_ * t(h) * E)  # fmt: skip
    active = R.rule("lamᵢ(Gu)ᵢ = 0", t(E) * lam_ * t(u_) * t(G_) * E, sp.S.Zero)
    assert R.normal(row, inactive, active) == 0


Formula = Callable[[Instance, Adjoint], dict[str, Matrix]]


def residuals(i: Instance, formula: Formula = instances.gradients) -> dict[str, Matrix]:
    """The five identities' residuals on an instance, zero where they hold."""
    f = formula(i, instances.adjoint(i, LOSS))
    rowwise = [
        (f["G"][k, :] * i.G[k, :].T)[0] + f["h"][k] * i.h[k] for k in range(i.G.rows)
    ]
    return {
        "i": Matrix(rowwise),
        "ii": f["A"] * i.A.T + f["b"] * i.b.T,
        "iii": Matrix([(f["P"] * i.P).trace() + (f["q"].T * i.q)[0]]),
        "iv": LOSS + i.P * f["q"] - i.A.T * f["b"] - i.G.T * f["h"],
        "v": 2 * i.P * f["P"] + i.q * f["q"].T + i.A.T * f["A"] + i.G.T * f["G"]
        + LOSS * i.x.T,
    }  # fmt: skip


def assert_identities(formula: Formula = instances.gradients) -> None:
    for name, residual in residuals(MASTER, formula).items():
        assert not any(residual), f"identity ({name}) has residual {residual.tolist()}"


@qp_invariances.check(Evidence.EXACT)
def identities_of_the_master_instance() -> None:
    assert_identities()


@qp_invariances.check(Evidence.EXACT)
def only_the_fifth_sees_the_printed_equation() -> None:
    nonzero = [k for k, r in residuals(MASTER, printed).items() if any(r)]
    assert nonzero == ["v"], nonzero


@qp_invariances.check(Evidence.NUMERIC)
def identities_of_the_layer() -> None:
    for problem, known in numeric.regular():
        loss = numeric.linear_loss(problem, "x")
        _, gradient = numeric.value_and_gradient(problem, loss)
        f = numeric.unflat(problem, gradient)
        g_x = np.random.default_rng(11).standard_normal(problem.n)
        p = problem
        scale = 1 + np.max(np.abs(gradient))
        change = 2 * p.P @ f.P + np.outer(p.q, f.q) + p.A.T @ f.A + p.G.T @ f.G
        for name, residual in {
            "i": (f.G * p.G).sum(1) + f.h * p.h,
            "ii": f.A @ p.A.T + np.outer(f.b, p.b),
            "iii": (f.P * p.P).sum() + f.q @ p.q,
            "iv": g_x + p.P @ f.q - p.A.T @ f.b - p.G.T @ f.h,
            "v": change + np.outer(g_x, known.x),
        }.items():
            worst = np.max(np.abs(residual)) / (scale * (1 + np.max(np.abs(p.P))))
            assert worst < numeric.AGREEMENT, f"({name}): {worst:.1e}"


@qp_invariances.control(mutant="∇_G as OptNet's eq. (8) prints it")
def printed_breaks_the_fifth() -> None:
    assert_identities(printed)


@qp_invariances.control(mutant="∇_P without its transposed half")
def half_of_the_symmetric_part() -> None:
    assert_identities(lambda i, a: {**instances.gradients(i, a), "P": a.dx * i.x.T / 2})
