"""The second-order cone {(t, w) : ‖w‖ ≤ t} over batches.

Chapter: cones.md.  Theorems: soc-projection, soc-derivative.
Source: busseti2019solution.
"""

from __future__ import annotations

import torch
from torch import Tensor

from companion.layers.cones.projection import differentiable


def project(x: Tensor) -> Tensor:
    """Nearest point, differentiable."""
    return differentiable(nearest, jvp, x)


def nearest(x: Tensor) -> Tensor:
    """Nearest point, by where t stands between −‖w‖ and ‖w‖."""
    t, w = x[..., :1], x[..., 1:]
    r = length(w)
    half = (1 + t / torch.where(r > 0, r, 1.0)) / 2
    found = torch.where(r <= -t, 0.0, half * torch.cat([r, w], -1))
    found = torch.where(r < t, x, found)
    return torch.where(torch.isnan(x).any(-1, keepdim=True), torch.nan, found)


def jvp(x: Tensor, dx: Tensor) -> Tensor:
    """½(dt + uᵀdw, u dt + (1 + k)dw − k u uᵀdw), u = w/r, k = t/r, in O(n).

    It exists where r ≠ |t|.  On the boundary of the cone it is the limit
    from outside, on that of the polar cone, and at the apex, zero.
    """
    inside, polar, u, k = pieces(x)
    dt, dw = dx[..., :1], dx[..., 1:]
    along = (u * dw).sum(-1, keepdim=True)
    found = torch.cat([dt + along, u * (dt - k * along) + (1 + k) * dw], -1) / 2
    return torch.where(inside, dx, torch.where(polar, 0.0, found))


def derivative(x: Tensor) -> Tensor:
    """DΠ(x) as a matrix."""
    inside, polar, u, k = (v.unsqueeze(-1) for v in pieces(x))
    side = torch.eye(u.shape[-2], dtype=x.dtype, device=x.device)
    side = (1 + k) * side - k * u * u.mT
    top = torch.cat([torch.ones_like(k), u.mT], -1)
    found = torch.cat([top, torch.cat([u, side], -1)], -2) / 2
    whole = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.where(inside, whole, torch.where(polar, 0.0, found))


def pieces(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Whether x is inside, in the polar cone; w/r and t/r where it is neither."""
    t, w = x[..., :1], x[..., 1:]
    r = length(w.detach())
    inside, polar = r < t, r <= -t
    between = ~(inside | polar)
    if w.shape[-1] == 0:
        return inside, polar, w, torch.zeros_like(t)
    w = torch.where(between, w, 1.0)
    r = length(w)
    return inside, polar, w / r, torch.where(between, t, 0.0) / r


def length(w: Tensor) -> Tensor:
    """‖w‖, without squaring a number too large or too small for its square."""
    if w.shape[-1] == 0:
        return w.sum(-1, keepdim=True)
    largest = w.detach().abs().amax(-1, keepdim=True)
    scale = torch.where(largest > 0, largest, 1.0)
    return scale * torch.linalg.vector_norm(w / scale, dim=-1, keepdim=True)
