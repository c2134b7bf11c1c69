"""Whether the derivative exists is a verdict, with the numbers behind it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import cone_program, qp
from companion.layers.qp.routes import DerivativeError
from companion.problems import ConeProgram, Cones, ConeSolution, SolveError, Verdict
from tests.layers.cone_program.cases import (
    EVERY,
    PRODUCTS,
    REGULAR,
    batch_of,
    disc,
    infeasible,
    sample,
)


@pytest.mark.parametrize("regime", REGULAR)
@pytest.mark.parametrize("name", PRODUCTS)
def test_regular_programs_are_differentiable(name, regime):
    problem, _ = sample(0, PRODUCTS[name], regime)
    report = cone_program.regularity(problem, cone_program.solve(problem))
    assert report.verdict == Verdict.DIFFERENTIABLE
    assert report.residual < 1e-12
    assert report.sigma > 1e-6


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_kink_is_one_sided(name):
    problem, _ = sample(0, PRODUCTS[name], "kink")
    report = cone_program.regularity(problem, cone_program.solve(problem))
    assert report.strict_complementarity < 1e-8
    assert report.verdict == Verdict.ONE_SIDED
    assert (report.kinks < 1e-8).sum() >= 1


def test_repeated_rows_have_other_multipliers():
    problem, _ = sample(0, EVERY, "repeated_row")
    report = cone_program.regularity(problem, cone_program.solve(problem))
    assert report.verdict == Verdict.NOT_UNIQUE
    assert bool(report.unique)
    assert not bool(report.unique_multipliers)


def test_tied_optimum_is_not_unique():
    problem = disc()
    flat = ConeProgram(problem.P, 0 * problem.q, *problem.fields[2:], problem.K)
    report = cone_program.regularity(flat, cone_program.solve(flat))
    assert report.verdict == Verdict.NOT_UNIQUE
    assert not bool(report.unique)


def test_failed_instances_are_not_solved():
    batch = batch_of(disc(0.7), infeasible())
    report = cone_program.regularity(batch, cone_program.solve(batch))
    assert report.verdict == [Verdict.DIFFERENTIABLE, Verdict.NOT_SOLVED]
    assert report.kinks.shape == (2, 3)


@pytest.mark.parametrize("regime", ["strictly_complementary", "licq_failing"])
def test_numbers_of_a_quadratic_program_are_those_of_its_layer(regime):
    problem, _ = sampling.qp(np.random.default_rng(1), regime=regime)
    problem = problem.map(torch.from_numpy)
    theirs = qp.regularity(problem, qp.solve(problem))
    cones = cone_program.to_cone(problem)
    ours = cone_program.regularity(cones, cone_program.solve(cones))
    assert ours.verdict == theirs.verdict
    for name in ("strict_complementarity", "licq", "curvature"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", PRODUCTS)
def test_refinement_finds_the_solution_again(name):
    problem, _ = sample(0, PRODUCTS[name])
    sol = cone_program.solve(problem)
    rng = np.random.default_rng(0)
    x, y, s = (
        v + 1e-5 * torch.from_numpy(rng.normal(size=v.shape))
        for v in (sol.x, sol.y, sol.s)
    )
    rough = ConeSolution(x, y, s, sol.value, sol.status)
    found = cone_program.refine(problem, rough)
    assert found.info["error"] < 1e-13
    for name in ("x", "y", "s", "value"):
        want = getattr(sol, name)
        torch.testing.assert_close(getattr(found, name), want, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", PRODUCTS)
def test_perturbed_gradients_tend_to_the_derivative_linearly(name):
    problem, _ = sample(0, PRODUCTS[name])
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=problem.n))
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    exact = torch.autograd.grad(weight @ cone_program.layer(leaves), leaves.fields)
    errors = []
    for tau in (1e-4, 5e-5):
        x = cone_program.lpgd(leaves, tau)
        found = torch.autograd.grad(weight @ x, leaves.fields)
        errors.append(
            max(float((f - e).abs().max()) for f, e in zip(found, exact, strict=True))
        )
    assert errors[0] < 1e-2
    assert 1.7 < errors[0] / errors[1] < 2.3


def test_perturbed_gradients_leave_a_vertex_and_say_where_they_cannot():
    """Least x₂ over a square is at a vertex for no gradient, until tau g leaves it."""
    A = torch.cat([torch.eye(2), -torch.eye(2)]).double()
    q = torch.tensor([0.1, 1.0], dtype=torch.float64, requires_grad=True)
    K, zero = Cones(nonneg=4), torch.zeros(2, 2).double()
    square = ConeProgram(zero, q, A, torch.ones(4).double(), K)
    (still,) = torch.autograd.grad(cone_program.layer(square)[0], q)
    assert not still.any()
    (leaves,) = torch.autograd.grad(-cone_program.lpgd(square, 0.2)[0], q)
    torch.testing.assert_close(leaves, torch.tensor([10.0, 0]).double())
    half = ConeProgram(zero, q, A[2:], torch.ones(2).double(), Cones(nonneg=2))
    with pytest.raises(
        DerivativeError, match=r"tau 0\.2, got DUAL_INFEASIBLE in 1 of 1"
    ):
        torch.autograd.grad(-cone_program.lpgd(half, 0.2)[0], q)
    with pytest.raises(SolveError, match="PRIMAL_INFEASIBLE"):
        cone_program.lpgd(infeasible(), 0.2)


def test_a_vertex_of_a_face_of_solutions_is_not_shown_to_be_unique():
    """Least x₂ with x ≥ 0 at x = 0: other x₁ are optimal, and row 0 does not press."""
    zero, eye = torch.zeros(2).double(), torch.eye(2).double()
    problem = ConeProgram(0 * eye, eye[1], -eye, zero, Cones(nonneg=2))
    sol = ConeSolution(zero, eye[1], zero, zero[0], torch.tensor(0))
    report = cone_program.regularity(problem, sol)
    assert report.verdict == Verdict.NOT_UNIQUE
    assert not bool(report.unique)
    assert bool(report.unique_multipliers)


def test_a_row_twice_at_a_vertex_shares_its_multiplier_however_it_is_given():
    """Least x with x ≥ 0 twice and all of the multiplier on one row."""
    one, two = torch.ones(1).double(), torch.zeros(2).double()
    problem = ConeProgram(0 * one[None], one, -torch.ones(2, 1).double(), two,
                          Cones(nonneg=2))  # fmt: skip
    y = torch.tensor([1.0, 0.0]).double()
    sol = ConeSolution(0 * one, y, two, two[0], torch.tensor(0))
    report = cone_program.regularity(problem, sol)
    assert bool(report.unique)
    assert not bool(report.unique_multipliers)
