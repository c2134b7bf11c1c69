"""The central path as a smooth stand-in for the solution, and how far off it is.

Chapter: nonsmooth.md.  Theorems: central-path-smoothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.problems import QP
from companion.proofs.qp import numeric
from companion.proofs.registry import Evidence, Step, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

central_path_smoothing = theorem(
    "central-path-smoothing",
    claim=(
        "For min ½x² + qx, x ≥ 0 the point with x lam = mu is x(q, mu) = (-q + √(q² + "
        "4mu))/2.  Its slope in q is -½(1 - q/√(q² + 4mu)): -½ at q = 0 for every mu, "
        "and within mu/q² of the slope of max(0, -q) for q ≠ 0; x(q, mu) - max(0, -q) "
        "lies in (0, √mu].  In min ½xᵀPx + qᵀx, gx ≤ 0 with P ≻ 0 the slope at q = 0 "
        "is, for every mu and every length of g, the mean of the two Jacobians of the "
        "solution.  The slope of x(., mu) is not a derivative of the solution."
    ),
    source="tracy2024differentiability",
    implements=(kkt.central_path, kkt.central_derivative),
    uses=("log-barrier",),
)

W = alphabet(
    constant="P H g k m",
    latex={"H": "P^{-1}", "k": r"\kappa", "m": r"\kappa^{-1}"},
    P="n n symmetric",
    H="n n symmetric",
    g="one n",
    k="one one symmetric",
    m="one one symmetric",
)
P_, H_, G_, K_, M_ = W("P H g k m")
RULES = (
    W.inverse("P P⁻¹ = I", P_, H_),
    W.rule("gP⁻¹gᵀ = κ", G_ * H_ * W.T(G_), K_),
    W.inverse("κκ⁻¹ = 1", K_, M_),
)


@central_path_smoothing.derivation
def mean_of_the_two_jacobians() -> Iterator[Step]:
    """At q = 0 the path has s = κ lam, so the matrix of its slope is P + κ⁻¹gᵀg."""
    T, half = W.T, sp.Rational(1, 2)
    correction = H_ * T(G_) * M_ * G_ * H_
    mean = half * (H_ + (H_ - correction))
    links = (Link(sp.S.One, "P P⁻¹ = I and gP⁻¹gᵀ = κ", RULES),)
    name = (
        r"(P+\kappa^{-1}g^{\mathsf T}g)\cdot\tfrac12\bigl(P^{-1}"
        r"+(P^{-1}-P^{-1}g^{\mathsf T}\kappa^{-1}g\,P^{-1})\bigr)"
    )
    yield from chain(W, (P_ + T(G_) * M_ * G_) * mean, *links, name=name)
    held = Link(sp.S.Zero, "the second Jacobian keeps g d = 0", RULES)
    yield from chain(
        W, G_ * (H_ - correction), held,
        name=r"g\,(P^{-1}-P^{-1}g^{\mathsf T}\kappa^{-1}g\,P^{-1})",
    )  # fmt: skip


Q, MU, R, A = sp.symbols("q mu r a", positive=True)  # r = √(q² + 4mu), r = q + a


def path(q: sp.Expr, mu: sp.Expr) -> sp.Expr:
    """The chapter's x(q, mu)."""
    return (-q + sp.sqrt(q**2 + 4 * mu)) / 2


def slope(q: sp.Expr, mu: sp.Expr) -> sp.Expr:
    """The chapter's slope of x(q, mu) in q."""
    return -(1 - q / sp.sqrt(q**2 + 4 * mu)) / 2


@central_path_smoothing.check(Evidence.SYMBOLIC)
def closed_form() -> None:
    q = sp.Symbol("q", real=True)
    x = path(q, MU)
    assert sp.expand(x * (x + q)) == MU
    assert sp.simplify(sp.diff(x, q) - slope(q, MU)) == 0
    assert slope(sp.S.Zero, MU) == -sp.Rational(1, 2)
    assert path(sp.S.Zero, MU) == sp.sqrt(MU)


