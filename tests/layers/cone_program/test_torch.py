"""Derivatives of the cone layer in PyTorch: a test for everything the book promises.

The names are those of companion/layers/cone_program/support.py, which the book shows;
the oracle is the reference, one instance at a time in NumPy.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import func
from torch.autograd import forward_ad

from companion.gradcheck import taylor
from companion.layers import cone_program
from companion.layers.cone_program import adjoint, matrices, support
from companion.problems import ConeProgram, Cones
from tests.layers.cone_program import test_torch_calls, test_torch_transforms
from tests.layers.cone_program.cases import (
    OUTPUTS,
    PRODUCTS,
    direction,
    moved,
    sample,
)
from tests.layers.cone_program.one_input import (
    FEW,
    base,
    close,
    inputs,
    jacobian,
    minimiser,
    outputs,
    value,
)

# further tests of a feature, beside the one of its name
MORE = ("test_mixed_modes_",)
ALONE = {
    "line": Cones(zero=1, nonneg=2),
    "soc": Cones(soc=(3,)),
    "psd": Cones(psd=(3,)),
    "exp": Cones(exp=1),
    "exp_dual": Cones(exp_dual=1),
    "power": Cones(power=(0.3,)),
    "power_dual": Cones(power=(-0.3,)),
}


def leaves(problem: ConeProgram) -> list[torch.Tensor]:
    return [v.clone().requires_grad_() for v in problem.fields]


def test_first_derivatives():
    problem = base()
    assert torch.autograd.gradcheck(outputs(problem), leaves(problem), fast_mode=True)
    small = sample(0, Cones(nonneg=1, soc=(3,)))[0]
    assert torch.autograd.gradcheck(outputs(small), leaves(small))


@pytest.mark.parametrize("name", ALONE)
def test_double_backward(name):
    problem, _ = sample(3, ALONE[name])
    assert torch.autograd.gradgradcheck(
        outputs(problem), leaves(problem), fast_mode=True
    )


def test_third_derivatives():
    def three(q):
        x = minimiser(q).sin().sum()
        (one,) = torch.autograd.grad(x, q, create_graph=True)
        (two,) = torch.autograd.grad(one.sum(), q, create_graph=True)
        return torch.autograd.grad(two.sum(), q)

    with pytest.raises(NotImplementedError, match="expected at most two derivatives"):
        three(base().q.clone().requires_grad_())


def test_backward_twice():
    q = inputs().requires_grad_()
    loss = minimiser(q).square().sum()
    (first,) = torch.autograd.grad(loss, q, retain_graph=True)
    (again,) = torch.autograd.grad(loss, q)
    assert torch.equal(first, again)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, q)


@pytest.mark.parametrize("graph", [False, True])
def test_needed_gradients_only(graph, monkeypatch):
    made = []
    for where, name in ((adjoint, "_outer"), (matrices.Full, "outer")):
        outer = getattr(where, name)
        monkeypatch.setattr(
            where, name, lambda *a, outer=outer, **k: made.append(k) or outer(*a, **k)
        )
    problem = base()
    P, q, A, b = (v.clone() for v in problem.fields)
    q.requires_grad_(), b.requires_grad_()
    x = cone_program.layer(ConeProgram(P, q, A, b, problem.K))
    grads = torch.autograd.grad(x.sum(), [q, b], create_graph=graph)
    assert not made
    full = leaves(problem)
    x = cone_program.layer(ConeProgram(*full, problem.K))
    want = torch.autograd.grad(x.sum(), full, create_graph=graph)
    assert made
    close(grads, (want[1], want[3]))


def test_forward_mode():
    problem = base()
    given, f = leaves(problem), outputs(problem)
    tangents = [torch.full_like(v, 0.3).detach() for v in given]
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


@pytest.mark.parametrize("name", ALONE)
def test_mixed_modes(name):
    """In a direction of all fields at once, so that none of their terms is zero."""
    problem, _ = sample(3, ALONE[name])
    rng = np.random.default_rng(4)
    moves = [direction(rng, problem) for _ in range(3)]
    weight = torch.from_numpy(rng.normal(size=(3, problem.n + 2 * problem.m)))

    def loss(t):
        d = [sum(a * v for a, v in zip(t, w, strict=True))
             for w in zip(*(m.fields for m in moves), strict=True)]  # fmt: skip
        x, y, s, _ = outputs(problem)(*map(torch.add, problem.fields, d))
        return (weight @ torch.cat([x, y, s])).sin().sum()

    t = torch.zeros(3).double()
    modes = (func.jacrev, func.jacfwd)
    found = [one(other(loss))(t) for one in modes for other in modes]
    assert found[0].abs().max() > 1e-3
    for H in found:
        torch.testing.assert_close(H, found[0], rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(H, H.mT, rtol=1e-8, atol=1e-9)
    with forward_ad.dual_level():  # forward over reverse without torch.func
        dual = forward_ad.make_dual(t.clone().requires_grad_(), torch.ones_like(t))
        (grad,) = torch.autograd.grad(loss(dual), dual)
        along = forward_ad.unpack_dual(grad).tangent
    torch.testing.assert_close(along, found[0].sum(1), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", PRODUCTS)
def test_mixed_modes_have_taylor_order_two(name):
    """Reverse over forward: the gradient of a speed, along a direction."""
    problem, _ = sample(8, PRODUCTS[name])
    rng = np.random.default_rng(8)
    # steps that stay in the piece: forward, then back along another direction
    d, e = (
        direction(rng, problem).map(lambda v: 0.02 * v / max(1.0, float(v.norm())))
        for _ in range(2)
    )
    weights = [torch.from_numpy(rng.normal(size=k)) for k in (problem.n, problem.m)]

    def speed(*fields):
        def layer(*given):
            sol = cone_program.solve(ConeProgram(*given, problem.K))
            return sol.x @ weights[0] + sol.y.sin() @ weights[1] + sol.value

        return func.jvp(layer, fields, e.fields)[1]

    at = leaves(problem)
    grads = torch.autograd.grad(speed(*at), at)
    slope = sum(float((g * v).sum()) for g, v in zip(grads, d.fields, strict=True))
    report = taylor(
        lambda t: speed(*moved(problem, d, t.item()).fields).numpy(),
        np.zeros(()), np.ones(()), slope, noise=1e-11,
    )  # fmt: skip
    assert report.passes, report


def test_functional_jacobian():
    q = base().q
    for mode in ("reverse-mode", "forward-mode"):
        J = torch.autograd.functional.jacobian(
            minimiser, q, vectorize=True, strategy=mode
        )
        close(J, jacobian(q))
    close(torch.autograd.functional.hessian(value, q, vectorize=True), jacobian(q))
    q = q.clone().requires_grad_()
    (J,) = torch.autograd.grad(
        minimiser(q), q, torch.eye(len(q)).double(), is_grads_batched=True
    )
    close(J, jacobian(q.detach()))


def test_hooks():
    module, seen = cone_program.ConeProgramLayer(5, FEW, dtype=torch.float64), []
    module.register_forward_hook(lambda _m, _i, out: 2 * out)
    module.register_full_backward_hook(lambda _m, _i, out: seen.append(out[0]))
    q = inputs()[:, :5].clone().requires_grad_()
    q.register_hook(lambda g: 3 * g)
    module(q).sum().backward()
    assert torch.equal(seen[0], torch.ones(3, 5, dtype=torch.float64))
    again = q.detach().requires_grad_()
    x = cone_program.layer(module.problem(again))
    close(q.grad, 6 * torch.autograd.grad(x.sum(), again)[0])


def test_every_feature_has_a_test_and_every_test_a_feature():
    features = {f"test_{f.name}" for group in support.SUPPORT.values() for f in group}
    modules = (globals(), vars(test_torch_calls), vars(test_torch_transforms))
    tests = {
        name
        for module in modules
        for name in module
        if name.startswith("test_") and not name.startswith(MORE)
    }
    tests -= {
        "test_torch_calls",
        "test_torch_transforms",
        test_every_feature_has_a_test_and_every_test_a_feature.__name__,
    }
    assert tests == features
