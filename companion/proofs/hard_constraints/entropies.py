"""Sigmoid and softmax: minimizers of a linear function minus an entropy.

Chapter: hard-constraints.md.  Theorems: sigmoid-argmin, softmax-argmin.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.proofs.hard_constraints.projections import assert_jacobian
from companion.proofs.inequalities import Nonnegative, nonnegative, product
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import activations

CLOSE = 1e-12  # of sums of about ten terms of order one
EXACT = sp.Rational(1, 10**25)  # of 30 digits, at an instance
r = sp.Symbol("r", positive=True)


def divergence(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """One entry of a divergence; `assert_divergence_signed` shows that it is ≥ 0."""
    return first * sp.log(first / second) - first + second


def assert_divergence_signed() -> None:
    """With v = u(1+c), u log(u/v) - u + v = u c² ∫₀¹ (1-r)/(1+rc)² dr ≥ 0.

    The integral is given by an antiderivative, which is differentiated.
    """
    c = sp.Symbol("c", real=True, nonzero=True)
    primitive = -(1 + 1 / c) / (c * (1 + r * c)) - sp.log(1 + r * c) / c**2
    integrand = (1 - r) / (1 + r * c) ** 2
    assert sp.simplify(sp.diff(primitive, r) - integrand) == 0
    integral = primitive.subs(r, 1) - primitive.subs(r, 0)
    stated = c - sp.log(1 + c)  # log(u/v) = -log(1+c), and v - u = uc
    assert sp.simplify(stated - c**2 * integral) == 0


# --------------------------------------------------------------- sigmoid-argmin
sigmoid_argmin = theorem(
    "sigmoid-argmin",
    claim=(
        "For one entry: with F(z) = -xz + z log z + (1-z) log(1-z) and "
        "y = 1/(1 + exp(-x)), F(z) - F(y) = [z log(z/y) - z + y] + "
        "[(1-z) log((1-z)/(1-y)) - (1-z) + (1-y)] for 0 < z < 1; both brackets are "
        "nonnegative and vanish only at z = y.  The Jacobian is diag(y∘(1-y))."
    ),
    source="amos2019thesis",
    implements=(activations.sigmoid, activations.sigmoid_jacobian),
)


def binary(x: sp.Expr, z: sp.Expr, sign: int = 1) -> sp.Expr:
    """-xz plus `sign` times the negative entropy of (z, 1 - z)."""
    return -x * z + sign * (z * sp.log(z) + (1 - z) * sp.log(1 - z))


def assert_binary_gap(sign: int = 1) -> None:
    """The gap is the sum of two divergences, for every x and 0 < z < 1."""
    # odds e and f, so that z = e/(1+e) and y = f/(1+f) with x = log f
    e, f = sp.symbols("e f", positive=True)
    z, y = e / (1 + e), f / (1 + f)
    gap = binary(sp.log(f), z, sign) - binary(sp.log(f), y, sign)
    terms = divergence(z, y) + divergence(1 - z, 1 - y)
    rest = sp.expand_log(sp.expand_log(gap - terms).simplify(), force=True).simplify()
    off = (gap - terms).subs({e: 2, f: 3}).evalf(30)
    assert abs(off) < EXACT, f"at z = 2/3, y = 3/4 the two sides differ by {off.n(3)}"
    assert rest == 0, f"the gap and the divergences differ by {rest}"


@sigmoid_argmin.check(Evidence.SYMBOLIC)
def binary_gap_is_two_divergences() -> None:
    assert_divergence_signed()
    assert_binary_gap()


@sigmoid_argmin.check(Evidence.SYMBOLIC)
def slope_is_y_times_one_minus_y() -> None:
    x = sp.Symbol("x", real=True)
    y = 1 / (1 + sp.exp(-x))
    assert sp.simplify(sp.diff(y, x) - y * (1 - y)) == 0


REGIMES = {
    "moderate": np.array([0.3, -1.0, 2.0]),
    "far apart": np.array([8.0, -6.0, 1.0]),
    "tied": np.array([0.5, 0.5, 0.5]),
}


@sigmoid_argmin.check(Evidence.NUMERIC)
def sigmoid_jacobian_by_taylor_order() -> None:
    for x in REGIMES.values():
        assert_jacobian(activations.sigmoid, activations.sigmoid_jacobian, x)


@sigmoid_argmin.control(mutant="+H for -H: the entropy with the other sign")
def entropy_added() -> None:
    assert_binary_gap(-1)


@sigmoid_argmin.control(mutant="the slope y for y(1 - y)")
def slope_of_an_exponential() -> None:
    x = REGIMES["moderate"]
    assert_jacobian(activations.sigmoid, lambda t: np.diag(activations.sigmoid(t)), x)


@sigmoid_argmin.control(dropped="entries that no constraint couples: Σz = 1")
def coupled_entries() -> None:
    x = np.array([0.7, 0.0])
    z = activations.softmax(x)
    require(np.allclose(z, activations.sigmoid(np.array([0.7, -0.7]))), "two entries")
    assert_jacobian(activations.softmax, activations.sigmoid_jacobian, x)


# --------------------------------------------------------------- softmax-argmin
softmax_argmin = theorem(
    "softmax-argmin",
    claim=(
        "Let T > 0, F(z) = -xᵀz + TΣ z_i log z_i and y = softmax(x/T).  For z > 0 with "
        "Σz = 1, F(z) - F(y) = TΣ (z_i log(z_i/y_i) - z_i + y_i), every term "
        "nonnegative and zero only at z_i = y_i.  The Jacobian in x is "
        "(diag(y) - yyᵀ)/T, the derivative in T is -(diag(y) - yyᵀ)x/T²."
    ),
    source="amos2019thesis",
    implements=(activations.softmax, activations.softmax_jacobian),
)

# m and l are the logarithms of z and y, c the logarithm of the sum, times T; k holds
# the divergences entry by entry; Y is diag(y).
heat = sp.Symbol("T", positive=True)
W = alphabet(
    latex={
        "e": r"\mathbf 1",
        "l": r"\log y",
        "m": r"\log z",
        "k": r"\kappa(z, y)",
        "Y": "D(y)",
    },
    constant="e",
    x="n one",
    y="n one",
    z="n one",
    l="n one",
    m="n one",
    k="n one",
    e="n one",
    Y="n n symmetric",
    c="one one symmetric",
)
x, y, z, l, m, k, e, Y, c, dx, dy, dl, dc = W("x y z l m k e Y c dx dy dl dc")
SUMS = (
    W.rule("Σz = 1", W.T(e) * z, 1),
    W.rule("Σy = 1", W.T(e) * y, 1),
)


@softmax_argmin.derivation
def softmax_gap_and_differential() -> Iterator[Step]:
    stationary = W.rule("x = T log y + c1", x, heat * l + e * c)
    entries = W.rule("κ", W.T(e) * k, W.T(z) * m - W.T(z) * l)
    gap = [-W.T(x) * z, heat * W.T(z) * m, W.T(x) * y, -heat * W.T(y) * l]
    ones = Nonnegative(e, "T > 0")
    signed = Nonnegative(k, "κ_i = z_i log(z_i/y_i) − z_i + y_i ≥ 0")
    terms = (product(W, ones, signed, times=heat),)
    first, _ = nonnegative(W, gap, terms, stationary, *SUMS, entries)
    rule = "x = T log y + c1, and Σz = Σy = 1"
    yield Step("F(z) - F(y)", first.rhs, rule)
    # T d log y = dx − 1dc, and dy = D(y) d log y
    moves = W.rule("dy = D(y) d(log y)", Y * dl, dy)
    logs = (Y * dx - Y * e * dc) / heat
    assert W.equal(Y * (heat * dl + e * dc), [heat * dy, Y * e * dc], moves)
    change = W.rule("x = T log y + c1, differentiated", dy, logs)
    diagonal = W.rule("D(y)1 = y", Y * e, y)
    balance = W.T(y) * dx - dc
    assert W.equal(heat * W.T(e) * dy, balance, change, diagonal, SUMS[1])
    solved = W.rule("the entries add up to 1", dc, W.T(y) * dx)
    assert W.equal(balance, 0, solved)
    links = (
        Link([Y * dx / heat, -y * dc / heat], change.name, (change, diagonal)),
        Link([Y * dx / heat, -y * W.T(y) * dx / heat], solved.name, (solved,)),
    )
    yield from chain(W, dy, *links)


def generic(T: sp.Expr, size: int = 3) -> tuple[sp.Matrix, sp.Matrix]:
    """Generic x and softmax(x/T)."""
    entries = sp.Matrix(sp.symbols(f"x1:{size + 1}", real=True))
    weights = (entries / T).applyfunc(sp.exp)
    return entries, weights / sum(weights)


def assert_generic_jacobian(temperature: sp.Expr) -> None:
    """Both derivatives of softmax at size 3, with x, T free; exact differentiation."""
    entries, found = generic(heat)
    stated = (sp.diag(*found) - found * found.T) / temperature
    error = found.jacobian(entries) - stated
    at = [(heat, 2), (entries[0], 0), (entries[1], 1), (entries[2], 3)]
    off = sp.sympify(error[0, 0]).subs(at)
    assert abs(off.evalf(30)) < EXACT, f"at T = 2, x = (0, 1, 3) off by {off.n(3)}"
    assert not any(error.applyfunc(sp.simplify)), "the Jacobian in x"
    error = found.diff(heat) + stated * entries / temperature
    assert not any(error.applyfunc(sp.simplify)), "the derivative in T"


@softmax_argmin.check(Evidence.SYMBOLIC)
def softmax_derivatives_at_size_three() -> None:
    assert_divergence_signed()
    assert_generic_jacobian(heat)


def assert_lowest(
    x: np.ndarray, T: float, others: list[np.ndarray], y: np.ndarray | None = None
) -> None:
    """No other point lies below softmax(x/T); the gap is T times the divergence."""
    y = activations.softmax(x, T) if y is None else y

    def F(p: np.ndarray) -> float:
        return float(-x @ p + T * p @ np.log(p))

    for other in others:
        gap = F(other) - F(y)
        stated = T * float(np.sum(other * np.log(other / y) - other + y))
        assert abs(gap - stated) < CLOSE * (1 + abs(gap)), f"{gap} is not {stated}"
        assert gap >= -CLOSE, f"a point lies {-gap} lower"


def vectors(seed: int) -> list[np.ndarray]:
    """Positive vectors with unit sum."""
    return list(np.random.default_rng(seed).dirichlet(np.ones(3), 8))


@softmax_argmin.check(Evidence.NUMERIC)
def softmax_is_lowest_and_its_jacobian_right() -> None:
    for x_ in REGIMES.values():
        for T in (0.5, 1.0, 3.0):
            assert_lowest(x_, T, vectors(0))
            assert_jacobian(
                lambda t, T=T: activations.softmax(t, T),
                lambda t, T=T: activations.softmax_jacobian(t, T),
                x_,
            )


@softmax_argmin.control(mutant="the factor 1/T forgotten")
def temperature_forgotten() -> None:
    assert_generic_jacobian(sp.S.One)


@softmax_argmin.control(mutant="diag(y)/T, without -yyᵀ")
def rows_do_not_add_up_to_zero() -> None:
    assert_jacobian(
        activations.softmax,
        lambda t: np.diag(activations.softmax(t)),
        REGIMES["moderate"],
    )


@softmax_argmin.control(dropped="Σz = 1: the vector is twice as long")
def sum_of_two() -> None:
    x_ = REGIMES["moderate"]
    others = [2 * p for p in vectors(0)]
    require(all(np.all(p > 0) for p in others), "z > 0")
    assert_lowest(x_, 1.0, others)


@softmax_argmin.control(dropped="T > 0: T = -1 makes it the highest point")
def negative_temperature() -> None:
    x_ = REGIMES["moderate"]
    weights = np.exp(-x_)
    require(all(abs(p.sum() - 1) < CLOSE for p in vectors(0)), "Σz = 1")
    assert_lowest(x_, -1.0, vectors(0), weights / weights.sum())
