"""The verdict on the derivative tells the regimes apart."""

from __future__ import annotations

import pytest
import torch

from companion import sampling
from companion.layers import qp
from tests.layers.qp.cases import (
    as_torch,
    batch_of,
    infeasible,
    sample,
)


@pytest.mark.parametrize("regime", sorted(sampling.REGIMES))
def test_regularity_tells_the_regimes_apart(regime):
    for seed in range(5):
        problem, _ = sample(seed, regime)
        tensors = as_torch(problem)
        reg = qp.regularity(tensors, qp.solve(tensors))
        assert bool(reg.differentiable) == (regime in sampling.REGULAR_REGIMES)
        small = {
            "weakly_active": reg.strict_complementarity,
            "licq_failing": reg.licq,
            "lp_face": reg.curvature,
        }.get(regime)
        assert small is None or small < 1e-6


def test_regularity_of_a_failed_instance_is_nan_and_not_differentiable():
    batch = batch_of(sample(0)[0], infeasible())
    reg = qp.regularity(batch, qp.solve(batch))
    assert reg.differentiable.tolist() == [True, False]
    assert torch.isnan(reg.condition[1])
