"""The adjoint and the tangent of the solution map, of what can be differentiated again.

Chapter: cone-derivative.md. Theorems: cone-adjoint.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers.cone_program.forward_mode import bare, filled
from companion.layers.cone_program.slopes import Slope
from companion.layers.cone_program.solves import Plain, Transposed
from companion.layers.qp.kkt import in_memory
from companion.problems import Status

Maybe = Tensor | None


def pulled(ctx: Any, seeds: tuple[Maybe, ...]) -> tuple[Maybe, ...]:
    """Gradients of (P, q, A, b) for the gradients of (x, y, s), None for zeros.

    Mᵀ(g1, g2) = −(gx, D(gy + gs) − gs), grad_P = (g1 xᵀ + x g1ᵀ)/2, grad_q = g1,
    grad_A = y g1ᵀ − g2 xᵀ, grad_b = g2.
    """
    P, A, x, y, s, solved = _healthy(ctx.saved_tensors)
    gx, gy, gs = (
        torch.zeros_like(v) if g is None else torch.where(solved, g, 0.0)
        for g, v in zip(seeds, (x, y, s), strict=True)
    )
    f2 = gs - Slope.apply(ctx.run.K, y - s, gy + gs)
    g1, g2 = Transposed.apply(ctx.run, P, A, y - s, -gx, f2)
    cost, rows = ctx.run.matrices
    _, want_P, _, want_A, _ = ctx.needs_input_grad
    grads = (
        0.5 * (cost.outer(g1, x) + cost.outer(x, g1)) if want_P else None,
        g1,
        rows.outer(y, g1) - rows.outer(g2, x) if want_A else None,
        g2,
    )
    return tuple(
        v.sum(0, keepdim=True) if one and v is not None else v
        for v, one in zip(grads, ctx.shared, strict=True)
    )


def pushed(ctx: Any, tangents: tuple[Maybe, ...]) -> tuple[Tensor, ...]:
    """(dx, dy, ds) for moves (dP, dq, dA, db) of the fields, None for zeros.

    M(dx, dv) = −(dP x + dAᵀy + dq, db − dA x), dy = D dv, ds = dy − dv.
    """
    P, A, x, y, s, solved = _healthy(bare(ctx.saved_tensors))
    dP, dq, dA, db = filled(tangents, (P, x, A, y))
    cost, rows = ctx.run.matrices
    r1 = 0.5 * (cost.product(dP, x) + cost.transposed(dP, x))
    r1 = -(r1 + dq + rows.transposed(dA, y))
    r2 = rows.product(dA, x) - db
    r1, r2 = (torch.where(solved, v, 0.0) for v in (r1, r2))
    dx, dv = Plain.apply(ctx.run, P, A, y - s, r1, r2)
    dy = Slope.apply(ctx.run.K, y - s, dv)
    return dx, dy, dy - dv


def _healthy(saved: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Saved tensors with zeros for failed instances: NaN times zero is still NaN."""
    P, A, x, y, s, status = saved
    solved = (status == Status.SOLVED).unsqueeze(-1)
    if in_memory(status) and bool(solved.all()):
        return P, A, x, y, s, solved
    x, y, s = (torch.where(solved, v, 0.0) for v in (x, y, s))
    P, A = (torch.where(torch.isfinite(v), v, 0.0) for v in (P, A))
    return P, A, x, y, s, solved
