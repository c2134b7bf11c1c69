"""Sparse matrices: the same answers and gradients as dense ones, on the pattern."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion import gradcheck, sampling
from companion.layers import qp
from companion.layers.qp.sparse import engine, libraries
from companion.layers.qp.sparse.adjoint import OnPattern
from companion.layers.qp.sparse.border import settle
from companion.layers.qp.sparse.data import from_dense
from companion.layers.qp.sparse.factor import System
from companion.problems import QP, Status
from tests.benchmarks.sparse import banded, scattered
from tests.layers.qp.cases import OUTPUTS, sample
from tests.real import as_sparse, csr

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning"),
    pytest.mark.skipif(not libraries.installed(), reason="needs clarabel or piqp"),
]
SHAPES = [(4, 1, 5), (4, 1, 0), (4, 0, 5), (12, 3, 9)]


def sparse_and_dense(fields) -> tuple[QP, QP]:
    """Leaves of the same problem twice."""
    sparse = as_sparse(*fields)
    dense = sparse.map(lambda v: v if v.layout == torch.strided else v.to_dense())
    return tuple(p.map(lambda v: v.clone().requires_grad_()) for p in (sparse, dense))


def outcome(leaves: QP, engine: str):
    sol = qp.solve(leaves, engine=engine)
    generator = torch.Generator().manual_seed(0)
    loss = sum(
        (v * torch.randn(v.shape, generator=generator, dtype=v.dtype)).sum()
        for v in (getattr(sol, name) for name in OUTPUTS)
    )
    return sol, torch.autograd.grad(loss, leaves.fields, allow_unused=True)


def assert_alike(fields, dense_engine: str, digits: float) -> None:
    """Outputs, and gradients on the pattern, agree with a dense engine's."""
    sparse, dense = sparse_and_dense(fields)
    (ours, grads), (theirs, dense_grads) = (
        outcome(sparse, "sparse"),
        outcome(dense, dense_engine),
    )
    assert ours.info["engine"] == "sparse"
    assert dense_engine in theirs.info["engine"]
    pairs = [(getattr(ours, name), getattr(theirs, name)) for name in OUTPUTS]
    for v, grad, other in zip(sparse.fields, grads, dense_grads, strict=True):
        if v.layout == torch.strided:
            pairs.append((grad, other))
        else:
            assert torch.equal(grad.col_indices(), v.col_indices())
            pattern = csr(v.detach().to_dense().numpy() != 0).to_dense()
            pairs.append((grad.to_dense(), other * pattern))
    for a, b in pairs:
        size = 1 + float(b.detach().abs().amax()) if b.numel() else 1.0
        torch.testing.assert_close(a, b, rtol=0, atol=digits * size)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
def test_full_pattern_agrees_with_the_dense_interior_point(regime, shape):
    if regime == "near_infeasible" and shape[2] < 2:
        pytest.skip("two rows make the slab")
    problem, _ = sample(3, regime, shape)
    # beside the largest entry: a condition number of 1e8 costs the small ones
    assert_alike(problem.fields, "interior_point", 1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [lambda s: banded(8, s), lambda s: scattered(60, s)])
def test_sparse_pattern_agrees_with_the_dense_interior_point(make, seed):
    assert_alike(make(seed), "interior_point", 1e-9)


@pytest.mark.parametrize("regime", ["weakly_active", "licq_failing"])
def test_degenerate_instance_has_the_dense_engines_minimiser(regime):
    problem, known = sample(2, regime)
    sol = qp.solve(as_sparse(*problem.fields), engine="sparse")
    assert int(sol.status) == Status.SOLVED
    np.testing.assert_allclose(sol.x.numpy(), known.x, atol=1e-9)


def of_values(problem: QP, loss, place=None):
    """The loss as a function of the values on the patterns and of the vectors."""
    start = [v if v.layout == torch.strided else v.values() for v in problem.fields]

    def in_place(pattern, values):
        return torch.sparse_csr_tensor(
            *pattern[:2], values, pattern[2], check_invariants=True
        )

    def f(*parts):
        fields = [
            v
            if old.layout == torch.strided
            else (place or in_place)(
                (old.crow_indices(), old.col_indices(), old.shape), v
            )
            for v, old in zip(parts, problem.fields, strict=True)
        ]
        return loss(QP(*fields))

    return f, start


