"""What the routes share: a point found without gradients, then gradients for it.

A route is a module with `find`, which returns a point and its status, and `gradients`,
which turns gradients of a loss in (x, nu, lam) into gradients in the six fields.

Chapter: differentiation-routes.md. Theorems: qp-gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from companion.layers.qp import engines, interior_point
from companion.layers.qp.engines import Run
from companion.layers.qp.interior_point import Data
from companion.layers.qp.kkt import matvec
from companion.problems import Status


class Point(NamedTuple):
    """A primal-dual point of a batch, or the gradient of a loss in one."""

    x: Tensor
    nu: Tensor
    lam: Tensor


class DerivativeError(RuntimeError):
    """Raised in the backward pass by a route that has no gradient to return."""


@dataclass(eq=False)
class Trace:
    """One call: what was asked, and what it leaves in `info` for the caller."""

    run: Run
    settings: Any
    info: dict[str, Any]


class Implicit(torch.autograd.Function):
    """(route, trace, P, q, A, b, G, h) -> (x, nu, lam, status), once differentiable."""

    @staticmethod
    def forward(route: Any, trace: Trace, *fields: Tensor) -> tuple[Tensor, ...]:
        """Find the points; NaN in the instances that have none."""
        z, status = route.find(trace, Data(*fields))
        solved = (status == Status.SOLVED).unsqueeze(-1)
        return *(torch.where(solved, v, torch.nan) for v in z), status

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the fields and the points."""
        ctx.route, ctx.trace = inputs[:2]
        ctx.mark_non_differentiable(output[3])
        ctx.save_for_backward(*inputs[2:], *output)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by the route; zero for an instance without a solution."""
        if torch.is_grad_enabled():  # torch's once_differentiable lets constants pass
            msg = 'create_graph: expected route "active_set" or "unrolled" for it'
            raise DerivativeError(msg)
        *saved, status = ctx.saved_tensors
        solved = status == Status.SOLVED
        kept = [v[solved] for v in (*saved, *seeds[:3])]
        some = ctx.route.gradients(
            ctx.trace, Data(*kept[:6]), Point(*kept[6:9]), Point(*kept[9:])
        )
        grads = [torch.zeros_like(v) for v in saved[:6]]
        for whole, part in zip(grads, some, strict=True):
            whole[solved] = part
        return None, None, *grads


def exact(trace: Trace, data: Data) -> tuple[Point, Tensor]:
    """The solution by the layer's own engines."""
    run = trace.run.fresh()
    run.keep = False
    x, y, status, _ = engines.solve(run, None, tuple(data))
    trace.info |= {"engine": run.used}
    nu, lam = y.split([data.b.shape[-1], data.h.shape[-1]], -1)
    return Point(x, nu, lam), status


def residual(data: Data, z: Point) -> Tensor:
    """Largest KKT residual of every instance, relative to the terms that it sums."""
    slack = data.h - matvec(data.G, z.x)
    return interior_point.error(data, interior_point.Point(*z, slack))


def judge(trace: Trace, data: Data, z: Point, tolerance: float) -> Tensor:
    """SOLVED where the residual of a truncated iteration is within the tolerance."""
    gap = trace.info["residual"] = residual(data, z)
    good = gap <= tolerance
    return torch.where(good, int(Status.SOLVED), int(Status.MAX_ITERATIONS))


def outer(u: Tensor, v: Tensor) -> Tensor:
    """The matrices u vᵀ."""
    return u.unsqueeze(-1) * v.unsqueeze(-2)


def assemble(z: Point, d: Point) -> Data:
    """Gradients in the six fields from an adjoint d: theorem qp-gradients."""
    square = outer(d.x, z.x)
    return Data(
        P=(square + square.mT) / 2,
        q=d.x,
        A=outer(d.nu, z.x) + outer(z.nu, d.x),
        b=-d.nu,
        G=outer(d.lam, z.x) + outer(z.lam, d.x),
        h=-d.lam,
    )
