"""The compiled active set against the interior point: same answers, same gradients."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import qp
from companion.layers.qp import engines
from companion.problems import QP, Status
from tests.layers.qp.cases import FIELDS, OUTPUTS, SHAPES, as_torch, batch_of, sample

pytestmark = pytest.mark.skipif(
    engines.compiled() is None, reason="the compiled engine needs numba"
)
CLOSE = {"rtol": 1e-8, "atol": 1e-8}


def outcome(problem: QP, engine: str):
    """Every output and every gradient of a fixed function of the outputs."""
    leaves = problem.map(lambda v: v.clone().requires_grad_())
    sol = qp.solve(leaves, engine=engine)
    generator = torch.Generator().manual_seed(0)
    loss = sum(
        (v * torch.randn(v.shape, generator=generator, dtype=v.dtype)).sum()
        for v in (getattr(sol, name) for name in OUTPUTS)
    )
    return sol, torch.autograd.grad(loss, leaves.fields, allow_unused=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
def test_engines_agree(regime, shape):
    if regime == "near_infeasible" and shape[2] < 2:
        pytest.skip("two rows make the slab")
    batch = batch_of(*(sample(seed, regime, shape)[0] for seed in range(4)))
    (fast, fast_grads), (slow, slow_grads) = (
        outcome(batch, engine) for engine in ("active_set", "interior_point")
    )
    assert fast.info["engine"] == "active_set"
    assert slow.info["engine"] == "interior_point"
    pairs = [(getattr(fast, name), getattr(slow, name)) for name in OUTPUTS]
    for a, b in [*pairs, *zip(fast_grads, slow_grads, strict=True)]:
        # beside the largest entry: a condition number of 1e8 costs the small ones
        size = 1 + float(b.detach().abs().amax()) if b.numel() else 1.0
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8 * size)


@pytest.mark.parametrize("regime", ["weakly_active", "licq_failing", "lp_face"])
def test_degenerate_instances_go_to_the_interior_point(regime):
    good, bad = sample(0)[0], sample(0, regime)[0]
    batch = batch_of(good, bad)
    sol = qp.solve(batch)
    assert sol.info["engine"] == "active_set, interior_point"
    torch.testing.assert_close(
        sol.x[1], qp.solve(as_torch(bad), engine="interior_point").x, **CLOSE
    )


SIZES = (1, 2, 5)


@pytest.mark.parametrize("engine", ["active_set", "interior_point"])
@pytest.mark.parametrize("size", SIZES)
def test_shared_fields_receive_the_sum_in_every_mix(size, engine):
    batch = batch_of(*(sample(seed)[0] for seed in range(size)))
    for mix in itertools.product((False, True), repeat=6):
        fields = [v[0] if one else v for v, one in zip(batch.fields, mix, strict=True)]
        whole = [v.clone().requires_grad_() for v in fields]
        qp.layer(
            QP(*whole), engine=engine, on_failure="nan"
        ).nan_to_num().sum().backward()
        expected = [torch.zeros_like(v) for v in fields]
        for i in range(size):
            alone = [
                (v if one else v[i]).clone().requires_grad_()
                for v, one in zip(fields, mix, strict=True)
            ]
            x = qp.layer(QP(*alone), engine=engine, on_failure="nan")
            x.nan_to_num().sum().backward()
            for total, v, one in zip(expected, alone, mix, strict=True):
                (total if one else total[i]).add_(v.grad)
        if all(mix):  # one instance, however many there were
            expected = [v / size for v in expected]
        for name, v, total in zip(FIELDS, whole, expected, strict=True):
            torch.testing.assert_close(
                v.grad, total, rtol=1e-9, atol=1e-9, msg=f"{name} in {mix}"
            )


def test_warm_start_changes_nothing_but_the_work():
    batch = batch_of(*(sample(seed, shape=(30, 5, 40))[0] for seed in range(3)))
    cold = qp.solve(batch)
    warm = qp.solve(batch, warm_start=cold)
    for name in OUTPUTS:
        torch.testing.assert_close(getattr(cold, name), getattr(warm, name), **CLOSE)
    assert int(warm.info["iterations"].sum()) == 0


def test_unknown_engine_is_refused():
    problem = as_torch(sample(0)[0])
    with pytest.raises(ValueError, match="expected one of auto, separable"):
        qp.solve(problem, engine="simplex")


def test_without_numba_the_interior_point_serves(monkeypatch):
    monkeypatch.setattr(engines, "compiled", lambda: None)
    problem = as_torch(sample(0)[0])
    assert qp.solve(problem).info["engine"] == "interior_point"
    with pytest.raises(ValueError, match="numba, which is not installed"):
        qp.solve(problem, engine="active_set")


def boxed(generator, size, n, *, equality=True, low=0.0):
    """Nearest points of a weighted box, cut by one equality if there is one."""
    d = 0.5 + torch.rand(n, generator=generator, dtype=torch.float64)
    y = torch.randn(size, n, generator=generator, dtype=torch.float64)
    eye = torch.eye(n, dtype=torch.float64)
    row = torch.linspace(0.5, 2.0, n, dtype=torch.float64)[None] if equality else None
    one = torch.ones(1, dtype=torch.float64) if equality else None
    h = torch.cat([torch.full((n,), -low), torch.full((n,), 0.4)]).double()
    return QP(torch.diag(d), -y, row, one, torch.cat([-eye, 2 * eye]), h)


@pytest.mark.parametrize("equality", [True, False])
def test_separable_engine_agrees_with_the_active_set(equality):
    problem = boxed(torch.Generator().manual_seed(0), 5, 40, equality=equality)
    (one, grads), (other, wanted) = (
        outcome(problem, engine) for engine in ("separable", "active_set")
    )
    assert qp.solve(problem).info["engine"] == one.info["engine"] == "separable"
    for name in OUTPUTS:
        torch.testing.assert_close(getattr(one, name), getattr(other, name), **CLOSE)
    for a, b in zip(grads, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, **CLOSE)


def test_simplex_by_sorting():
    n = 50
    y = torch.randn(7, n, generator=torch.Generator().manual_seed(2)).double()
    eye, ones = torch.eye(n).double(), torch.ones(1, n).double()
    problem = QP(eye, -y, ones, ones[:, 0], -eye, 0 * ones[0])
    falling = y.sort(descending=True).values
    ranks = torch.arange(1, n + 1)
    levels = (falling.cumsum(-1) - 1) / ranks
    last = (falling > levels).sum(-1, keepdim=True)
    expected = (y - levels.gather(-1, last - 1)).clamp(min=0)
    sol = qp.solve(problem)
    assert sol.info["engine"] == "separable"
    torch.testing.assert_close(sol.x, expected, rtol=0, atol=1e-13)


def test_bounds_that_exclude_each_other_are_infeasible():
    n = 30
    feasible = boxed(torch.Generator().manual_seed(1), 2, n, equality=False)
    h = feasible.h.repeat(2, 1)
    h[1, 0] = -1.0  # x_0 ≥ 1 and x_0 ≤ 0.2
    sol = qp.solve(QP(*feasible.fields[:5], h))
    assert sol.status.tolist() == [0, 1]
    assert torch.isfinite(sol.x[0]).all()


def test_a_problem_without_the_structure_is_refused_by_name():
    with pytest.raises(ValueError, match="a shared diagonal P"):
        qp.solve(as_torch(sample(0)[0]), engine="separable")


def test_rounding_does_not_make_a_singular_P_definite():
    # P = MᵀM of rank two, M = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]: Cholesky succeeds
    P = torch.tensor([[45.0, 54, 63], [54, 66, 78], [63, 78, 93]]).double()
    G = torch.tensor([[1.0, 0, 0]]).double()
    x = torch.ones(3).double()
    q = (-(P @ x) - G[0]).requires_grad_()
    sol = qp.solve(QP(P, q, G=G, h=torch.ones(1).double()), engine="active_set")
    (grad,) = torch.autograd.grad(sol.x[2], q)
    exact = torch.tensor([0.0, 78, -66]).double() / 54  # [[66, 78], [78, 93]] inverted
    torch.testing.assert_close(grad, exact, rtol=1e-9, atol=1e-9)


def test_more_equalities_than_variables_are_told_infeasible():
    A = torch.tensor([[1.0, 1], [0, 1], [-1, 1]]).double()
    b = torch.tensor([1.0, 1, -1]).double()
    eye, zero = torch.eye(2).double(), torch.zeros(2).double()
    sol = qp.solve(QP(eye, zero, A, b, -eye, zero), engine="active_set")
    assert sol.status == Status.PRIMAL_INFEASIBLE


def test_memory_is_used_again_only_when_no_graph_needs_it():
    problems = [batch_of(*(sample(s, shape=(40, 5, 60))[0] for s in seeds))
                for seeds in ((0, 1, 2), (3, 4, 5))]  # fmt: skip

    def graph(problem):
        fields = [v.clone().requires_grad_() for v in problem.fields]
        return qp.layer(QP(*fields), engine="active_set"), fields

    def gradients(x, fields):
        return torch.autograd.grad(x.square().sum(), fields)

    want = [gradients(*graph(problem)) for problem in problems]
    both = [graph(problem) for problem in problems]
    held = both[0][0].grad_fn.saved_tensors[9].data_ptr()
    assert held != both[1][0].grad_fn.saved_tensors[9].data_ptr()
    workspace = importlib.import_module("companion.layers.qp.kernel.workspace")
    idle = workspace._idle()[3, 40, 40]
    assert held not in [v.ctypes.data for v in idle]
    for (x, fields), grads in zip(both, want, strict=True):
        assert all(map(torch.equal, gradients(x, fields), grads))
    assert held in [v.ctypes.data for v in idle]  # backward frees the graph


def test_absent_constraints_are_shared():
    problem = batch_of(*(sample(seed)[0] for seed in range(3)))
    q = problem.q.clone().requires_grad_()
    x = qp.layer(QP(problem.P[0], q, G=problem.G[0], h=problem.h[0]))
    assert [len(v) for v in x.grad_fn.saved_tensors[:3]] == [1, 1, 1]
    assert len(x.grad_fn.saved_tensors[9]) == 1, "a factor of every instance was made"


def test_idle_memory_is_bounded_and_the_last_shapes_stay(monkeypatch):
    workspace = importlib.import_module("companion.layers.qp.kernel.workspace")
    idle, unit = {}, 2**15
    monkeypatch.setattr(workspace, "_idle", lambda: idle)
    monkeypatch.setattr(workspace, "kept", lambda: 5 * unit)
    first, second, third, fourth = (2**12,), (2, 2**11), (4, 2**10), (8, 2**9)
    for _ in range(2):
        workspace.give_back(workspace.take(first, second, third))
    assert [len(v) for v in idle.values()] == [1, 1, 1]
    workspace.give_back((*workspace.take(first), np.empty(first)))
    assert list(idle) == [second, third, first], "the last one used is last"
    workspace.give_back(tuple(np.empty(fourth) for _ in range(3)))
    held = {shape: len(arrays) for shape, arrays in idle.items() if arrays}
    assert held == {first: 2, fourth: 3}, "those used first are freed"
    workspace.give_back((np.empty(7 * 2**12),))
    assert sum(v.nbytes for arrays in idle.values() for v in arrays) <= 5 * unit
