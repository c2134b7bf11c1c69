"""Sparse matrices: the numbers of dense ones, and nothing of their size."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
import torch
from scipy import sparse as scipy_sparse
from torch.utils._python_dispatch import TorchDispatchMode

from companion.layers import cone_program
from companion.layers.qp.sparse.adjoint import OnPattern
from companion.problems import (
    ConeCertificate,
    ConeProgram,
    Cones,
    SolveError,
    Status,
)
from tests.layers.cone_program.cases import (
    BAD,
    FIELDS,
    OUTPUTS,
    PRODUCTS,
    SMALL,
    chain,
    disc,
    sample,
    sparse,
)

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def loss(problem: ConeProgram) -> torch.Tensor:
    sol = cone_program.solve(problem)
    return sol.x.sin().sum() + sol.y.cos().sum() + sol.s.square().sum() + sol.value


def on(pattern: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """The entries of a dense matrix where a sparse one has entries."""
    return torch.where(pattern.to_dense() != 0, dense, 0.0)


def same_gradients(thin: ConeProgram, dense: ConeProgram) -> None:
    grads = []
    for problem in (thin, dense):
        leaves = problem.map(lambda v: v.detach().clone().requires_grad_())
        grads.append(torch.autograd.grad(loss(leaves), leaves.fields))
    for name, ours, theirs in zip(FIELDS, *grads, strict=True):
        if name in "qb":
            torch.testing.assert_close(ours, theirs, **CLOSE)
        else:
            assert ours.layout == torch.sparse_csr
            at = getattr(thin, name)
            assert torch.equal(ours.col_indices(), at.col_indices())
            assert torch.equal(ours.crow_indices(), at.crow_indices())
            torch.testing.assert_close(ours.to_dense(), on(at, theirs), **CLOSE)


@pytest.mark.parametrize("name", PRODUCTS)
def test_values_and_gradients_are_those_of_the_dense_program(name):
    dense, _ = sample(3, PRODUCTS[name])
    thin = sparse(dense)
    ours, theirs = cone_program.solve(thin), cone_program.solve(dense)
    for output in OUTPUTS:
        got, want = getattr(ours, output), getattr(theirs, output)
        torch.testing.assert_close(got, want, **CLOSE)
    assert ours.info["error"] < 1e-13
    same_gradients(thin, dense)


def test_gradients_stay_on_the_pattern():
    dense = chain(20)
    thin = sparse(dense)
    assert thin.A.values().numel() < 0.1 * dense.A.numel()
    same_gradients(thin, dense)


@pytest.mark.parametrize("name", ["q", "b"])
def test_second_derivatives_are_those_of_the_dense_program(name):
    dense, _ = sample(3, Cones(nonneg=2, soc=(3, 3), exp=1))
    found = []
    for problem in (sparse(dense), dense):

        def f(v, problem=problem):
            fields = dict(zip(FIELDS, problem.fields, strict=True)) | {name: v}
            return loss(ConeProgram(**fields, K=problem.K))

        at = getattr(problem, name)
        found.append(torch.func.hessian(f)(at))
        found.append(torch.func.jacrev(torch.func.jacfwd(f))(at))
    for H in found:
        torch.testing.assert_close(H, found[-1], rtol=1e-9, atol=1e-9)
        assert H.abs().max() > 1e-3


def test_second_derivatives_in_the_values_of_a_matrix_are_symmetric():
    thin = sparse(chain(6))
    values = thin.A.values().clone().requires_grad_()
    pattern = thin.A.crow_indices(), thin.A.col_indices(), thin.A.shape

    def gradient(v):
        # torch.sparse_csr_tensor has one derivative (torch 2.13)
        at = OnPattern.apply(pattern, v)
        value = loss(ConeProgram(thin.P, thin.q, at, thin.b, thin.K))
        return torch.autograd.grad(value, v, create_graph=True)[0]

    g = gradient(values)
    rows = [torch.autograd.grad(v, values, retain_graph=True)[0] for v in g]
    H = torch.stack(rows)
    torch.testing.assert_close(H, H.mT, rtol=1e-8, atol=1e-9)
    h = 1e-5
    d = torch.from_numpy(np.random.default_rng(0).normal(size=len(values)))
    up, down = (
        gradient((values + t * d).detach().requires_grad_()).detach() for t in (h, -h)
    )
    torch.testing.assert_close(H @ d, (up - down) / (2 * h), rtol=1e-5, atol=1e-5)


def test_batches_share_patterns_and_values_and_get_the_sum():
    dense = chain(8)
    thin = sparse(dense)
    q = dense.q + 0.1 * torch.arange(6.0).double().reshape(2, 3, 1)
    grads = []
    for problem in (thin, dense):
        A = problem.A.detach().clone().requires_grad_()
        sol = cone_program.solve(ConeProgram(problem.P, q, A, problem.b, problem.K))
        assert sol.x.shape == (2, 3, dense.n)
        assert sol.status.shape == sol.info["error"].shape == (2, 3)
        (grad,) = torch.autograd.grad(sol.x.sin().sum() + sol.value.sum(), A)
        grads.append((sol.x, grad))
    torch.testing.assert_close(grads[0][0], grads[1][0], **CLOSE)
    torch.testing.assert_close(grads[0][1].to_dense(), on(thin.A, grads[1][1]), **CLOSE)
    own = torch.stack([dense.A, 2 * dense.A]).to_sparse_csr().requires_grad_()
    x = cone_program.layer(ConeProgram(thin.P, thin.q, own, thin.b, thin.K))
    (grad,) = torch.autograd.grad(x.square().sum(), own)
    full = own.detach().to_dense().requires_grad_()
    y = cone_program.layer(ConeProgram(dense.P, dense.q, full, dense.b, dense.K))
    (want,) = torch.autograd.grad(y.square().sum(), full)
    torch.testing.assert_close(x, y, **CLOSE)
    torch.testing.assert_close(grad.to_dense(), on(own.detach(), want), **CLOSE)


def test_costs_are_mapped_over_one_sparse_program():
    thin = sparse(chain(8))

    def f(q):
        return cone_program.layer(ConeProgram(thin.P, q, thin.A, thin.b, thin.K))

    qs = thin.q + 0.1 * torch.arange(3.0).double().unsqueeze(-1)
    want = torch.stack([torch.func.jacrev(f)(q) for q in qs])
    for transform in (torch.func.jacrev, torch.func.jacfwd):
        got = torch.func.vmap(transform(f))(qs)
        torch.testing.assert_close(got, want, **CLOSE)


@pytest.mark.parametrize("kind", BAD)
def test_a_failed_instance_is_a_status_with_a_proof(kind):
    make, status = BAD[kind]
    good, bad = disc(0.7), make()
    A = sparse(bad).A.requires_grad_()
    b = torch.stack([good.b, bad.b]) if kind != "unbounded" else bad.b.expand(2, -1)
    q = torch.stack([good.q if kind != "unbounded" else 0 * bad.q, bad.q])
    problem = ConeProgram(bad.P.to_sparse_csr(), q, A, b, SMALL)
    sol = cone_program.solve(problem)
    assert sol.status.tolist() == [0, status]
    assert torch.isnan(sol.x[1]).all()
    (grad,) = torch.autograd.grad(torch.nan_to_num(sol.x).sum(), A)
    assert torch.isfinite(grad.values()).all()
    with pytest.raises(SolveError, match=f"1 {Status(status).name}"):
        cone_program.layer(problem)
    if kind == "nan":
        assert sol.certificate is None
        return
    proof = cone_program.certifies(problem, sol.certificate)
    assert proof.primal_infeasible.tolist() == [False, kind == "infeasible"]
    assert proof.dual_infeasible.tolist() == [False, kind == "unbounded"]
    wrong = ConeCertificate(*(-v for v in vars(sol.certificate).values()))
    proof = cone_program.certifies(problem, wrong)
    assert not (proof.primal_infeasible | proof.dual_infeasible).any()


def test_layouts_and_kinds_that_do_not_fit_are_named():
    dense = chain(5)
    thin = sparse(dense)
    P, q, A, b = thin.fields
    cases = [
        (P, q, dense.A, b, r"ConeProgram\.A: .* CSR .* got layout torch\.strided"),
        (P, q, dense.A.to_sparse(), b, r"ConeProgram\.A: .* CSR .* torch\.sparse_coo"),
        (dense.P.to_sparse_csc(), q, A, b, r"ConeProgram\.P: .* torch\.sparse_csc"),
    ]
    for *fields, message in cases:
        with pytest.raises(TypeError, match=message):
            cone_program.solve(ConeProgram(*fields, thin.K))
    single = ConeProgram(*(v.float() for v in thin.fields), thin.K)
    with pytest.raises(TypeError, match=r"P: expected torch.float64 .* torch.float32"):
        cone_program.solve(single)
    wrong = (-torch.eye(thin.n).double()).to_sparse_csr()
    with pytest.raises(ValueError, match=r"ConeProgram\.P: expected a positive semi"):
        cone_program.solve(ConeProgram(wrong, q, A, b, thin.K))


def csr(values, rows, columns, shape) -> torch.Tensor:
    at = (rows.numpy(), columns.numpy())
    M = scipy_sparse.csr_matrix((values.numpy(), at), shape=shape)
    parts = map(torch.from_numpy, (M.indptr, M.indices, M.data))
    return torch.sparse_csr_tensor(*parts, shape, check_invariants=True)


def banded(count: int) -> ConeProgram:
    """Shrink the differences of neighbours, above a floor: count·2 variables."""
    i, n = torch.arange(count - 1), 2 * count
    rows = torch.cat([3 * i, 3 * i + 1, 3 * i + 1, 3 * i + 2])
    columns = torch.cat([count + i, i, i + 1, i])
    one = torch.ones(count - 1).double()
    values = torch.cat([-one, -one, one, -0.3 * one])
    every = torch.arange(count)
    rows = torch.cat([every, count + rows])  # x ≥ −½ first: nonneg before soc
    columns, values = torch.cat([every, columns]), torch.cat([-one, -one[:1], values])
    m = count + 3 * (count - 1)
    A = csr(values, rows, columns, (m, n))
    weight = torch.cat([torch.ones(count), 1e-3 * torch.ones(count)]).double()
    P = csr(weight, torch.arange(n), torch.arange(n), (n, n))
    q = torch.cat([-(0.01 * every).sin(), 0.1 * torch.ones(count)]).double()
    b = torch.cat([0.5 * torch.ones(count), torch.zeros(m - count)]).double()
    K = Cones(nonneg=count, soc=(3,) * (count - 1))
    return ConeProgram(P, q, A, b, K)


class Small(TorchDispatchMode):
    """Remembers the largest tensor that torch makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        out = func(*args, **(kwargs or {}))
        for v in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(v, torch.Tensor) and v.layout == torch.strided:
                self.largest = max(self.largest, v.untyped_storage().nbytes() // 8)
        return out


def test_a_large_banded_program_is_never_dense():
    problem = banded(2500)
    leaves = problem.map(lambda v: v.requires_grad_())
    n, m = problem.n, problem.m
    assert n == 5000
    tracemalloc.start()
    start = time.process_time()
    with Small() as seen:
        sol = cone_program.solve(leaves)
        grads = torch.autograd.grad(sol.x.sin().sum(), leaves.fields)
    seconds = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sol.status == Status.SOLVED
    assert sol.info["error"] < 1e-12
    assert seconds < 60  # a dense factorisation alone takes longer
    assert peak < 8 * n * n / 2
    assert seen.largest < n * n / 50
    assert {g.layout for g in grads[::2]} == {torch.sparse_csr}
    x, y, s = (v.detach() for v in (sol.x, sol.y, sol.s))
    P, q, A, b = (v.detach() for v in problem.fields)
    assert (P @ x + A.mT @ y + q).abs().max() < 1e-11
    assert (A @ x + s - b).abs().max() < 1e-11
    assert (s * y).sum().abs() < 1e-9 * m
    active = (y[: n // 2] > 1e-3).sum()
    assert 100 < active < n // 2 - 100  # the floor holds in part
    d = torch.from_numpy(np.random.default_rng(0).normal(size=n))
    h = 1e-6
    ends = [
        cone_program.layer(ConeProgram(P, q + t * d, A, b, problem.K)).sin().sum()
        for t in (h, -h)
    ]
    slope = float(ends[0] - ends[1]) / (2 * h)
    assert abs(float(grads[1] @ d) - slope) < 1e-5 * (1 + abs(slope))