def test_gradient_of_the_values_has_taylor_order_two():
    problem = as_sparse(*banded(6, 1))
    weights = torch.randn(
        problem.n, generator=torch.Generator().manual_seed(1)
    ).double()
    f, start = of_values(
        problem, lambda p: qp.layer(p, engine="sparse").sin() @ weights
    )
    leaves = [v.clone().requires_grad_() for v in start]
    grads = torch.autograd.grad(f(*leaves), leaves)
    parts = np.cumsum([len(v) for v in start])[:-1]
    where, slope = (np.concatenate([v.numpy() for v in vs]) for vs in (start, grads))
    step = 0.05 * np.random.default_rng(0).normal(size=where.shape)

    def along(point: np.ndarray) -> float:
        return float(f(*map(torch.from_numpy, np.split(point, parts))))

    report = gradcheck.taylor(along, where, step, slope @ step)
    assert report.passes, report
    assert not gradcheck.taylor(along, where, step, 1.01 * slope @ step).passes


def test_second_derivative_and_forward_mode_agree_with_differences():
    problem = as_sparse(*banded(3, 2))
    vectors = [v.clone().requires_grad_() for v in (problem.q, problem.b, problem.h)]

    def f(q, b, h):
        P, _, A, _, G, _ = problem.fields
        return qp.solve(QP(P, q, A, b, G, h), engine="sparse").x.sin()

    assert torch.autograd.gradcheck(f, vectors, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(f, vectors)


def test_second_derivative_of_the_values_agrees_with_differences():
    problem = as_sparse(*banded(2, 2))
    f, start = of_values(
        problem,
        lambda p: qp.layer(p, engine="sparse").sin().sum(),
        OnPattern.apply,  # torch.sparse_csr_tensor has one derivative (torch 2.13)
    )
    leaves = [v.clone().requires_grad_() for v in start]
    generator = torch.Generator().manual_seed(2)
    d = [torch.randn(v.shape, generator=generator).double() for v in start]

    def slope(*values):
        grads = torch.autograd.grad(f(*values), values, create_graph=True)
        return sum(g @ w for g, w in zip(grads, d, strict=True))

    assert torch.autograd.gradcheck(slope, leaves)


def test_wrong_active_rows_are_corrected():
    data = from_dense(
        *(as_sparse(*banded(8, 0)).map(lambda v: v.to_dense().numpy())).fields
    )
    right = engine.solve(data)
    rng = np.random.default_rng(4)
    wrong = right.active ^ (rng.uniform(size=len(data.h)) < 0.1)
    assert not np.array_equal(wrong, right.active)
    found = engine.identify(System(data), wrong, None, engine.CORRECTIONS)
    assert np.array_equal(found.active, right.active)
    np.testing.assert_allclose(found.point.x, right.point.x, atol=1e-10)
    assert engine.identify(System(data), wrong, None, 0) is None


def dense_data(fields):
    return from_dense(*(v.to_dense().numpy() for v in as_sparse(*fields).fields))


@pytest.mark.parametrize("seed", range(4))
def test_border_of_few_active_rows_is_the_factored_system(seed):
    system = System(dense_data(banded(8, seed)))
    border = settle(system)
    whole = system.factor(border.active)
    rng = np.random.default_rng(seed)
    rhs = rng.normal(size=system.n), rng.normal(size=system.p + len(system.data.h))
    for ours, theirs in zip(border.solve(*rhs), whole.solve(*rhs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    assert border.active.any()


def test_many_or_dependent_active_rows_are_left_to_a_library():
    cramped = dense_data(banded(40, 0))
    assert settle(System(cramped)) is not None
    assert settle(System(cramped._replace(h=0 * cramped.h + 1e-3))) is None
    doubled = dense_data(sample(2, "licq_failing")[0].fields)
    assert settle(System(doubled)) is None


def test_warm_start_needs_no_library():
    P, q, A, b, G, h = banded(40, 0)
    problem = as_sparse(P, q, A, b, G, 0 * h + 1e-3)
    cold = qp.solve(problem, engine="sparse")
    assert int(cold.info["iterations"]) > 0
    moved = QP(problem.P, problem.q + 1e-6, *problem.fields[2:])
    warm = qp.solve(moved, engine="sparse", warm_start=cold)
    assert int(warm.info["iterations"]) == 0
    assert not warm.info["library"]
    torch.testing.assert_close(
        warm.x, qp.solve(moved, engine="sparse").x, atol=1e-9, rtol=0
    )


def test_engine_follows_the_structure():
    assert qp.solve(as_sparse(*banded(20, 0))).info["engine"] == "sparse"
    assert qp.solve(as_sparse(*scattered(150, 0))).info["engine"] != "sparse"
