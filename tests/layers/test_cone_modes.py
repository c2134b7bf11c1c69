"""Second derivatives of the projections by every mix of modes, which have to agree."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import func
from torch.autograd import forward_ad

from companion.layers import cones
from companion.problems import Cones
from tests.layers.test_cones import EVERYTHING, PRODUCTS, SMOOTH, drawn

DUALS = {"exp": Cones(exp_dual=1), "power": Cones(power=(-0.3,))}
MODES = (func.jacrev, func.jacfwd)
STEP = 1e-6  # in the plane of the power cone differences err by the power 4/3 of it
CURVED = {  # regions where the second derivative is not zero
    "nonneg": (),
    "soc": ("between",),
    "psd": ("between", "repeated"),
    "exp": ("between", "steep"),
    "power": ("between",),
}


def regular_points(cone, region):
    """A point in this region of the cone; its negative for the cone's own dual."""
    x = drawn(cone, region, 1)[0]
    yield x, PRODUCTS[cone]
    if cone in DUALS:
        yield -x, DUALS[cone]
    if region == "plane":  # at a round edge
        for sign, x_ in itertools.product((1, -1), (x, x[[1, 0, 2]])):
            yield sign * x_, Cones(power=(sign * 0.5,))


def nested(f, x):
    """The second derivative by every mix of modes."""
    return [one(other(f))(x) for one in MODES for other in MODES]


def close(got, want):
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("cone", "region"), SMOOTH)
@pytest.mark.parametrize("act", ["project", "project_dual"])
def test_second_derivatives_agree_in_all_modes(cone, region, act):
    """With each other and with differences of the first; and all directions at once."""
    for x, K in regular_points(cone, region):
        u, v = torch.linspace(1, 2, K.rows).double(), torch.ones(K.rows).double()

        def f(x, K=K):
            return getattr(cones, act)(x, K)

        def speed(x, f=f, u=u):
            return func.jvp(f, (x,), (u,))[1]

        steps = STEP * torch.eye(K.rows).double()
        J = getattr(cones, act.replace("project", "derivative"))
        want = (J(x + steps, K) - J(x - steps, K)).permute(1, 2, 0) / (2 * STEP)
        found = nested(f, x)
        if region in CURVED[cone]:
            assert want.abs().max() > 1e-2
        for H in found:
            close(H, found[0])
            torch.testing.assert_close(H, want, rtol=1e-5, atol=1e-6)
        close(func.jvp(speed, (x,), (v,))[1], found[0] @ v @ u)
        with forward_ad.dual_level():  # forward over reverse without torch.func
            dual = forward_ad.make_dual(x.clone().requires_grad_(), v)
            (grad,) = torch.autograd.grad(f(dual) @ u, dual)
            close(forward_ad.unpack_dual(grad).tangent, u @ (found[0] @ v))


def test_second_derivatives_agree_in_all_modes_on_products(rng):
    """In a batch, mapped or not, and of the derivative applied to a direction."""
    x, dx = torch.tensor(rng.normal(size=(2, 4, EVERYTHING.rows)))
    weight = torch.tensor(rng.normal(size=x.shape))

    def loss(x):
        return (weight * cones.project(x, EVERYTHING).sin()).sum()

    found = nested(loss, x)
    assert found[0].abs().max() > 1e-2
    for H in found:
        close(H, found[0])
    mapped = func.vmap(func.jacfwd(func.jacfwd(lambda x: cones.project(x, EVERYTHING))))
    again = func.vmap(func.jacfwd(lambda x, dx: cones.jvp(x, dx, EVERYTHING)))
    close((mapped(x) * dx[:, None, :, None]).sum(2), again(x, dx))


@pytest.mark.parametrize("cone", [cone for cone in PRODUCTS if cone != "psd"])
def test_third_derivatives_agree_in_all_modes(cone):
    for x, K in regular_points(cone, "between"):
        w = torch.linspace(1, 2, K.rows).double()

        def f(x, K=K, w=w):
            return cones.project(x, K) @ w

        found = [a(b(c(f)))(x) for a in MODES for b in MODES for c in MODES]
        for D in found:
            close(D, found[0])


@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
@pytest.mark.parametrize("third", MODES)
def test_a_third_derivative_of_a_matrix_is_refused_in_all_modes(first, second, third):
    x = torch.tensor([1.0, 0.5, -1.0]).double()
    f = third(second(first(lambda x: cones.project(x, Cones(psd=(2,))))))
    with pytest.raises(NotImplementedError, match="two derivatives here, not three"):
        f(x)
