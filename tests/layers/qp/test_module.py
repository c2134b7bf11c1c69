"""Every value of the parameters is a solvable problem."""

from __future__ import annotations

import pytest
import torch

from companion.layers import qp


@pytest.mark.parametrize(("p", "m"), [(2, 6), (0, 6), (2, 0), (0, 0)])
def test_module_learns_every_parameter_and_stays_feasible(p, m):
    generator = torch.Generator().manual_seed(0)
    module = qp.QPLayer(5, p, m, dtype=torch.float64, generator=generator)
    target = torch.linspace(-1, 1, 5, dtype=torch.float64)
    q = torch.randn(16, 5, dtype=torch.float64, generator=generator)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = (module(q) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        # without rows, the point that makes them feasible changes nothing
        silent = parameter.numel() == 0 or (name == "z0" and p == m == 0)
        assert silent or parameter.grad.abs().max() > 0


def test_module_refuses_impossible_sizes():
    with pytest.raises(ValueError, match="p < n"):
        qp.QPLayer(3, 3, 1)
