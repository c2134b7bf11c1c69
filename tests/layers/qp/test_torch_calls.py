"""Calls, modules and objects: the other half of companion/layers/qp/support.py."""

from __future__ import annotations

import copy
import io
import pickle
import threading
import tracemalloc

import pytest
import torch
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

from companion.layers import qp
from companion.layers.qp import engines
from companion.problems import QP
from tests.layers.qp.cases import OUTPUTS, as_torch, batch_of, sample


def batch(size: int = 3, shape=(4, 1, 5)) -> QP:
    return batch_of(*(sample(seed, shape=shape)[0] for seed in range(size)))


def gradients(problem: QP, engine: str = "auto"):
    fields = [v.detach().requires_grad_() for v in problem.fields]
    x = qp.layer(QP(*fields), engine=engine)
    return (x, *torch.autograd.grad(x.square().sum(), fields))


def same(first, second):
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def kept_bytes(outputs: list[torch.Tensor]) -> int:
    """Bytes of the distinct memory that the graphs of the outputs hold."""
    seen, blocks, todo = set(), {}, [v.grad_fn for v in outputs]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo += [parent for parent, _ in node.next_functions]
        saved = [getattr(node, n) for n in dir(node) if n.startswith("_saved_")]
        saved += list(getattr(node, "saved_tensors", ()))
        for v in saved:
            if isinstance(v, torch.Tensor):
                memory = v.untyped_storage()
                blocks[memory.data_ptr()] = memory.nbytes()
    return sum(blocks.values())


def test_no_grad(engine):
    leaves = batch().map(lambda v: v.requires_grad_())
    want = qp.solve(leaves, engine=engine)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            sol = qp.solve(leaves, engine=engine)
        for name in OUTPUTS:
            assert getattr(sol, name).grad_fn is None
            assert torch.equal(getattr(sol, name), getattr(want, name))


def test_no_grad_makes_no_factors():
    if engines.compiled() is None:
        pytest.skip("without numba there are no factors")
    many = batch(64, (61, 11, 41)).map(lambda v: v.requires_grad_())  # no other test's
    half = 64 * 61 * 61 * 8 / 2  # bytes of a factor's half, of every instance

    def peak():
        tracemalloc.start()
        assert qp.layer(many).shape == (64, 61)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    with torch.no_grad():
        qp.layer(many)  # starts threads, loads what is compiled
        least = min(peak() for _ in range(3))  # other threads allocate at times
        assert least < half, "factors were made"
    assert peak() > half, "the measure does not see factors"


def test_freed_after_backward():
    if engines.compiled() is None:
        pytest.skip("without numba there are no factors")
    leaves = batch().map(lambda v: v.requires_grad_())
    x = qp.layer(leaves)
    assert len(x.grad_fn.saved_tensors[8:]) >= 3
    x.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = x.grad_fn.saved_tensors


def boxed(size: int, n: int) -> QP:
    """A batch for the separable engine: nearest points of a box in a plane."""
    y = torch.randn(size, n, generator=torch.Generator().manual_seed(0)).double()
    eye, one = torch.eye(n).double(), torch.ones(1, n).double()
    return QP(
        eye, y, one, one[:, 0], torch.cat([eye, -eye]), torch.ones(2 * n).double()
    )


@pytest.mark.parametrize("kind", ["own matrices", "shared", "separable"])
def test_memory(kind):
    n, p, m = (40, 1, 80) if kind == "separable" else (12, 3, 15)
    kept = []
    for size in (20, 40, 80):
        problem = boxed(size, n) if kind == "separable" else batch(size, (n, p, m))
        fields = [v.clone() for v in problem.fields]
        if kind == "shared":
            fields[::2] = [v[0].clone() for v in fields[::2]]
        sol = qp.solve(QP(*(v.requires_grad_() for v in fields)))
        kept.append(kept_bytes([getattr(sol, k) for k in OUTPUTS]))
    k, inside = p + m, min(m, n - p)
    data = n * n + k * n
    factors = n * n + k * n + k * p
    per_instance = 6 * (n + 2 * k) + 16
    per_instance += 0 if kind == "separable" else inside**2
    per_instance += data + factors if kind == "own matrices" else 0
    assert kept[2] - kept[1] == 2 * (kept[1] - kept[0])  # linear in the batch
    slope = (kept[2] - kept[1]) / 40 / 8
    assert slope <= per_instance
    assert kept[0] <= 8 * (20 * per_instance + data + factors + 64)


def test_checkpoint(engine):
    want, *grads = gradients(batch(), engine)
    fields = [v.requires_grad_() for v in batch().fields]
    x = checkpoint(
        lambda *f: qp.layer(QP(*f), engine=engine), *fields, use_reentrant=False
    )
    same((x, *torch.autograd.grad(x.square().sum(), fields)), (want, *grads))
    with torch.autograd.graph.save_on_cpu():
        x = qp.layer(QP(*fields), engine=engine)
    same((x, *torch.autograd.grad(x.square().sum(), fields)), (want, *grads))


