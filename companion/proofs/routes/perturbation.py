"""Two solutions in place of one derivative, and the bias that this leaves.

Chapter: differentiation-routes.md.  Theorems: perturbation-limit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.layers.qp.routes import Perturbed, perturbed
from companion.problems import QP
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import LOSS, MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.routes import samples
from companion.proofs.words import Link, alphabet, chain

TAU = sp.Symbol("tau", positive=True)
HALF = sp.Rational(1, 2)
W = alphabet(
    constant="P C g x q y u v z r",
    latex={
        "u": "d_x",
        "v": "d_y",
        "z": r"x_\tau",
        "r": r"y_\tau",
    },
    P="n n symmetric",
    C="k n",
    g="n one",
    x="n one",
    q="n one",
    y="k one",
    u="n one",
    v="k one",
    z="n one",
    r="k one",
)
P, C, g, x, q, y, u, v, z, r = W("P C g x q y u v z r")
T = W.T
MOVED = (
    W.rule("x moved by τ d_x", z, [x, TAU * u]),
    W.rule("y moved by τ d_y", r, [y, TAU * v]),
)

perturbation_limit = theorem(
    "perturbation-limit",
    claim=(
        "If (x, y) and the adjoint (d_x, d_y) solve the KKT and the adjoint system on "
        "rows C, then (x + τd_x, y + τd_y) solves the KKT system with q + τg.  The "
        "difference quotients of ½xxᵀ, x, yxᵀ, -y between the two are the gradients "
        "in P, q, C and the right side, plus ½τ d_x d_xᵀ in P and τ d_y d_xᵀ in C; "
        "central ones have no bias; for every size.  On a rational instance the "
        "solution with q ± τg is that point as long as the active set is the same."
    ),
    source="paulus2024lpgd",
    implements=(perturbed.gradients, perturbed.slopes),
    uses=("qp-gradients", "qp-active-set"),
)


@perturbation_limit.derivation
def pulled_solution_and_its_bias() -> Iterator[Step]:
    adjoint = W.rule("adjoint", P * u, [-g, -T(C) * v])
    here = W.rule("stationarity", P * x, [-q, -T(C) * y])
    yield from chain(
        W,
        [P * z, q, TAU * g, T(C) * r],
        Link(
            [P * x, TAU * P * u, q, TAU * g, T(C) * y, TAU * T(C) * v],
            "x and y moved by τ times the adjoint",
            MOVED,
        ),
        Link(sp.S.Zero, "stationarity, and the adjoint system", (here, adjoint)),
    )
    yield from chain(
        W,
        [r * T(z), -y * T(x)],
        Link(
            [TAU * v * T(x), TAU * y * T(u), TAU**2 * v * T(u)],
            "x and y moved by τ times the adjoint",
            MOVED,
        ),
    )
    yield from chain(
        W,
        [HALF * z * T(z), -HALF * x * T(x)],
        Link(
            [HALF * TAU * u * T(x), HALF * TAU * x * T(u), HALF * TAU**2 * u * T(u)],
            "likewise",
            MOVED,
        ),
    )


@perturbation_limit.check(Evidence.SYMBOLIC_ANY_SIZE)
def central_quotients_have_no_bias() -> None:
    for left, speed, first in (
        (HALF * x, HALF * u, HALF * (u * T(x) + x * T(u))),
        (y, v, v * T(x) + y * T(u)),
    ):
        ahead = (left + TAU * speed) * T(x + TAU * u)
        behind = (left - TAU * speed) * T(x - TAU * u)
        assert W.equal(ahead - behind, 2 * TAU * first)


def slopes(i: Instance) -> dict[str, Matrix]:
    """Gradients of the Lagrangian in the six fields."""
    return {
        "P": i.x * i.x.T / 2,
        "q": i.x,
        "A": i.nu * i.x.T,
        "b": -i.nu,
        "G": i.lam * i.x.T,
        "h": -i.lam,
    }


def bias(a: instances.Adjoint, tau: sp.Expr, half: sp.Expr = HALF) -> dict[str, Matrix]:
    """What a one-sided quotient adds to the gradients."""
    return {
        "P": half * tau * a.dx * a.dx.T,
        "A": tau * a.dnu * a.dx.T,
        "G": tau * a.dlam * a.dx.T,
    }


def quotient(i: Instance, g_: Matrix, tau: sp.Expr, *, central: bool) -> dict:
    """The difference quotients, between exact solutions."""
    ahead = slopes(samples.at(i, i.q + tau * g_))
    behind = slopes(samples.at(i, i.q - tau * g_) if central else i)
    width = 2 * tau if central else tau
    return {name: (ahead[name] - behind[name]) / width for name in ahead}


def assert_quotients(
    i: Instance,
    g_: Matrix,
    tau: sp.Expr,
    *,
    central: bool = False,
    half: sp.Expr = HALF,
    sign: int = 1,
) -> None:
    """Every field: quotient = gradient + bias, exactly."""
    a = instances.adjoint(i, g_)
    found = quotient(i, sign * g_, tau, central=central)
    extra = {} if central else bias(a, tau, half)
    for name, want in instances.gradients(i, a).items():
        error = found[name] - want - extra.get(name, sp.zeros(*want.shape))
        assert not any(error), f"the quotient in {name} is off by {list(error)}"


@perturbation_limit.check(Evidence.EXACT)
def master_instance() -> None:
    for tau in (sp.Rational(1, 10), sp.Rational(1, 1000)):
        assert_quotients(MASTER, LOSS, tau)
        assert_quotients(MASTER, LOSS, tau, central=True)


def errors(problem: QP, tau: float, *, central: bool) -> tuple[float, float]:
    """Errors of the layer's gradient in all data, and in q alone."""
    true = samples.gradient(problem, "active_set")
    gap = np.abs(samples.gradient(problem, Perturbed(tau, central)) - true)
    return float(gap.max()), float(samples.in_q(problem, gap).max())


