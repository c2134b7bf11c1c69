"""Three residuals of complementary slackness, and the one derivative that they give.

Chapter: kkt.md.  Theorems: complementarity-functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.gradcheck import taylor
from companion.problems import QP, QPSolution
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import FIELDS, MASTER
from companion.proofs.registry import Evidence, Step, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference.kkt import complementarity as code
from companion.reference.kkt import conditions

complementarity_functions = theorem(
    "complementarity-functions",
    claim=(
        "min(lam, s) and lam + s - √(lam² + s²) vanish exactly where lam ≥ 0, s ≥ 0 "
        "and lam s = 0.  Where exactly one of lam, s is zero and the other positive, "
        "their gradients and that of lam s are positive multiples of each other, and "
        "rows so scaled give the same differential of the solution, for every size."
    ),
    source="fischer1992special",
    implements=(
        code.product,
        code.minimum,
        code.fischer_burmeister,
        conditions.jacobian,
    ),
    uses=("qp-differential", "residual-rescaling"),
)

W = alphabet(
    constant="W H N F",
    latex={"W": "D(w)", "H": "D(w)^{-1}", "N": r"\Phi_s", "F": r"\Phi_\lambda",
           "dx": r"\mathrm{d}x", "r": r"\rho", "y": r"\mathrm{d}\lambda",
           "u": r"\mathrm{d}x"},
    W="m m symmetric",
    H="m m symmetric",
    N="m m symmetric",
    F="m m symmetric",
    G="m n",
    u="n 1",
    y="m 1",
    r="m 1",
)  # fmt: skip


@complementarity_functions.derivation
def scaled_rows() -> Iterator[Step]:
    """D(w) times the rows of one residual: the factor leaves the solutions alone."""
    Wt, H, N, F, G, u, y, r = W("W H N F G u y r")
    unit = W.inverse("D(w)⁻¹D(w) = 1", Wt, H)
    row = [F * y, -N * G * u, N * r]
    scaled = [H * Wt * term for term in row]
    yield from chain(W, scaled, Link(row, "every weight is positive", (unit,)))


lam, s, t = sp.symbols("lambda s t", real=True)
Function = Callable[[sp.Expr, sp.Expr], sp.Expr]
FUNCTIONS: dict[str, Function] = {
    "product": lambda a, c: a * c,
    "minimum": lambda a, c: (a + c - sp.sqrt((a - c) ** 2)) / 2,
    "Fischer-Burmeister": lambda a, c: a + c - sp.sqrt(a**2 + c**2),
}
GRID = [sp.Rational(k, 2) for k in range(-4, 5)]


def assert_zeros(phi: Function) -> None:
    """The zeros are exactly lam ≥ 0, s ≥ 0 with lam s = 0, on a rational grid."""
    for a in GRID:
        for c in GRID:
            wanted = a >= 0 and c >= 0 and a * c == 0
            assert (phi(a, c) == 0) == wanted, f"at {a}, {c} it is {phi(a, c)}"


@complementarity_functions.check(Evidence.SYMBOLIC)
def zeros() -> None:
    """(lam + s)² - (lam² + s²) = 2 lam s; and min by the two orders of lam and s."""
    fb = FUNCTIONS["Fischer-Burmeister"]
    radius = sp.sqrt(lam**2 + s**2)
    assert sp.expand(fb(lam, s) * (lam + s + radius) - 2 * lam * s) == 0
    # at a zero lam + s = radius ≥ 0, and lam s = 0 by the identity: one is zero, the
    # other not negative; conversely, on the two half-lines phi is zero:
    a = sp.Symbol("a", nonnegative=True)
    for phi in (fb, FUNCTIONS["minimum"]):
        assert phi(a, sp.S.Zero) == 0
        assert phi(sp.S.Zero, a) == 0
        assert_zeros(phi)


def slope(phi: Function, at: tuple, direction: tuple) -> sp.Expr:
    """The one-sided slope of phi along a direction."""
    step = sp.Symbol("t", positive=True)
    ahead = phi(at[0] + step * direction[0], at[1] + step * direction[1])
    return sp.limit((ahead - phi(*at)) / step, step, 0, "+")


def assert_same_row(at: tuple) -> None:
    """At this point all three have a gradient, positive multiples of each other.

    The slopes along two axes and a diagonal, forwards and backwards, are compared.
    """
    axes = ((1, 0), (0, 1), (1, 1))
    for name, phi in FUNCTIONS.items():
        ahead = [slope(phi, at, d) for d in axes]
        back = [slope(phi, at, tuple(-v for v in d)) for d in axes]
        assert ahead == [-v for v in back], f"{name} has a kink: {ahead}, {back}"
        assert ahead[2] == ahead[0] + ahead[1], f"{name} is not linear: {ahead}"
        still = 0 if at[0] > 0 else 1  # the coordinate along which nothing happens
        assert ahead[still] == 0, f"{name} moves along the half-line"
        assert ahead[1 - still] > 0, f"{name} has a zero gradient"


@complementarity_functions.check(Evidence.EXACT)
def gradients_are_multiples() -> None:
    for size in (sp.Rational(1, 3), sp.S.One, sp.Integer(5)):
        assert_same_row((size, sp.S.Zero))
        assert_same_row((sp.S.Zero, size))


def gradient(phi: Function, a: sp.Expr, c: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The gradient in lam and s, from the slopes forwards."""
    return slope(phi, (a, c), (1, 0)), slope(phi, (a, c), (0, 1))


