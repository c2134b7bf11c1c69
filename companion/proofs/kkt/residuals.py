"""What a residual says: it depends on units, and bounds the error in the right ones.

Chapter: kkt.md.  Theorems: kkt-scaling, kkt-error-bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import sympy as sp

from companion.problems import QP, QPSolution
from companion.proofs.inequalities import (
    Nonnegative,
    Semidefinite,
    nonnegative,
    product,
    square,
)
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt
from companion.reference import qp as reference

# ------------------------------------------------------------------ kkt-scaling
kkt_scaling = theorem(
    "kkt-scaling",
    claim=(
        "If (x, nu, lam) satisfies the KKT conditions, then with rows (G_i, h_i) "
        "multiplied by c_i > 0 (x, nu, lam_i/c_i) does, and with (P, q) multiplied by "
        "alpha > 0 (x, alpha nu, alpha lam) does.  The margins of regularity, for rows "
        "of norm one, do not change with c."
    ),
    source="boyd2004convex",
    implements=(kkt.residual, kkt.regularity),
    uses=("qp-optimality",),
)

W = alphabet(
    latex={
        "lam": r"\lambda", "nu": r"\nu", "D": "D(c)", "E": "D(c)^{-1}",
        "y": r"\hat x", "om": r"\hat\nu", "ka": r"\hat\lambda", "t": r"\hat s",
        "M": r"(P-\mu I)",
    },
    P="n n symmetric",
    M="n n symmetric",
    q="n 1",
    A="p n",
    b="p 1",
    G="m n",
    h="m 1",
    x="n 1",
    nu="p 1",
    lam="m 1",
    D="m m symmetric",
    E="m m symmetric",
    y="n 1",  # an approximate solution with its multipliers om, ka
    om="p 1",
    ka="m 1",
    r="n 1",  # what is left of stationarity there
    s="m 1",  # slack of x
    t="m 1",  # slack of y
    e="n 1",  # y - x
)  # fmt: skip
P, M, q, A, b, G, h, x, nu, lam, D, E, y, om, ka, r, s, t, e = W(
    "P M q A b G h x nu lam D E y om ka r s t e"
)
T = W.T
STATIONARY = W.rule("stationarity", P * x, [-q, -T(A) * nu, -T(G) * lam])
UNIT = W.inverse("D(c)⁻¹D(c) = 1", D, E)


@kkt_scaling.derivation
def scaled_conditions() -> Iterator[Step]:
    alpha = sp.Symbol("alpha", positive=True)
    row = [P * x, q, T(A) * nu, T(D * G) * (E * lam)]
    links = (
        Link([P * x, q, T(A) * nu, T(G) * lam], "D(c)D(c)⁻¹ = 1", (UNIT,)),
        Link(sp.S.Zero, "stationarity", (STATIONARY,)),
    )
    yield from chain(W, row, *links)
    work = [T(E * lam) * D * G * x, -T(E * lam) * D * h]
    kept = Link([T(lam) * G * x, -T(lam) * h], "D(c)⁻¹D(c) = 1", (UNIT,))
    yield from chain(W, work, kept)
    forces = [alpha * P * x, alpha * q, T(A) * (alpha * nu), T(G) * (alpha * lam)]
    yield from chain(W, forces, Link(sp.S.Zero, "stationarity", (STATIONARY,)))


def assert_scaled(i: Instance, c: list[sp.Expr], power: int = -1) -> None:
    """Rows times c, multipliers times c to the power -1, satisfy the conditions."""
    C = sp.diag(*c)
    prices = sp.diag(*(v**power for v in c)) * i.lam
    j = replace(i, G=C * i.G, h=C * i.h, lam=prices)
    assert instances.satisfies_kkt(j), "the scaled point is no KKT point"


@kkt_scaling.check(Evidence.EXACT)
def scaled_instances() -> None:
    rng = np.random.default_rng(0)
    for i in (MASTER, *(instances.random_instance(rng) for _ in range(20))):
        factors = instances.integers(rng, i.lam.rows, 1, low=1, high=6) / 3
        assert_scaled(i, list(factors))
        alpha = sp.Rational(3, 7)
        j = replace(i, P=alpha * i.P, q=alpha * i.q, nu=alpha * i.nu, lam=alpha * i.lam)
        assert instances.satisfies_kkt(j)


@kkt_scaling.check(Evidence.NUMERIC)
def scaled_problems_have_scaled_prices() -> None:
    for problem, known in numeric.regular():
        c = np.random.default_rng(2).uniform(0.1, 10, problem.m)
        P, q, A, b, G, h = problem.fields
        scaled = QP(P, q, A, b, c[:, None] * G, c * h)
        sol = reference.solve(scaled)
        numeric.assert_close(sol.x, known.x, "x")
        numeric.assert_close(sol.lam, known.lam / c, "lam")
        moved = QPSolution(
            known.x, known.nu, known.lam / c, known.slack * c, known.value, known.status
        )
        pair = kkt.regularity(problem, known), kkt.regularity(scaled, moved)
        for name in ("strict_complementarity", "licq", "curvature", "condition"):
            numeric.assert_close(getattr(pair[0], name), getattr(pair[1], name), name)


@kkt_scaling.control(mutant="multipliers multiplied by c")
def multiplied() -> None:
    assert_scaled(MASTER, [sp.Integer(3), sp.S.One], power=1)


@kkt_scaling.control(dropped="c > 0: a row multiplied by -2")
def reversed_row() -> None:
    require(instances.satisfies_kkt(MASTER), "the KKT conditions before")
    assert_scaled(MASTER, [sp.Integer(-2), sp.S.One])


# -------------------------------------------------------------- kkt-error-bound
kkt_error_bound = theorem(
    "kkt-error-bound",
    claim=(
        "Let P - mu I ⪰ 0 with mu > 0, let y be feasible with slack t and multipliers "
        "om, ka ≥ 0, and r = Py + q + Aᵀom + Gᵀka.  Then rᵀ(y-x) + kaᵀt - mu‖y-x‖² is "
        "a sum of three nonnegative terms, x being the solution, so that "
        "‖y-x‖ ≤ ‖r‖/mu + √(kaᵀt/mu)."
    ),
    source="boyd2004convex",
    implements=(kkt.residual,),
    uses=("qp-optimality", "strongly-convex-minimizer"),
)

mu = sp.Symbol("mu", positive=True)
LEFT = W.rule("definition of r", r, [P * y, q, T(A) * om, T(G) * ka])
FEASIBLE = (W.rule("Ax = b", A * x, b), W.rule("Ay = b", A * y, b))
SLACKS = (W.rule("slack of x", G * x, h - s), W.rule("slack of y", G * y, h - t))
COMPLEMENTARY = W.rule("complementary slackness", T(lam) * s, sp.S.Zero)
OPTIMAL = W.rule("stationarity at x", q, [-P * x, -T(A) * nu, -T(G) * lam])


@kkt_error_bound.derivation
def error_terms() -> Iterator[Step]:
    """In the letter e for y - x; each rule in e is first derived for y - x."""
    pushes = [T(A) * om, -T(A) * nu, T(G) * ka, -T(G) * lam]
    assert W.equal(r, [P * (y - x), *pushes], LEFT, OPTIMAL)
    assert W.equal(A * (y - x), 0, *FEASIBLE)
    assert W.equal(G * (y - x), s - t, *SLACKS)
    force = W.rule("r, with e", r, [P * e, *pushes])
    rails, walls = W.rule("Ae", A * e, sp.S.Zero), W.rule("Ge", G * e, s - t)
    curved = W.rule("P", P, M + mu)
    gap, bend = T(ka) * t, [T(e) * P * e, -mu * T(e) * e]
    crossed = [T(ka) * G * e, -T(lam) * G * e]
    rails_push = [T(om) * A * e, -T(nu) * A * e]
    links = (
        Link(
            [*bend, *rails_push, *crossed, gap],
            "r, minus stationarity of x",
            (force,),
            trace=True,
        ),
        Link(
            [*bend, T(ka) * s, -T(lam) * s, T(lam) * t],
            "Ae = 0 and Ge = s - ŝ",
            (rails, walls),
        ),
        Link(
            [T(e) * M * e, T(ka) * s, T(lam) * t],
            "λᵀs = 0, and P = μI + (P - μI)",
            (COMPLEMENTARY, curved),
        ),
    )
    yield from chain(W, [T(r) * e, gap, -mu * T(e) * e], *links)
    assert list(
        nonnegative(
            W, [T(e) * M * e, T(ka) * s, T(lam) * t],
            (
                square(W, e, Semidefinite(M, "P - μI is positive semidefinite")),
                product(W, Nonnegative(ka, "λ̂ ≥ 0"), Nonnegative(s, "x is feasible")),
                product(W, Nonnegative(lam, "λ ≥ 0"), Nonnegative(t, "x̂ is feasible")),
            ),
        )
    )  # fmt: skip


def assert_bound(i: Instance, at: Instance, curvature: sp.Expr) -> None:
    """The identity and the signs of its terms, exactly; `at` is the approximation."""
    e, left = at.x - i.x, i.P * at.x + i.q + i.A.T * at.nu + i.G.T * at.lam
    room = i.h - i.G * at.x
    terms = [
        (e.T * (i.P - curvature * sp.eye(e.rows)) * e)[0],
        at.lam.dot(i.slack),
        i.lam.dot(room),
    ]
    total = left.dot(e) + at.lam.dot(room) - curvature * e.dot(e)
    assert total == sum(terms), "the identity does not hold"
    assert min(terms) >= 0, f"the terms are {terms}: no bound follows"


@kkt_error_bound.check(Evidence.EXACT)
def bound_at_rational_points() -> None:
    rng, seen = np.random.default_rng(1), 0
    for _ in range(150):
        i = instances.random_instance(rng)  # P - I is a Gram matrix
        basis = i.A.nullspace() if i.A.rows else [sp.eye(i.x.rows)[:, 0]]
        shift = sum((v * int(rng.integers(-2, 3)) / 4 for v in basis), 0 * i.x)
        prices = instances.integers(rng, i.lam.rows, 1, low=0, high=4)
        at = replace(i, x=i.x + shift, lam=prices, nu=i.nu * 2)
        if all(v >= 0 for v in i.h - i.G * at.x):
            assert_bound(i, at, sp.S.One)
            seen += any(shift)
    assert seen > 40, seen


@kkt_error_bound.check(Evidence.NUMERIC)
def bound_in_the_regimes() -> None:
    """Random multipliers at random feasible points: the error stays below the bound."""
    rng = np.random.default_rng(2)
    for problem, known in numeric.draws("strictly_complementary", "weakly_active"):
        P, q, A, _, G, h = problem.fields
        curvature = np.linalg.eigvalsh(P)[0]
        null = np.linalg.svd(A)[2][len(A) :].T
        for size in 10.0 ** -np.arange(1.0, 7):
            step = null @ rng.normal(size=null.shape[1])
            rising = G @ step > 1e-12
            limits = known.slack[rising] / (G @ step)[rising]
            point = known.x + size * np.min(limits, initial=1.0) * step
            prices = np.abs(known.lam + size * rng.normal(size=problem.m))
            left = P @ point + q + A.T @ known.nu + G.T @ prices
            gap = prices @ np.maximum(h - G @ point, 0)
            bound = np.linalg.norm(left) / curvature + np.sqrt(gap / curvature)
            assert np.linalg.norm(point - known.x) <= bound * (1 + 1e-9)


def _wall(linear: int, bound: int, sign: int = 1) -> Instance:
    """½z² + linear·z over sign·z ≤ bound."""
    one, none = Matrix([1]), sp.zeros(0, 1)
    at = Matrix([-linear]) if -linear * sign <= bound else Matrix([bound * sign])
    lam = -(at + Matrix([linear])) * sign
    G = Matrix([[sign]])
    return Instance(
        sp.eye(1), linear * one, sp.zeros(0, 1), none, G, bound * one, at, none, lam
    )


@kkt_error_bound.control(mutant="the curvature taken as 2 where it is 1")
def too_much_curvature() -> None:
    i = _wall(0, 1)
    assert_bound(i, replace(i, x=Matrix([sp.Rational(1, 2)])), sp.Integer(2))


@kkt_error_bound.control(dropped="multipliers of y nonnegative: ½z² over z ≤ 1 at 1")
def negative_price() -> None:
    i = _wall(0, 1)
    at = replace(i, x=Matrix([1]), lam=Matrix([-1]))
    require(instances.satisfies_kkt(i) and at.slack[0] == 0, "y feasible, no residual")
    assert_bound(i, at, sp.S.One)


@kkt_error_bound.control(dropped="y feasible: ½(z+1)² over z ≥ 0 at -1")
def outside() -> None:
    i = _wall(1, 0, -1)
    at = replace(i, x=Matrix([-1]), lam=Matrix([0]))
    require(instances.satisfies_kkt(i) and i.P * at.x + i.q == sp.zeros(1, 1), "r = 0")
    assert_bound(i, at, sp.S.One)