@perturbation_limit.check(Evidence.NUMERIC)
def error_of_the_layer_has_order_one_and_none_in_q() -> None:
    for problem, _ in numeric.draws("strictly_complementary"):
        wide, narrow = (errors(problem, t, central=False) for t in (2e-3, 1e-3))
        assert 1.99 < wide[0] / narrow[0] < 2.01, f"ratio {wide[0] / narrow[0]}"
        assert max(wide[1], narrow[1]) < 1e-9
        assert errors(problem, 2e-3, central=True)[0] < 1e-9


@perturbation_limit.control(mutant="the loss pushes: q - τg")
def wrong_side() -> None:
    assert_quotients(MASTER, LOSS, sp.Rational(1, 10), sign=-1)


@perturbation_limit.control(mutant="the bias in P without its ½")
def half_forgotten() -> None:
    assert_quotients(MASTER, LOSS, sp.Rational(1, 10), half=sp.S.One)


@perturbation_limit.control(dropped="the same active set: τ = 20")
def another_piece() -> None:
    tau = sp.Integer(20)
    there = samples.at(MASTER, MASTER.q + tau * LOSS)
    require(instances.satisfies_kkt(there), "the pulled program is solved")
    assert_quotients(MASTER, LOSS, tau)


def assert_odd(i: Instance, g_: Matrix) -> None:
    """The quotient of -g is minus that of g, as for a gradient."""
    tau = samples.SMALL
    one, other = (quotient(i, s * g_, tau, central=False)["q"] for s in (1, -1))
    assert one == -other, f"{list(one)} for g, {list(other)} for -g"


@perturbation_limit.check(Evidence.EXACT)
def quotient_in_q_is_odd() -> None:
    assert_odd(MASTER, LOSS)


@perturbation_limit.control(
    dropped="strict complementarity: min ½x² over x ≥ 0 at q = 0"
)
def at_the_kink() -> None:
    i = samples.relu_at_zero()
    require(instances.satisfies_kkt(i), "a KKT point")
    assert_odd(i, sp.ones(1, 1))
