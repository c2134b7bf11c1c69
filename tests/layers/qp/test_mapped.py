"""Choices at kinks, `info` and certificates under function transforms."""

from __future__ import annotations

import pytest
import torch
from torch import func
from torch.autograd import forward_ad

from companion.layers import qp
from companion.problems import QP
from tests.layers.qp.cases import as_torch, infeasible, sample
from tests.layers.qp.families import relu

STARTS = torch.tensor([[0.0], [1.0], [-1.0]], dtype=torch.float64)
ONE = torch.ones(1, dtype=torch.float64)


def ramp(choice: str):
    """The ramp min ½x² + qx over x ≥ 0 as a function of q; a choice at its kink."""
    problem = relu(0.0)
    return lambda q: qp.layer(QP(problem.P, q, *problem.fields[2:]), at_kink=choice)


@pytest.mark.parametrize(
    ("choice", "slope"), [("inactive", -1.0), ("least_squares", -0.5), ("left", 0.0)]
)
def test_choices_at_a_kink_hold_under_transforms(choice, slope):
    f = ramp(choice)
    want = torch.tensor([slope, 0.0, -1.0], dtype=torch.float64)
    for transform in (func.jacrev, func.jacfwd):
        got = func.vmap(transform(f))(STARTS)
        torch.testing.assert_close(got[:, 0, 0], want)
        torch.testing.assert_close(transform(f)(STARTS[0])[0, 0], want[0])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_directional_choice_holds_under_transforms(sign):
    f, move = ramp("directional"), sign * ONE

    def along(q, d=move):
        return func.jvp(f, (q,), (d,))[1]

    want = torch.tensor([max(-sign, 0.0), 0.0, -sign], dtype=torch.float64)
    torch.testing.assert_close(func.vmap(along)(STARTS)[:, 0], want)
    torch.testing.assert_close(along(STARTS[0]), want[:1])
    both = func.vmap(lambda d: along(STARTS[0], d))(torch.stack([ONE, -ONE]))
    assert both[:, 0].tolist() == [0.0, 1.0]
    with forward_ad.dual_level():
        dual = f(forward_ad.make_dual(STARTS[0], move))
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, want[:1])
    with pytest.raises(RuntimeError, match="expected forward-mode"):
        func.vmap(func.grad(lambda q: f(q).sum()))(STARTS)


def test_info_and_certificates_have_the_mapped_axes_in_front():
    good, bad = as_torch(sample(0)[0]), as_torch(infeasible())
    pairs = [torch.stack([getattr(good, k), getattr(bad, k)]) for k in "Gh"]
    seen = {}

    def f(G, h):
        seen["sol"] = qp.solve(QP(*good.fields[:4], G, h))
        return seen["sol"].x

    def last(*fields):
        func.vmap(func.vmap(f))(*fields)
        return seen["sol"]

    func.vmap(f)(*pairs)
    flat = seen["sol"]
    assert flat.info["iterations"].shape == (2,)
    ray = flat.certificate.lam
    assert ray[0].isnan().all()
    assert ray[1].min() >= 0
    assert (bad.A.mT @ flat.certificate.nu[1] + bad.G.mT @ ray[1]).abs().max() < 1e-12
    nested = last(*(torch.stack([v, v.flip(0), v]) for v in pairs))
    assert nested.certificate.lam.shape == (3, 2, good.m)
    for i, j in ((0, 0), (1, 1), (2, 0)):
        assert nested.certificate.lam[i, j].isnan().all()
        torch.testing.assert_close(nested.certificate.lam[i, 1 - j], ray[1])
        assert nested.info["iterations"][i, j] == flat.info["iterations"][0]
