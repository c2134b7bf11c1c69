"""The dual active set: right against scipy, exact at its end, warm if it can be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog, nnls

from companion import sampling
from companion.problems import QP
from companion.reference import active_set

REGIMES = ["strictly_complementary", "weakly_active", "near_infeasible"]


def draw(seed, regime="strictly_complementary", shape=(6, 1, 9)):
    return sampling.qp(np.random.default_rng(seed), *shape, regime=regime)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("seed", range(4))
def test_solution_is_the_one_the_instance_was_built_from(seed, regime):
    problem, truth = draw(seed, regime)
    found = active_set.minimize(*active_set.reduced(problem))
    point = active_set.recover(problem, found.lam)
    for name in ("x", "nu", "lam", "slack"):
        ours, theirs = getattr(point, name), getattr(truth, name)
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_minimizer_is_that_of_nonnegative_least_squares(seed):
    rng = np.random.default_rng(seed)
    B, c = rng.normal(size=(9, 6)), rng.normal(size=9)
    theirs, _ = nnls(B, c)
    ours = active_set.minimize(B.T @ B, -B.T @ c)
    np.testing.assert_allclose(ours.lam, theirs, atol=1e-9)
    assert sorted(ours.rows) == list(np.flatnonzero(theirs))


def test_a_row_leaves_when_its_multiplier_is_used_up():
    changes = active_set.minimize(*active_set.reduced(draw(0, "weakly_active")[0]))[2]
    left = [c.leaving for c in changes if c.leaving is not None]
    assert left
    assert all(c.lam.min() >= -1e-12 for c in changes)


def test_a_good_guess_leaves_nothing_to_do_and_a_bad_one_does_no_harm():
    R, r = active_set.reduced(draw(1)[0])
    cold = active_set.minimize(R, r)
    warm = active_set.minimize(R, r, cold.rows)
    wrong = [row for row in range(len(r)) if row not in cold.rows]
    away = active_set.minimize(R, r, tuple(wrong[:2]))
    assert not warm.changes
    for found in (warm, away):
        np.testing.assert_allclose(found.lam, cold.lam, atol=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1.0])
def test_an_infeasible_program_ends_at_a_ray(gap):
    G = np.array([[1.0, 0], [-1, 0]])
    problem = QP(np.eye(2), np.ones(2), G=G, h=np.array([0, -gap]))
    ray = active_set.minimize(*active_set.reduced(problem)).ray
    free = linprog(np.zeros(2), G, problem.h, bounds=(None, None))
    assert free.status == 2, free.message
    assert ray.min() >= 0
    assert not np.any(G.T @ ray)
    assert problem.h @ ray == -gap
