"""Gradients of a cone layer by a second, pulled program: defined at kinks and vertices.

Chapter: cone-derivative.md. Theorems: lagrangian-perturbation.
Source: paulus2024lpgd, with no proximal augmentation.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from companion.layers.cone_program.adjoint import Run, Solve
from companion.layers.cone_program.solution import prepare
from companion.layers.cone_program.storage import check_dense
from companion.layers.qp.routes import DerivativeError
from companion.problems import ConeProgram, SolveError, Status


def lpgd(problem: ConeProgram, tau: float) -> Tensor:
    """The exact minimiser, with Lagrangian proximal gradients in the backward pass.

    With (x', y') the solution for the cost q + tau g, g the gradient of the loss:
    grad_q = (x' − x)/tau, grad_b = (y − y')/tau, grad_A = (y'x'ᵀ − y xᵀ)/tau and
    grad_P = ½(x'x'ᵀ − x xᵀ)/tau.  They tend to the derivative for tau ↓ 0 where there
    is one; at finite tau they are those of an envelope of the linearised loss, and not
    zero at a vertex that tau g leaves.  A choice, not a derivative; it is not
    differentiated again.

    Raises SolveError if an instance has no solution, and in the backward pass
    DerivativeError if its pulled program has none.

    Source: paulus2024lpgd.
    """
    if not 0 < tau < math.inf:
        msg = f"tau: expected a positive number, got {tau}"
        raise ValueError(msg)
    check_dense(problem)
    run, data = prepare(problem)
    x, status = Pulled.apply(run, tau, *data)
    batch, q = problem.batch, problem.q
    if bool((status != Status.SOLVED).any()):
        raise SolveError(status.reshape(batch))
    return x.to(q.device, q.dtype).reshape(batch + x.shape[1:])


class Pulled(torch.autograd.Function):
    """(run, tau, P, q, A, b) -> (x, status), with differences of solutions backward."""

    @staticmethod
    def forward(ctx: Any, run: Run, tau: float, *data: Tensor) -> tuple[Tensor, Tensor]:
        """The solution; fields have one batch axis, of size one where shared."""
        x, y, _, status = Solve.forward(run, *data)
        ctx.run, ctx.tau = run, tau
        ctx.save_for_backward(*data, x, y)
        ctx.mark_non_differentiable(status)
        return x, status

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor, _status: Tensor) -> tuple[Tensor | None, ...]:
        """Slopes of the Lagrangian at the two solutions, subtracted."""
        P, q, A, b, x, y = ctx.saved_tensors
        tau, run = ctx.tau, ctx.run.fresh()
        pulled = (P, q + tau * g, A, b)
        x1, y1, _, status = Solve.forward(run, *pulled)
        if bool((status != Status.SOLVED).any()):
            failed = (status != Status.SOLVED).nonzero()[:, 0]
            kind = Status(int(status[failed[0]])).name
            msg = (
                f"lpgd: expected the pulled program to be solved at tau {tau:g}, got "
                f"{kind} in {len(failed)} of {len(status)} instances"
            )
            raise DerivativeError(msg)
        here, there = _slopes(x, y), _slopes(x1, y1)
        grads = [(v1 - v0) / tau for v0, v1 in zip(here, there, strict=True)]
        shaped = (
            v.sum(0, keepdim=True) if len(f) < len(v) else v
            for v, f in zip(grads, (P, q, A, b), strict=True)
        )
        return None, None, *shaped


def _slopes(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the Lagrangian in P, q, A and b."""
    column = x.unsqueeze(-1)
    return 0.5 * column @ column.mT, x, y.unsqueeze(-1) @ column.mT, -y
