"""Calls, modules and objects: the other half of the table of what is supported."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
import weakref

import pytest
import torch
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

from companion.layers import cone_program
from companion.layers.cone_program import linearised
from companion.problems import ConeProgram
from tests.layers.cone_program.cases import OUTPUTS, batch_of, chain, sparse
from tests.layers.cone_program.one_input import FEW, base, inputs, with_cost


def batch() -> ConeProgram:
    return batch_of(*map(with_cost, inputs()))


def module() -> cone_program.ConeProgramLayer:
    generator = torch.Generator().manual_seed(0)
    return cone_program.ConeProgramLayer(
        5, FEW, dtype=torch.float64, generator=generator
    )


def costs() -> torch.Tensor:
    return inputs()[:, :5].clone()


def gradients(problem: ConeProgram):
    fields = [v.detach().requires_grad_() for v in problem.fields]
    x = cone_program.layer(ConeProgram(*fields, problem.K))
    return (x, *torch.autograd.grad(x.square().sum(), fields))


def same(first, second):
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def systems(monkeypatch) -> list[weakref.ref]:
    """Everything with factors that is made from now on."""
    made, make = [], linearised.Linearised.__init__
    monkeypatch.setattr(
        linearised.Linearised,
        "__init__",
        lambda self, *a: made.append(weakref.ref(self)) or make(self, *a),
    )
    return made


def alive(made: list[weakref.ref]) -> int:
    gc.collect()
    return sum(one() is not None for one in made)


def test_no_grad(monkeypatch):
    leaves = batch().map(lambda v: v.requires_grad_())
    want, made = cone_program.solve(leaves), systems(monkeypatch)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            sol = cone_program.solve(leaves)
        for name in OUTPUTS:
            assert getattr(sol, name).grad_fn is None
            assert torch.equal(getattr(sol, name), getattr(want, name))
    assert made
    assert not alive(made)


def test_freed_after_backward(monkeypatch):
    leaves, made = batch().map(lambda v: v.requires_grad_()), systems(monkeypatch)
    sol = cone_program.solve(leaves)
    node = sol.x.grad_fn
    while not hasattr(node, "saved_tensors"):
        node = node.next_functions[0][0]
    sol.x.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = node.saved_tensors
    assert alive(made) == 1
    del sol, node
    assert not alive(made)


def test_checkpoint():
    want, *grads = gradients(batch())
    fields = [v.requires_grad_() for v in batch().fields]

    def layer(*given):
        return cone_program.layer(ConeProgram(*given, FEW))

    x = checkpoint(layer, *fields, use_reentrant=False)
    same((x, *torch.autograd.grad(x.square().sum(), fields)), (want, *grads))
    with torch.autograd.graph.save_on_cpu():
        x = layer(*fields)
    same((x, *torch.autograd.grad(x.square().sum(), fields)), (want, *grads))


def test_autocast():
    low = cone_program.ConeProgramLayer(5, FEW, dtype=torch.float32)
    q = costs().bfloat16().requires_grad_()
    want = low(q.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = low(q)
        sol = cone_program.solve(batch())
        assert (low.L @ low.L).dtype == torch.bfloat16  # so it is switched on
        with pytest.raises(TypeError, match=r"ConeProgram\.q: expected dtype torch\."):
            low.problem(q)
    assert x.dtype == torch.float32
    assert torch.equal(x, want)
    assert torch.equal(sol.value, cone_program.solve(batch()).value)
    x.sum().backward()
    assert q.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(dtype):
    problem = base()
    # exact in every dtype: rounding alone would leave P indefinite
    P = torch.eye(problem.n).double()
    problem = ConeProgram(P, *problem.fields[1:], problem.K)
    problem = problem.map(lambda v: v.to(dtype))
    low = gradients(problem)
    assert {v.dtype for v in low} == {dtype}
    double = gradients(problem.map(torch.Tensor.double))
    same(low[:1], [double[0].to(dtype)])
    sol = cone_program.solve(problem)
    assert {getattr(sol, name).dtype for name in OUTPUTS} == {dtype}


def test_strides():
    problem = batch()
    want = gradients(problem)
    apart = problem.map(lambda v: torch.stack([v, v + 1], -1)[..., 0])
    assert not any(v.is_contiguous() for v in apart.fields)
    same(gradients(apart), want)
    wide = base().map(lambda v: v.expand(3, *v.shape))
    same(gradients(wide), gradients(wide.map(torch.clone)))


def test_batch_axes():
    one = base()
    want = cone_program.layer(one)
    for axes in ((), (2,), (2, 3), (2, 1, 3), (0,), (2, 0)):
        for mixed in (False, True):
            fields = [
                v.expand(
                    *((1 for _ in axes) if mixed and not i % 2 else axes), *v.shape
                )
                .clone()
                .requires_grad_()
                for i, v in enumerate(one.fields)
            ]
            x = cone_program.layer(ConeProgram(*fields, one.K))
            assert x.shape == (*axes, one.n)
            grads = torch.autograd.grad(x.sum(), fields)
            assert [g.shape for g in grads] == [v.shape for v in fields]
            torch.testing.assert_close(x, want.expand_as(x), rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_sparse_matrices():
    dense, thin = chain(20), sparse(chain(20))

    def speed(problem, q):
        fields = (problem.P, q, problem.A, problem.b)
        return cone_program.layer(ConeProgram(*fields, problem.K))

    for transform in (torch.func.jacrev, torch.func.jacfwd):
        got, want = (transform(lambda q, p=p: speed(p, q))(p.q) for p in (thin, dense))
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    sol = cone_program.solve(thin)
    refused = (
        lambda: cone_program.regularity(thin, sol),
        lambda: cone_program.explain(thin, sol),
        lambda: cone_program.derivative(thin, sol),
        lambda: cone_program.refine(thin, sol),
        lambda: cone_program.lpgd(thin, 0.1),
    )
    for call in refused:
        with pytest.raises(TypeError, match=r"ConeProgram\.P: expected a dense tensor"):
            call()


def test_threads():
    problems = [batch(), batch_of(*(with_cost(1.01 * q) for q in inputs()))]
    want = [gradients(problem) for problem in problems]
    wrong = []

    def work(i):
        for _ in range(4):
            got = gradients(problems[i % 2])
            if not all(map(torch.equal, got, want[i % 2])):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


class Solutions(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> torch.Tensor:
        return cone_program.layer(batch())[i]


# Python 3.12 warns of any fork beside threads
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_data_loader():
    want = cone_program.layer(batch())
    loader = DataLoader(
        Solutions(), num_workers=1, multiprocessing_context="fork", timeout=60
    )
    same([v[0] for v in loader], want[:2])


def test_meta():
    with pytest.raises(ValueError, match=r'ConeProgram\.P: expected numbers, .*"meta"'):
        cone_program.layer(base().map(lambda v: v.to("meta")))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda():
    problem = batch()
    want, got = gradients(problem), gradients(problem.map(lambda v: v.cuda()))
    assert {v.device.type for v in got} == {"cuda"}
    same([v.cpu() for v in got], want)


def test_state_dict():
    K, q = FEW, costs()
    first, second = (
        cone_program.ConeProgramLayer(5, K, dtype=torch.float64) for _ in range(2)
    )
    assert not torch.equal(first(q), second(q))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(q), second(q))


def test_copies():
    layer, q = module(), costs()
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    others = (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)))
    for other in (*others, torch.load(buffer, weights_only=False)):
        assert torch.equal(other(q), layer(q))
        assert other.L is not layer.L
    problem = batch()
    again = pickle.loads(pickle.dumps(copy.deepcopy(problem)))
    sol = cone_program.solve(problem)
    for other in (copy.deepcopy(sol), pickle.loads(pickle.dumps(sol))):
        same(*([getattr(s, k) for k in OUTPUTS] for s in (other, sol)))
        assert torch.equal(other.info["iterations"], sol.info["iterations"])
    assert torch.equal(cone_program.solve(again).x, sol.x)
    learned = cone_program.solve(layer.problem(q))
    assert pickle.loads(pickle.dumps(learned)).x.grad_fn is None
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(learned)


class Bounded(torch.nn.Module):
    def forward(self, v: torch.Tensor) -> torch.Tensor:
        return torch.tanh(v)


def test_parametrizations():
    layer, q = module(), costs()
    for name in ("L", "A", "z0"):
        parametrize.register_parametrization(layer, name, Bounded())
    layer(q).square().sum().backward()
    for name in ("L", "A", "z0"):
        original = getattr(layer.parametrizations, name).original
        assert original.grad.abs().max() > 0
        assert getattr(layer, name).abs().max() < 1
