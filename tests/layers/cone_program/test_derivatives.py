"""Right derivatives: adjoint, of Taylor order two, and those of other solvers."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from companion.gradcheck import taylor
from companion.layers import cone_program
from companion.problems import ConeProgram, Cones
from tests.layers.cone_program import splitting
from tests.layers.cone_program.cases import (
    EVERY,
    FIELDS,
    OUTPUTS,
    PRODUCTS,
    REGULAR,
    batch_of,
    direction,
    disc,
    moved,
    sample,
)

FEW = {
    "line": PRODUCTS["line"],
    "soc": Cones(soc=(4, 3)),
    "psd": Cones(zero=1, psd=(4,)),
    "exp": Cones(exp=1, nonneg=2),
    "exp_dual": Cones(exp_dual=1, nonneg=2),
    "power": Cones(power=(0.3,), nonneg=2),
    "power_dual": Cones(power=(-0.3,), nonneg=2),
}


def inner(left, right) -> float:
    pairs = zip(left, right, strict=True)
    return float(sum((v.detach() * w).sum() for v, w in pairs))


def seeds(rng, sol) -> list[torch.Tensor]:
    return [torch.from_numpy(rng.normal(size=v.shape)) for v in (sol.x, sol.y, sol.s)]


@pytest.mark.parametrize("regime", REGULAR)
def test_derivative_and_adjoint_agree_on_150_random_programs(regime):
    rng = np.random.default_rng(0)
    problem = batch_of(*(sample(seed, EVERY, regime)[0] for seed in range(150)))
    sol = cone_program.solve(problem)
    D, DT = cone_program.derivative(problem, sol)
    d, w = direction(rng, problem), seeds(rng, sol)
    there, back = D(*d.fields), DT(*w)
    left, right = (
        sum((a * b).flatten(1).sum(1) for a, b in zip(*pair, strict=True))
        for pair in ((there, w), (d.fields, back))
    )
    size = sum(v.square().sum(1) for v in there) * sum(v.square().sum(1) for v in w)
    assert ((left - right).abs() <= 1e-9 * size.sqrt()).all()
    assert (D.residual < 1e-11).all()
    assert (DT.residual < 1e-11).all()


@pytest.mark.parametrize("regime", REGULAR)
@pytest.mark.parametrize("name", PRODUCTS)
def test_gradient_of_every_output_has_taylor_order_two(name, regime):
    problem, _ = sample(1, PRODUCTS[name], regime)
    rng = np.random.default_rng(1)
    d = direction(rng, problem)
    d = d.map(lambda v: 0.05 * v / max(1.0, float(v.norm())))
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = cone_program.solve(leaves)

    @functools.cache
    def solution(t):
        return cone_program.solve(moved(problem, d, t))

    for output in OUTPUTS:
        value = getattr(sol, output)
        weight = torch.from_numpy(rng.normal(size=value.shape))
        grads = torch.autograd.grad(
            (weight * value).sum(), leaves.fields, retain_graph=True
        )

        def along(t, output=output, weight=weight):
            return (weight * getattr(solution(t.item()), output)).sum().numpy()

        report = taylor(along, np.zeros(()), np.ones(()), inner(grads, d.fields))
        assert report.passes, (output, report)


@pytest.mark.parametrize("name", FEW)
def test_derivative_is_that_of_an_independent_solver(name):
    problem, known = sample(2, FEW[name])
    rng = np.random.default_rng(2)
    d = direction(rng, problem)
    sol = cone_program.solve(problem)
    D, _ = cone_program.derivative(problem, sol)
    h, ends = 3e-4, []
    for t in (h, -h):
        fields = [v.numpy() for v in moved(problem, d, t).fields]
        ends.append(splitting.solve(fields, problem.K, (known.x, known.y, known.s)))
    for ours, up, down in zip(D(*d.fields), *ends, strict=True):
        slope = torch.from_numpy((up - down) / (2 * h))
        assert (ours - slope).norm() <= 1e-4 * slope.norm()


def test_gradients_of_autograd_are_those_of_the_adjoint_map():
    problem, _ = sample(3)
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = cone_program.solve(leaves)
    w = seeds(np.random.default_rng(3), sol)
    grads = torch.autograd.grad(
        sum((v * g).sum() for v, g in zip((sol.x, sol.y, sol.s), w, strict=True)),
        leaves.fields,
    )
    _, DT = cone_program.derivative(problem, cone_program.solve(problem))
    for ours, theirs in zip(grads, DT(*w), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_forward_mode_is_the_derivative():
    problem, _ = sample(4)
    d = direction(np.random.default_rng(4), problem)

    def outputs(*fields):
        sol = cone_program.solve(ConeProgram(*fields, problem.K))
        return sol.x, sol.y, sol.s

    sol, moves = torch.func.jvp(outputs, problem.fields, d.fields)
    D, _ = cone_program.derivative(problem, cone_program.solve(problem))
    for ours, theirs in zip(moves, D(*d.fields), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    assert len(sol) == 3


def test_linear_operator_is_the_derivative_flattened():
    problem, _ = sample(5, PRODUCTS["soc"])
    sol = cone_program.solve(problem)
    operator = cone_program.linear_operator(problem, sol)
    d = direction(np.random.default_rng(5), problem)
    D, _ = cone_program.derivative(problem, sol)
    flat = torch.cat([v.flatten() for v in d.fields]).numpy()
    np.testing.assert_allclose(operator @ flat, torch.cat(D(*d.fields)), atol=1e-12)
    w = np.random.default_rng(6).normal(size=operator.shape[0])
    assert abs(w @ (operator @ flat) - flat @ (operator.T @ w)) < 1e-9


@pytest.mark.parametrize("field", FIELDS)
def test_gradient_of_a_shared_parameter_is_the_sum(field):
    problems = [disc(c) for c in (0.7, -0.8, 0.6)]
    problems = [
        ConeProgram(torch.eye(2).double(), *p.fields[1:], p.K) for p in problems
    ]
    whole = dict(zip(FIELDS, batch_of(*problems).fields, strict=True))
    shared = whole[field][0].clone().requires_grad_()
    x = cone_program.layer(ConeProgram(**{**whole, field: shared}, K=problems[0].K))
    weight = torch.tensor([[1.0, 2], [3, -1], [0.5, 1]]).double()
    (together,) = torch.autograd.grad((weight * x).sum(), shared)
    total = torch.zeros_like(shared)
    for i in range(3):
        own = {k: v[i] for k, v in whole.items()}
        x = cone_program.layer(ConeProgram(**{**own, field: shared}, K=problems[0].K))
        total += torch.autograd.grad((weight[i] * x).sum(), shared)[0]
    torch.testing.assert_close(together, total, rtol=1e-10, atol=1e-12)


def test_demand_of_cobb_and_douglas_moves_as_in_closed_form():
    """Most x^α y^(1−α) with prices·(x, y) ≤ w: x = αw/p₁, y = (1 − α)w/p₂."""
    alpha = 0.3
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    prices = torch.tensor([1.5, 0.8], dtype=torch.float64, requires_grad=True)
    K = Cones(nonneg=1, power=(alpha,))
    rows = torch.cat([prices, torch.zeros(1)]).unsqueeze(0)
    A = torch.cat([rows, -torch.eye(3).double()])
    b = torch.cat([w.reshape(1), torch.zeros(3).double()])
    q = torch.tensor([0.0, 0, -1]).double()
    x = cone_program.layer(ConeProgram(torch.zeros(3, 3).double(), q, A, b, K))[:2]
    share = torch.tensor([alpha, 1 - alpha], dtype=torch.float64)
    torch.testing.assert_close(x, share * w / prices, rtol=1e-12, atol=0)
    for i in range(2):
        dw, dp = torch.autograd.grad(x[i], (w, prices), retain_graph=True)
        torch.testing.assert_close(dw, share[i] / prices[i], rtol=1e-10, atol=0)
        slope = torch.zeros(2).double()
        slope[i] = -share[i] * w / prices[i] ** 2
        torch.testing.assert_close(dp, slope.detach(), rtol=1e-10, atol=1e-12)


def test_log_sum_exp_has_the_softmax_for_gradient():
    """Least t with Σ u_i ≤ 1, (c_i − t, 1, u_i) ∈ K_exp."""
    c = torch.tensor([0.3, -1.2, 0.8]).double().requires_grad_()
    A = torch.zeros(10, 4).double()
    A[0, 1:] = 1
    A[1::3, 0] = 1
    A[[3, 6, 9], [1, 2, 3]] = -1
    ones = torch.ones(3).double()
    rows = torch.stack([c, ones, 0 * ones], -1).flatten()
    b = torch.cat([torch.ones(1).double(), rows])
    q = torch.tensor([1.0, 0, 0, 0]).double()
    problem = ConeProgram(torch.zeros(4, 4).double(), q, A, b, Cones(nonneg=1, exp=3))
    sol = cone_program.solve(problem)
    torch.testing.assert_close(sol.value, c.logsumexp(0), rtol=1e-12, atol=0)
    softmax = c.softmax(0)
    torch.testing.assert_close(sol.x[1:], softmax, rtol=1e-11, atol=1e-12)
    for ours, theirs in zip(sol.x[1:], softmax, strict=True):
        (mine,) = torch.autograd.grad(ours, c, retain_graph=True)
        (other,) = torch.autograd.grad(theirs, c, retain_graph=True)
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-10)


def test_largest_eigenvalue_has_the_projector_for_gradient():
    """Least t with tI − C ⪰ 0, of side 4: the multiplier is uuᵀ, and so is dt/dC."""
    rng = np.random.default_rng(7)
    C = torch.from_numpy(rng.normal(size=(4, 4)))
    C = (C + C.mT).requires_grad_()
    columns, rows = np.triu_indices(4)
    weight = torch.from_numpy(np.where(rows == columns, 1.0, np.sqrt(2.0)))
    eye = torch.eye(4).double()[rows, columns]
    program = ConeProgram(
        torch.zeros(1, 1).double(),
        torch.ones(1).double(),
        -eye.unsqueeze(-1),
        -weight * C[rows, columns],
        Cones(psd=(4,)),
    )
    sol = cone_program.solve(program)
    values, vectors = torch.linalg.eigh(C.detach())
    u = vectors[:, -1]
    torch.testing.assert_close(sol.x[0], values[-1], rtol=1e-12, atol=0)
    torch.testing.assert_close(
        sol.y, weight * (u[rows] * u[columns]), rtol=0, atol=1e-10
    )
    for output in (sol.x[0], sol.value):
        (grad,) = torch.autograd.grad(output, C, retain_graph=True)
        want = torch.outer(u, u)
        torch.testing.assert_close(0.5 * (grad + grad.mT), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", PRODUCTS)
def test_second_derivatives_have_taylor_order_two(name):
    problem, _ = sample(8, PRODUCTS[name])
    rng = np.random.default_rng(8)
    d = direction(rng, problem)
    d = d.map(lambda v: 0.02 * v / max(1.0, float(v.norm())))

    def slopes(t):
        leaves = moved(problem, d, t).map(lambda v: v.detach().requires_grad_())
        sol = cone_program.solve(leaves)
        loss = sol.x.square().sum() + sol.y.sin().sum() + sol.s.square().sum()
        grads = torch.autograd.grad(loss, leaves.fields, create_graph=True)
        return leaves.fields, inner(grads, d.fields) if t else grads

    fields, grads = slopes(0)
    total = sum((g * w).sum() for g, w in zip(grads, d.fields, strict=True))
    second = inner(torch.autograd.grad(total, fields), d.fields)

    def along(t):
        return np.float64(slopes(t.item())[1] if t else total.item())

    report = taylor(along, np.zeros(()), np.ones(()), second, noise=1e-11)
    assert report.passes, report
