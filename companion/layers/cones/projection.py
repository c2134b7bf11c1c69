"""A projection onto a cone as a differentiable function of a batch of points.

Chapter: cones.md.  Theorems: projection-derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from companion.layers.forward_mode import bare, outward


class Projection(torch.autograd.Function):
    """x ↦ nearest(x); its derivative is symmetric, so that `jvp` serves both ways.

    `jvp(x, dx)` is made of differentiable operations: second derivatives follow.
    """

    @staticmethod
    def forward(
        x: Tensor, alpha: Tensor | None, nearest: Callable, jvp: Callable
    ) -> Tensor:
        """The projection; `alpha` goes on to both functions where there is one."""
        del jvp
        return nearest(x, *_given(alpha))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the point."""
        del output
        x, alpha, _, ctx.act = inputs
        ctx.save_for_backward(x, *_given(alpha))
        ctx.save_for_forward(x, *_given(alpha))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """DΠ(x)ᵀg = DΠ(x)g."""
        x, *alpha = ctx.saved_tensors
        return ctx.act(x, g, *alpha), None, None, None

    @staticmethod
    @outward()
    def jvp(ctx: Any, dx: Tensor, *_: Any) -> Tensor:
        """DΠ(x)dx."""
        x, *alpha = bare(ctx.saved_tensors)
        return ctx.act(x, dx, *alpha)

    @staticmethod
    def vmap(
        _info: Any, in_dims: tuple[int | None, ...], *inputs: Any
    ) -> tuple[Tensor, int]:
        """A mapped axis is one more batch axis."""
        x, alpha, nearest, jvp = inputs
        x = x if in_dims[0] is None else x.movedim(in_dims[0], 0)
        if in_dims[1] is not None:
            alpha = alpha.movedim(in_dims[1], 0)
        return Projection.apply(x, alpha, nearest, jvp), 0


def _given(alpha: Tensor | None) -> tuple[Tensor, ...]:
    return () if alpha is None else (alpha,)


def differentiable(
    nearest: Callable, jvp: Callable, x: Tensor, alpha: Tensor | None = None
) -> Tensor:
    """nearest(x), with the derivative that `jvp` applies."""
    return Projection.apply(x, alpha, nearest, jvp)
