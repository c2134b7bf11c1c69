"""Multipliers certify: a KKT point of a convex program is a minimizer.

Chapter: kkt.md.  Theorems: kkt-sufficient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from companion.proofs.inequalities import Nonnegative, Term, nonnegative, product
from companion.proofs.qp import numeric
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

kkt_sufficient = theorem(
    "kkt-sufficient",
    claim=(
        "At a KKT point x of min f over g(z) ≤ 0, Az = b, every z with Az = b has "
        "f(z) - f(x) = [f(z) - f(x) - ∇f(x)ᵀ(z-x)] + lamᵀ[g(z) - g(x) - Dg(x)(z-x)] "
        "- lamᵀg(z); each term is nonnegative if f and g are convex, lam ≥ 0, g(z) ≤ 0."
    ),
    source="boyd2004convex",
    implements=(kkt.violations,),
    uses=("first-order-convexity",),
)

# c and J are the derivatives of f and g at x; values at x and at z are letters too.
W = alphabet(
    latex={
        "fx": "f(x)",
        "fz": "f(z)",
        "gx": "g(x)",
        "gz": "g(z)",
        "c": r"\nabla f",
        "J": r"\mathrm{D}g",
        "lam": r"\lambda",
        "nu": r"\nu",
    },
    fx="1 1",
    fz="1 1",
    gx="m 1",
    gz="m 1",
    c="n 1",
    J="m n",
    A="p n",
    b="p 1",
    lam="m 1",
    nu="p 1",
    x="n 1",
    z="n 1",
)
fx, fz, gx, gz, c, J, A, b, lam, nu, x, z = W("fx fz gx gz c J A b lam nu x z")
T = W.T

STATIONARY = W.rule("stationarity", c, [-T(J) * lam, -T(A) * nu])
FEASIBLE = W.rule("Ax = b", A * x, b)
ANY_POINT = W.rule("Az = b", A * z, b)
SLACK = W.rule("complementary slackness", T(lam) * gx, sp.S.Zero)

POSITIVE = Nonnegative(lam, "λ ≥ 0")
TERMS = (
    Term(fz - fx - T(c) * (z - x), "f lies above its tangent at x"),
    product(W, POSITIVE, Nonnegative(gz - gx - J * (z - x), "so does every g_i")),
    product(W, POSITIVE, Nonnegative(-gz, "z is feasible")),
)


@kkt_sufficient.derivation
def gap() -> Iterator[Step]:
    bend = [fz, -fx, -T(c) * z, T(c) * x]
    forces = [-T(lam) * J * z, T(lam) * J * x]
    links = (
        Link([*bend, T(c) * z, -T(c) * x], "add and subtract the tangent of f"),
        Link(
            [*bend, *forces, -T(nu) * A * z, T(nu) * A * x],
            "stationarity",
            (STATIONARY,),
            trace=True,
        ),
        Link([*bend, *forces], "Az = b = Ax", (FEASIBLE, ANY_POINT)),
        Link(
            [*bend, T(lam) * gz, -T(lam) * gx, *forces, -T(lam) * gz],
            "λᵀg(x) = 0, and λᵀg(z) taken out and put back",
            (SLACK,),
        ),
    )
    yield from chain(W, [fz, -fx], *links)
    hypotheses = (STATIONARY, FEASIBLE, ANY_POINT, SLACK)
    assert list(nonnegative(W, [fz, -fx], TERMS, *hypotheses)), "no term has a sign"


@dataclass(frozen=True, eq=False)
class Program:
    """Quadratics f and g_i, rows A, and a point with its multipliers."""

    f: sp.Expr
    g: tuple[sp.Expr, ...]
    A: sp.Matrix
    b: sp.Matrix
    x: sp.Matrix
    lam: sp.Matrix
    nu: sp.Matrix

    @property
    def letters(self) -> list[sp.Symbol]:
        """The variables, one for each entry of x."""
        return list(sp.symbols(f"z:{self.x.rows}"))


def value(i: Program, of: sp.Expr, point: sp.Matrix) -> sp.Expr:
    return sp.sympify(of).subs(dict(zip(i.letters, point, strict=True)))


def slope(i: Program, of: sp.Expr, point: sp.Matrix) -> sp.Matrix:
    return sp.Matrix([value(i, sp.diff(of, letter), point) for letter in i.letters])


def stationary(i: Program) -> bool:
    """∇f + Σ lam_i ∇g_i + Aᵀnu = 0, Ax = b, g(x) ≤ 0 and lam_i g_i(x) = 0."""
    forces = slope(i, i.f, i.x) + i.A.T * i.nu
    for price, g in zip(i.lam, i.g, strict=True):
        forces += price * slope(i, g, i.x)
    at = [value(i, g, i.x) for g in i.g]
    slack = [price * v for price, v in zip(i.lam, at, strict=True)]
    return not any([*forces, *(i.A * i.x - i.b), *slack]) and bool(max(at) <= 0)


def assert_certified(i: Program, points: list[sp.Matrix], price: int = 1) -> None:
    """At each feasible point the gap is the sum of the three terms, none negative.

    `price` multiplies the last term, for a mutant.
    """

    def bend(of: sp.Expr, point: sp.Matrix) -> sp.Expr:
        tangent = slope(i, of, i.x).dot(point - i.x)
        return value(i, of, point) - value(i, of, i.x) - tangent

    for y in points:
        walls = [-value(i, g, y) for g in i.g]
        require(not any(i.A * y - i.b) and min(walls) >= 0, "the point is feasible")
        bends = [p * bend(g, y) for p, g in zip(i.lam, i.g, strict=True)]
        room = [price * p * s for p, s in zip(i.lam, walls, strict=True)]
        terms = [bend(i.f, y), *bends, *room]
        gained = value(i, i.f, y) - value(i, i.f, i.x)
        assert gained == sum(terms), f"the gap {gained} is not the sum {sum(terms)}"
        assert min(terms) >= 0, f"a term is {min(terms)}; f changes by {gained}"


z0, z1, z2 = sp.symbols("z:3")
QCQP = Program(  # a ball and a parabola hold the point, a third constraint does not
    f=z0**2 + z1**2 / 2 + z2**2 / 2 - 3 * z1 - 7 * z2,
    g=(z0**2 + z1**2 + z2**2 - 9, z2**2 - 2 * z0 - 2, z0**2 - z1),
    A=sp.ones(1, 3),
    b=sp.Matrix([5]),
    x=sp.Matrix([1, 2, 2]),
    lam=sp.Matrix([sp.Rational(1, 2), 1, 0]),
    nu=sp.Matrix([-1]),
)


def feasible_points(i: Program) -> list[sp.Matrix]:
    """Rational points near x on Az = b with g ≤ 0."""
    found = []
    for a in range(-8, 9):
        for d in range(-8, 9):
            y = i.x + sp.Matrix([a, d, -a - d]) / 8
            if max(value(i, g, y) for g in i.g) <= 0:
                found.append(y)
    return found


@kkt_sufficient.check(Evidence.EXACT)
def quadratically_constrained_instance() -> None:
    require(stationary(QCQP), "the point satisfies the KKT equations")
    points = feasible_points(QCQP)
    require(len(points) > 10, "there are points to compare with")
    assert_certified(QCQP, points)


@kkt_sufficient.check(Evidence.NUMERIC)
def log_sum_exp_in_a_ball() -> None:
    """Minimize log Σ exp(Mz) + qᵀz over ‖z‖² ≤ ‖x‖², built backwards from x and lam."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        M, point, price = rng.normal(size=(6, 3)), rng.normal(size=3), rng.uniform(0, 2)
        weights = np.exp(M @ point) / np.exp(M @ point).sum()
        q = -(M.T @ weights + 2 * price * point)

        def f(y: np.ndarray, M: np.ndarray = M, q: np.ndarray = q) -> float:
            return float(np.log(np.exp(M @ y).sum()) + q @ y)

        radius = np.linalg.norm(point)
        for y in rng.normal(size=(50, 3)):
            y *= radius * rng.uniform() / np.linalg.norm(y)
            tangent = (M.T @ weights + q) @ (y - point)
            terms = [
                f(y) - f(point) - tangent,
                price * (y - point) @ (y - point),
                price * (radius**2 - y @ y),
            ]
            numeric.assert_close(f(y) - f(point), sum(terms), "the gap")
            assert min(terms) >= -1e-12


