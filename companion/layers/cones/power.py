"""The power cone {(x, y, z) : x^α y^(1−α) ≥ |z|, x, y ≥ 0} over batches.

An exponent −α stands for its dual,
{(u, v, w) : (u/α)^α (v/(1−α))^(1−α) ≥ |w|, u, v ≥ 0}.

Chapter: cones.md.  Theorems: power-projection, power-derivative.
Source: hien2015differential.
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

TINY = 5e-324  # the least float: stands for 0 where a logarithm is taken
FARTHEST = 2.0**40  # half of |log(r/μ)|; reached only within rounding of a boundary


def project(v: Tensor, alpha: Tensor) -> Tensor:
    """Nearest point, differentiable; float64.  One exponent a point, or for all."""
    return differentiable(nearest, jvp, v, alpha)


def nearest(v: Tensor, alpha: Tensor) -> Tensor:
    """Nearest point; v is cut into inside, polar, plane and between, in this order."""
    dual, v, alpha = of_primal(v, alpha)
    u, scale = unit(v)
    inside, polar, plane, safe = pieces(u, alpha)
    p, _, _ = frame(safe, curve(angle(safe, alpha), safe, alpha))
    found = torch.where(plane, torch.relu(v), dot(p, safe) * p / scale)
    found = torch.where(inside, v, torch.where(polar, 0.0, found))
    return torch.where(dual, found - v, found)


def jvp(v: Tensor, dv: Tensor, alpha: Tensor) -> Tensor:
    """DΠ(v)dv: dv inside, 0 in the polar cone, entry by entry in the plane z = 0.

    Between, p pᵀdv + share n nᵀdv.  It exists off the boundary of the cone and of its
    polar; a boundary point belongs to the piece outside the cone.  Differentiable any
    number of times, but in the plane once.
    """
    dual, v, alpha = of_primal(v, alpha)
    u, _ = unit(v)
    inside, polar, plane, safe = pieces(u, alpha)
    p, n, share = frame(safe, curve(Ray.apply(safe, alpha, angle, curve), safe, alpha))
    found = p * dot(p, dv) + share * n * dot(n, dv)
    found = torch.where(plane, in_plane(u, dv, plane, alpha), found)
    found = torch.where(inside, dv, torch.where(polar, 0.0, found))
    return torch.where(dual, dv - found, found)


def derivative(v: Tensor, alpha: Tensor) -> Tensor:
    """DΠ(v) as a matrix, column by column."""
    E = torch.eye(3, dtype=v.dtype, device=v.device)
    return jvp(v.unsqueeze(-2), E.expand(*v.shape[:-1], 3, 3), alpha.unsqueeze(-1))


def of_primal(v: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether the cone is a dual; the point to project onto the primal; |α|."""
    alpha = alpha.unsqueeze(-1)
    return alpha < 0, torch.where(alpha < 0, -v, v), alpha.abs()


def in_plane(v: Tensor, dv: Tensor, plane: Tensor, alpha: Tensor) -> Tensor:
    """DΠ(v)dv in the plane z = 0, with its derivative there.

    What it gains with z is the slope of the share of z that it keeps: D²Π is symmetric.
    """
    v = torch.where(plane, v, v.new_tensor((1.0, 0.0, 0.0)))
    x, y, z = v.split(1, -1)
    total = 2 * torch.minimum(x, y) - torch.maximum(x, y)
    bend = torch.where(alpha == 0.5, 2 * z * (x - y).sign() / total.square(), 0.0)
    slope = torch.cat([-y * bend, x * bend, torch.zeros_like(z)], -1)
    gain = torch.cat([slope[..., :2] * dv[..., 2:], dot(slope, dv)], -1)
    return kept(v, alpha) * dv + gain


def kept(v: Tensor, alpha: Tensor) -> Tensor:
    """The diagonal of DΠ in the plane z = 0 where one of x and y is positive.

    The edge there is smooth where the positive entry has the exponent above ½, sharp
    where it has one below, and round, with the distance counting, at ½.
    """
    x, y, _ = v.split(1, -1)
    positive, other = torch.maximum(x, y), torch.minimum(x, y)
    exponent = torch.where(x > 0, alpha, 1 - alpha)
    total = positive - 2 * other
    round_ = positive / torch.where(total > 0, total, 1.0)
    flat = torch.where(exponent == 0.5, round_, (exponent > 0.5).to(v))
    return torch.cat([(x > 0).to(v), (y > 0).to(v), flat], -1)


