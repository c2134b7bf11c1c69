"""Derivatives of the layer in PyTorch: a test for everything that the book promises.

The names are those of companion/layers/qp/support.py, which the book shows; the oracle
is the reference, one instance at a time in NumPy.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import func
from torch.autograd import forward_ad

from companion import sampling
from companion.gradcheck import taylor
from companion.layers import qp
from companion.layers.qp import adjoint, support
from companion.problems import QP
from tests.layers.qp import (
    test_torch_calls,
    test_torch_modes,
    test_torch_transforms,
)
from tests.layers.qp.cases import FIELDS, OUTPUTS, SHAPES, as_torch, sample
from tests.layers.qp.one_input import base, close, inputs, jacobian, minimizer, value

# further tests of a feature, beside the one of its name
MORE = ("test_double_backward_", "test_mixed_modes_", "test_no_grad_", "test_torch_")


def outputs(engine, kept):
    def f(*leaves):
        values = {**dict(zip(FIELDS, base().fields, strict=True))}
        values.update(zip(kept, leaves, strict=True))
        values["P"] = 0.5 * (values["P"] + values["P"].mT)
        sol = qp.solve(QP(**values), engine=engine)
        return tuple(getattr(sol, name) for name in OUTPUTS)

    return f


def leaves() -> list[torch.Tensor]:
    return [v.clone().requires_grad_() for v in base().fields]


def test_first_derivatives(engine):
    assert torch.autograd.gradcheck(outputs(engine, FIELDS), leaves())


@pytest.mark.parametrize("shape", SHAPES)
def test_double_backward(engine, shape):
    problem = as_torch(sample(1, shape=shape)[0])
    kept = [name for name, v in zip(FIELDS, problem.fields, strict=True) if v.numel()]

    def f(*values):
        given = dict(zip(kept, values, strict=True))
        given["P"] = 0.5 * (given["P"] + given["P"].mT)
        sol = qp.solve(QP(**given), engine=engine)
        return tuple(v for v in (getattr(sol, k) for k in OUTPUTS) if v.numel())

    given = [getattr(problem, name).clone().requires_grad_() for name in kept]
    assert torch.autograd.gradgradcheck(f, given, fast_mode=True)


@pytest.mark.parametrize("regime", sampling.REGULAR_REGIMES)
def test_double_backward_has_taylor_order_two(engine, regime):
    problem = as_torch(sample(0, regime)[0])
    rng = np.random.default_rng(1)
    size = 1e-6 if regime == "near_infeasible" else 1e-2  # keeps the active set
    d = [size * torch.as_tensor(rng.normal(size=v.shape)) for v in problem.fields]
    # a P of condition 1e8 must stay positive definite; that of others may move
    d[0] = (d[0] + d[0].mT) * (0.0 if regime == "ill_conditioned" else 1.0)
    w = [torch.as_tensor(rng.normal(size=v.shape)) for v in problem.fields]

    def gradient(t: float, *, graph: bool = False):
        moved = [v + t * dv for v, dv in zip(problem.fields, d, strict=True)]
        moved = [v.detach().requires_grad_() for v in moved]
        sol = qp.solve(QP(*moved), engine=engine)
        loss = sol.x.square().sum() + sol.lam.square().sum() + sol.value
        grads = torch.autograd.grad(loss, moved, create_graph=graph)
        return sum((g * v).sum() for g, v in zip(grads, w, strict=True)), moved

    along, at = gradient(0.0, graph=True)
    second = torch.autograd.grad(along, at)
    slope = sum(float((g * dv).sum()) for g, dv in zip(second, d, strict=True))
    noise = 1e-8 if regime == "ill_conditioned" else 1e-12
    report = taylor(
        lambda t: float(gradient(float(t))[0]), np.zeros(()), np.ones(()), slope,
        noise=noise,
    )  # fmt: skip
    assert report.passes, report


def test_double_backward_of_a_pseudo_inverse_has_taylor_order_two(engine):
    # three active rows of norm one in a plane; the third turns, and so does K's null
    # vector, which is what tells dK⁺ from the derivative of an inverse
    rng = np.random.default_rng(2)
    half = 0.5**0.5
    plane, _ = np.linalg.qr(rng.normal(size=(4, 2)))
    third, turn = ([half, half] @ plane.T, 0.1 * ([-half, half] @ plane.T))
    shapes = ((4, 4), (4, 4), (3, 4), (3,), (4,), (4, 4))
    root, wP, wG, seed, x, dP = (torch.as_tensor(rng.normal(size=s)) for s in shapes)
    P, G = root @ root.mT + torch.eye(4), torch.as_tensor(np.vstack([plane.T, third]))
    dP, dG = 0.1 * (dP + dP.mT), torch.zeros_like(G)
    dG[2] = torch.as_tensor(turn)
    q, point, moves = -(P @ x + G.sum(0)), (P, G, G @ x), (dP, dG, dG @ x)

    def gradient(t: float, *, graph: bool = False):
        at = [v + t * d for v, d in zip(point, moves, strict=True)]
        at = [v.requires_grad_() for v in at]
        sol = qp.solve(QP(at[0], q, G=at[1], h=at[2]), engine=engine)
        loss = (seed * sol.lam).sum() + sol.lam.square().sum() + sol.x.square().sum()
        grads = torch.autograd.grad(loss, at[:2], create_graph=graph)
        return (grads[0] * wP).sum() + (grads[1] * wG).sum(), at

    along, at = gradient(0.0, graph=True)
    second = torch.autograd.grad(along, at)
    slope = sum(float((g * d).sum()) for g, d in zip(second, moves, strict=True))
    report = taylor(
        lambda t: float(gradient(float(t))[0]), np.zeros(()), np.ones(()), slope
    )
    assert report.passes, report


def test_backward_twice(engine):
    f, q = minimizer(engine), inputs().requires_grad_()
    loss = f(q).square().sum()
    (first,) = torch.autograd.grad(loss, q, retain_graph=True)
    (again,) = torch.autograd.grad(loss, q)
    assert torch.equal(first, again)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, q)


@pytest.mark.parametrize("graph", [False, True])
def test_needed_gradients_only(engine, graph, monkeypatch):
    made = []
    outer = adjoint._outer
    monkeypatch.setattr(
        adjoint, "_outer", lambda *a, **k: made.append(k) or outer(*a, **k)
    )
    given = [v.clone() for v in base().fields]
    given[1].requires_grad_(), given[5].requires_grad_()
    x = qp.layer(QP(*given), engine=engine)
    grads = torch.autograd.grad(x.sum(), [given[1], given[5]], create_graph=graph)
    assert not made
    full = leaves()
    want = torch.autograd.grad(qp.layer(QP(*full), engine=engine).sum(), full)
    close(grads, (want[1], want[5]))


def test_forward_mode(engine):
    given = leaves()
    tangents = [torch.full_like(v, 0.3).detach() for v in given]
    f = outputs(engine, FIELDS)
    out = f(*given)
    with forward_ad.dual_level():
        dual = f(*map(forward_ad.make_dual, map(torch.Tensor.detach, given), tangents))
        rates = [forward_ad.unpack_dual(v).tangent for v in dual]
    _, again = func.jvp(f, tuple(v.detach() for v in given), tuple(tangents))
    for name, v, rate, other in zip(OUTPUTS, out, rates, again, strict=True):
        weight = torch.linspace(1, 2, v.numel(), dtype=v.dtype).reshape(v.shape)
        grads = torch.autograd.grad((weight * v).sum(), given, retain_graph=True)
        want = sum((g * t).sum() for g, t in zip(grads, tangents, strict=True))
        close((weight * rate).sum(), want)
        torch.testing.assert_close(rate, other, msg=name)


def test_functional_jacobian(engine):
    f, q = minimizer(engine), base().q
    for mode in ("reverse-mode", "forward-mode"):
        J = torch.autograd.functional.jacobian(f, q, vectorize=True, strategy=mode)
        close(J, jacobian(q))
    close(
        torch.autograd.functional.hessian(value(engine), q, vectorize=True), jacobian(q)
    )
    q = q.requires_grad_()
    (J,) = torch.autograd.grad(f(q), q, torch.eye(3).double(), is_grads_batched=True)
    close(J, jacobian(q.detach()))


def test_hooks(engine):
    module, seen = qp.QPLayer(3, 1, 3, dtype=torch.float64), []
    module.register_forward_hook(lambda _m, _i, out: 2 * out)
    module.register_full_backward_hook(lambda _m, _i, out: seen.append(out[0]))
    q = inputs().requires_grad_()
    q.register_hook(lambda g: 3 * g)
    module(q).sum().backward()
    assert torch.equal(seen[0], torch.ones(3, 3, dtype=torch.float64))
    x = qp.layer(module.problem(again := inputs().requires_grad_()), engine=engine)
    close(q.grad, 6 * torch.autograd.grad(x.sum(), again)[0])


def test_every_feature_has_a_test_and_every_test_a_feature():
    modules = (test_torch_calls, test_torch_modes, test_torch_transforms)
    features = {f"test_{f.name}" for group in support.SUPPORT.values() for f in group}
    tests = {
        name
        for module in (globals(), *map(vars, modules))
        for name in module
        if name.startswith("test_") and not name.startswith(MORE)
    }
    tests -= {test_every_feature_has_a_test_and_every_test_a_feature.__name__}
    assert tests == features
