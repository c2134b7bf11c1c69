"""Function transforms of the layer, each against the reference in NumPy."""

from __future__ import annotations

import pytest
import torch
from torch import func

from companion.layers import qp
from companion.layers.qp import kkt
from companion.problems import QP, SolveError, Status
from tests.layers.qp.cases import as_torch, infeasible, sample
from tests.layers.qp.one_input import (
    base,
    close,
    each,
    inputs,
    jacobian,
    minimizer,
    optimum,
    value,
)


def test_vmap(engine):
    f, want = minimizer(engine), each(optimum)
    close(func.vmap(f)(inputs()), want)
    close(func.vmap(f, in_dims=1, out_dims=1)(inputs().T), want.T)
    close(func.vmap(func.vmap(f))(inputs().expand(2, 3, 3))[1], want)
    problem = base()
    many = torch.stack([problem.P, 2 * problem.P], -1)  # mapped at the end, q shared
    got = func.vmap(
        lambda P: qp.layer(QP(P, *problem.fields[1:]), engine=engine), in_dims=2
    )(many)
    one = qp.layer(QP(2 * problem.P, *problem.fields[1:]), engine=engine)
    close(got[1], one)
    warm = func.vmap(
        lambda q: qp.solve(
            (p := QP(problem.P, q, *problem.fields[2:])),
            engine=engine, warm_start=qp.solve(p, engine=engine),
        ).x
    )(inputs())  # fmt: skip
    close(warm, want)
    q = inputs().requires_grad_()  # ordinary backward through a mapped call
    (grad,) = torch.autograd.grad(func.vmap(f)(q).sum(), q)
    close(grad, each(lambda v: jacobian(v).sum(0)))


def test_grad(engine):
    close(func.grad(value(engine))(base().q), optimum(base().q))
    _, pull = func.vjp(minimizer(engine), base().q)
    close(pull(torch.ones(3).double())[0], jacobian(base().q).sum(0))


def test_jacobians(engine, monkeypatch):
    q, f = base().q, minimizer(engine)
    close(func.jacfwd(f)(q), jacobian(q))
    count, factor = [], kkt._factor
    monkeypatch.setattr(
        kkt, "_factor", lambda *a: count.append(len(a[0])) or factor(*a)
    )
    with torch.no_grad():
        f(q)
    forward = len(count)
    close(func.jacrev(f)(q), jacobian(q))
    assert count[2 * forward :] == [1]


def test_hessian(engine):
    q, f = base().q, value(engine)
    close(func.hessian(f)(q), jacobian(q))
    close(func.jacrev(func.jacrev(f))(q), jacobian(q))
    close(func.jacfwd(func.jacfwd(f))(q), jacobian(q))
    P = func.hessian(lambda P: qp.solve(QP(P, *base().fields[1:])).value)(base().P)
    close(P, P.permute(2, 3, 0, 1))


def test_nested_transforms(engine):
    f, v, qs = minimizer(engine), value(engine), inputs()
    close(func.vmap(func.grad(v))(qs), each(optimum))
    close(func.vmap(func.jacrev(f))(qs), each(jacobian))
    close(func.vmap(func.hessian(v))(qs), each(jacobian))
    one = torch.ones(3, dtype=torch.float64)
    tangent = func.vmap(lambda q: func.jvp(f, (q,), (one,))[1])(qs)
    close(tangent, each(lambda q: jacobian(q).sum(1)))
    blocks = func.jacrev(func.vmap(f))(qs)
    close(torch.stack([blocks[i, :, i] for i in range(3)]), each(jacobian))
    assert blocks[0, :, 1].abs().max() == 0


def test_errors_under_vmap(engine):
    bad, good = as_torch(infeasible()), as_torch(sample(0)[0])
    h = torch.stack([good.h, bad.h])
    G = torch.stack([good.G, bad.G])

    def f(G, h):
        return qp.layer(QP(*good.fields[:4], G, h), engine=engine)

    with pytest.raises(
        SolveError, match=r"1 of 2.*PRIMAL_INFEASIBLE.*\(1,\)"
    ) as caught:
        func.vmap(f)(G, h)
    assert caught.value.status.tolist() == [0, Status.PRIMAL_INFEASIBLE]


def test_linearize(engine):
    with pytest.raises(RuntimeError, match="tracing tensor"):
        func.linearize(minimizer(engine), base().q)
    with pytest.raises(RuntimeError, match=r"setup_context|NYI"):
        func.functionalize(minimizer(engine))(base().q)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(3, 3, dtype=torch.float64)
        self.layer = qp.QPLayer(3, 1, 3, dtype=torch.float64)

    def forward(self, q: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.layer(self.first(q)))
        return (x + qp.solve(self.layer.problem(q)).x).sum()


# torch's own, when it hands a tensor from a graph to the code after it
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compile(backend):
    torch.manual_seed(0)
    model = Model()
    compiled = torch.compile(model, backend=backend)
    results = []
    for f in (model, compiled):
        model.zero_grad()
        loss = f(inputs())
        loss.backward()
        results.append([loss, *(p.grad.clone() for p in model.parameters())])
    close(results[1], results[0])
    torch.compiler.reset()  # what is compiled already would be taken
    with pytest.raises(torch._dynamo.exc.Unsupported):
        torch.compile(model, backend=backend, fullgraph=True)(inputs())