def assert_error(rate: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> None:
    """The rate minus the error of the slope is a quotient of positive terms.

    For q > 0 the error is (r - q)/(2r), and for -q it is the same; mu = (r² - q²)/4.
    """
    error, mu = (R - Q) / (2 * R), (R**2 - Q**2) / 4
    left = sp.factor((rate(Q, mu) - error).subs(R, Q + A))
    assert left.is_nonnegative, f"{left} may be negative"
    for sign in (1, -1):
        true = sp.S.Zero if sign > 0 else -sp.S.One
        found = sp.Abs(slope(sign * Q, MU) - true) - error.subs(
            R, sp.sqrt(Q**2 + 4 * MU)
        )
        values = {Q: sp.Rational(3, 7), MU: sp.Rational(10, 49)}  # r = 1
        assert sp.simplify(found.subs(values)) == 0


@central_path_smoothing.check(Evidence.SYMBOLIC)
def slope_is_within_mu_over_q_squared() -> None:
    assert_error(lambda q, mu: mu / q**2)


@central_path_smoothing.check(Evidence.SYMBOLIC)
def forward_error_is_at_most_root_mu() -> None:
    """The gap is (r - |q|)/2 > 0, and mu minus its square is q(r - q)/2."""
    gap, mu = (R - Q) / 2, (R**2 - Q**2) / 4
    assert gap.subs(R, Q + A).is_positive
    assert sp.expand((mu - gap**2).subs(R, Q + A)).is_nonnegative


def value(q: np.ndarray, mu: float) -> np.ndarray:
    """x(q, mu) in floating point, the solution itself for mu = 0."""
    return (-q + np.sqrt(q * q + 4 * mu)) / 2


def assert_pair(forward_mu: float, backward_mu: float, q: float) -> None:
    """Second order of the remainder of x(., forward) with the slope at backward."""
    at = np.array([q])
    root = np.sqrt(at * at + 4 * backward_mu)
    claim = -(1 - at / root) / 2
    v = np.array([0.05])
    report = gradcheck.taylor(lambda p: value(p, forward_mu), at, v, claim * v)
    assert report.passes, f"order {report.order:.2f}"


POINTS = (-1.0, -0.1, 0.0, 0.1, 1.0)


@central_path_smoothing.check(Evidence.NUMERIC)
def same_mu_forward_and_backward() -> None:
    for q in POINTS:
        for mu in (1e-1, 1e-2):
            assert_pair(mu, mu, q)


@central_path_smoothing.check(Evidence.NUMERIC)
def reference_is_the_mean_at_the_kink() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((3, 3))
    P, g = root @ root.T + np.eye(3), rng.standard_normal(3)
    H = np.linalg.inv(P)
    mean = H - np.outer(H @ g, H @ g) / (2 * g @ H @ g)
    e = rng.standard_normal(3)
    for length in (0.1, 1.0, 10.0):
        problem = QP(P, np.zeros(3), G=length * g[None], h=np.zeros(1))
        zero = problem.map(np.zeros_like)
        along = QP(zero.P, e, zero.A, zero.b, zero.G, zero.h)
        for mu in (1e-2, 1e-6):
            z = kkt.central_path(problem, mu)
            found = kkt.central_derivative(problem, z, along).x
            numeric.assert_close(found, -mean @ e, f"length {length}, mu {mu}")


@central_path_smoothing.control(mutant="the error of the slope is at most mu/(4q²)")
def rate_too_good() -> None:
    assert_error(lambda q, mu: mu / (4 * q**2))


@central_path_smoothing.control(
    mutant="the solution forward, the smooth slope backward"
)
def inconsistent_pair() -> None:
    assert_pair(0.0, 1e-2, 0.1)


@central_path_smoothing.control(mutant="one mu forward, another backward")
def two_mus() -> None:
    assert_pair(1e-1, 1e-2, 0.1)


def assert_converges(q: sp.Expr) -> None:
    """The slope comes within a tenth of a slope of max(0, -q) as mu falls."""
    true = sp.S.Zero if q > 0 else -sp.S.One
    error = abs(slope(q, sp.Rational(1, 10**8)) - true)
    assert error < sp.Rational(1, 10), f"the error stays at {float(error)}"


@central_path_smoothing.check(Evidence.EXACT)
def converges_away_from_the_kink() -> None:
    for q in (sp.Rational(1, 100), -sp.Rational(1, 100)):
        assert_converges(q)


@central_path_smoothing.control(dropped="q ≠ 0")
def does_not_converge_at_the_kink() -> None:
    assert_converges(sp.S.Zero)
