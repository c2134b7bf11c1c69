"""The dual of the exponential cone over batches, by Moreau.

Chapter: cones.md.  Theorems: dual-cones, moreau-minty.
"""

from __future__ import annotations

from torch import Tensor

from companion.layers.cones import exponential


def project(v: Tensor) -> Tensor:
    """Nearest point, v + Π(−v)."""
    return v + exponential.project(-v)


def jvp(v: Tensor, dv: Tensor) -> Tensor:
    """The derivative applied, dv − DΠ(−v)dv."""
    return dv - exponential.jvp(-v, dv)


def derivative(v: Tensor) -> Tensor:
    """The derivative, I − DΠ(−v)."""
    D = exponential.derivative(-v)
    return D.new_ones(3).diag() - D
