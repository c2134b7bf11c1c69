"""The closest feasible program and its derivative."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.gradcheck import taylor
from companion.layers import qp
from companion.problems import QP
from tests import oracles
from tests.layers.qp.cases import (
    FIELDS,
    OUTPUTS,
    as_torch,
    batch_of,
    infeasible,
    sample,
)
from tests.layers.qp.families import INFEASIBLE, qp_of, tensor


def test_contradicting_bounds_meet_in_the_middle():
    problem = qp_of([0.0], [[1.0], [-1.0]], [0.0, -1.0], P=[[1.0]])
    h = problem.h.clone().requires_grad_()
    found = qp.closest(QP(problem.P, problem.q, G=problem.G, h=h))
    torch.testing.assert_close(found.shift_h, tensor([0.5, 0.5]))
    torch.testing.assert_close(found.solution.x, tensor([0.5]))
    (slope,) = torch.autograd.grad(found.solution.x.sum(), h, retain_graph=True)
    torch.testing.assert_close(slope, tensor([0.5, -0.5]))
    # were the shift a constant, x would follow each bound alone
    (shift,) = torch.autograd.grad(found.shift_h[0], h)
    torch.testing.assert_close(shift, tensor([-0.5, -0.5]))


def cases():
    yield from INFEASIBLE.items()
    for seed in range(3):
        P, q, A, b, G, h = as_torch(sample(seed)[0]).fields
        y = torch.as_tensor(np.random.default_rng(seed).uniform(0.5, 1.5, 3))
        G = torch.cat([G[:3], -(y @ G[:3]).unsqueeze(0), G[4:]])
        h = torch.cat([h[:3], -(y @ h[:3]).unsqueeze(0) - 1, h[4:]])
        yield f"random {seed}", QP(P, q, A, b, G, h)


CASES = dict(cases())


@pytest.mark.parametrize("name", CASES)
def test_shift_is_least_and_the_objective_minimal_behind_it(name):
    problem = CASES[name]
    found = qp.closest(problem)
    P, q, A, b, G, h = (v.numpy() for v in problem.fields)
    n, k = len(q), len(b) + len(h)
    # the shift by Clarabel: min ½‖s‖² over (x, s)
    big = np.zeros((n + k, n + k))
    big[n:, n:] = np.eye(k)
    rows = np.hstack([np.vstack([A, G]), -np.eye(k)])
    p = len(b)
    z, *_ = oracles.clarabel_qp(big, np.zeros(n + k), rows[:p], b, rows[p:], h)
    s = torch.cat([found.shift_b, found.shift_h])
    np.testing.assert_allclose(s.numpy(), z[n:], atol=1e-6)
    x = found.solution.x.numpy()
    assert (G @ x - h - found.shift_h.numpy()).max(initial=0) < 1e-8
    # a slightly larger shift has an interior: its optimum is nearby
    wide = h + found.shift_h.numpy() + 1e-7
    C, d = np.vstack([A, G[:0]]), b + found.shift_b.numpy()
    C, keep = _independent(C)
    near, *_ = oracles.clarabel_qp(P + 0, q, C, d[keep], G, wide)
    np.testing.assert_allclose(x, near, atol=1e-4)


def _independent(C):
    keep: list[int] = []
    for i in range(len(C)):
        if np.linalg.matrix_rank(C[[*keep, i]]) > len(keep):
            keep.append(i)
    return C[keep], keep


@pytest.mark.parametrize("field", FIELDS)
def test_derivative_through_the_shift_has_taylor_order_two(field):
    problem = CASES["random 1"]
    rng = np.random.default_rng(4)
    values = dict(zip(FIELDS, problem.fields, strict=True))
    v = torch.as_tensor(rng.normal(size=values[field].shape))
    v = 0.05 * (v + v.mT if field == "P" else v)
    weights = torch.as_tensor(rng.normal(size=4)), torch.as_tensor(rng.normal(size=5))
    more = torch.as_tensor(rng.normal(size=len(problem.b) + len(problem.h)))

    def loss(value):
        found = qp.closest(QP(**{**values, field: value}))
        sol = found.solution
        multipliers = torch.cat([sol.nu, sol.lam]) @ more
        return sol.x @ weights[0] + found.shift_h @ weights[1] + multipliers

    leaf = values[field].clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(leaf), leaf)
    report = taylor(
        lambda t: float(loss(values[field] + float(t) * v)),
        np.zeros(()), np.ones(()), float((grad * v).sum()), noise=1e-10,
    )  # fmt: skip
    assert report.passes, str(report)


def test_feasible_instances_are_left_as_they_are():
    batch = batch_of(sample(0)[0], infeasible(), sample(1, "weakly_active")[0])
    leaves = batch.map(lambda v: v.clone().requires_grad_())
    found, plain = qp.closest(leaves), qp.solve(leaves)
    assert found.solution.status.tolist() == [0, 0, 0]
    for name in OUTPUTS:
        ours, theirs = (getattr(sol, name)[[0, 2]] for sol in (found.solution, plain))
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)
    assert (found.shift_h[[0, 2]] == 0).all()
    assert (found.shift_h[1] > 1e-3).any()
    pairs = zip(
        torch.autograd.grad(found.solution.x[[0, 2]].square().sum(), leaves.fields),
        torch.autograd.grad(plain.x[[0, 2]].square().sum(), leaves.fields),
        strict=True,
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)


def test_multipliers_of_contradicting_equations_have_their_derivative():
    """They are the least in norm, of unit rows, of those that the conditions allow."""
    rng = np.random.default_rng(6)
    A, b, q, move = (tensor(rng.normal(size=k)) for k in ((4, 2), 4, 2, (4, 2)))
    P, weight = torch.eye(2, dtype=A.dtype), torch.linspace(1, 2, 4, dtype=A.dtype)

    def multipliers(A):
        return qp.closest(QP(P, q, A, b)).solution.nu

    size, x = A.norm(dim=1), qp.closest(QP(P, q, A, b)).solution.x
    unit = A / size.unsqueeze(1)
    least = torch.linalg.lstsq(unit.mT, -(x + q), driver="gelsd").solution / size
    torch.testing.assert_close(multipliers(A), least)
    leaf = A.clone().requires_grad_()
    (grad,) = torch.autograd.grad(multipliers(leaf) @ weight, leaf)
    report = taylor(
        lambda t: float(multipliers(A + 0.05 * float(t) * move) @ weight),
        np.zeros(()), np.ones(()), 0.05 * float((grad * move).sum()), noise=1e-10,
    )  # fmt: skip
    assert report.passes, str(report)
