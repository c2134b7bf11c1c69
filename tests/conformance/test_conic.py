"""The closed-form cone programs: right by themselves, and met by our layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.conformance.conic import cone_cases
from companion.layers import cone_program
from companion.reference import cones

CASES = [pytest.param(case, id=case.name) for case in cone_cases()]


@pytest.mark.parametrize("case", CASES)
def test_solution_satisfies_the_conditions(case):
    P, q, A, b = case.problem.fields
    x, y, s, value = (case.solution[name] for name in ("x", "y", "s", "value"))
    np.testing.assert_allclose(P @ x + A.T @ y, -q, atol=1e-14)
    np.testing.assert_allclose(A @ x + s, b, atol=1e-14)
    np.testing.assert_allclose(cones.project(s, case.problem.K), s, atol=1e-14)
    np.testing.assert_allclose(cones.project_dual(y, case.problem.K), y, atol=1e-14)
    assert abs(s @ y) < 1e-13
    assert abs(0.5 * x @ P @ x + q @ x - value) < 1e-13


@pytest.mark.parametrize("case", CASES)
def test_gradient_solves_the_adjoint_system_of_the_reference(case):
    """Mᵀ(g1, g2) = −(seed, 0) with the reference's dense DΠ."""
    P, _, A, _ = case.problem.fields
    x, y, s = (case.solution[name] for name in ("x", "y", "s"))
    g1, g2 = case.gradient["q"], case.gradient["b"]
    D = cones.derivative_dual(y - s, case.problem.K)
    np.testing.assert_allclose(P @ g1 - A.T @ g2, -case.seed, atol=1e-13)
    np.testing.assert_allclose(D @ (A @ g1 - g2) + g2, 0 * g2, atol=1e-13)
    sides = np.outer(g1, x) / 2
    np.testing.assert_allclose(case.gradient["P"], sides + sides.T, atol=1e-13)
    want = np.outer(y, g1) - np.outer(g2, x)
    np.testing.assert_allclose(case.gradient["A"], want, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_our_layer_meets_every_case(case):
    problem = case.problem.map(lambda v: torch.from_numpy(v).requires_grad_())
    sol = cone_program.solve(problem)
    for name, want in case.solution.items():
        found = getattr(sol, name).detach().numpy()
        np.testing.assert_allclose(found, want, atol=1e-10, err_msg=name)
    grads = torch.autograd.grad(sol.x @ torch.from_numpy(case.seed), problem.fields)
    for name, found in zip("PqAb", grads, strict=True):
        np.testing.assert_allclose(found, case.gradient[name], atol=1e-9, err_msg=name)
