"""Right derivatives of every output in every field, first and second."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch

from companion import sampling
from companion.gradcheck import taylor
from companion.layers import qp
from companion.problems import QP
from companion.reference import qp as reference
from tests import oracles
from tests.layers.qp.cases import (
    FIELDS,
    OUTPUTS,
    SHAPES,
    as_torch,
    direction,
    moved,
    sample,
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
@pytest.mark.parametrize("seed", range(2))
def test_gradient_of_every_output_has_taylor_order_two(seed, regime, field):
    problem = as_torch(sample(seed, regime)[0])
    rng = np.random.default_rng(seed)
    d = direction(rng, problem)
    v = _safe_step(problem, d, field) * getattr(d, field)
    values = dict(zip(FIELDS, problem.fields, strict=True))
    leaf = values[field].clone().requires_grad_()
    sol = qp.solve(QP(**{**values, field: leaf}))
    weights = {
        k: torch.as_tensor(rng.normal(size=getattr(sol, k).shape)) for k in OUTPUTS
    }

    @functools.cache
    def solution(t):
        return qp.solve(QP(**{**values, field: values[field] + t * v}))

    for name, weight in weights.items():
        loss = (weight * getattr(sol, name)).sum()
        (grad,) = torch.autograd.grad(loss, leaf, retain_graph=True)

        def along(t, name=name, weight=weight):
            return (weight * getattr(solution(t.item()), name)).sum().numpy()

        slope = float((grad * v).sum())
        noise = 1e-9 if regime == "ill_conditioned" else 1e-12
        report = taylor(along, np.zeros(()), np.ones(()), slope, noise=noise)
        assert report.passes, (name, report)


def _safe_step(problem: QP, d: QP, field: str) -> float:
    """A length below which moving the field along d keeps the active set."""
    active = _active(qp.solve(problem))
    values = dict(zip(FIELDS, problem.fields, strict=True))
    if field == "P":
        floor = float(torch.linalg.eigvalsh(problem.P)[0])
        d = QP(d.P * min(1.0, floor), *d.fields[1:])
    for size in 4.0 ** -np.arange(14):
        moves = (t * size * getattr(d, field) for t in (1 / 16, 1 / 32, 1 / 64))
        sols = [qp.solve(QP(**{**values, field: values[field] + v})) for v in moves]
        if all(s.status == 0 and torch.equal(_active(s), active) for s in sols):
            return size / 4 * (min(1.0, floor) if field == "P" else 1.0)
    pytest.fail(f"no step along {field} keeps the active set")


def _active(sol) -> torch.Tensor:
    return sol.lam > sol.slack


@pytest.mark.parametrize("shape", SHAPES)
def test_torch_gradcheck_and_gradgradcheck(shape):
    n, p, m = shape
    problem = as_torch(sample(1, shape=(min(n, 3), p, min(m, 3)))[0])

    kept = [name for name, v in zip(FIELDS, problem.fields, strict=True) if v.numel()]

    def outputs(*leaves):
        values = dict(zip(kept, leaves, strict=True))
        values["P"] = 0.5 * (values["P"] + values["P"].mT)
        sol = qp.solve(QP(**values))
        return tuple(
            v for v in (sol.x, sol.nu, sol.lam, sol.slack, sol.value) if v.numel()
        )

    inputs = tuple(getattr(problem, name).clone().requires_grad_() for name in kept)
    assert torch.autograd.gradcheck(outputs, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(outputs, inputs)


@pytest.mark.parametrize("output", ["x", "nu", "lam", "slack"])
def test_gradient_equals_differences_through_an_exact_active_set_solver(output):
    for seed in range(4):
        problem = sample(seed)[0]
        tensors = as_torch(problem)
        leaves = tensors.map(lambda v: v.clone().requires_grad_())
        rng = np.random.default_rng(seed)
        out = getattr(qp.solve(leaves), output)
        weight = rng.normal(size=out.shape)
        grads = torch.autograd.grad(
            (torch.as_tensor(weight) * out).sum(), leaves.fields
        )
        d = direction(rng, tensors)
        slope = sum(
            float((g * dv).sum()) for g, dv in zip(grads, d.fields, strict=True)
        )

        def exact(t, tensors=tensors, d=d, weight=weight):
            shifted = moved(tensors, d, t).map(lambda v: v.numpy())
            x, nu, lam = oracles.active_set(*shifted.fields)
            values = {"x": x, "nu": nu, "lam": lam, "slack": shifted.h - shifted.G @ x}
            return float((weight * values[output]).sum())

        step = 1e-5
        difference = (exact(step) - exact(-step)) / (2 * step)
        assert abs(slope - difference) < 1e-6 * (1 + abs(difference))


def test_vjp_matches_reference():
    for seed in range(5):
        problem, _ = sample(seed)
        rng = np.random.default_rng(seed)
        gx, gnu, glam = rng.normal(size=4), rng.normal(size=1), rng.normal(size=5)
        expected = reference.vjp(problem, reference.solve(problem), gx, gnu, glam)
        leaves = as_torch(problem).map(lambda v: v.clone().requires_grad_())
        sol = qp.solve(leaves)
        loss = sum(
            (torch.as_tensor(g) * v).sum()
            for g, v in ((gx, sol.x), (gnu, sol.nu), (glam, sol.lam))
        )
        grads = torch.autograd.grad(loss, leaves.fields)
        for got, want in zip(grads, expected.fields, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-6 * (1 + np.abs(want).max()))


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("shared", list(itertools.combinations(FIELDS, 3)))
def test_gradient_of_shared_parameter_is_the_sum(size, shared):
    base = as_torch(sample(3)[0])
    rng = np.random.default_rng(size)
    leaves, full = {}, {}
    for name, v in zip(FIELDS, base.fields, strict=True):
        noise = torch.as_tensor(1e-3 * rng.normal(size=(size, *v.shape)))
        if name == "P":
            noise = noise + noise.mT
        one = v.clone() if name in shared else v + noise
        leaves[name] = one.requires_grad_()
        full[name] = one.detach().expand(size, *v.shape).clone().requires_grad_()
    grads = torch.autograd.grad(
        qp.solve(QP(**leaves)).x.square().sum(), leaves.values()
    )
    each = torch.autograd.grad(qp.solve(QP(**full)).x.square().sum(), full.values())
    for name, got, want in zip(FIELDS, grads, each, strict=True):
        expected = want.sum(0) if name in shared else want
        assert got.abs().max() > 0
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_duplicate_active_row_gets_the_minimum_norm_multiplier_and_a_warning():
    one = torch.ones(1, 1, dtype=torch.float64)
    h = torch.ones(2, dtype=torch.float64, requires_grad=True)
    problem = QP(one, -3 * one[0], G=torch.cat([one, one]), h=h)
    sol = qp.solve(problem)
    assert torch.allclose(sol.x, torch.ones_like(sol.x))
    assert torch.allclose(sol.lam.sum(), torch.tensor(2.0, dtype=torch.float64))
    (grad,) = torch.autograd.grad(sol.x.sum(), h)
    assert torch.allclose(grad, torch.tensor([0.5, 0.5], dtype=torch.float64))
    assert not qp.regularity(problem, sol).differentiable
