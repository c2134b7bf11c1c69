"""The central path: its points, its derivative everywhere, its limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from companion import sampling
from companion.layers import qp
from companion.problems import QP, Status
from tests.layers.qp.cases import BAD, FIELDS, as_torch, batch_of, sample
from tests.layers.qp.families import INFEASIBLE, SIMPLEX, UNBOUNDED, qp_of, relu, tensor


@pytest.mark.parametrize("mu", [1e-1, 1e-3, 1e-4])
@pytest.mark.parametrize("q", [-0.1, 0.0, 0.1])
def test_smoothed_ramp_and_its_slope_in_closed_form(q, mu):
    leaf = tensor([q]).requires_grad_()
    sol = qp.solve(QP(*relu(q).fields[:1], leaf, *relu(q).fields[2:]), smoothing=mu)
    root = math.sqrt(q * q + 4 * mu)
    assert sol.x.item() == pytest.approx((root - q) / 2, rel=1e-11)
    (slope,) = torch.autograd.grad(sol.x.sum(), leaf)
    assert slope.item() == pytest.approx((q / root - 1) / 2, rel=1e-10)


def test_recorded_slopes_of_the_smoothed_ramp():
    for mu, slope in [(0.1, -0.42191312), (1e-3, -0.07742287), (1e-4, -0.00970966)]:
        leaf = tensor([0.1]).requires_grad_()
        x = qp.layer(QP(*relu(0).fields[:1], leaf, *relu(0).fields[2:]), smoothing=mu)
        assert torch.autograd.grad(x.sum(), leaf)[0].item() == pytest.approx(
            slope, abs=5e-9
        )


@pytest.mark.parametrize("regime", sorted(set(sampling.REGIMES) - {"near_infeasible"}))
def test_points_of_the_path_satisfy_the_perturbed_conditions(regime):
    for mu in (1.0, 1e-3, 1e-6):
        problem = as_torch(sample(2, regime)[0])
        sol = qp.solve(problem, smoothing=mu)
        P, q, A, b, G, _ = problem.fields
        assert sol.info["engine"] == "central_path"
        dual = P @ sol.x + q + A.mT @ sol.nu + G.mT @ sol.lam
        assert dual.abs().max() < 1e-9 * (1 + sol.lam.max())
        assert (A @ sol.x - b).abs().max() < 1e-10
        assert (sol.slack > 0).all()
        assert (sol.slack * sol.lam / mu - 1).abs().max() < 1e-7
        objective = 0.5 * sol.x @ P @ sol.x + q @ sol.x
        torch.testing.assert_close(sol.value, objective, rtol=1e-11, atol=1e-11)


GRADCHECKED = {
    **{k: as_torch(sample(1, k, (3, 1, 3))[0]) for k in sampling.REGIMES},
    "relu, at the kink": relu(0.0),
    "tied LP": qp_of([-1.0, -1.0, 0.0], *SIMPLEX),
}
del GRADCHECKED["lp_face"]  # unbounded faces have no central path
# differences in P would leave the cone of semidefinite matrices
FIXED_COST = ("ill_conditioned", "tied LP")


@pytest.mark.parametrize("name", GRADCHECKED)
def test_gradcheck_passes_everywhere(name):
    problem = GRADCHECKED[name]
    kept = [k for k, v in zip(FIELDS, problem.fields, strict=True) if v.numel()]
    if name in FIXED_COST:
        kept.remove("P")
    inputs = tuple(getattr(problem, k).clone().requires_grad_() for k in kept)

    def outputs(*leaves):
        values = dict(zip(FIELDS, problem.fields, strict=True))
        values |= dict(zip(kept, leaves, strict=True))
        values["P"] = 0.5 * (values["P"] + values["P"].mT)
        sol = qp.solve(QP(**values), smoothing=0.1)
        # in a slab of width 1e-4 multipliers of 1e3 leave no digits to differences
        duals = (sol.nu, sol.lam) if name != "near_infeasible" else ()
        return tuple(v for v in (sol.x, sol.slack, sol.value, *duals) if v.numel())

    eps = 1e-7 if name == "near_infeasible" else 1e-6
    options = {"eps": eps, "atol": 1e-4, "fast_mode": True}
    kink = name in ("weakly_active", "relu, at the kink")
    assert torch.autograd.gradcheck(outputs, inputs, check_forward_ad=kink, **options)
    if kink:
        assert torch.autograd.gradgradcheck(outputs, inputs, **options)


def test_smoothed_derivative_tends_to_the_exact_one_in_proportion_to_mu():
    problem = as_torch(sample(4)[0])
    seed = torch.as_tensor(np.random.default_rng(0).normal(size=4))

    def gradient(**options):
        leaves = problem.map(lambda v: v.clone().requires_grad_())
        x = qp.layer(leaves, **options)
        return torch.cat(
            [v.flatten() for v in torch.autograd.grad(x @ seed, leaves.fields)]
        )

    exact = gradient()
    mus = 10.0 ** -np.arange(3, 7)
    errors = [float((gradient(smoothing=mu) - exact).norm()) for mu in mus]
    slope = np.polyfit(np.log(mus), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)


def test_smoothed_linear_program_on_the_simplex():
    sol = qp.solve(qp_of([-1.0, -1.0, 0.0], *SIMPLEX), smoothing=1e-2)
    assert sol.x[0].item() == pytest.approx(sol.x[1].item(), rel=1e-12)
    cost = tensor([-1.0, -1.0, 0.0])
    ratio = (cost + sol.nu) * sol.x  # lam_i x_i = mu with lam = c + nu
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1e-2))


@pytest.mark.parametrize("name", [*INFEASIBLE, *UNBOUNDED])
def test_no_solution_stays_no_solution(name):
    problem = {**INFEASIBLE, **UNBOUNDED}[name]
    exact, smooth = qp.solve(problem), qp.solve(problem, smoothing=1e-3)
    assert smooth.status == exact.status
    assert torch.isnan(smooth.x).all()
    assert smooth.certificate is not None


def test_a_single_feasible_point_has_no_central_path():
    pinched = qp_of([1.0], [[1.0], [-1.0]], [1.0, -1.0], P=[[1.0]])
    assert qp.solve(pinched, smoothing=1e-3).status == Status.MAX_ITERATIONS


def test_bad_instances_leave_smoothed_neighbours_bit_identical():
    good = [sample(seed)[0] for seed in range(2)]
    for make, status in BAD.values():
        runs = []
        for middle in (make(), good[1]):
            leaves = batch_of(good[0], middle, good[1]).map(
                lambda v: v.requires_grad_()
            )
            sol = qp.solve(leaves, smoothing=1e-2)
            grads = torch.autograd.grad(sol.x.nan_to_num().sum(), leaves.fields)
            runs.append((sol, grads))
        (bad, bad_grads), (fine, fine_grads) = runs
        assert bad.status.tolist() == [0, status, 0]
        assert torch.equal(bad.x[[0, 2]], fine.x[[0, 2]])
        for mixed, clean in zip(bad_grads, fine_grads, strict=True):
            assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
            assert (mixed[1] == 0).all()


def test_shared_fields_receive_the_sum_and_vmap_agrees():
    base = as_torch(sample(3)[0])
    q = base.q + 0.1 * torch.arange(3.0).double().unsqueeze(-1)
    leaves = dict(zip(FIELDS, (v.clone().requires_grad_() for v in base.fields),
                      strict=True))  # fmt: skip
    x = qp.layer(QP(**{**leaves, "q": q}), smoothing=1e-2)
    (together,) = torch.autograd.grad(x.square().sum(), leaves["G"])
    alone = sum(
        torch.autograd.grad(
            qp.layer(QP(**{**leaves, "q": one}), smoothing=1e-2).square().sum(),
            leaves["G"],
        )[0]
        for one in q
    )
    torch.testing.assert_close(together, alone, rtol=1e-11, atol=1e-11)

    def single(one):
        return qp.layer(
            QP(**{**dict(zip(FIELDS, base.fields, strict=True)), "q": one}),
            on_failure="nan",
            smoothing=1e-2,
        )

    torch.testing.assert_close(torch.func.vmap(single)(q), x.detach())


def test_smoothing_that_makes_no_sense_is_refused():
    for mu in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="smoothing: expected a number ≥ 0"):
            qp.solve(relu(1.0), smoothing=mu)
    with pytest.raises(ValueError, match="engine: expected"):
        qp.solve(relu(1.0), smoothing=0.1, engine="active_set")
