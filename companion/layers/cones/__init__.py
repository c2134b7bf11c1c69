"""Projections onto a product of cones with their derivatives, over leading batch axes.

Chapter: cones.md.  Theorems: moreau-minty, projection-derivative.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from companion.layers.cones import (
    exponential,
    exponential_dual,
    nonneg,
    power,
    psd,
    soc,
    zero,
)
from companion.problems import Cones, blocks

TABLE: dict[str, ModuleType] = {
    "zero": zero,
    "nonneg": nonneg,
    "soc": soc,
    "psd": psd,
    "exp": exponential,
    "exp_dual": exponential_dual,
    "power": power,
}
WITH_EXPONENT = {"power"}  # their functions take the exponents of the group


class Group(NamedTuple):
    """Neighbouring cones of one kind and size: `count` blocks of `size` rows each."""

    cone: str
    rows: slice
    count: int
    size: int
    exponents: tuple[float, ...]


def project(x: Tensor, K: Cones) -> Tensor:
    """Nearest point of K, in the dtype of x, differentiable twice and in forward mode.

    Raises ValueError if the last axis of x has not as many entries as K has rows.
    """
    return _each("project", (x,), K, axes=1)


def jvp(x: Tensor, dx: Tensor, K: Cones) -> Tensor:
    """DΠ(x)dx, without forming DΠ; `dx` broadcasts with x."""
    return _each("jvp", torch.broadcast_tensors(x, dx), K, axes=1)


def vjp(x: Tensor, g: Tensor, K: Cones) -> Tensor:
    """DΠ(x)ᵀg, which is DΠ(x)g."""
    return jvp(x, g, K)


def derivative(x: Tensor, K: Cones) -> Tensor:
    """DΠ(x), symmetric and block diagonal, with two axes of the rows of K."""
    return _each("derivative", (x,), K, axes=2)


def project_dual(x: Tensor, K: Cones) -> Tensor:
    """Nearest point of the dual cone, x + Π(−x) by Moreau."""
    return x + project(-x, K)


def jvp_dual(x: Tensor, dx: Tensor, K: Cones) -> Tensor:
    """DΠ_K*(x)dx = dx − DΠ(−x)dx."""
    return dx - jvp(-x, dx, K)


def vjp_dual(x: Tensor, g: Tensor, K: Cones) -> Tensor:
    """DΠ_K*(x)ᵀg, which is DΠ_K*(x)g."""
    return jvp_dual(x, g, K)


def derivative_dual(x: Tensor, K: Cones) -> Tensor:
    """DΠ_K*(x) = I − DΠ(−x)."""
    D = derivative(-x, K)
    return torch.eye(D.shape[-1], dtype=D.dtype, device=D.device) - D


@lru_cache(maxsize=256)
def groups(K: Cones) -> tuple[Group, ...]:
    """The blocks of K with neighbours of one kind and size taken together."""
    found: list[Group] = []
    for block in blocks(K):
        size = block.rows.stop - block.rows.start
        exponents = (block.parameter,) if block.cone in WITH_EXPONENT else ()
        if found and (found[-1].cone, found[-1].size) == (block.cone, size):
            last = found.pop()
            rows = slice(last.rows.start, block.rows.stop)
            exponents = last.exponents + exponents
            found.append(Group(block.cone, rows, last.count + 1, size, exponents))
        else:
            found.append(Group(block.cone, block.rows, 1, size, exponents))
    return tuple(found)


def _each(act: str, points: tuple[Tensor, ...], K: Cones, axes: int) -> Tensor:
    """What this function of each cone's module says of its rows, in float64 inside."""
    x = points[0]
    if x.shape[-1] != K.rows:
        msg = f"x: expected {K.rows} entries, as many as K has rows, got {x.shape[-1]}"
        raise ValueError(msg)
    parts = []
    for group in groups(K):
        rows = (v[..., group.rows].double() for v in points)
        stacked = (v.unflatten(-1, (group.count, group.size)) for v in rows)
        exponents = (x.new_tensor(group.exponents, dtype=torch.float64),)
        given = exponents if group.cone in WITH_EXPONENT else ()
        parts.append(getattr(TABLE[group.cone], act)(*stacked, *given))
    if axes == 1:
        flat = [v.flatten(-2) for v in parts] or [x]
        return torch.cat(flat, -1).to(x.dtype)
    D = x.new_zeros(*x.shape, K.rows)
    for group, part in zip(groups(K), parts, strict=True):
        for k in range(group.count):
            start = group.rows.start + k * group.size
            rows = slice(start, start + group.size)
            D[..., rows, rows] = part[..., k, :, :].to(x.dtype)
    return D
