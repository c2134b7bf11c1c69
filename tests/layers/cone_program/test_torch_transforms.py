"""Function transforms of the cone layer, each against the reference in NumPy."""

from __future__ import annotations

import pytest
import torch
from torch import func

from companion.layers import cone_program
from companion.layers.cone_program import linearised
from companion.problems import ConeProgram, SolveError, Status
from tests.layers.cone_program.cases import SMALL, disc, infeasible
from tests.layers.cone_program.one_input import (
    FEW,
    base,
    close,
    each,
    inputs,
    jacobian,
    minimiser,
    optimum,
    value,
)


def test_vmap():
    want = each(optimum)
    close(func.vmap(minimiser)(inputs()), want)
    close(func.vmap(minimiser, in_dims=1, out_dims=1)(inputs().T), want.T)
    nested = func.vmap(func.vmap(minimiser))
    close(nested(inputs().expand(2, *inputs().shape))[1], want)
    close(func.vmap(minimiser)(inputs().unsqueeze(1))[:, 0], want)
    problem = base()
    many = torch.stack([problem.P, 2 * problem.P], -1)  # mapped at the end, q shared
    got = func.vmap(
        lambda P: cone_program.layer(ConeProgram(P, *problem.fields[1:], problem.K)),
        in_dims=2,
    )(many)
    double = ConeProgram(2 * problem.P, *problem.fields[1:], problem.K)
    close(got[1], cone_program.layer(double))
    q = inputs().requires_grad_()  # ordinary backward through a mapped call
    (grad,) = torch.autograd.grad(func.vmap(minimiser)(q).sum(), q)
    close(grad, each(lambda v: jacobian(v).sum(0)))


def test_grad():
    q = base().q
    close(func.grad(value)(q), optimum(q))
    _, pull = func.vjp(minimiser, q)
    close(pull(torch.ones_like(q))[0], jacobian(q).sum(0))


def test_jacobians(monkeypatch):
    count, make = [], linearised.Linearised.__init__
    monkeypatch.setattr(
        linearised.Linearised,
        "__init__",
        lambda self, *a: count.append(1) or make(self, *a),
    )
    q = base().q
    minimiser(q)
    forward = len(count)
    for jacobian_of in (func.jacrev, func.jacfwd):
        del count[:]
        close(jacobian_of(minimiser)(q), jacobian(q))
        assert len(count) == 2 * forward  # and the solution of the oracle


def test_hessian():
    q, problem = base().q, base()
    close(func.hessian(value)(q), jacobian(q))
    for name, start in (("A", problem.A), ("b", problem.b)):

        def optimal(v, name=name):
            fields = dict(zip("PqAb", problem.fields, strict=True)) | {name: v}
            return cone_program.solve(ConeProgram(**fields, K=problem.K)).value

        size = start.numel()
        H = func.hessian(optimal)(start).reshape(size, size)
        assert H.abs().max() > 1e-3
        close(H, H.mT)
        reverse = func.jacrev(func.jacrev(optimal))(start).reshape(size, size)
        close(reverse, H)


def test_nested_transforms():
    qs, f = inputs(), minimiser
    close(func.vmap(func.grad(value))(qs), each(optimum))
    close(func.vmap(func.jacrev(f))(qs), each(jacobian))
    close(func.vmap(func.hessian(value))(qs), each(jacobian))
    one = torch.ones_like(qs[0])
    tangent = func.vmap(lambda q: func.jvp(f, (q,), (one,))[1])(qs)
    close(tangent, each(lambda q: jacobian(q).sum(1)))
    blocks = func.jacrev(func.vmap(f))(qs)
    close(torch.stack([blocks[i, :, i] for i in range(3)]), each(jacobian))
    assert blocks[0, :, 1].abs().max() == 0
    seeds = torch.eye(len(one)).double()[:2]
    pulls = func.vmap(
        lambda w: func.vmap(lambda q: func.vjp(f, q)[1](w)[0])(qs)  # seeds outside
    )(seeds)
    close(pulls, each(jacobian)[:, :2].transpose(0, 1))


def test_errors_under_vmap():
    good, bad = disc(0.1), infeasible()
    b = torch.stack([good.b, bad.b])
    seen = {}

    def f(b):
        return cone_program.layer(ConeProgram(good.P, good.q, good.A, b, SMALL))

    def told(b):
        problem = ConeProgram(good.P, good.q, good.A, b, SMALL)
        seen["sol"] = cone_program.solve(problem)
        return seen["sol"].x

    with pytest.raises(SolveError, match=r"1 of 2.*PRIMAL_INFEASIBLE.*\(1,\)") as err:
        func.vmap(f)(b)
    assert err.value.status.tolist() == [0, Status.PRIMAL_INFEASIBLE]
    x = func.vmap(func.vmap(told))(torch.stack([b, b.flip(0), b]))
    info, ray = seen["sol"].info, seen["sol"].certificate.y
    assert info["iterations"].shape == info["error"].shape == (3, 2)
    for i, j in ((0, 0), (1, 1), (2, 0)):
        assert ray[i, j].isnan().all()
        assert x[i, 1 - j].isnan().all()
        assert (good.A.mT @ ray[i, 1 - j]).abs().max() < 1e-9
        assert bad.b @ ray[i, 1 - j] < 0
    indefinite = torch.stack([good.P, good.P - torch.eye(2).double()])
    with pytest.raises(ValueError, match=r"semidefinite .* in instance \(1,\)"):
        func.vmap(
            lambda P: cone_program.layer(ConeProgram(P, good.q, good.A, good.b, SMALL))
        )(indefinite)


def test_linearize():
    with pytest.raises(RuntimeError, match="tracing tensor"):
        func.linearize(minimiser, base().q)
    with pytest.raises(RuntimeError, match=r"setup_context|NYI"):
        func.functionalize(minimiser)(base().q)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(11, 4, dtype=torch.float64)
        self.layer = cone_program.ConeProgramLayer(4, FEW, dtype=torch.float64)

    def forward(self, q: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.layer(self.first(q)))
        return (x + cone_program.solve(self.layer.problem(q[..., :4])).x).sum()


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