def pieces(v: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Whether v is inside, polar, in the plane; and v, or a stand-in if it is any."""
    with torch.no_grad():
        x, y, z = v.split(1, -1)
        beta, size = 1 - alpha, z.abs()
        inside = (x > 0) & (y > 0) & (x.pow(alpha) * y.pow(beta) > size)
        lost = (-x / alpha).pow(alpha) * (-y / beta).pow(beta)
        polar = (x <= 0) & (y <= 0) & (lost >= size)
        plane = ~inside & ~polar & (z == 0)
        away = inside | polar | plane
    return inside, polar, plane, torch.where(away, v.new_tensor((0.0, 0.0, 1.0)), v)


def curve(tau: Tensor, v: Tensor, alpha: Tensor) -> Curve:
    """(e^(1−α)τ, e^−ατ, ±1) with its normal, their derivatives, each scaled."""
    beta = 1 - alpha
    sign = torch.where(v[..., 2:] < 0, -1.0, 1.0).to(v)
    log_xi, log_eta = beta * tau, -alpha * tau
    high = torch.maximum(log_xi, log_eta).detach()
    low = torch.minimum(log_xi, log_eta).detach()
    xi, eta, zero = (log_xi - high).exp(), (log_eta - high).exp(), torch.zeros_like(tau)
    P = torch.cat([xi, eta, sign * (-high).exp()], -1)
    dP = torch.cat([beta * xi, -alpha * eta, zero], -1)
    xi, eta = (low - log_xi).exp(), (low - log_eta).exp()
    D = torch.cat([-alpha * xi, -beta * eta, sign * low.exp()], -1)
    return P, dP, D, torch.cat([alpha * beta * xi, -alpha * beta * eta, zero], -1)


def angle(v: Tensor, alpha: Tensor) -> Tensor:
    """The τ = log(x/y) of the projection, from the zero of an increasing function.

    The unknown is t = ½log(r/μ) where r is the size of z in the projection and μ what
    is lost of it.  It makes x and y of the projection explicit.
    """
    at_zero, _ = mismatch(torch.zeros_like(v[..., :1]), v, alpha)
    end = torch.where(at_zero > 0, -1.0, 1.0).to(v)
    while bool((short := _short(end, v, alpha)).any()):
        end = torch.where(short, 2 * end, end)
    t = increasing_root(
        lambda t: mismatch(t, v, alpha), end.clamp(max=0.0), end.clamp(min=0.0), end / 2
    )
    x, y, z = v.split(1, -1)
    return logarithm(t, x, z, alpha)[0] - logarithm(t, y, z, 1 - alpha)[0]


def _short(end: Tensor, v: Tensor, alpha: Tensor) -> Tensor:
    """Where the bracket from 0 to this end has no zero yet, and may grow."""
    return (end.abs() < FARTHEST) & (mismatch(end, v, alpha)[0] * end < 0)


def mismatch(t: Tensor, v: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """−α log ξ − (1−α) log η at t, and its slope, which is positive."""
    x, y, z = v.split(1, -1)
    log_xi, dxi = logarithm(t, x, z, alpha)
    log_eta, deta = logarithm(t, y, z, 1 - alpha)
    return -alpha * log_xi - (1 - alpha) * log_eta, -alpha * dxi - (1 - alpha) * deta


def logarithm(t: Tensor, x: Tensor, z: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """log(x of the projection / r) = ½ log α − t + asinh(x cosh t/(√α|z|)), its slope.

    The asinh is taken as ±(|t| + rest), since |t| may be large and cancel.
    """
    sign, size = x.sign(), t.abs()
    ratio = x.abs().clamp(min=TINY).log() - alpha.log() / 2 - z.abs().log()
    falling = (-2 * size).exp().log1p() - math.log(2)  # log cosh t − |t|
    w = ratio + size + falling
    far = ratio + falling + (1 + (-2 * w.clamp(min=0.0)).exp()).sqrt().log1p()
    rest = torch.where(w > 0, far, asinh_exp(w) - size)
    value = alpha.log() / 2 - t * (1 - sign * t.sign()) + sign * rest
    return value, -1 + t.tanh() * sign * (size + rest).tanh()
