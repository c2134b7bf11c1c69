"""At a kink: one-sided limits, directional derivatives, least squares; by choice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

from companion.layers import qp
from companion.problems import QP
from tests import oracles
from tests.layers.qp.cases import FIELDS, as_torch, batch_of, direction, moved, sample
from tests.layers.qp.families import DEGENERATE, qp_of, relu, tensor


def slope(problem: QP, wrt: str, **options) -> torch.Tensor:
    """Jacobian of x in one field."""
    values = dict(zip(FIELDS, problem.fields, strict=True))
    return torch.autograd.functional.jacobian(
        lambda leaf: qp.layer(QP(**{**values, wrt: leaf}), **options), values[wrt]
    )


@pytest.mark.parametrize(
    ("choice", "speeds", "expected"),
    [
        ("inactive", None, -1.0), ("least_squares", None, -0.5),
        ("left", None, 0.0), ("right", None, -1.0),
        ("left", {"q": 1.0}, -1.0), ("right", {"q": 1.0}, 0.0),
        ("left", {"q": -1.0}, 0.0), ("right", {"q": -1.0}, -1.0),
        ("left", {"h": 1.0}, 0.0), ("right", {"h": 1.0}, -1.0),
    ],
)  # fmt: skip
def test_slope_of_the_ramp_at_its_kink(choice, speeds, expected):
    problem = relu(0.0)
    d = None if speeds is None else qp.along(problem, **speeds)
    found = slope(problem, "q", at_kink=choice, direction=d)
    assert found.item() == pytest.approx(expected, abs=1e-12)
    # away from the kink nothing is chosen
    for q, right in ((-1.0, -1.0), (1.0, 0.0)):
        found = slope(relu(q), "q", at_kink=choice, direction=d)
        assert found.item() == pytest.approx(right, abs=1e-12)


def test_least_squares_leaves_the_clarke_set_and_depends_on_scaling():
    def corner(*rows):
        return qp_of([0.0, 0.0], [list(r) for r in rows], [0.0] * len(rows),
                     P=[[1.0, 0.0], [0.0, 1.0]])  # fmt: skip

    found = -slope(corner((1, 0), (0, 1), (1, 1)), "q", at_kink="least_squares")
    expected = tensor([[3.0, -1.0], [-1.0, 3.0]]) / 8
    torch.testing.assert_close(found, expected)
    for c in (1.0, 3.0):
        found = -slope(corner((c, 0)), "q", at_kink="least_squares")
        assert found[0, 0].item() == pytest.approx(1 / (1 + c * c))


@pytest.mark.parametrize("choice", ["left", "right"])
def test_one_sided_choices_are_limits_of_derivatives(choice):
    moved_apart = 0
    for seed in range(6):
        problem = as_torch(sample(seed, "weakly_active")[0])
        d = direction(np.random.default_rng(50 + seed), problem)
        t = 1e-6 if choice == "right" else -1e-6
        for wrt in ("q", "h", "A"):
            here = slope(problem, wrt, at_kink=choice, direction=d)
            near = slope(moved(problem, d, t), wrt)
            torch.testing.assert_close(here, near, rtol=1e-3, atol=1e-3)
            other = slope(moved(problem, d, -t), wrt)
            moved_apart += int((here - other).abs().max() > 1e-2)
    assert moved_apart >= 12


@pytest.mark.parametrize("regime", ["weakly_active", "strictly_complementary"])
def test_directional_derivative_is_the_one_sided_limit(regime):
    for seed in range(6):
        problem = as_torch(sample(seed, regime)[0])
        sol = qp.solve(problem)
        d = direction(np.random.default_rng(70 + seed), problem)
        for sign in (1.0, -1.0):
            way = d.map(lambda v, s=sign: s * v)
            rates = qp.directional_derivative(problem, sol, way)
            remainders = []
            for t in (1e-4, 1e-5):
                P, q, A, b, G, h = (
                    moved(problem, way, t).map(lambda v: v.numpy()).fields
                )
                x, nu, lam = oracles.active_set(P, q, A, b, G, h)
                ends = {"x": x, "nu": nu, "lam": lam, "slack": h - G @ x}
                remainders.append(
                    max(
                        np.abs(
                            end
                            - getattr(sol, k).numpy()
                            - t * getattr(rates, k).numpy()
                        ).max()
                        for k, end in ends.items()
                    )
                )
            assert remainders[1] < 0.02 * remainders[0] + 1e-11  # order two


def test_forward_mode_takes_the_side_of_its_tangent():
    problem = as_torch(sample(3, "weakly_active")[0])
    sol = qp.solve(problem)
    d = direction(np.random.default_rng(3), problem)
    seen = []
    for sign in (1.0, -1.0):
        way = d.map(lambda v, s=sign: s * v)
        rates = qp.directional_derivative(problem, sol, way)
        with forward_ad.dual_level():
            dual = QP(*map(forward_ad.make_dual, problem.fields, way.fields))
            found = qp.solve(dual, at_kink="directional")
            for name in ("x", "nu", "lam", "slack"):
                tangent = forward_ad.unpack_dual(getattr(found, name)).tangent
                torch.testing.assert_close(tangent, getattr(rates, name))
        seen.append(rates.x)
    assert (seen[0] + seen[1]).abs().max() > 1e-2  # not linear


def test_a_backward_pass_cannot_be_directional_at_a_kink_only():
    q = tensor([[0.0], [-1.0]]).requires_grad_()
    P, _, _, _, G, h = relu(0.0).fields
    x = qp.layer(QP(P, q, G=G, h=h), at_kink="directional")
    with pytest.raises(RuntimeError, match=r"1 instances at a kink.*not linear"):
        x.sum().backward()
    away = tensor([[1.0], [-1.0]]).requires_grad_()
    qp.layer(QP(P, away, G=G, h=h), at_kink="directional").sum().backward()
    assert away.grad.flatten().tolist() == [0.0, -1.0]


@pytest.mark.parametrize("choice", ["left", "right", "least_squares"])
def test_choices_change_instances_at_a_kink_alone(choice):
    batch = batch_of(sample(0)[0], sample(0, "weakly_active")[0], sample(1)[0])
    grads = []
    for how in ("inactive", choice):
        leaves = batch.map(lambda v: v.clone().requires_grad_())
        x = qp.layer(leaves, at_kink=how)
        grads.append(torch.autograd.grad(x.square().sum(), leaves.fields))
    for plain, chosen in zip(*grads, strict=True):
        rest = [0, 2]
        torch.testing.assert_close(chosen[rest], plain[rest], rtol=1e-9, atol=1e-9)
    same = all(
        torch.allclose(a[1], b[1]) for a, b in zip(grads[0], grads[1], strict=True)
    )
    assert same == (choice == "right")


def test_vjp_and_jvp_of_every_linear_choice_are_adjoint():
    problem = as_torch(sample(2, "weakly_active")[0])
    d = direction(np.random.default_rng(9), problem)
    seed = torch.as_tensor(np.random.default_rng(1).normal(size=4))
    for choice in ("inactive", "left", "right", "least_squares"):
        leaves = problem.map(lambda v: v.clone().requires_grad_())
        x = qp.layer(leaves, at_kink=choice)
        grads = torch.autograd.grad(x @ seed, leaves.fields)
        backward = sum(
            float((g * v).sum()) for g, v in zip(grads, d.fields, strict=True)
        )
        with forward_ad.dual_level():
            dual = QP(*map(forward_ad.make_dual, problem.fields, d.fields))
            tangent = forward_ad.unpack_dual(qp.layer(dual, at_kink=choice)).tangent
        assert float(tangent @ seed) == pytest.approx(backward, rel=1e-9)


def test_directions_of_a_tie_and_of_an_unsolved_instance():
    tied, _ = DEGENERATE["duplicate row, weak"]
    rates = qp.directional_derivative(tied, qp.solve(tied), qp.along(tied, q=-1.0))
    assert rates.x.item() == pytest.approx(0.0, abs=1e-9)  # both rows stop it
    batch = batch_of(sample(0)[0], DEGENERATE_BAD)
    rates = qp.directional_derivative(batch, qp.solve(batch), qp.along(batch, q=1.0))
    assert torch.isfinite(rates.x[0]).all()
    assert torch.isnan(rates.x[1]).all()


DEGENERATE_BAD = as_torch(sample(1)[0])
DEGENERATE_BAD = QP(
    DEGENERATE_BAD.P, DEGENERATE_BAD.q * torch.nan, *DEGENERATE_BAD.fields[2:]
)


def test_wrong_choices_are_refused():
    problem = relu(0.0)
    d = qp.along(problem, q=1.0)
    with pytest.raises(ValueError, match="at_kink: expected one of inactive"):
        qp.solve(problem, at_kink="clarke")
    with pytest.raises(ValueError, match="direction: expected None"):
        qp.solve(problem, direction=d)
    with pytest.raises(ValueError, match="leaves no kink"):
        qp.solve(problem, smoothing=0.1, at_kink="left")
