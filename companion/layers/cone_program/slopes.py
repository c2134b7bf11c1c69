"""DΠ and D²Π of the dual cone as functions that autograd and vmap know.

The projections themselves then see ordinary tensors alone, whatever is mapped.

Chapter: cone-derivative.md. Theorems: projection-derivative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers import cones
from companion.layers.cone_program.forward_mode import bare, filled, outward
from companion.layers.cone_program.mapped import folded
from companion.layers.qp.kkt import in_memory
from companion.problems import Cones


class Slope(torch.autograd.Function):
    """(K, v, w) -> DΠ_K*(v) w, for batches v and w."""

    @staticmethod
    def forward(K: Cones, v: Tensor, w: Tensor) -> Tensor:
        """Without forming DΠ, but for a vmap that sees torch's operations alone."""
        if not in_memory(w):
            return (cones.derivative_dual(v, K) @ w.unsqueeze(-1)).squeeze(-1)
        return cones.jvp_dual(v, w, K)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the point and the direction."""
        del output
        ctx.K, v, w = inputs
        ctx.save_for_backward(v, w)
        ctx.save_for_forward(v, w)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """D²Π[w, g] and DΠ g: both are symmetric."""
        v, w = ctx.saved_tensors
        _, in_v, in_w = ctx.needs_input_grad
        grad_v = Bend.apply(ctx.K, v, w, g) if in_v else None
        return None, grad_v, Slope.apply(ctx.K, v, g) if in_w else None

    @staticmethod
    @outward()
    def jvp(ctx: Any, _K: None, *tangents: Tensor | None) -> Tensor:
        """D²Π[w, dv] + DΠ dw."""
        v, w = saved = bare(ctx.saved_tensors)
        dv, dw = filled(tangents, saved)
        return Bend.apply(ctx.K, v, w, dv) + Slope.apply(ctx.K, v, dw)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], K: Cones, *data: Tensor) -> Any:
        """A mapped axis is more of the batch."""
        found = Slope.apply(K, *folded(info.batch_size, in_dims[1:], data, 0))
        return found.unflatten(0, (info.batch_size, -1)), 0


class Bend(torch.autograd.Function):
    """(K, v, a, b) -> D²Π_K*(v)[a, b], the gradient of aᵀDΠ(v)b in v."""

    @staticmethod
    def forward(K: Cones, v: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """By the reverse mode of the projections' own derivatives."""
        if not in_memory(a, b):
            moving, still = (a, b) if in_memory(b) else (b, a)
            eye = torch.eye(v.shape[-1], dtype=v.dtype)
            columns = [Bend.forward(K, v, e.expand_as(v), still) for e in eye]
            return (torch.stack(columns, -1) @ moving.unsqueeze(-1)).squeeze(-1)
        with torch.enable_grad():
            w = v.detach().requires_grad_()
            inner = (a * cones.jvp_dual(w, b, K)).sum()
            if not inner.requires_grad:
                return torch.zeros_like(v)
            (found,) = torch.autograd.grad(inner, w, allow_unused=True)
        return torch.zeros_like(v) if found is None else found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Third derivatives are not here."""
        del ctx, g
        raise NotImplementedError(TWICE)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        """Third derivatives are not here."""
        del ctx, tangents
        raise NotImplementedError(TWICE)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], K: Cones, *data: Tensor) -> Any:
        """A mapped axis is more of the batch."""
        found = Bend.apply(K, *folded(info.batch_size, in_dims[1:], data, 0))
        return found.unflatten(0, (info.batch_size, -1)), 0


TWICE = "cone_program: expected at most two derivatives, got a third"
