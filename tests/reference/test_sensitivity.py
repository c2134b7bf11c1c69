"""The response of a solution, held against OptNet's system and against the layer."""

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import qp as layers
from companion.problems import QP
from companion.reference import qp, sensitivity

CLOSE = 1e-8  # relative to the size of what is expected


def draws(regime="strictly_complementary"):
    return [sampling.qp(np.random.default_rng(s), regime=regime) for s in range(3)]


def far(got, want):
    return np.abs(got - want).max(initial=0) > CLOSE * (1 + np.abs(want).max(initial=0))


def test_jacobian_stacks_the_gradients_of_the_coordinates():
    for problem, sol in draws():
        J = sensitivity.solution_jacobian(problem, sol)
        for k, unit in enumerate(np.eye(problem.n)):
            gradients = qp.vjp(problem, sol, unit)
            for got, want in zip(J.fields, gradients.fields, strict=True):
                assert not far(got[k], want)


def test_response_is_symmetric_and_zero_on_inactive_rows():
    for problem, sol in draws():
        R = sensitivity.response(problem, sol)
        assert not far(R, R.T)
        inactive = problem.n + problem.p + np.flatnonzero(sol.lam == 0)
        assert not R[inactive].any()


def test_response_predicts_the_multipliers_of_the_layer():
    ((problem, sol), *_) = draws()
    n, p = problem.n, problem.p

    def multipliers(h):
        tensors = [torch.tensor(v) for v in problem.fields[:-1]]
        return layers.solve(QP(*tensors, h)).lam

    want = torch.autograd.functional.jacobian(multipliers, torch.tensor(problem.h))
    got = sensitivity.response(problem, sol)[n + p :, n + p :]
    assert np.abs(got - want.numpy()).max() < 1e-6


def test_vertices_of_a_duplicated_wall_are_the_two_extreme_splits():
    problem = QP(np.eye(1), np.array([-3.0]), G=np.ones((2, 1)), h=np.ones(2))
    found = sensitivity.multiplier_vertices(problem, np.ones(1))
    assert sorted(found.tolist()) == [[0.0, 2.0], [2.0, 0.0]]


@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
def test_a_regular_solution_has_one_vertex_its_multipliers(regime):
    for problem, sol in draws(regime):
        found = sensitivity.multiplier_vertices(problem, sol.x)
        assert len(found) == 1
        assert not far(found[0], np.concatenate([sol.nu, sol.lam]))
