"""What the exponential and the power cone share: a boundary ruled by rays.

v = aP(θ) + bD(θ) with the ray P and the normal D; see the reference of the same name.

Chapter: cones.md.  Theorems: exponential-derivative, power-derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from companion.layers.forward_mode import bare, outward

ITERATIONS = 200  # bisection alone needs fewer for the brackets that occur
LEAP = 8.0  # of a bisection; brackets are logarithms, and mostly empty
LAST = 1e-9  # of a Newton step: the next one is below rounding
Curve = tuple[Tensor, Tensor, Tensor, Tensor]  # P, P′, D, D′, each pair scaled alike


def frame(v: Tensor, curve: Curve) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors p along the ray and n across it, and the share of n that DΠ keeps.

    DΠ(v) = ppᵀ + share·nnᵀ and Π(v) = (p·v)p.
    """
    P = curve[0]
    n, inside, outside = speeds(v, curve)
    unit = (w / torch.linalg.vector_norm(w, dim=-1, keepdim=True) for w in (P, n))
    return *unit, inside / (inside + outside)


def speeds(v: Tensor, curve: Curve) -> tuple[Tensor, Tensor, Tensor]:
    """The normal n = P × D, and n·aP′ and n·bD′: moves of the projection, beside it."""
    P, dP, D, dD = curve
    n = torch.linalg.cross(P, D)
    inside = dot(P, v) / dot(P, P) * dot(n, dP)
    outside = dot(D, v) / dot(D, D) * dot(n, dD)
    return n, inside, outside


class Ray(torch.autograd.Function):
    """v ↦ θ, the zero that `solve` finds, with derivatives of any order.

    The first is n/(n·aP′ + n·bD′).

    It comes from dv = da P + db D + (aP′ + bD′)dθ times n = P × D.
    """

    @staticmethod
    def forward(
        v: Tensor, alpha: Tensor | None, solve: Callable, curve: Callable
    ) -> Tensor:
        """The parameter of the ray, one a point, with an axis of size one."""
        del curve
        return solve(v, alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the point and its parameter."""
        v, alpha, _, ctx.curve = inputs
        ctx.alpha = alpha
        ctx.save_for_backward(v, output)
        ctx.save_for_forward(v, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Times g, dθ/dv."""
        return g * _slope(ctx, ctx.saved_tensors), None, None, None

    @staticmethod
    @outward()
    def jvp(ctx: Any, dv: Tensor, *_: Any) -> Tensor:
        """dθ/dv dv."""
        return dot(_slope(ctx, bare(ctx.saved_tensors)), dv)

    @staticmethod
    def vmap(
        _info: Any, in_dims: tuple[int | None, ...], *inputs: Any
    ) -> tuple[Tensor, int]:
        """A mapped axis is one more batch axis."""
        v, alpha, solve, curve = inputs
        v = v if in_dims[0] is None else v.movedim(in_dims[0], 0)
        if in_dims[1] is not None:
            alpha = alpha.movedim(in_dims[1], 0)
        return Ray.apply(v, alpha, solve, curve), 0


def _slope(ctx: Any, saved: tuple[Tensor, ...]) -> Tensor:
    v, theta = saved
    n, inside, outside = speeds(v, ctx.curve(theta, v, ctx.alpha))
    return n / (inside + outside)


def increasing_root(f: Callable, low: Tensor, high: Tensor, start: Tensor) -> Tensor:
    """Zeros of increasing functions, one an entry, of which f gives value and slope.

    Newton's method, and bisection where its step leaves the bracket or is longer than
    the last one.  Where f has one sign, the end of the bracket.
    """
    s, last = torch.minimum(torch.maximum(start, low), high), high - low
    done = torch.zeros_like(s, dtype=torch.bool)
    for _ in range(ITERATIONS):
        value, slope = f(s)
        above = value > 0
        high, low = torch.where(above, s, high), torch.where(above, low, s)
        step = torch.where(slope > 0, -value / slope, torch.inf)
        newton = (low <= s + step) & (s + step <= high) & (step.abs() <= last)
        middle = low + (high - low) / 2
        leap = torch.minimum(torch.maximum(middle, s - LEAP), s + LEAP)
        target = torch.where(newton, s + step, leap)
        last = (target - s).abs()
        s = torch.where(done, s, target)
        done = done | (last <= torch.where(newton, LAST, 1e-16) * (1 + s.abs()))
        if bool(done.all()):
            break
    return s


def asinh_exp(w: Tensor) -> Tensor:
    """asinh(eʷ), also where eʷ overflows."""
    return torch.asinh(w.clamp(max=300.0).exp()) + (w - 300.0).clamp(min=0.0)


def dot(u: Tensor, v: Tensor) -> Tensor:
    """uᵀv, with an axis of size one."""
    return (u * v).sum(-1, keepdim=True)


def unit(v: Tensor) -> tuple[Tensor, Tensor]:
    """The point times a power of 2, with largest entry in [½, 1), and that power."""
    largest = v.detach().abs().amax(-1, keepdim=True)
    exponent = torch.frexp(largest)[1].clamp(-1000, 1000)
    scale = torch.exp2(-exponent.to(v))
    return v * scale, scale
