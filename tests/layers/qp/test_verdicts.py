"""Regularity in words, its uniqueness, its residual and its radius."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from companion import sampling
from companion.layers import qp
from companion.problems import QP, QPSolution, Verdict
from tests import oracles
from tests.layers.qp.cases import (
    as_torch,
    batch_of,
    direction,
    infeasible,
    moved,
    sample,
)
from tests.layers.qp.families import DEGENERATE, INFEASIBLE, UNBOUNDED, relu, tensor

EXPECTED = {
    "weakly_active": Verdict.ONE_SIDED,
    "licq_failing": Verdict.NOT_UNIQUE,
    "lp_face": Verdict.NOT_UNIQUE,
}


@pytest.mark.parametrize("engine", ["active_set", "interior_point"])
@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_verdict_of_every_regime(regime, engine):
    for seed in range(5):
        problem = as_torch(sample(seed, regime)[0])
        reg = qp.regularity(problem, qp.solve(problem, engine=engine))
        # the active rows hold what is ill-conditioned in P, unless there are none
        assert reg.verdict == EXPECTED.get(regime, Verdict.DIFFERENTIABLE)
    bare = as_torch(sample(0, "ill_conditioned", (4, 0, 0))[0])
    assert qp.regularity(bare, qp.solve(bare)).verdict == Verdict.ILL_CONDITIONED


@pytest.mark.parametrize("name", DEGENERATE)
def test_verdict_of_every_degenerate_case(name):
    problem, expected = DEGENERATE[name]
    sol = qp.solve(problem)
    reg = qp.regularity(problem, sol)
    assert sol.status == 0
    assert reg.verdict == expected
    assert bool(reg.differentiable) == (
        expected in (Verdict.DIFFERENTIABLE, Verdict.ILL_CONDITIONED)
    )
    assert bool(reg.unique) == (spread(problem, sol) < 1e-6)
    if bool(reg.differentiable):
        assert reg.residual < 1e-9


@pytest.mark.parametrize("name", [*INFEASIBLE, *UNBOUNDED])
def test_verdict_without_a_solution_is_not_solved(name):
    problem = {**INFEASIBLE, **UNBOUNDED}[name]
    reg = qp.regularity(problem, qp.solve(problem))
    assert reg.verdict == Verdict.NOT_SOLVED
    assert not reg.unique


def spread(problem: QP, sol: QPSolution) -> float:
    """Width of the set of all minimisers, by linear programs over it."""
    P, q, A, b, G, h = (v.numpy() for v in problem.fields)
    x = sol.x.numpy()
    equal = np.vstack([A, P, q[None]])
    value = np.concatenate([b, P @ x, [q @ x]])
    widths = [0.0]
    for j in range(len(q)):
        ends = [
            linprog(
                sign * np.eye(len(q))[j],
                G,
                h + 1e-9,
                equal,
                value,
                (x[j] - 1, x[j] + 1),
            ).fun
            for sign in (1, -1)
        ]
        widths += [-sum(ends)] if None not in ends else []
    return max(widths)


def test_verdicts_of_a_batch_are_a_list():
    batch = batch_of(sample(0)[0], sample(0, "weakly_active")[0], infeasible())
    reg = qp.regularity(batch, qp.solve(batch))
    assert reg.verdict == ["differentiable", "one-sided", "not solved"]


def test_residual_is_of_order_one_where_the_seed_has_no_derivative():
    for seed in range(3):
        problem = as_torch(sample(seed, "lp_face")[0])
        assert qp.regularity(problem, qp.solve(problem)).residual > 1e-2


FIELD_SETS = [("q",), ("b", "h"), ("q", "b", "h"), ("P",), ("A", "G"), tuple("PqAbGh")]


@pytest.mark.parametrize("fields", FIELD_SETS, ids="".join)
def test_active_set_changes_at_the_radius_and_not_before(fields):
    seen = 0
    for seed in range(8):
        problem = as_torch(sample(seed)[0])
        d = direction(np.random.default_rng(100 + seed), problem)
        d = qp.along(problem, **{k: getattr(d, k) for k in fields})
        sol = qp.solve(problem)
        radius = float(qp.regularity(problem, sol, d).radius)
        if not 0 < radius < 1e3:
            continue
        seen += 1
        before, after = (
            active(moved(problem, d, t * radius)) for t in (1 - 1e-6, 1 + 1e-6)
        )
        assert before == active(problem)
        assert after != before
        assert active(moved(problem, d, radius / 3)) == before
    assert seen >= 4


def active(problem: QP) -> list[int] | str:
    """Active rows by enumeration; a program that is not convex has none."""
    if torch.linalg.eigvalsh(problem.P)[0] < 0:
        return "not convex"
    try:
        _, _, lam = oracles.active_set(*(v.numpy() for v in problem.fields))
    except ValueError:
        return "no solution"
    return np.flatnonzero(lam > 1e-9).tolist()


def test_radius_of_the_kink_and_of_a_held_bound():
    for q, speed, radius in [
        (-1e-3, 1.0, 1e-3), (-1e-3, -1.0, np.inf), (1e-3, -2.0, 5e-4),
        (0.0, 1.0, 0.0), (0.0, -1.0, np.inf),
    ]:  # fmt: skip
        problem = relu(q)
        d = qp.along(problem, q=speed)
        found = float(qp.regularity(problem, qp.solve(problem), d).radius)
        assert found == pytest.approx(radius, rel=1e-9)


def test_along_refuses_names_and_shapes_that_do_not_fit():
    problem = relu(1.0)
    with pytest.raises(ValueError, match=r"along: expected names among .* got c"):
        qp.along(problem, c=1.0)
    wrong = QP(tensor([[1.0]]), tensor([0.0]))
    with pytest.raises(ValueError, match=r"direction\.G: expected shape"):
        qp.regularity(problem, qp.solve(problem), wrong)
