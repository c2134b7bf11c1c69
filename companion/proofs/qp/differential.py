"""The KKT system of a quadratic program: its differential, and when it is nonsingular.

Chapters: optnet.md, sensitivity.md.  Theorems: qp-differential, kkt-nonsingular.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp
import torch
from torch.autograd import forward_ad

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.qp import conditions as kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.conditions import G, L, P, S, T, W, d, lam, nu, q, x
from companion.proofs.qp.instances import FIELDS, MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain

# -------------------------------------------------------------- qp-differential
qp_differential = theorem(
    "qp-differential",
    claim=(
        "Along every differentiable branch of primal-dual solutions the differentials "
        "of x, nu, lam satisfy OptNet's linear system, for matrices of every size."
    ),
    source="amos2017optnet",
    implements=(layers.solve,),
    uses=("qp-optimality",),
)


@qp_differential.derivation
def differentials() -> Iterator[Step]:
    A, b, h, dP, dq, dA, db, dG, dh = W("A b h dP dq dA db dG dh")
    dx, dnu, dlam, dL = W("dx dnu dlam dL")
    first = [dP * x, P * dx, dq, T(dA) * nu, T(A) * dnu, T(dG) * lam, T(G) * dlam]
    yield _differential([P * x, q, T(A) * nu, T(G) * lam], first, "stationarity")
    yield _differential([A * x, -b], [dA * x, A * dx, -db], "feasibility")
    rest = [L * dG * x, L * G * dx, -L * dh]
    second = [dL * G * x, -dL * h, *rest]
    slack = [L * G * x, -L * h]
    yield _differential(slack, second, "complementary slackness")
    swapped = Link(
        [S * dlam, *rest], "D(a)b = D(b)a for diagonal matrices", (kkt.SWAP,)
    )
    yield from chain(W, second, swapped)
    for rule, row in (
        (kkt.D_STATIONARY, first),
        (kkt.D_FEASIBLE, [dA * x, A * dx, -db]),
        (kkt.D_SLACK, [S * dlam, *rest]),
    ):
        assert W.normal(row, rule) == 0, f"the rule {rule.name!r} is not this row"


def _differential(row: list[sp.Expr], claimed: list[sp.Expr], name: str) -> Step:
    assert W.equal(d(row), claimed), f"not the differential of {name}: {d(row)}"
    return Step(rf"\mathrm{{d}}({W.latex(row)})", W.latex(claimed), f"d of {name}")


Edit = Callable[[Matrix, Instance], Matrix]


def assert_differentials(
    matrix: Edit = lambda K, _: K,
    slack: Callable[[dict[str, Matrix]], Matrix] = lambda e: e["h"] - e["G"] * MASTER.x,
) -> None:
    """OptNet's system holds for exact derivatives, for every entry of every field.

    `matrix` alters the system's matrix, `slack` the right side of complementary
    slackness before its factor D(lam); both are for controls.
    """
    i = MASTER
    K, D = matrix(instances.optnet_matrix(i), i), sp.diag(*i.lam)
    zero = {name: sp.zeros(*getattr(i, name).shape) for name in FIELDS}
    for name in FIELDS:
        for E, speed in instances.master_speeds(name):
            e = {**zero, name: E}
            first = -(e["P"] * i.x + e["q"] + e["A"].T * i.nu + e["G"].T * i.lam)
            second = D * slack(e)
            rhs = first.col_join(second).col_join(e["b"] - e["A"] * i.x)
            assert K * speed == rhs, f"the row of d{name} does not hold"


@qp_differential.check(Evidence.EXACT)
def differentials_of_the_master_instance() -> None:
    assert_differentials()


@qp_differential.check(Evidence.NUMERIC)
def tangents_have_second_order() -> None:
    for problem, known in numeric.regular():
        step = numeric.direction(problem, known, np.random.default_rng(5))
        tangent = numeric.unflat(problem, step)

        def outputs(data: np.ndarray, like: QP = problem) -> np.ndarray:
            sol = layers.solve(numeric.unflat(like, data).map(torch.tensor))
            return torch.cat([sol.x, sol.nu, sol.lam]).numpy()

        with forward_ad.dual_level():
            pairs = zip(problem.fields, tangent.fields, strict=True)
            dual = (forward_ad.make_dual(*map(torch.tensor, pair)) for pair in pairs)
            sol = layers.solve(QP(*dual))
            pairs = (forward_ad.unpack_dual(v) for v in (sol.x, sol.nu, sol.lam))
            slope = torch.cat([pair.tangent for pair in pairs]).numpy()
        report = gradcheck.taylor(
            outputs,
            numeric.flat(problem),
            step,
            slope,
            steps=numeric.STEPS,
            noise=numeric.NOISE,
        )
        assert report.passes, f"the tangent: {report}"


@qp_differential.control(mutant="D(lam) put on the column of dlam as well")
def scaled_column() -> None:
    def edit(K: Matrix, i: Instance) -> Matrix:
        n, m = i.P.rows, i.G.rows
        K = K[:, :]
        K[:n, n : n + m] = i.G.T * sp.diag(*i.lam)
        return K

    assert_differentials(matrix=edit)


@qp_differential.control(mutant="the term D(lam) dG x forgotten")
def forgotten_term() -> None:
    assert_differentials(slack=lambda e: e["h"])


# -------------------------------------------------------------- kkt-nonsingular
kkt_nonsingular = theorem(
    "kkt-nonsingular",
    claim=(
        "At a KKT point of a convex QP the matrix of the differential system is "
        "nonsingular if and only if every active row has a positive multiplier, the "
        "active rows C have full row rank, and null(P) ∩ null(C) = {0}."
    ),
    source="amos2017optnet",
    implements=(layers.regularity,),
    uses=("qp-differential",),
)


def conditions(i: Instance) -> tuple[bool, bool, bool]:
    """Strict complementarity, full row rank of C, null(P) ∩ null(C) = {0}."""
    strict = all(a + c > 0 for a, c in zip(i.lam, i.slack, strict=True))
    stacked = i.P.col_join(i.C)
    return strict, i.C.rank() == i.C.rows, stacked.rank() == i.P.rows


@kkt_nonsingular.check(Evidence.SYMBOLIC_ANY_SIZE)
def kernel_of_the_saddle_matrix() -> None:
    """[P Cᵀ; C 0](u, y) = 0 gives uᵀPu = 0, so Pu = 0 by P ⪰ 0, and then Cᵀy = 0."""
    A, u, v = W("A u v")
    upper = W.rule("first block row", P * u, -T(A) * v)
    lower = W.rule("second block row", A * u, sp.S.Zero)
    assert W.normal(T(u) * P * u, upper, lower) == 0
    flat = W.rule("Pu = 0", P * u, sp.S.Zero)
    assert W.normal(P * u + T(A) * v - T(A) * v, flat) == 0


Judgement = Callable[[tuple[bool, bool, bool], Instance], bool]


def assert_nonsingular_iff(
    i: Instance, claimed: Judgement = lambda c, _: all(c)
) -> None:
    """The determinant is nonzero exactly when the conditions say so."""
    nonsingular = instances.optnet_matrix(i).det() != 0
    said = claimed(conditions(i), i)
    assert nonsingular == said, f"nonsingular: {nonsingular}; the conditions say {said}"


@kkt_nonsingular.check(Evidence.EXACT)
def nonsingular_in_200_integer_cases() -> None:
    rng, seen = np.random.default_rng(2), {True: 0, False: 0}
    for _ in range(200):
        i = instances.random_instance(rng, rank=int(rng.integers(0, 4)), weak=True)
        require(instances.satisfies_kkt(i), "the sample is a KKT point")
        assert_nonsingular_iff(i)
        seen[all(conditions(i))] += 1
    assert min(seen.values()) > 30, seen


@kkt_nonsingular.check(Evidence.NUMERIC)
def regularity_tells_the_regimes_apart() -> None:
    for regime in numeric.sampling.REGIMES:
        expected = regime in numeric.sampling.REGULAR_REGIMES
        for problem, _ in numeric.draws(regime):
            tensors = problem.map(torch.tensor)
            found = layers.regularity(tensors, layers.solve(tensors)).differentiable
            assert bool(found) == expected, f"{regime}: differentiable is {bool(found)}"


def _small(P: Matrix, G: Matrix, lam: list[int], slack: list[int]) -> Instance:
    n, m = P.rows, G.rows
    one = sp.ones(n, 1)
    return instances.instance(
        P,
        sp.zeros(0, n),
        G,
        one,
        sp.zeros(0, 1),
        Matrix(m, 1, lam),
        Matrix(m, 1, slack),
    )


@kkt_nonsingular.control(mutant="null(P) ∩ null(C) = {0} replaced by P ≻ 0")
def definite_is_too_much() -> None:
    i = _small(sp.diag(0, 1), Matrix([[1, 0]]), [1], [0])
    require(all(conditions(i)), "all three conditions hold")
    assert_nonsingular_iff(i, lambda c, j: c[0] and c[1] and j.P.det() > 0)


@kkt_nonsingular.control(dropped="strict complementarity: an active row with lam = 0")
def weakly_active_row() -> None:
    i = _small(sp.eye(1), Matrix([[1]]), [0], [0])
    require(conditions(i)[1] and conditions(i)[2], "rank and curvature")
    assert_nonsingular_iff(i, lambda c, _: c[1] and c[2])


@kkt_nonsingular.control(dropped="full row rank: one row written twice")
def dependent_rows() -> None:
    i = _small(sp.eye(1), Matrix([1, 1]), [1, 1], [0, 0])
    require(conditions(i)[0] and conditions(i)[2], "strict complementarity, curvature")
    assert_nonsingular_iff(i, lambda c, _: c[0] and c[2])


@kkt_nonsingular.control(dropped="null(P) ∩ null(C) = {0}: a linear objective, no row")
def flat_direction() -> None:
    i = _small(sp.diag(1, 0), Matrix([[1, 0]]), [1], [0])
    require(conditions(i)[0] and conditions(i)[1], "strict complementarity and rank")
    assert_nonsingular_iff(i, lambda c, _: c[0] and c[1])
