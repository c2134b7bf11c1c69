"""The nonnegative orthant over batches.

Chapter: cones.md.  Theorems: dual-cones, moreau-minty.
"""

from __future__ import annotations

import torch
from torch import Tensor


def project(x: Tensor) -> Tensor:
    """Each entry, or 0 where it is negative."""
    return torch.relu(x)


def jvp(x: Tensor, dx: Tensor) -> Tensor:
    """DΠ(x)dx, with derivative 0 where an entry is 0."""
    return torch.where(x > 0, dx, 0.0)


def derivative(x: Tensor) -> Tensor:
    """diag(1{x > 0})."""
    return torch.diag_embed((x > 0).to(x.dtype))
