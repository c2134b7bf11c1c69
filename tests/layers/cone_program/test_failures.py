"""A failed instance is a status with a proof; its neighbours never notice."""

from __future__ import annotations

import pytest
import torch

from companion.layers import cone_program
from companion.problems import ConeCertificate, ConeProgram, SolveError, Status
from tests.layers.cone_program.cases import (
    BAD,
    OUTPUTS,
    SMALL,
    batch_of,
    disc,
    infeasible,
    poisoned,
    unbounded,
)


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_instance_leaves_its_neighbours_bit_identical(kind):
    make, status = BAD[kind]
    good = [disc(centre) for centre in (0.1, -0.7, 0.3)]
    runs = []
    for middle in (make(), good[1]):
        leaves = batch_of(good[0], middle, good[2]).map(lambda v: v.requires_grad_())
        sol = cone_program.solve(leaves)
        kept = torch.nan_to_num(sol.x).sum() + torch.nan_to_num(sol.value).sum()
        kept = kept + torch.nan_to_num(sol.y).sum() + torch.nan_to_num(sol.s).sum()
        runs.append((sol, torch.autograd.grad(kept, leaves.fields)))
    (bad, bad_grads), (healthy, healthy_grads) = runs
    assert bad.status.tolist() == [0, status, 0]
    for name in OUTPUTS:
        mixed, clean = getattr(bad, name), getattr(healthy, name)
        assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
        assert torch.isnan(mixed[1]).all()
    for mixed, clean in zip(bad_grads, healthy_grads, strict=True):
        assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
        assert (mixed[1] == 0).all()


@pytest.mark.parametrize("kind", ["infeasible", "unbounded"])
def test_certificates_hold_and_those_of_others_do_not(kind):
    make, status = BAD[kind]
    problem = batch_of(disc(0.1), make())
    sol = cone_program.solve(problem)
    assert sol.status.tolist() == [0, status]
    proof = cone_program.certifies(problem, sol.certificate)
    assert proof.primal_infeasible.tolist() == [False, kind == "infeasible"]
    assert proof.dual_infeasible.tolist() == [False, kind == "unbounded"]
    swapped = cone_program.certifies(batch_of(make(), disc(0.1)), sol.certificate)
    assert not (swapped.primal_infeasible | swapped.dual_infeasible).any()


def test_rays_outside_their_cones_prove_nothing():
    ray = cone_program.solve(infeasible()).certificate
    assert cone_program.certifies(infeasible(), ray).primal_infeasible
    outside = ray.y.clone()
    outside[2] = 0.999 * outside[3:].norm()
    wrong = ConeCertificate(outside, ray.d, ray.s)
    assert not cone_program.certifies(infeasible(), wrong).primal_infeasible
    ray = cone_program.solve(unbounded()).certificate
    wrong = ConeCertificate(ray.y, -ray.d, ray.s)
    assert cone_program.certifies(unbounded(), ray).dual_infeasible
    assert not cone_program.certifies(unbounded(), wrong).dual_infeasible


def test_layer_raises_an_error_that_counts_and_names_the_failures():
    batch = batch_of(disc(0.1), infeasible(), disc(0.2), poisoned())
    with pytest.raises(SolveError, match=r"2 of 4.*1 PRIMAL_INFEASIBLE.*first at.*1"):
        cone_program.layer(batch)
    x = cone_program.layer(batch, on_failure="nan")
    assert torch.isnan(x).any(-1).tolist() == [False, True, False, True]


def test_failed_instance_contributes_zero_to_a_shared_gradient():
    P, q, A, b = batch_of(disc(0.7), infeasible()).fields
    shared = A[0].clone().requires_grad_()
    x = cone_program.layer(ConeProgram(P, q, shared, b, SMALL), on_failure="nan")
    (together,) = torch.autograd.grad(torch.nan_to_num(x).sum(), shared)
    alone = cone_program.layer(ConeProgram(P[0], q[0], shared, b[0], SMALL))
    (alone,) = torch.autograd.grad(alone.sum(), shared)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_all_instances_may_fail():
    sol = cone_program.solve(batch_of(infeasible(), infeasible()))
    assert sol.status.tolist() == [Status.PRIMAL_INFEASIBLE] * 2
    assert torch.isnan(sol.x).all()
