"""Gradients of the optimal value of a quadratic program.

Chapter: optnet.md.  Theorems: qp-envelope.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.layers import qp as layers
from companion.proofs.qp import conditions as kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.conditions import HALF, G, P, T, W, d, lam, nu, q, x
from companion.proofs.qp.instances import MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain

A, dP, dq, dA, db, dG, dh, dx = W("A dP dq dA db dG dh dx")

# ------------------------------------------------------------------ qp-envelope
qp_envelope = theorem(
    "qp-envelope",
    claim=(
        "The gradients of the optimal value are ½xxᵀ, x, nu xᵀ, -nu, lam xᵀ, -lam in "
        "P, q, A, b, G, h: the multipliers are the prices of the constraints."
    ),
    source="boyd2004convex",
    implements=(layers.solve,),
    uses=("qp-differential", "value-function"),
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
    yield from kkt.read_gradients([*direct, *prices], kkt.VALUE_GRADIENTS, r"p^\star")


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
