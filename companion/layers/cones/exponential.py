"""The exponential cone, closure of {(x, y, z) : y > 0, y·exp(x/y) ≤ z}, over batches.

Chapter: cones.md.  Theorems: exponential-projection, exponential-derivative.
Source: friberg2021projection.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from companion.layers.cones.boundary import (
    Curve,
    Ray,
    asinh_exp,
    dot,
    frame,
    increasing_root,
    unit,
)
from companion.layers.cones.projection import differentiable

FAR = 1e150  # a ratio ρ beyond which exp(−|ρ|) has long been 0
TINY = 5e-324  # the least float: stands for 0 where a logarithm is taken
NEAREST, FARTHEST = -750.0, math.log(2e3)  # log distances of ρ from its bound
BETWEEN = (1.0, 1.0, 0.0)  # a point between the cone and its polar


def project(v: Tensor) -> Tensor:
    """Nearest point, differentiable; float64."""
    return differentiable(nearest, jvp, v)


def nearest(v: Tensor) -> Tensor:
    """Nearest point; v is cut into inside, polar, face and between, in this order."""
    u, scale = unit(v)
    inside, polar, face, safe = pieces(u)
    p, _, _ = frame(safe, curve(ratio(safe), safe, None))
    x, y, z = v.split(1, -1)
    found = torch.where(
        face, torch.cat([x, 0 * y, torch.relu(z)], -1), dot(p, safe) * p / scale
    )
    return torch.where(inside, v, torch.where(polar, 0.0, found))


def jvp(v: Tensor, dv: Tensor) -> Tensor:
    """DΠ(v)dv: dv inside, 0 in the polar cone, the entries `kept` at the face.

    Between, p pᵀdv + share n nᵀdv.  It exists off the boundary of the cone and of its
    polar, and, at the face, where x < 0, y < 0 and z ≠ 0.  A boundary point belongs to
    the piece outside the cone.
    """
    u, _ = unit(v)
    inside, polar, face, safe = pieces(u)
    # the scale is a constant, and the frame has degree 0: its derivative in v is right
    p, n, share = frame(safe, curve(Ray.apply(safe, None, solve, curve), safe, None))
    found = torch.where(
        face, torch.where(kept(v), dv, 0.0), p * dot(p, dv) + share * n * dot(n, dv)
    )
    return torch.where(inside, dv, torch.where(polar, 0.0, found))


def derivative(v: Tensor) -> Tensor:
    """DΠ(v) as a matrix."""
    u, _ = unit(v)
    inside, polar, face, safe = pieces(u)
    p, n, share = frame(safe, curve(ratio(safe), safe, None))
    between = p.unsqueeze(-1) * p.unsqueeze(-2)
    between = between + share.unsqueeze(-1) * n.unsqueeze(-1) * n.unsqueeze(-2)
    flat = torch.diag_embed(kept(v).to(v.dtype))
    inside, polar, face = (w.unsqueeze(-1) for w in (inside, polar, face))
    found = torch.where(polar, 0.0, torch.where(face, flat, between))
    return torch.where(inside, torch.eye(3, dtype=v.dtype, device=v.device), found)


def kept(v: Tensor) -> Tensor:
    """Which entries the projection keeps at the face."""
    x, y, z = v.split(1, -1)
    return torch.cat([x < 0, torch.zeros_like(y, dtype=torch.bool), z > 0], -1)


def pieces(v: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Whether v is inside, polar, at the face; and v, or a stand-in if it is any."""
    with torch.no_grad():
        x, y, z = v.split(1, -1)
        inside = (y > 0) & (z > 0) & (x < y * (z.log() - y.log()))
        polar = (x == 0) & (y <= 0) & (z <= 0)
        edge = x * (1 + (-z).log() - x.log())
        polar = polar | ((x > 0) & (z < 0) & (y <= edge))
        face = ~polar & (x <= 0) & (y <= 0)
        away = inside | polar | face
    return inside, polar, face, torch.where(away, v.new_tensor(BETWEEN), v)


def curve(rho: Tensor, v: Tensor, alpha: Tensor | None) -> Curve:
    """(ρ, 1, e^ρ) with its normal (1, 1−ρ, −e^−ρ), their derivatives, each scaled."""
    del v, alpha
    high, low = rho.detach().clamp(min=0.0), rho.detach().clamp(max=0.0)
    one, up, down = (-high).exp(), (rho - high).exp(), low.exp()
    P = torch.cat([rho * one, one, up], -1)
    dP = torch.cat([one, torch.zeros_like(one), up], -1)
    last = (low - rho).exp()
    D = torch.cat([down, (1 - rho) * down, -last], -1)
    return P, dP, D, torch.cat([torch.zeros_like(down), -down, last], -1)


def solve(v: Tensor, alpha: Tensor | None) -> Tensor:
    """The ratio, as `Ray` calls for it."""
    del alpha
    return ratio(v)


def ratio(v: Tensor) -> Tensor:
    """The ρ = x/y of the projection, the zero of an increasing function.

    a and b are positive between 1 − y/x and x/y.  The unknown is the logarithm of the
    distance from the bound that is nearer, which may be far below the spacing of floats
    at ρ.
    """
    x, y, _ = v.split(1, -1)
    low = torch.where(x > 0, 1 - y / torch.maximum(x, y.abs() / FAR), -torch.inf)
    high = torch.where(y > 0, x / torch.maximum(y, x.abs() / FAR), torch.inf)
    both = (x > 0) & (y > 0)
    half = torch.where(both, ((high - low) / 2).log(), torch.inf)
    start = torch.where(both, half, 0.0)
    at_middle, _ = mismatch(start, v, low, torch.ones_like(both))
    from_low = (y <= 0) | (both & (at_middle >= 0))
    end = torch.where(from_low, low, high)
    s = increasing_root(
        lambda s: mismatch(s, v, end, from_low),
        *(torch.full_like(x, NEAREST), half.clamp(max=FARTHEST), torch.zeros_like(x)),
    )
    return end + torch.where(from_low, s.exp(), -s.exp())


def mismatch(s: Tensor, v: Tensor, end: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """How far (aP + bD)₃ is above z, by asinh(·/2√(ab)), and its slope in s.

    The distance is negated where s does not count up from the lower end.
    """
    x, y, z = v.split(1, -1)
    side = torch.where(up, 1.0, -1.0).to(v)
    step = s.exp()
    rho = end + side * step
    q = rho * (rho - 1) + 1
    # a and b times q: the one that vanishes at this end is s's exponential
    a, b = torch.where(up, x, (rho - 1) * x + y), torch.where(up, x - rho * y, y)
    log_a = a.log() + torch.where(up, s, 0.0)
    log_b = b.log() + torch.where(up, 0.0, s)
    w = z.abs().clamp(min=TINY).log() - (log_a + log_b) / 2 + (q / 2).log()
    turn = z.sign() * asinh_exp(w)
    T = turn.tanh()
    value = rho + (log_a - log_b) / 2 - turn
    slope = step * (1 - T * (2 * rho - 1) / q)
    slope = slope + (1 + T) / 2 * torch.where(up, 1.0, x * step / a)
    slope = slope + (1 - T) / 2 * torch.where(up, y * step / b, 1.0)
    return side * value, slope
