"""Minimizers have multipliers: the force that the walls cannot hold moves the point.

Chapter: kkt.md.  Theorems: kkt-necessary.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.problems import QP
from companion.proofs.inequalities import Term, nonnegative
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

kkt_necessary = theorem(
    "kkt-necessary",
    claim=(
        "Let lam ≥ 0 and nu bring ∇f + Aᵀnu + Gᵀlam nearest to zero at a feasible x, G "
        "being the gradients of the active g_i, and let d be minus what is left.  Then "
        "Ad = 0, Gd ≤ 0 and ∇fᵀd = -‖d‖²; at a minimizer over affine constraints, or "
        "with a Slater point, d = 0.  Checked on integer QPs: d = 0 exactly where no "
        "feasible point is better."
    ),
    source="kuhn1951nonlinear",
    implements=(kkt.balance,),
    uses=(
        "kkt-sufficient",
        "first-order-convexity",
        "farkas-lemma",
        "moreau-decomposition",
    ),
)

W = alphabet(
    latex={"c": r"\nabla f", "lam": r"\lambda", "nu": r"\nu", "j": r"\nabla g_i",
           "gx": "g_i(x)", "gw": "g_i(w)"},
    c="n 1",
    A="p n",
    G="m n",
    nu="p 1",
    lam="m 1",
    d="n 1",
    j="n 1",
    w="n 1",
    x="n 1",
    gx="1 1",
    gw="1 1",
)  # fmt: skip
c, A, G, nu, lam, d, j, w, x, gx, gw = W("c A G nu lam d j w x gx gw")
T = W.T

BALANCE = W.rule("definition of d", c, [-d, -T(A) * nu, -T(G) * lam])
ALONG = W.rule("the best nu", A * d, sp.S.Zero)
TANGENT = W.rule("the best lam", T(lam) * G * d, sp.S.Zero)
TOUCHING = W.rule("row i is active", gx, sp.S.Zero)


@kkt_necessary.derivation
def leftover_force() -> Iterator[Step]:
    links = (
        Link(
            [-T(d) * d, -T(nu) * A * d, -T(lam) * G * d],
            "∇f = -d - Aᵀν - Gᵀλ",
            (BALANCE,),
            trace=True,
        ),
        Link([-T(d) * d], "the walls' work λᵀGd and νᵀAd is zero", (ALONG, TANGENT)),
    )
    yield from chain(W, T(c) * d, *links)


@kkt_necessary.check(Evidence.SYMBOLIC_ANY_SIZE)
def a_slater_point_is_strictly_downhill_for_active_constraints() -> None:
    """-∇g_iᵀ(w-x) = -g_i(w) + [g_i(w) - g_i(x) - ∇g_iᵀ(w-x)] where g_i(x) = 0."""
    terms = (
        Term(-gw, "w is a Slater point"),
        Term(gw - gx - T(j) * (w - x), "g_i is convex"),
    )
    assert list(nonnegative(W, -T(j) * (w - x), terms, TOUCHING))


@dataclass(frozen=True, eq=False)
class Balance:
    """The best multipliers of the active rows, and the force that they leave."""

    nu: Matrix
    lam: Matrix
    left: Matrix


def balance(force: Matrix, A: Matrix, G: Matrix) -> Balance:
    """The nearest point to `force` among Aᵀnu + Gᵀlam with lam ≥ 0, by enumeration.

    A support of independent rows is the right one when its least-squares multipliers
    are nonnegative and what is left pushes into no other row.
    """
    for count in range(G.rows, -1, -1):
        for support in itertools.combinations(range(G.rows), count):
            C = A.col_join(instances.rows(G, list(support)))
            if C.rank() < C.rows:
                continue
            y = (C * C.T).LUsolve(C * force) if C.rows else sp.zeros(0, 1)
            left = force - C.T * y
            prices = y[A.rows :, :]
            if all(v >= 0 for v in prices) and all(v <= 0 for v in G * left):
                lam = sp.zeros(G.rows, 1)
                for place, row in enumerate(support):
                    lam[row] = prices[place]
                return Balance(y[: A.rows, :], lam, left)
    msg = "no support satisfies the conditions of the nearest point"
    raise ValueError(msg)


def assert_left_over_moves(i: Instance, found: Balance, active: list[int]) -> bool:
    """The force leads to a better point unless it is zero, and then x is certified."""
    d, gradient = found.left, i.P * i.x + i.q
    assert not any(i.A * d), "the force leaves the equalities"
    assert all(v <= 0 for v in instances.rows(i.G, active) * d), "it leaves a wall"
    assert gradient.dot(d) == -d.dot(d), "it does not fall at the rate of its square"
    if not any(d):
        lam = sp.zeros(i.h.rows, 1)
        for place, row in enumerate(active):
            lam[row] = found.lam[place]
        held = replace(i, nu=found.nu, lam=lam)
        assert instances.satisfies_kkt(held), "no force is left, and no certificate"
        return False
    curve = (d.T * i.P * d)[0]
    ahead = [s / g for s, g in zip(i.slack, i.G * d, strict=True) if g > 0]
    t = min([sp.S.One, d.dot(d) / curve if curve else sp.S.One, *ahead]) / 2
    y = i.x + t * d
    require(all(v >= 0 for v in i.h - i.G * y), "the step stays feasible")
    assert objective(i, y) < objective(i, i.x), "the step does not improve"
    return True


def objective(i: Instance, y: Matrix) -> sp.Expr:
    return (y.T * i.P * y)[0] / 2 + i.q.dot(y)


@kkt_necessary.check(Evidence.EXACT)
def either_multipliers_or_a_better_point() -> None:
    """At the solutions of integer QPs d = 0; pushed by a random force, d may not be."""
    rng, seen = np.random.default_rng(0), {True: 0, False: 0}
    for _ in range(120):
        i = instances.random_instance(rng, rank=int(rng.integers(1, 4)), weak=True)
        if i.A.rank() < i.A.rows:
            continue
        push = instances.integers(rng, i.q.rows, 1) * int(rng.integers(0, 2))
        j = replace(i, q=i.q + push)
        active = [k for k in range(i.h.rows) if i.slack[k] == 0]
        found = balance(-(j.P * j.x + j.q), j.A, instances.rows(j.G, active))
        moves = assert_left_over_moves(j, found, active)
        seen[moves] += 1
        if not any(push):
            assert not moves, "a solution is moved"
    assert min(seen.values()) > 20, seen


@kkt_necessary.check(Evidence.NUMERIC)
def value_falls_at_the_rate_of_the_square() -> None:
    """Taylor order 2 of the objective along d, with slope -‖d‖²; d = 0 at solutions."""
    for problem, known in numeric.draws(*numeric.sampling.REGIMES):
        left = kkt.balance(problem, known.x)[2]
        numeric.assert_close(left, 0 * left, "the force left at a solution")
        push = np.random.default_rng(1).normal(size=problem.n)
        moved = QP(problem.P, problem.q + push, *problem.fields[2:])
        d = kkt.balance(moved, known.x)[2]

        def p(y: np.ndarray, data: QP = moved) -> float:
            return float(0.5 * y @ data.P @ y + data.q @ y)

        report = gradcheck.taylor(p, known.x, d, -(d @ d))
        assert report.passes, report


@kkt_necessary.control(mutant="lam of any sign: the walls may pull")
def walls_that_pull() -> None:
    """At (0, 1), for ½‖z‖² - z₁ - z₂ over z ≥ 0, the wall z₁ ≥ 0 would have to pull."""
    none, zero = sp.zeros(0, 1), sp.zeros(2, 1)
    i = Instance(
        sp.eye(2), Matrix([-1, -1]), sp.zeros(0, 2), none, -sp.eye(2), zero,
        Matrix([0, 1]), none, zero,
    )  # fmt: skip
    force, row = -(i.P * i.x + i.q), instances.rows(i.G, [0])
    pulled = balance(force, row, sp.zeros(0, 2))
    assert_left_over_moves(i, Balance(none, pulled.nu, pulled.left), [0])


Constraint = Callable[[sp.Symbol], sp.Expr]


def assert_minimizer_balanced(g: Constraint, feasible: list[int]) -> None:
    """The force left at the least feasible point of min z over g(z) ≤ 0 is zero."""
    z = sp.Symbol("z")
    best = min(feasible)
    require(all(g(sp.Integer(v)) <= 0 for v in feasible), "the candidates are feasible")
    outside = g(sp.Integer(best) - sp.Rational(1, 1000))
    require(outside > 0 and g(sp.Integer(best)) == 0, "the least one is a minimizer")
    row = Matrix([[sp.diff(g(z), z).subs(z, best)]])
    found = balance(Matrix([-1]), sp.zeros(0, 1), row)
    assert not any(found.left), f"the force left at the minimizer is {found.left[0]}"


@kkt_necessary.check(Evidence.EXACT)
def with_a_slater_point() -> None:
    assert_minimizer_balanced(lambda z: z**2 - 1, [-1, 0, 1])
    assert_minimizer_balanced(lambda z: -z, [0, 1])


@kkt_necessary.control(dropped="a Slater point: min z over z² ≤ 0")
def one_feasible_point() -> None:
    assert_minimizer_balanced(lambda z: z**2, [0])