def test_autocast():
    module = qp.QPLayer(4, 1, 5, dtype=torch.float32)
    q = torch.randn(3, 4, dtype=torch.bfloat16).requires_grad_()
    want = module(q.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = module(q)
        sol = qp.solve(batch())
        assert (module.L @ module.L).dtype == torch.bfloat16  # so it is switched on
        with pytest.raises(TypeError, match=r"QP\.q: expected dtype torch.float32"):
            module.problem(q)
    assert x.dtype == torch.float32
    assert torch.equal(x, want)
    assert torch.equal(sol.value, qp.solve(batch()).value)
    x.sum().backward()
    assert q.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(engine, dtype):
    problem = as_torch(sample(0)[0], dtype)
    low = gradients(problem, engine)
    assert {v.dtype for v in low} == {dtype}
    double = gradients(problem.map(torch.Tensor.double), engine)
    same(low[:1], [double[0].to(dtype)])
    sol = qp.solve(problem, engine=engine)
    assert {getattr(sol, name).dtype for name in OUTPUTS} == {dtype}


def test_strides(engine):
    problem = batch()
    want = gradients(problem, engine)
    apart = problem.map(lambda v: torch.stack([v, v + 1], -1)[..., 0])
    assert not any(v.is_contiguous() for v in apart.fields)
    same(gradients(apart, engine), want)
    one = as_torch(sample(0)[0])
    wide = one.map(lambda v: v.expand(3, *v.shape))
    same(gradients(wide, engine), gradients(wide.map(torch.clone), engine))


def test_batch_axes(engine):
    one = as_torch(sample(0)[0])
    for axes in ((), (2,), (2, 3), (2, 1, 3), (0,), (2, 0)):
        for mixed in (False, True):
            fields = [
                v.expand(*axes, *v.shape).clone().requires_grad_()
                if not mixed or i % 2
                else v.expand(*(1 for _ in axes), *v.shape).clone().requires_grad_()
                for i, v in enumerate(one.fields)
            ]
            x = qp.layer(QP(*fields), engine=engine)
            assert x.shape == (*axes, 4)
            grads = torch.autograd.grad(x.sum(), fields)
            assert [g.shape for g in grads] == [v.shape for v in fields]
            if x.numel():
                close = qp.layer(one, engine=engine).expand(*axes, 4)
                torch.testing.assert_close(x, close, rtol=1e-10, atol=1e-10)


def test_threads(engine):
    problems = [batch(40, (10, 2, 12)), batch(40, (12, 3, 10))]
    want = [gradients(problem, engine) for problem in problems]
    wrong = []

    def work(i):
        for _ in range(4):
            got = gradients(problems[i % 2], engine)
            if not all(map(torch.equal, got, want[i % 2])):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    kernel = engines.compiled()
    if kernel is not None:  # and the threads of the library are as many as before
        gate = kernel._one_thread_each()
        counts = [library.get_num_threads() for library in kernel._blas()]
        with gate, gate:
            pass
        assert counts == [library.get_num_threads() for library in kernel._blas()]


class Solutions(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, i: int) -> torch.Tensor:
        return qp.layer(batch(20, (30, 5, 30)))[i]


# Python 3.12 warns of any fork beside threads
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_data_loader():
    want = qp.layer(batch(20, (30, 5, 30)))  # enough work for threads
    loader = DataLoader(
        Solutions(), num_workers=1, multiprocessing_context="fork", timeout=60
    )
    same([v[0] for v in loader], want[:2])


def test_meta():
    with pytest.raises(ValueError, match=r'QP\.P: expected numbers, got .*"meta"'):
        qp.layer(as_torch(sample(0)[0]).map(lambda v: v.to("meta")))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda():
    problem = batch()
    want = gradients(problem)
    got = gradients(problem.map(lambda v: v.cuda()))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-8, atol=1e-8)


def test_state_dict():
    first, second = (qp.QPLayer(4, 1, 5, dtype=torch.float64) for _ in range(2))
    q = batch().q
    assert not torch.equal(first(q), second(q))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(q), second(q))


def test_copies(engine):
    module, q = qp.QPLayer(4, 1, 5, dtype=torch.float64), batch().q
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    others = (copy.deepcopy(module), pickle.loads(pickle.dumps(module)))
    for other in (*others, torch.load(buffer, weights_only=False)):
        assert torch.equal(other(q), module(q))
        assert other.L is not module.L
    problem = batch()
    again = pickle.loads(pickle.dumps(copy.deepcopy(problem)))
    sol = qp.solve(problem, engine=engine)
    for other in (copy.deepcopy(sol), pickle.loads(pickle.dumps(sol))):
        same(*([getattr(s, k) for k in OUTPUTS] for s in (other, sol)))
        assert other.info["engine"] == sol.info["engine"] == engine
    assert torch.equal(qp.solve(again, engine=engine).x, sol.x)
    learned = qp.solve(module.problem(q))
    assert pickle.loads(pickle.dumps(learned)).x.grad_fn is None
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(learned)


class Bounded(torch.nn.Module):
    def forward(self, v: torch.Tensor) -> torch.Tensor:
        return torch.tanh(v)


def test_parametrizations():
    module, q = qp.QPLayer(4, 1, 5, dtype=torch.float64), batch().q
    for name in ("L", "G", "z0"):
        parametrize.register_parametrization(module, name, Bounded())
    module(q).square().sum().backward()
    for name in ("L", "G", "z0"):
        original = getattr(module.parametrizations, name).original
        assert original.grad.abs().max() > 0
        assert getattr(module, name).abs().max() < 1
