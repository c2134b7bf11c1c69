"""Batches of sparse problems: what is shared receives the sum of the gradients."""

from __future__ import annotations

import pytest
import torch

from companion.layers import qp
from companion.layers.qp.sparse import libraries
from companion.problems import QP, SolveError, Status
from tests import real
from tests.benchmarks.sparse import banded, scattered
from tests.layers.qp.cases import FIELDS, OUTPUTS
from tests.real import as_sparse, csr

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning"),
    pytest.mark.skipif(not libraries.installed(), reason="needs clarabel or piqp"),
]
AXES = {"none": (), "q": "q", "b and h": "bh", "P": "P", "A and q": "Aq", "all": FIELDS}


def dense(v: torch.Tensor) -> torch.Tensor:
    return v if v.layout == torch.strided else v.to_dense()


def batched(names, sizes=(3,)) -> QP:
    """A controller with these fields different in every instance."""
    generator = torch.Generator().manual_seed(0)
    fields = {}
    for name, v in zip(FIELDS, as_sparse(*banded(4, 0)).fields, strict=True):
        if name not in names:
            fields[name] = v
        elif v.dim() == 1:
            noise = torch.rand(*sizes, len(v), generator=generator)
            fields[name] = v * (1 + 0.1 * noise.double())
        else:
            factors = 1 + 0.1 * torch.rand(*sizes, generator=generator).double()
            fields[name] = (dense(v) * factors[..., None, None]).to_sparse_csr()
    return QP(**fields)


def leaves(problem: QP) -> QP:
    return problem.map(lambda v: v.detach().clone().requires_grad_())


def gradients(problem: QP, engine: str):
    sol = qp.solve(problem, engine=engine)
    loss = sum((getattr(sol, name) ** 2).sum() for name in OUTPUTS)
    return sol, torch.autograd.grad(loss, problem.fields)


@pytest.mark.parametrize("names", AXES.values(), ids=AXES)
def test_batch_is_the_dense_batch(names):
    problem = leaves(batched(names))
    ours, grads = gradients(problem, "sparse")
    theirs, others = gradients(leaves(problem.map(dense)), "interior_point")
    assert (ours.status == Status.SOLVED).all()
    for name in OUTPUTS:
        a, b = getattr(ours, name), getattr(theirs, name)
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    for v, a, b in zip(problem.fields, grads, others, strict=True):
        assert a.layout == v.layout
        assert a.shape == v.shape
        held = dense(v.detach()) != 0 if v.layout == torch.sparse_csr else 1.0
        size = 1 + float(b.abs().max())
        torch.testing.assert_close(dense(a), b * held, rtol=0, atol=1e-9 * size)


def test_instances_are_bit_for_bit_what_they_are_alone():
    problem = batched("qh", (2, 2))
    sol = qp.solve(problem, engine="sparse")
    assert sol.x.shape == (2, 2, problem.n)
    assert sol.info["iterations"].shape == (2, 2)
    P, q, A, b, G, h = problem.fields
    for i in range(2):
        for j in range(2):
            alone = qp.solve(QP(P, q[i, j], A, b, G, h[i, j]), engine="sparse")
            for name in OUTPUTS:
                assert torch.equal(getattr(sol, name)[i, j], getattr(alone, name))


def test_an_infeasible_instance_costs_its_neighbours_nothing():
    P, q, A, b, G, h = as_sparse(*banded(4, 0)).fields
    problem = leaves(QP(P, q, A, b, G, torch.stack([h, -h])))
    sol = qp.solve(problem, engine="sparse")
    assert sol.status.tolist() == [Status.SOLVED, Status.PRIMAL_INFEASIBLE]
    assert torch.isnan(sol.x[1]).all()
    assert torch.isnan(sol.certificate.lam[0]).all()
    proof = qp.certifies(problem.map(dense), sol.certificate)
    assert proof.primal_infeasible.tolist() == [False, True]
    with pytest.raises(SolveError, match="1 of 2 instances"):
        qp.layer(problem, engine="sparse")
    x = qp.layer(problem, engine="sparse", on_failure="nan")
    grads = torch.autograd.grad(torch.nan_to_num(x).square().sum(), problem.fields)
    lone = leaves(QP(P, q, A, b, G, h))
    expected = torch.autograd.grad(qp.layer(lone, engine="sparse").square().sum(),
                                   lone.fields)  # fmt: skip
    for name, a, b in zip(FIELDS, grads, expected, strict=True):
        assert torch.equal(dense(a)[0] if name == "h" else dense(a), dense(b))


def test_warm_start_of_a_batch_takes_no_step():
    problem = batched("q")
    cold = qp.solve(problem, engine="sparse")
    assert (cold.info["iterations"] > 0).all()
    warm = qp.solve(problem, engine="sparse", warm_start=cold)
    assert (warm.info["iterations"] == 0).all()
    torch.testing.assert_close(warm.x, cold.x, rtol=0, atol=1e-12)


def test_batch_that_fills_in_goes_to_a_dense_engine():
    P, q, A, b, G, h = as_sparse(*scattered(150, 0)).fields
    problem = leaves(QP(P, torch.stack([q, 2 * q]), A, b, G, h))
    sol, grads = gradients(problem, "auto")
    assert sol.info["engine"] == "active_set"
    assert grads[0].layout == torch.sparse_csr
    assert qp.solve(batched("q")).x.shape == (3, 48)


@pytest.mark.parametrize("kind", ["LIPMWALK", "WHLIPBAL"])
def test_sequence_of_a_controller_is_a_batch_with_one_pattern(kind):
    problems = [real.mpc(name) for name in real.MPC if name.startswith(kind)]
    stacked = [torch.stack([torch.as_tensor(v) for v in column]) for column in
               zip(*((p.P, p.q, p.G, p.h) for p in problems), strict=True)]  # fmt: skip
    P, q, G, h = stacked
    pattern = [(v != 0).any(0) for v in (P, G)]
    assert all(
        ((v != 0) == held).all() for v, held in zip((P, G), pattern, strict=True)
    )
    sparse = QP(P.to_sparse_csr(), q, G=G.to_sparse_csr(), h=h)
    sol = qp.solve(sparse, engine="sparse")
    assert (sol.status == Status.SOLVED).all()
    other = qp.solve(QP(P, q, G=G, h=h))
    torch.testing.assert_close(sol.value, other.value, rtol=1e-9, atol=1e-9)
    assert csr(P[0].numpy()).values().numel() == sparse.P.values().shape[-1]
