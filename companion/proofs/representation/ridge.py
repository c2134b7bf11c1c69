"""Linear programs by quadratic ones: a small ridge changes nothing.

Chapter: representation.md.  Theorems: exact-regularization.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.nonsmooth import exact
from companion.proofs.qp.instances import Matrix
from companion.proofs.qp.numeric import assert_close
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain

exact_regularization = theorem(
    "exact-regularization",
    claim=(
        "Let x be the shortest solution of min qᵀx over Ax = b, Gx ≤ h, with "
        "multipliers (nu0, lam0) of the linear program and (nu, lam, mu) of: least "
        "½|x|² over the same set with qᵀx no larger.  For 0 < γ with γ mu ≤ 1, x and "
        "γ(nu, lam) + (1 - γ mu)(nu0, lam0) satisfy the KKT conditions of min qᵀx + "
        "½γ|x|²."
    ),
    source="mangasarian1979nonlinear",
    implements=(layers.solve,),
    uses=("qp-optimality",),
)

W = alphabet(
    latex={
        "nu": r"\nu",
        "lam": r"\lambda",
        "nuo": r"\nu_0",
        "lamo": r"\lambda_0",
        "s": "(h-Gx)",
    },
    q="n 1",
    x="n 1",
    A="p n",
    G="m n",
    nu="p 1",
    nuo="p 1",
    lam="m 1",
    lamo="m 1",
    s="m 1",
)
q_, x_, A_, G_, nu_, lam_, nuo_, lamo_, s_ = W("q x A G nu lam nuo lamo s")
T = W.T
gamma = sp.Symbol("gamma", positive=True)
mu = sp.Symbol("mu", nonnegative=True)


@exact_regularization.derivation
def multipliers_mix() -> Iterator[Step]:
    rest = 1 - gamma * mu
    shortest = W.rule("x is the shortest", x_, [-mu * q_, -T(A_) * nu_, -T(G_) * lam_])
    optimal = W.rule("x solves the linear program", q_, [-T(A_) * nuo_, -T(G_) * lamo_])
    start = [gamma * x_, q_]
    mixed = [
        -gamma * T(A_) * nu_, -rest * T(A_) * nuo_,
        -gamma * T(G_) * lam_, -rest * T(G_) * lamo_,
    ]  # fmt: skip
    assert W.equal(start, [rest * q_, -gamma * T(A_) * nu_, -gamma * T(G_) * lam_],
                   shortest)  # fmt: skip
    halfway = r"(1-\gamma\mu)q-\gamma A^{\mathsf T}\nu-\gamma G^{\mathsf T}\lambda"
    yield Step(W.latex(start), halfway, shortest.name)
    assert W.equal(start, mixed, shortest, optimal)
    mixture = r"-A^{\mathsf T}\hat\nu-G^{\mathsf T}\hat\lambda"
    yield Step(halfway, mixture, optimal.name)
    slack = T(gamma * lam_ + rest * lamo_) * s_
    zero = (
        W.rule("λᵀ(h − Gx) = 0", T(lam_) * s_, sp.S.Zero),
        W.rule("λ₀ᵀ(h − Gx) = 0", T(lamo_) * s_, sp.S.Zero),
    )
    *_, last = chain(W, slack, Link(0, "both are complementary", zero))
    name = r"\hat\lambda^{\mathsf T}(h-Gx)"
    yield Step(name, last.rhs, last.rule)


Solver = Callable[[Matrix, sp.Expr], Matrix]


def over_the_simplex(q: Matrix, g: sp.Expr) -> Matrix:
    """The minimizer of qᵀx + ½g|x|² over the probability vectors."""
    n = q.rows
    data = (g * sp.eye(n), q, sp.ones(1, n), sp.ones(1, 1), -sp.eye(n), sp.zeros(n, 1))
    return exact.solve(*data).x


def over_a_disc(q: Matrix, g: sp.Expr) -> Matrix:
    """The same over the disc of radius one about (1, 0), by projecting -q/g."""
    centre = Matrix([1, 0])
    away = -q / g - centre
    return centre + away / sp.sqrt(away.dot(away))


def assert_same(
    solver: Solver, q: Matrix, want: Matrix, gammas: tuple[sp.Expr | int, ...]
) -> None:
    """For each of these weights of the ridge the minimizer is `want`."""
    for g in gammas:
        got = solver(q, sp.sympify(g))
        assert got == want, f"at γ = {g} the minimizer is {list(got)}"


SMALL = (1, sp.Rational(1, 10), sp.Rational(1, 1000))
UNTIED, TIED = exact.column(0, 1, 3), exact.column(0, 0, 1)
FIRST = exact.column(1, 0, 0)
HALVES = exact.column(sp.Rational(1, 2), sp.Rational(1, 2), 0)


@exact_regularization.check(Evidence.EXACT)
def thresholds_on_the_simplex() -> None:
    """γ ≤ 1 for the costs (0, 1, 3), where mu = 1; γ ≤ 2 for (0, 0, 1), mu = ½."""
    assert_same(over_the_simplex, UNTIED, FIRST, SMALL)
    assert_same(over_the_simplex, TIED, HALVES, (2, *SMALL))


@exact_regularization.check(Evidence.NUMERIC)
def layer_returns_the_shortest_solution() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        cost = np.sort(rng.uniform(0, 1, 4))
        cost[1] = cost[0]  # a tie: the shortest solution has two halves
        gap = cost[2] - cost[0]
        want = np.array([0.5, 0.5, 0, 0])
        for g in (0.02 * gap, 1.9 * gap):
            rows = (np.ones((1, 4)), np.ones(1), -np.eye(4), np.zeros(4))
            program = QP(g * np.eye(4), cost, *rows).map(torch.tensor)
            assert_close(layers.solve(program).x.numpy(), want, "x")


@exact_regularization.control(mutant="every γ: three halves for the costs (0, 1, 3)")
def too_much_ridge() -> None:
    assert_same(over_the_simplex, UNTIED, FIRST, (sp.Rational(3, 2),))


@exact_regularization.control(mutant="any solution, not the shortest one")
def another_solution() -> None:
    assert_same(over_the_simplex, TIED, FIRST, SMALL)


@exact_regularization.control(dropped="flat walls: a disc in place of a polyhedron")
def curved_wall() -> None:
    q, lowest = exact.column(0, 1), exact.column(1, -1)
    require(
        (lowest - exact.column(1, 0)).dot(lowest - exact.column(1, 0)) == 1, "on it"
    )
    assert_same(over_a_disc, q, lowest, SMALL)
