"""The denoising application against oracles that share no code with it."""

import clarabel
import numpy as np
import pytest
import torch
from scipy import sparse

from companion.apps import denoising as dn
from companion.gradcheck import taylor
from companion.layers import qp


def clarabel_tv(y: np.ndarray, D: np.ndarray, strength: float) -> np.ndarray:
    """The primal problem in (z, u), |Dz| ≤ u: not the dual that the layer solves."""
    n, k = D.shape[1], D.shape[0]
    P = sparse.block_diag([sparse.eye(n), sparse.csc_matrix((k, k))], format="csc")
    q = np.concatenate([-y, np.full(k, strength)])
    eye = np.eye(k)
    A = sparse.csc_matrix(np.block([[D, -eye], [-D, -eye]]))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    cones = [clarabel.NonnegativeConeT(2 * k)]
    solver = clarabel.DefaultSolver(P, q, A, np.zeros(2 * k), cones, settings)
    return np.array(solver.solve().x[:n])


def tautness(y: np.ndarray, z: np.ndarray, strength: float) -> float:
    """How far the running sum of z is from the taut string in a tube of this radius."""
    w = np.cumsum(z - y)[:-1]  # the dual variable, up to its sign
    jumps = np.diff(z)
    outside = np.maximum(np.abs(w) - strength, 0).max()
    mean = abs(np.sum(z - y))
    loose = np.abs(w * np.sign(jumps) - strength)[np.abs(jumps) > 1e-6]
    return max(outside, mean, loose.max(initial=0))


@pytest.mark.parametrize("strength", [1.0, 20.0, 200.0])
def test_total_variation_is_the_taut_string(strength):
    y = dn.piecewise(np.random.default_rng(0), 3, 40).noisy
    z = dn.total_variation(y, strength)
    for row, found in zip(y.numpy(), z.numpy(), strict=True):
        assert tautness(row, found, strength) < 1e-7 * strength


def test_denoise_solves_the_primal_problem_for_a_general_operator():
    rng = np.random.default_rng(1)
    y, D = 10 * rng.standard_normal(20), rng.standard_normal((15, 20))
    z = dn.denoise(*(torch.tensor(v) for v in (y, D, 2.0)))
    np.testing.assert_allclose(z.numpy(), clarabel_tv(y, D, 2.0), atol=1e-6)


@pytest.mark.parametrize("name", ["y", "D", "strength"])
def test_gradient_has_taylor_order_two(name):
    rng = np.random.default_rng(2)
    y = dn.piecewise(rng, 2, 16).noisy.numpy()
    data = {"y": y, "D": dn.differences(16).numpy(), "strength": np.array(12.0)}
    weights = torch.tensor(rng.standard_normal(y.shape))

    def loss(v):
        leaf = torch.tensor(v, requires_grad=True)
        parts = {k: torch.tensor(u) for k, u in data.items()} | {name: leaf}
        value = (weights * dn.denoise(**parts)).sum()
        value.backward()
        return float(value.detach()), leaf.grad.numpy()

    direction = np.asarray(1e-2 * rng.standard_normal(data[name].shape))
    slope = float(np.sum(loss(data[name])[1] * direction))
    report = taylor(lambda v: loss(v)[0], data[name], direction, slope, noise=1e-11)
    assert report.passes, report
    wrong = taylor(
        lambda v: loss(v)[0], data[name], direction, slope + 0.05, noise=1e-11
    )
    assert not wrong.passes


def test_closed_form_vjp_agrees_with_the_layer():
    rng = np.random.default_rng(3)
    y = dn.piecewise(rng, 1, 30).noisy[0].requires_grad_()
    D = dn.differences(30).requires_grad_()
    strength = torch.tensor(15.0, dtype=torch.float64, requires_grad=True)
    z, g = dn.denoise(y, D, strength), torch.tensor(rng.standard_normal(30))
    found = torch.autograd.grad(z @ g, (y, D, strength))
    w = qp.layer(dn.dual(y, D, strength))
    arrays = [v.detach().numpy() for v in (z, w, g)]
    want = dn.vjp(D.detach().numpy(), 15.0, *arrays)
    for got, name in zip(found, ("y", "D", "strength"), strict=True):
        np.testing.assert_allclose(got.numpy(), getattr(want, name), atol=1e-9)


def test_strength_limits_are_identity_and_mean():
    y = dn.piecewise(np.random.default_rng(4), 2, 12).noisy
    np.testing.assert_allclose(dn.total_variation(y, 1e-9), y, atol=1e-7)
    mean = y.mean(-1, keepdim=True).expand_as(y)
    np.testing.assert_allclose(dn.total_variation(y, 1e4), mean, atol=1e-6)


def test_series_are_what_their_packages_document():
    years, flow = dn.nile()
    assert dn.ecg().shape == (1024,)
    assert (years[0], years[-1], len(years)) == (1871, 1970, 100)
    assert flow.mean() == pytest.approx(919.35)


def test_nile_changes_level_between_1898_and_1899():
    years, flow = dn.nile()
    z = dn.total_variation(torch.from_numpy(flow), 1000.0).numpy()
    assert years[:-1][np.abs(np.diff(z)) > 1e-3].tolist() == [1898.0]


def test_piecewise_signals_have_integer_segments_and_a_seed():
    signals = dn.piecewise(np.random.default_rng(5), 50)
    again = dn.piecewise(np.random.default_rng(5), 50)
    assert torch.equal(signals.noisy, again.noisy)
    assert torch.equal(signals.clean, signals.clean.round())
    assert (signals.clean.diff(dim=-1) != 0).sum(-1).max() <= dn.SEGMENTS - 1
    assert abs(float((signals.noisy - signals.clean).std()) - dn.NOISE) < 0.5


def test_training_lowers_the_validation_loss_reproducibly():
    rng = np.random.default_rng(6)
    training, held_out = dn.piecewise(rng, 32, 20), dn.piecewise(rng, 32, 20)

    def run():
        model = dn.Denoiser(dn.differences(20), 3.0)
        model.D.requires_grad_(requires_grad=False)
        schedule = dn.Schedule(epochs=3, batch=16, rate=0.2)
        return dn.train(model, training, held_out, np.random.default_rng(0), schedule)

    history, again = run(), run()
    assert history.validation[-1] < history.validation[0]
    assert history.validation == again.validation
    assert len(history.losses) == len(history.operators) == 4


def test_denoiser_refuses_a_strength_that_is_not_positive():
    with pytest.raises(ValueError, match="strength > 0"):
        dn.Denoiser(dn.differences(5), 0.0)
