"""The solution map of a batch of QPs with its tangent and its adjoint.

Chapter: optnet.md. Theorems: qp-differential, qp-gradients, qp-active-set.
Source: amos2017optnet, eqs. (6)-(8), with eq. (8) corrected.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import engines
from companion.layers.qp.engines import Run
from companion.layers.qp.kkt import matvec, solve_kkt
from companion.problems import Status


class Solve(torch.autograd.Function):
    """(run, P, q, A, b, G, h) -> (x, nu, lam, status, active), in float64.

    Every field has one batch axis, of full size or of size one for a field that the
    batch shares; such a field receives the sum of its instances' gradients.
    """

    @staticmethod
    def forward(run: Run, *data: Tensor) -> tuple[Tensor, ...]:
        """Solve; NaN in the instances that have no solution."""
        x, nu, lam, status, active = engines.solve(run, data)
        solved = (status == Status.SOLVED).unsqueeze(-1)
        x, nu, lam = (torch.where(solved, v, torch.nan) for v in (x, nu, lam))
        return x, nu, lam, status, active & solved

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the matrices, the solution and the engine's factors."""
        x, nu, lam, status, active = output
        run, P, _, A, _, G, _ = inputs
        ctx.run = run
        ctx.shared = [len(v) == 1 and len(x) > 1 for v in inputs[1:]]
        ctx.mark_non_differentiable(status, active)
        ctx.save_for_backward(P, A, G, x, nu, lam, status, active)
        ctx.save_for_forward(P, A, G, x, nu, lam, status, active)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor | None) -> tuple[Tensor | None, ...]:
        """Gradients of every field from one solve per instance.

        [P Cᵀ; C 0](dx, dy) = -(gx, gy) on the active rows C, then
        grad_P = (dx xᵀ + x dxᵀ)/2, grad_C = dy xᵀ + y dxᵀ, grad_rhs = -dy.
        """
        P, A, G, x, nu, lam, active, solved = _healthy(ctx.saved_tensors)
        gx, gnu, glam = (
            torch.zeros_like(v)
            if g is None
            else torch.where(solved.unsqueeze(-1), g, 0.0)
            for g, v in zip(seeds[:3], (x, nu, lam), strict=True)
        )
        gy = torch.cat([gnu, glam], -1)
        factors = None if torch.is_grad_enabled() else ctx.run.factors
        if factors is None:
            dx, dy = _on_active(P, A, G, active, -gx, -gy)
        else:
            dx, dy = _by_factors(factors, (P, A, G, active), gx, gy)
        dnu, dlam = dy.split([nu.shape[-1], lam.shape[-1]], -1)
        outer = _outer if factors is None else engines.outer
        wanted = ctx.needs_input_grad[1:]
        grad_P, grad_A, grad_G = (
            (scale * (u.mT @ v + a.mT @ b)).unsqueeze(0)
            if shared
            else outer(u, v, a, b, scale)
            if want
            else None
            for want, shared, (u, v, a, b), scale in zip(
                wanted[::2],
                ctx.shared[::2],
                ((dx, x, x, dx), (dnu, x, nu, dx), (dlam, x, lam, dx)),
                (0.5, 1.0, 1.0),
                strict=True,
            )
        )
        vectors = (
            v.sum(0, keepdim=True) if shared else v
            for v, shared in zip((dx, -dnu, -dlam), ctx.shared[1::2], strict=True)
        )
        grad_q, grad_b, grad_h = vectors
        return None, grad_P, grad_q, grad_A, grad_b, grad_G, grad_h

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """The differential of the KKT conditions, solved for (dx, dnu, dlam)."""
        P, A, G, x, nu, lam, active, solved = _healthy(ctx.saved_tensors)
        shapes = (P, x, A, nu, G, lam)
        dP, dq, dA, db, dG, dh = (
            torch.zeros_like(v) if t is None else _masked(solved, t)
            for t, v in zip(tangents[1:], shapes, strict=True)
        )
        r1 = -(matvec(dP, x) + dq + matvec(dA.mT, nu) + matvec(dG.mT, lam))
        r2 = torch.cat([db - matvec(dA, x), dh - matvec(dG, x)], -1)
        dx, dy = _on_active(P, A, G, active, r1, r2)
        dnu, dlam = dy.split([nu.shape[-1], lam.shape[-1]], -1)
        return (
            _masked(solved, dx),
            _masked(solved, dnu),
            _masked(solved, dlam),
            None,
            None,
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], run: Run, *data: Tensor
    ) -> tuple[Any, ...]:
        """Fold a mapped axis into the batch."""
        size = max(
            v.shape[0 if d is None or d > 0 else 1]
            for v, d in zip(data, in_dims[1:], strict=True)
        )
        folded = []
        for v, d in zip(data, in_dims[1:], strict=True):
            if d is None and len(v) == 1:
                folded.append(v)
                continue
            v = v.expand(info.batch_size, *v.shape) if d is None else v.movedim(d, 0)
            v = v.expand(info.batch_size, size, *v.shape[2:])
            folded.append(v.reshape(info.batch_size * size, *v.shape[2:]))
        if all(len(v) == 1 for v in folded):
            folded[1] = folded[1].expand(info.batch_size * size, -1)
        outputs = Solve.apply(run.fresh(), *folded)
        shape = (info.batch_size, size)
        return tuple(v.reshape(*shape, *v.shape[1:]) for v in outputs), (0,) * 5


def _on_active(
    P: Tensor, A: Tensor, G: Tensor, active: Tensor, r1: Tensor, r2: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve [P Cᵀ; C 0](u, y) = (r1, r2) on the equality rows and the active ones."""
    size = len(r1)
    P, A, G = (v.expand(size, *v.shape[1:]) for v in (P, A, G))
    every = torch.ones(size, A.shape[-2], dtype=torch.bool, device=P.device)
    rows = torch.cat([A, G], -2)
    return solve_kkt(P, rows, torch.cat([every, active], -1), r1, r2)


def _by_factors(
    factors: Any, matrices: tuple[Tensor, ...], gx: Tensor, gy: Tensor
) -> tuple[Tensor, Tensor]:
    """The adjoint by the forward pass's factors; by new ones where it left none."""
    dx, dy = factors.solve(gx, gy)
    other = torch.from_numpy(~factors.good)
    if bool(other.any()):
        P, A, G, active = (v if len(v) == 1 else v[other] for v in matrices)
        u, y = _on_active(P, A, G, active, -gx[other], -gy[other])
        dx[other], dy[other] = u, y
    return dx, dy


def _outer(u: Tensor, v: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """The matrices scale·(u vᵀ + a bᵀ), one an instance."""
    left, right = torch.stack([u, a], -1), torch.stack([v, b], -2)
    return scale * (left @ right)


def _masked(solved: Tensor, v: Tensor) -> Tensor:
    """The tensor, with exact zeros in the instances that were not solved."""
    if len(v) == 1 and len(solved) > 1:
        v = v.expand(len(solved), *v.shape[1:])
    return torch.where(solved.reshape(solved.shape + (1,) * (v.dim() - 1)), v, 0.0)


def _healthy(saved: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Saved tensors with zeros for failed instances: NaN times zero is still NaN."""
    P, A, G, x, nu, lam, status, active = saved
    solved = status == Status.SOLVED
    if bool(solved.all()):
        return P, A, G, x, nu, lam, active, solved
    parts = (_masked(solved, v) for v in (P, A, G, x, nu, lam))
    return (*parts, active, solved)
