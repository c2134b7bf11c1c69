"""The zero cone {0} over batches; its dual is the whole space.

Chapter: cones.md.  Theorems: dual-cones, moreau-minty.
"""

from __future__ import annotations

import torch
from torch import Tensor


def project(x: Tensor) -> Tensor:
    """The only point there is; zero times x, so that a NaN stays one."""
    return 0.0 * x


def jvp(x: Tensor, dx: Tensor) -> Tensor:
    """DΠ(x)dx = 0."""
    return torch.zeros_like(x) * dx


def derivative(x: Tensor) -> Tensor:
    """The zero matrix."""
    return torch.zeros(*x.shape, x.shape[-1], dtype=x.dtype, device=x.device)
