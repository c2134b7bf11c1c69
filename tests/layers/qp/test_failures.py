"""A failed instance is a status; its neighbours never notice."""

from __future__ import annotations

import pytest
import torch

from companion.layers import qp
from companion.problems import QP, SolveError
from tests.layers.qp.cases import (
    BAD,
    OUTPUTS,
    as_torch,
    batch_of,
    infeasible,
    poisoned,
    sample,
)


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_instance_leaves_its_neighbours_bit_identical(kind):
    make, status = BAD[kind]
    good = [sample(seed)[0] for seed in range(3)]
    runs = []
    for middle in (make(), good[1]):
        leaves = batch_of(good[0], middle, good[2]).map(lambda v: v.requires_grad_())
        sol = qp.solve(leaves)
        kept = torch.nan_to_num(sol.x).sum() + torch.nan_to_num(sol.value).sum()
        grads = torch.autograd.grad(kept, leaves.fields)
        runs.append((sol, grads))
    (bad, bad_grads), (healthy, healthy_grads) = runs
    assert bad.status.tolist() == [0, status, 0]
    for name in OUTPUTS:
        mixed, clean = getattr(bad, name), getattr(healthy, name)
        assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
        assert torch.isnan(mixed[1]).all()
    for mixed, clean in zip(bad_grads, healthy_grads, strict=True):
        assert torch.equal(mixed[[0, 2]], clean[[0, 2]])
        assert (mixed[1] == 0).all()


@pytest.mark.parametrize("kind", BAD)
def test_failed_instance_contributes_zero_to_a_shared_gradient(kind):
    make, _ = BAD[kind]
    good = as_torch(sample(0)[0])
    bad = as_torch(make())
    shared = good.A.clone().requires_grad_()
    P, q, _, b, G, h = batch_of(good, bad).fields
    x = qp.layer(QP(P, q, shared, b, G, h), on_failure="nan")
    (together,) = torch.autograd.grad(x[0].sum() + torch.nan_to_num(x[1]).sum(), shared)
    alone = qp.layer(QP(good.P, good.q, shared, *good.fields[3:]))
    (alone,) = torch.autograd.grad(alone.sum(), shared)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_layer_raises_an_error_that_counts_and_names_the_failures():
    batch = batch_of(sample(0)[0], infeasible(), sample(2)[0], poisoned())
    with pytest.raises(SolveError, match=r"2 of 4.*PRIMAL_INFEASIBLE.*1"):
        qp.layer(batch)
    x = qp.layer(batch, on_failure="nan")
    assert torch.isnan(x).all(-1).tolist() == [False, True, False, True]