def assert_same_speed(phi: Function) -> None:
    """The exact derivatives of the master instance solve phi's own system."""
    i = MASTER
    pairs = [gradient(phi, a, c) for a, c in zip(i.lam, i.slack, strict=True)]
    F, N = (sp.diag(*column) for column in zip(*pairs, strict=True))
    n, m = i.P.rows, i.G.rows
    for name in FIELDS:
        for E, speed in instances.master_speeds(name):
            zero = {k: sp.zeros(*getattr(i, k).shape) for k in ("G", "h")}
            e = {**zero, name: E}
            room = e["h"] - e["G"] * i.x - i.G * speed[:n, :]
            row = F * speed[n : n + m, :] + N * room
            assert not any(row), f"the rows in the direction of d{name}: {list(row)}"


@complementarity_functions.check(Evidence.EXACT)
def one_derivative_of_the_master_instance() -> None:
    for phi in FUNCTIONS.values():
        assert_same_speed(phi)


def weights(name: str, known: QPSolution) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives in lam and s of one of the functions, at a regular point."""
    a, c = known.lam, known.slack
    if name == "product":
        return c, a
    if name == "minimum":
        return (a < c).astype(float), (a > c).astype(float)
    radius = np.hypot(a, c)
    return 1 - a / radius, 1 - c / radius


def speed_of(problem: QP, known: QPSolution, step: np.ndarray, name: str) -> np.ndarray:
    """(dx, dlam, dnu) along a displacement of the data, by one of the residuals."""
    tangent = numeric.unflat(problem, step)
    F, N = weights(name, known)
    x, nu = known.x, known.nu
    n, m, p = problem.n, problem.m, problem.p
    K = np.zeros((n + m + p, n + m + p))
    K[:n] = np.hstack([problem.P, problem.G.T, problem.A.T])
    K[n : n + m, : n + m] = np.hstack([-N[:, None] * problem.G, np.diag(F)])
    K[n + m :, :n] = problem.A
    force = tangent.P @ x + tangent.q + tangent.A.T @ nu + tangent.G.T @ known.lam
    lower = -N * (tangent.h - tangent.G @ x)
    return np.linalg.solve(K, np.r_[-force, lower, tangent.b - tangent.A @ x])


@complementarity_functions.check(Evidence.NUMERIC)
def three_systems_one_solution() -> None:
    """In every regular regime; and the curve φ(lam(t), s(t)) has Taylor order 2."""
    for problem, known in numeric.regular():
        step = numeric.direction(problem, known, np.random.default_rng(3))
        speeds = [
            speed_of(problem, known, step, name)
            for name in ("product", "minimum", "Fischer-Burmeister")
        ]
        for other in speeds[1:]:
            numeric.assert_close(other, speeds[0], "the speed")
    rng = np.random.default_rng(4)
    known_functions = (code.product, code.minimum, code.fischer_burmeister)
    for at in (np.array([1.3, 0.0]), np.array([0.0, 0.7])):
        direction = rng.normal(size=2)
        for phi, weight in zip(known_functions, (at.sum(), 1.0, 1.0), strict=True):
            claimed = weight * direction[0 if at[0] == 0 else 1]
            report = taylor(lambda v, phi=phi: phi(*v), at, direction, claimed)
            assert report.passes, report


@complementarity_functions.control(mutant="a plus before the root")
def plus_root() -> None:
    assert_zeros(lambda a, c: a + c + sp.sqrt(a**2 + c**2))


@complementarity_functions.control(dropped="signs of lam and s, for the product")
def product_alone() -> None:
    assert_zeros(FUNCTIONS["product"])


@complementarity_functions.control(mutant="max for min")
def maximum() -> None:
    assert_same_speed(lambda a, c: (a + c + sp.sqrt((a - c) ** 2)) / 2)


@complementarity_functions.control(dropped="one of lam, s positive: both zero")
def corner() -> None:
    assert_same_row((sp.S.Zero, sp.S.Zero))
