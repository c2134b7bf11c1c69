"""The picture of the landing page shows what its caption says."""

from __future__ import annotations

import numpy as np
import torch

from companion.apps import denoising
from companion.layers import qp
from companion.plots.heartbeat import heartbeat


def test_the_marked_steps_are_the_dual_variables_at_their_bound() -> None:
    y = torch.from_numpy(denoising.ecg()[100:180] / 100)
    D, bound = denoising.differences(80), 0.3
    w = qp.solve(denoising.dual(y, D, torch.tensor(bound, dtype=y.dtype))).x
    z = y - D.mT @ w
    top, bottom = heartbeat(y.numpy(), z.numpy(), w.numpy(), bound).axes
    marked = bottom.lines[-1].get_xdata()
    steps = np.flatnonzero(np.abs(np.diff(z.numpy())) > 1e-6) + 0.5
    assert 0 < len(marked) < 79
    assert set(steps) <= set(marked)
    assert len(top.collections[0].get_segments()) == len(marked)