@kkt_sufficient.control(mutant="+lamᵀg(z) for -lamᵀg(z)")
def sign_of_the_price() -> None:
    assert_certified(QCQP, feasible_points(QCQP), price=-1)


def _line(f: sp.Expr, g: tuple[sp.Expr, ...], at: int, lam: Sequence) -> Program:
    """One variable, no equality."""
    one = sp.Matrix([at])
    return Program(
        f, g, sp.zeros(0, 1), sp.zeros(0, 1), one, sp.Matrix(lam), sp.zeros(0, 1)
    )


@kkt_sufficient.control(dropped="f convex: f = -z² on [-1, 1], at x = 0")
def concave_objective() -> None:
    i = _line(-(z0**2), (z0 - 1, -z0 - 1), 0, [0, 0])
    require(stationary(i) and min(i.lam) >= 0, "the KKT conditions at 0")
    assert_certified(i, [sp.Matrix([1])])


@kkt_sufficient.control(dropped="g convex: min z over 1 - z² ≤ 0, at x = 1")
def outside_of_an_interval() -> None:
    i = _line(z0, (1 - z0**2,), 1, [sp.Rational(1, 2)])
    require(stationary(i) and min(i.lam) >= 0, "the KKT conditions at 1")
    assert_certified(i, [sp.Matrix([-2])])


@kkt_sufficient.control(dropped="lam ≥ 0: min ½z² over z ≤ 1, at x = 1 with lam = -1")
def a_wall_that_pulls() -> None:
    i = _line(z0**2 / 2, (z0 - 1,), 1, [-1])
    require(stationary(i), "every condition but the sign")
    assert_certified(i, [sp.Matrix([0])])
