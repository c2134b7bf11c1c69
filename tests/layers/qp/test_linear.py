"""Linear programs: vertices, ties, and the three explicit ways out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.layers import qp
from companion.layers.qp.explain import Cause
from companion.problems import QP, SolveError, Verdict
from tests.layers.qp.families import SIMPLEX, klee_minty, qp_of, tensor


def test_vertex_has_zero_slope_in_the_cost_and_the_right_one_in_the_constraints():
    problem = klee_minty(3)
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = qp.solve(leaves)
    seed = tensor([0.3, -1.0, 2.0])
    grads = torch.autograd.grad(sol.x @ seed, leaves.fields)
    named = dict(zip("PqAbGh", grads, strict=True))
    assert named["q"].abs().max() < 1e-12
    assert named["P"].abs().max() < 1e-9
    # by Cramer: x = C⁻¹d on the active rows, dx = C⁻¹(dd − dC x)
    active = (sol.lam > 1e-6).nonzero().flatten()
    y = torch.linalg.solve(problem.G[active].mT, seed)
    dh = torch.zeros_like(problem.h).index_put((active,), y)
    torch.testing.assert_close(named["h"], dh, rtol=1e-9, atol=1e-9)
    dG = -dh.unsqueeze(-1) * sol.x.detach()
    torch.testing.assert_close(named["G"], dG, rtol=1e-9, atol=1e-6)


def test_tie_is_told_by_verdict_and_explanation():
    tied = qp_of([-1.0, -1.0, 0.0], *SIMPLEX)
    sol = qp.solve(tied)
    assert qp.regularity(tied, sol).verdict == Verdict.NOT_UNIQUE
    story = qp.explain(tied, sol, "q")
    assert {r.cause for r in story.reasons[0]} == {Cause.TIED}
    assert "other minimisers" in str(story)


def test_ridge_is_the_projection_and_exact_below_its_threshold():
    costs = {(1.0, 2.0, 3.0): (1.0, 0.0, 0.0), (0.0, 1.0, 3.0): (1.0, 0.0, 0.0)}
    for cost, vertex in costs.items():
        for gamma in (1.0, 0.1):
            found = qp.layer(qp.ridge(qp_of(list(cost), *SIMPLEX), gamma))
            torch.testing.assert_close(found, tensor(vertex), rtol=0, atol=1e-9)
    above = qp.layer(qp.ridge(qp_of([0.0, 1.0, 3.0], *SIMPLEX), 1.5))
    assert above[1] > 1e-2
    tied = qp_of([1.0, 1.0, 3.0], *SIMPLEX)
    for gamma in (1.0, 0.1, 0.01):
        slope = torch.autograd.functional.jacobian(
            lambda q, g=gamma: qp.layer(qp.ridge(QP(tied.P, q, *tied.fields[2:]), g)),
            tied.q,
        )
        face = tensor([[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
        torch.testing.assert_close(slope, -face / gamma, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("gamma", [1.0, 0.1, 1e-3])
def test_entropy_on_the_simplex_is_softmax(gamma):
    rng = np.random.default_rng(0)
    q = torch.as_tensor(rng.normal(size=(4, 3)))
    found = qp.entropy(QP(torch.zeros(3, 3).double(), q, *_rows()), gamma)
    torch.testing.assert_close(found, torch.softmax(-q / gamma, -1))


def _rows():
    G, h, A, b = map(tensor, SIMPLEX)
    return A, b, G, h


def test_entropy_of_a_transport_program_has_exact_derivatives():
    rng = np.random.default_rng(1)
    eye, one = np.eye(3), np.ones((1, 3))
    A = np.vstack([np.kron(eye, one), np.kron(one, eye)[:2]])  # margins, one spare
    b = A @ rng.dirichlet(np.ones(9))
    zero = torch.zeros(9, 9).double()
    inputs = [torch.as_tensor(v).requires_grad_() for v in (rng.normal(size=9), A, b)]

    def plan(q, A, b):
        G = -torch.eye(9, dtype=q.dtype)
        return qp.entropy(QP(zero, q, A, b, G, torch.zeros_like(q)), 0.5)

    x = plan(*inputs)
    assert (x > 0).all()
    torch.testing.assert_close(inputs[1] @ x, inputs[2])
    # stationarity: q + gamma(1 + log x) is in the range of Aᵀ
    left = (inputs[0] + 0.5 * (1 + x.log())).detach()
    fit = torch.linalg.lstsq(inputs[1].detach().mT, left.unsqueeze(-1)).solution
    assert (inputs[1].detach().mT @ fit - left.unsqueeze(-1)).abs().max() < 1e-9
    assert torch.autograd.gradcheck(plan, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(plan, inputs, fast_mode=True)


def test_lpgd_tends_to_the_gradient_and_leaves_vertices():
    rng = np.random.default_rng(3)
    problem = qp.ridge(qp_of([0.3, -0.2, 0.1], *SIMPLEX), 1.0)
    seed = torch.as_tensor(rng.normal(size=3))

    def gradients(layer):
        leaves = problem.map(lambda v: v.clone().requires_grad_())
        return torch.autograd.grad(layer(leaves) @ seed, leaves.fields)

    exact = gradients(qp.layer)
    for close, right in zip(gradients(lambda p: qp.lpgd(p, 1e-6)), exact, strict=True):
        torch.testing.assert_close(close, right, rtol=1e-4, atol=1e-5)
    lp = qp_of([0.3, -0.2, 0.1], *SIMPLEX)
    q = lp.q.clone().requires_grad_()
    leaf = QP(lp.P, q, *lp.fields[2:])
    want = tensor([0.0, 0.0, 1.0])  # the loss is −x₂: make the third cheaper
    (still,) = torch.autograd.grad(-qp.layer(leaf) @ want, q)
    (pushed,) = torch.autograd.grad(-qp.lpgd(leaf, 1.0) @ want, q)
    assert still.abs().max() < 1e-12
    torch.testing.assert_close(pushed, tensor([0.0, -1.0, 1.0]), rtol=0, atol=1e-8)
    # descent on it makes the wanted vertex optimal
    assert qp.layer(QP(lp.P, lp.q - pushed, *lp.fields[2:]))[2] > 0.999


def test_lpgd_sums_gradients_of_shared_fields():
    lp = qp_of([0.3, -0.2, 0.1], *SIMPLEX)
    q = torch.stack([lp.q, lp.q.flip(0)])
    b = lp.b.clone().requires_grad_()
    seed = tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 1.0]])
    x = qp.lpgd(QP(lp.P, q, lp.A, b, lp.G, lp.h), 0.1)
    (together,) = torch.autograd.grad((x * seed).sum(), b)
    alone = sum(
        torch.autograd.grad(qp.lpgd(QP(lp.P, one, lp.A, b, lp.G, lp.h), 0.1) @ s, b)[0]
        for one, s in zip(q, seed, strict=True)
    )
    torch.testing.assert_close(together, alone)


def test_wrong_linear_programs_are_refused():
    lp = qp_of([0.3, -0.2, 0.1], *SIMPLEX)
    for name, wrong in (
        ("P = 0", qp.ridge(lp, 1.0)),
        ("G = −I", QP(*lp.fields[:4], 2 * lp.G, lp.h)),
        ("h = 0", QP(*lp.fields[:5], lp.h + 1)),
        ("at least one row", qp_of([1.0], [[-1.0]], [0.0])),
    ):
        with pytest.raises(ValueError, match=name):
            qp.entropy(wrong, 1.0)
    for act in (qp.ridge, qp.entropy, qp.lpgd):
        with pytest.raises(ValueError, match="expected a positive number, got 0"):
            act(lp, 0.0)
    empty = QP(*lp.fields[:3], lp.b - 3, *lp.fields[4:])
    with pytest.raises(SolveError):
        qp.entropy(empty, 1.0)
    with pytest.raises(SolveError):
        qp.lpgd(empty, 1.0)
