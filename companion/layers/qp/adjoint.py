"""The solution map of a batch of QPs with its tangent and its adjoint.

Chapter: optnet.md. Theorems: qp-differential, qp-gradients, qp-active-set.
Source: amos2017optnet, eqs. (6)-(8), with eq. (8) corrected.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import interior_point
from companion.layers.qp.kkt import matvec, solve_kkt
from companion.problems import Status


class Solve(torch.autograd.Function):
    """(P, q, A, b, G, h) -> (x, nu, lam, status, active), one batch axis, float64."""

    @staticmethod
    def forward(*data: Tensor) -> tuple[Tensor, ...]:
        """Solve; NaN in the instances that have no solution."""
        z, status = interior_point.solve(interior_point.Data(*data))
        G, h = data[4:]
        active = interior_point.active_rows(G, z.lam, h - matvec(G, z.x))
        solved = (status == Status.SOLVED).unsqueeze(-1)
        x, nu, lam = (torch.where(solved, v, torch.nan) for v in (z.x, z.nu, z.lam))
        return x, nu, lam, status, active & solved

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the matrices and the solution, nothing larger."""
        x, nu, lam, status, active = output
        P, _, A, _, G, _ = inputs
        ctx.mark_non_differentiable(status, active)
        ctx.save_for_backward(P, A, G, x, nu, lam, status, active)
        ctx.save_for_forward(P, A, G, x, nu, lam, status, active)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor | None) -> tuple[Tensor, ...]:
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
        every = torch.ones_like(nu, dtype=torch.bool)
        dx, dy = solve_kkt(
            P,
            torch.cat([A, G], -2),
            torch.cat([every, active], -1),
            -gx,
            -torch.cat([gnu, glam], -1),
        )
        dnu, dlam = dy.split([nu.shape[-1], lam.shape[-1]], -1)
        grad_P = 0.5 * (_outer(dx, x) + _outer(x, dx))
        grad_A = _outer(dnu, x) + _outer(nu, dx)
        grad_G = _outer(dlam, x) + _outer(lam, dx)
        rows = (grad_P, dx, grad_A, -dnu, grad_G, -dlam)
        return tuple(_masked(solved, g) for g in rows)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """The differential of the KKT conditions, solved for (dx, dnu, dlam)."""
        P, A, G, x, nu, lam, active, solved = _healthy(ctx.saved_tensors)
        shapes = (P, x, A, nu, G, lam)
        dP, dq, dA, db, dG, dh = (
            torch.zeros_like(v) if t is None else _masked(solved, t)
            for t, v in zip(tangents, shapes, strict=True)
        )
        r1 = -(matvec(dP, x) + dq + matvec(dA.mT, nu) + matvec(dG.mT, lam))
        r2 = torch.cat([db - matvec(dA, x), dh - matvec(dG, x)], -1)
        every = torch.ones_like(nu, dtype=torch.bool)
        dx, dy = solve_kkt(
            P, torch.cat([A, G], -2), torch.cat([every, active], -1), r1, r2
        )
        dnu, dlam = dy.split([nu.shape[-1], lam.shape[-1]], -1)
        return (
            _masked(solved, dx),
            _masked(solved, dnu),
            _masked(solved, dlam),
            None,
            None,
        )


def _outer(u: Tensor, v: Tensor) -> Tensor:
    return u.unsqueeze(-1) * v.unsqueeze(-2)


def _masked(solved: Tensor, v: Tensor) -> Tensor:
    """The tensor, with exact zeros in the instances that were not solved."""
    return torch.where(solved.reshape(solved.shape + (1,) * (v.dim() - 1)), v, 0.0)


def _healthy(saved: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Saved tensors with zeros for failed instances: NaN times zero is still NaN."""
    P, A, G, x, nu, lam, status, active = saved
    solved = status == Status.SOLVED
    parts = (_masked(solved, v) for v in (P, A, G, x, nu, lam))
    return (*parts, active, solved)
