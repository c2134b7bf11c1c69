"""Right answers, in every regime, shape, batch and dtype."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import qp
from companion.problems import QP, Status
from companion.reference import qp as reference
from tests.layers.qp.cases import (
    OUTPUTS,
    SHAPES,
    as_torch,
    batch_of,
    sample,
)


@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
@pytest.mark.parametrize("seed", range(5))
def test_solution_is_the_one_the_instance_was_built_from(regime, seed):
    problem, truth = sample(seed, regime)
    sol = qp.solve(as_torch(problem))
    assert sol.status == Status.SOLVED
    for name in ("x", "nu", "lam", "slack", "value"):
        expected = np.asarray(getattr(truth, name))
        scale = 1 + np.abs(expected).max(initial=0)
        assert (
            np.abs(getattr(sol, name).numpy() - expected).max(initial=0) < 1e-7 * scale
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_matches_reference(shape, seed):
    problem, _ = sample(seed, shape=shape)
    ours, theirs = qp.solve(as_torch(problem)), reference.solve(problem)
    assert ours.status == theirs.status == Status.SOLVED
    for name in OUTPUTS:
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), atol=1e-7
        )


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_kkt_conditions_hold_in_every_regime(regime):
    for seed in range(5):
        problem, _ = sample(seed, regime)
        sol = qp.solve(as_torch(problem))
        assert sol.status == Status.SOLVED
        residual = reference.kkt_residual(
            problem, sol.x.numpy(), sol.nu.numpy(), sol.lam.numpy()
        )
        scale = 1 + max(np.abs(v).max(initial=0) for v in problem.fields)
        assert np.abs(residual).max() < 1e-7 * scale
        assert sol.lam.min() > -1e-9 * scale
        assert sol.slack.min() > -1e-9 * scale


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_equals_loop(shape):
    problems = [sample(seed, shape=shape)[0] for seed in range(4)]
    together = qp.solve(batch_of(*problems))
    for i, problem in enumerate(problems):
        alone = qp.solve(as_torch(problem))
        for name in OUTPUTS:
            torch.testing.assert_close(
                getattr(together, name)[i], getattr(alone, name), rtol=1e-9, atol=1e-9
            )


@pytest.mark.parametrize("batch", [(0,), (1,), (3,), (2, 3), (0, 2)])
def test_leading_batch_axes_are_kept(batch):
    problem = as_torch(sample(0)[0])
    q = problem.q.expand(*batch, 4)
    sol = qp.solve(QP(problem.P, q, *problem.fields[2:]))
    assert sol.x.shape == (*batch, 4)
    assert sol.nu.shape == (*batch, 1)
    assert sol.lam.shape == sol.slack.shape == (*batch, 5)
    assert sol.value.shape == sol.status.shape == batch


def test_float32_in_is_float32_out_with_float64_inside():
    problem, truth = sample(0)
    single = as_torch(problem, torch.float32)
    sol = qp.solve(single)
    assert {getattr(sol, name).dtype for name in OUTPUTS} == {torch.float32}
    double = qp.solve(single.map(lambda v: v.double()))
    torch.testing.assert_close(sol.x, double.x.float(), rtol=0, atol=0)
    q = single.q.requires_grad_()
    (grad,) = torch.autograd.grad(qp.solve(single).x.sum(), q)
    assert grad.dtype == torch.float32
    np.testing.assert_allclose(sol.x, truth.x, atol=1e-4)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e8, 1e9])
@pytest.mark.parametrize("kind", ["wall", "pull", "inside"])
def test_a_solution_far_away_is_no_certificate(kind, size):
    q, g, h, x = {
        "wall": (0.0, 1.0, -size, -size),
        "pull": (-size, 1.0, 2 * size, size),
        "inside": (-size, 1.0, size / 2, size / 2),
    }[kind]
    one = torch.ones(1, dtype=torch.float64)
    sol = qp.solve(QP(one[None], q * one, G=g * one[None], h=h * one))
    assert sol.status == Status.SOLVED
    assert sol.x.item() == pytest.approx(x, rel=1e-9)
