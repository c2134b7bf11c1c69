"""Solutions known in advance, and those of quadratic programs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import cone_program, qp
from companion.layers.cone_program import engine
from companion.problems import ConeProgram, Cones, Status
from tests.layers.cone_program.cases import (
    EVERY,
    OUTPUTS,
    PRODUCTS,
    REGULAR,
    batch_of,
    sample,
)


@pytest.mark.parametrize("regime", REGULAR)
@pytest.mark.parametrize("name", PRODUCTS)
def test_solution_is_the_one_that_the_program_was_built_from(name, regime):
    for seed in range(4):
        problem, known = sample(seed, PRODUCTS[name], regime)
        sol = cone_program.solve(problem)
        assert sol.status == Status.SOLVED
        assert sol.info["error"] < 1e-13
        for output in OUTPUTS:
            want = torch.as_tensor(getattr(known, output), dtype=torch.float64)
            torch.testing.assert_close(getattr(sol, output), want, rtol=0, atol=1e-10)


@pytest.mark.parametrize("side", [3, 4, 6])
def test_dual_matrix_of_a_large_block_is_not_permuted(side):
    """From side 4 on, applying the permutation of a triangle again is no inverse."""
    order = engine.upper_to_lower(side)
    assert (side < 4) == np.array_equal(order[order], np.arange(len(order)))
    problem, known = sample(side, Cones(psd=(side,)))
    sol = cone_program.solve(problem)
    torch.testing.assert_close(sol.y, torch.from_numpy(known.y), rtol=0, atol=1e-11)
    left = problem.P @ sol.x + problem.A.mT @ sol.y + problem.q
    assert left.abs().max() < 1e-12


@pytest.mark.parametrize("regime", ["kink", "repeated_row"])
def test_degenerate_programs_are_solved_to_their_conditions(regime):
    for seed in range(4):
        problem, known = sample(seed, EVERY, regime)
        sol = cone_program.solve(problem)
        assert sol.status == Status.SOLVED
        assert sol.info["error"] < 1e-10
        assert abs(float(sol.value) - known.value) < 1e-8


def test_a_batch_has_the_solutions_of_its_instances():
    problems = [sample(seed)[0] for seed in range(3)]
    n = min(p.n for p in problems)
    problems = [
        ConeProgram(p.P[:n, :n], p.q[:n], p.A[:, :n], p.b, p.K) for p in problems
    ]
    whole = cone_program.solve(batch_of(*problems))
    for i, problem in enumerate(problems):
        alone = cone_program.solve(problem)
        assert alone.status == whole.status[i]
        if alone.status == Status.SOLVED:
            torch.testing.assert_close(whole.x[i], alone.x, rtol=1e-12, atol=1e-12)


def test_batch_axes_broadcast():
    problem, _ = sample(0, PRODUCTS["soc"])
    q = problem.q + 0.01 * torch.arange(6.0).double().reshape(2, 3, 1)
    A = problem.A.expand(1, 3, *problem.A.shape)
    sol = cone_program.solve(ConeProgram(problem.P, q, A, problem.b, problem.K))
    assert sol.x.shape == (2, 3, problem.n)
    assert sol.y.shape == (2, 3, problem.m)
    assert sol.value.shape == sol.status.shape == (2, 3)
    one = cone_program.solve(
        ConeProgram(problem.P, q[1, 2], *problem.fields[2:], problem.K)
    )
    torch.testing.assert_close(sol.x[1, 2], one.x, rtol=1e-12, atol=1e-12)


def test_program_without_constraints_or_batch_is_solved():
    eye, none = torch.eye(2).double(), torch.zeros(0, 2).double()
    q = torch.tensor([1.0, -2.0]).double()
    sol = cone_program.solve(ConeProgram(eye, q, none, none[:, 0], Cones()))
    torch.testing.assert_close(sol.x, -q)
    empty = ConeProgram(eye, q.expand(0, 2), none, none[:, 0], Cones())
    assert cone_program.solve(empty).x.shape == (0, 2)


@pytest.mark.parametrize("regime", ["strictly_complementary", "ill_conditioned"])
def test_quadratic_programs_have_the_same_solutions_and_gradients(regime):
    rng = np.random.default_rng(0)
    problem, _ = sampling.qp(rng, regime=regime)
    problem = problem.map(lambda v: torch.from_numpy(v).requires_grad_())
    ours, theirs = cone_program.solve(cone_program.to_cone(problem)), qp.solve(problem)
    seeds = [
        torch.from_numpy(rng.normal(size=k)) for k in (problem.n, problem.p, problem.m)
    ]
    pairs = (
        (ours.x, *ours.y.split([problem.p, problem.m]), ours.value),
        (theirs.x, theirs.nu, theirs.lam, theirs.value),
    )
    grads = []
    for x, nu, lam, value in pairs:
        loss = seeds[0] @ x + seeds[1] @ nu + seeds[2] @ lam + value
        grads.append((value, *torch.autograd.grad(loss, problem.fields)))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_outputs_have_the_dtype_of_the_problem():
    problem, known = sample(0, PRODUCTS["soc"])
    sol = cone_program.solve(problem.map(lambda v: v.float()))
    assert sol.x.dtype == sol.value.dtype == torch.float32
    torch.testing.assert_close(
        sol.x, torch.from_numpy(known.x).float(), rtol=0, atol=1e-4
    )
