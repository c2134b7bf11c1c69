"""Projections onto a product of cones, with derivatives, one instance.

Chapter: cones.md.  Theorems: moreau-minty, projection-derivative.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from companion.problems import Block, Cones, blocks
from companion.reference.cones import (
    exponential,
    exponential_dual,
    nonneg,
    power,
    psd,
    soc,
    zero,
)

Array = np.ndarray
TABLE: dict[str, ModuleType] = {
    "zero": zero,
    "nonneg": nonneg,
    "soc": soc,
    "psd": psd,
    "exp": exponential,
    "exp_dual": exponential_dual,
    "power": power,
}
WITH_EXPONENT = {"power"}  # their functions take the block's parameter


def project(x: Array, K: Cones) -> Array:
    """Nearest point of K, cone by cone.

    Raises ValueError if x has not as many entries as K has rows.
    """
    return np.concatenate([np.zeros(0), *_each("project", x, K)])


def derivative(x: Array, K: Cones) -> Array:
    """DΠ(x): symmetric, block diagonal, with eigenvalues in [0, 1]."""
    return _diagonal(K, _each("derivative", x, K))


def project_dual(x: Array, K: Cones) -> Array:
    """Nearest point of the dual cone, x + Π(−x) by Moreau."""
    return np.concatenate([np.zeros(0), *_each("project_dual", x, K)])


def derivative_dual(x: Array, K: Cones) -> Array:
    """DΠ_K*(x) = I − DΠ(−x)."""
    return _diagonal(K, _each("derivative_dual", x, K))


def _each(act: str, x: Array, K: Cones) -> list[Array]:
    """What this function of each cone's module says of its rows."""
    if x.shape != (K.rows,):
        msg = f"x: expected shape {(K.rows,)}, as many as K has rows, got {x.shape}"
        raise ValueError(msg)
    x = x.astype(float, copy=False)
    return [
        getattr(TABLE[block.cone], act)(x[block.rows], *exponent(block))
        for block in blocks(K)
    ]


def exponent(block: Block) -> tuple[float, ...]:
    """What the functions of this cone take beside the point."""
    return (block.parameter,) if block.cone in WITH_EXPONENT else ()


def _diagonal(K: Cones, parts: list[Array]) -> Array:
    """The block-diagonal matrix of these parts."""
    D = np.zeros((K.rows, K.rows))
    for block, part in zip(blocks(K), parts, strict=True):
        D[block.rows, block.rows] = part
    return D
