"""Gradients of a loss through a quadratic program, and of its optimal value.

Chapter: optnet.md.  Theorems: qp-gradients, qp-envelope.
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
    HALF,
    G,
    L,
    P,
    S,
    T,
    W,
    d,
    e,
    g,
    lam,
    nu,
    q,
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
    yield from _read(LOSS_DIFFERENTIAL, kkt.GRADIENTS, r"\ell")


def _read(form: list[sp.Expr], claimed: dict[str, sp.Expr], of: str) -> Iterator[Step]:
    """Gradients read off a form: rotate every trace until the letter stands last."""
    for name, letter in kkt.ENTERING.items():
        found = W.gradient(form, letter)
        assert W.equal(found, claimed[name]), f"the gradient in {name} is {found}"
        shown = rf"\nabla_{{\!{name}}}\,{of}"
        reason = "symmetric representative" if name == "P" else "rotation of the trace"
        yield Step(shown, W.latex(claimed[name]), reason)


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


# ------------------------------------------------------------------ qp-envelope
qp_envelope = theorem(
    "qp-envelope",
    claim=(
        "The gradients of the optimal value are ½xxᵀ, x, nu xᵀ, -nu, lam xᵀ, -lam in "
        "P, q, A, b, G, h: the multipliers are the prices of the constraints."
    ),
    source="boyd2004convex",
    implements=(layers.solve,),
    uses=("qp-differential",),
)


@qp_envelope.derivation
def value_differential() -> Iterator[Step]:
    value = [HALF * T(x) * P * x, T(q) * x]
    direct = [HALF * T(x) * dP * x, T(x) * dq]
    own = [T(x) * P * dx, T(q) * dx]
    assert W.equal(d(value), [*direct, *own], trace=True)
    name = r"\mathrm{d}p^\star = \mathrm{d}(" + W.latex(value) + ")"
    yield Step(name, W.latex([*direct, *own]), "the product rule")
    multipliers = [-T(nu) * A * dx, -T(lam) * G * dx]
    prices = [T(nu) * dA * x, -T(nu) * db, T(lam) * dG * x, -T(lam) * dh]
    links = (
        Link([*direct, *multipliers], "stationarity", (kkt.STATIONARY,), trace=True),
        Link(
            [*direct, *prices],
            "Ax = b and the active rows, differentiated",
            (kkt.D_FEASIBLE, kkt.ACTIVE),
        ),
    )
    yield from chain(W, [*direct, *own], *links)
    yield from _read([*direct, *prices], kkt.VALUE_GRADIENTS, r"p^\star")


def value_gradients(i: Instance) -> dict[str, Matrix]:
    """The gradients of the optimal value, as theorem qp-envelope states them."""
    return {
        "P": i.x * i.x.T / 2,
        "q": i.x,
        "A": i.nu * i.x.T,
        "b": -i.nu,
        "G": i.lam * i.x.T,
        "h": -i.lam,
    }


def assert_envelope(claimed: dict[str, Matrix]) -> None:
    """Every entry equals the exact derivative of the master instance's value."""

    def value(s: Instance) -> sp.Expr:
        return (s.x.T * s.P * s.x)[0] / 2 + (s.q.T * s.x)[0]

    for name, gradient in claimed.items():
        for j, k, E in instances.entries(name, gradient.shape):
            slope = instances.slope(MASTER, {name: E}, value)
            assert slope == gradient[j, k], (
                f"{name}[{j},{k}]: {slope} not {gradient[j, k]}"
            )


@qp_envelope.check(Evidence.EXACT)
def value_of_the_master_instance() -> None:
    assert_envelope(value_gradients(MASTER))


@qp_envelope.check(Evidence.NUMERIC)
def value_gradients_have_second_order() -> None:
    for problem, known in numeric.regular():
        numeric.assert_gradients(problem, known, lambda s: s.value)
        outer = [np.outer(y, known.x) for y in (known.x / 2, known.nu, known.lam)]
        stated = (outer[0], known.x, outer[1], -known.nu, outer[2], -known.lam)
        want = np.concatenate([field.ravel() for field in stated])
        _, layer = numeric.value_and_gradient(problem, lambda s: s.value)
        numeric.assert_close(layer, want, "value gradients")


@qp_envelope.control(mutant="+lam for the gradient in h")
def wrong_price() -> None:
    assert_envelope({"h": MASTER.lam})


@qp_envelope.control(mutant="the ½ of the gradient in P dropped")
def value_half_dropped() -> None:
    assert_envelope({"P": MASTER.x * MASTER.x.T})


def assert_price(h: tuple[int, int], lam_first: int) -> None:
    """-lam₁ is the two-sided slope in h₁ of min ½x² - 3x subject to x ≤ h₁, x ≤ h₂."""

    def value(first: sp.Expr) -> sp.Expr:
        y = min(first, sp.Integer(h[1]), sp.Integer(3))
        return y**2 / 2 - 3 * y

    step = sp.Rational(1, 1000)
    start = sp.Integer(h[0])
    for sign in (1, -1):
        quotient = (value(start + sign * step) - value(start)) / (sign * step)
        assert abs(quotient + lam_first) < step, f"slope {quotient} on side {sign:+d}"


@qp_envelope.check(Evidence.EXACT)
def price_of_one_bound() -> None:
    assert_price((1, 2), 2)


@qp_envelope.control(dropped="independent active rows: x ≤ h₁ and x ≤ h₂ with h₁ = h₂")
def equal_bounds() -> None:
    require(1 - 3 + 2 + 0 == 0, "lam = (2, 0) satisfies the KKT conditions at x = 1")
    assert_price((1, 1), 2)
