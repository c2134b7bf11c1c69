"""The solution map of a batch of QPs with its tangent and its adjoint.

Chapter: optnet.md. Theorems: qp-differential, qp-gradients, qp-active-set.
Source: amos2017optnet, eqs. (6)-(8), with eq. (8) corrected.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import certificates, engines, kinks
from companion.layers.qp.engines import Run
from companion.layers.qp.kkt import matvec, solve_kkt
from companion.layers.qp.smoothing import solve_path
from companion.problems import Status


class Solve(torch.autograd.Function):
    """(run, P, q, A, b, G, h) -> (x, nu, lam, status, active), in float64.

    Every field has one batch axis, of full size or of size one for a field that the
    batch shares; such a field receives the sum of its instances' gradients.
    """

    @staticmethod
    def forward(run: Run, *data: Tensor) -> tuple[Tensor, ...]:
        """Solve; NaN in the instances that have no solution."""
        found = engines.solve(run, data)
        x, nu, lam, status, active = kinks.settle(run, data, found)
        status, run.certificate = certificates.prove(data, status, run.rays)
        solved = (status == Status.SOLVED).unsqueeze(-1)
        if not bool(solved.all()):
            x, nu, lam = (torch.where(solved, v, torch.nan) for v in (x, nu, lam))
            active = active & solved
        return x, nu, lam, status, active

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
        if ctx.run.factors is not None and not torch.is_grad_enabled():
            return _compiled(ctx, *seeds[:3])
        P, A, G, x, nu, lam, active, solved = _healthy(ctx.saved_tensors)
        gx, gnu, glam = (
            torch.zeros_like(v)
            if g is None
            else torch.where(solved.unsqueeze(-1), g, 0.0)
            for g, v in zip(seeds[:3], (x, nu, lam), strict=True)
        )
        r2 = -torch.cat([gnu, glam], -1)
        matrices, rows = (P, A, G), (active, lam)
        dx, dy = _system(ctx.run, matrices, rows, (-gx, r2), adjoint=True)
        dnu, dlam = dy.split([nu.shape[-1], lam.shape[-1]], -1)
        products = _products((dx, dnu, dlam), (x, nu, lam))
        grad_P, grad_A, grad_G = (
            _outer(*parts, shared=one)
            for parts, one in zip(products, ctx.shared[::2], strict=True)
        )
        grad_q, grad_b, grad_h = _summed((dx, -dnu, -dlam), ctx.shared)
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
        matrices, rows = (P, A, G), (active, lam)
        dx, dy = _system(ctx.run, matrices, rows, (r1, r2), adjoint=False)
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


def _system(
    run: Run,
    matrices: tuple[Tensor, Tensor, Tensor],
    rows: tuple[Tensor, Tensor],
    rhs: tuple[Tensor, Tensor],
    *,
    adjoint: bool,
) -> tuple[Tensor, Tensor]:
    """The differential of the conditions that the forward pass solved, or its adjoint.

    The matrix is symmetric, except for the choices of a kink.
    """
    active, lam = rows
    P, A, G = (v.expand(len(rhs[0]), *v.shape[1:]) for v in matrices)
    if run.smoothing:
        return solve_path((P, A, G), lam.square() / run.smoothing, *rhs)
    u, y = _on_active(P, A, G, active, *rhs)
    if run.weak is None or run.kink is None or run.kink.choice in ("left", "right"):
        return u, y
    some = run.weak.any(-1)
    found = kinks.at_kink(
        run.kink.choice,
        (P[some], A[some], G[some]),
        (active[some], run.weak[some]),
        (rhs[0][some], rhs[1][some]),
        adjoint=adjoint,
    )
    return u.index_put((some,), found[0]), y.index_put((some,), found[1])


def _on_active(
    P: Tensor, A: Tensor, G: Tensor, active: Tensor, r1: Tensor, r2: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve [P Cᵀ; C 0](u, y) = (r1, r2) on the equality rows and the active ones."""
    size = len(r1)
    P, A, G = (v.expand(size, *v.shape[1:]) for v in (P, A, G))
    every = torch.ones(size, A.shape[-2], dtype=torch.bool, device=P.device)
    rows = torch.cat([A, G], -2)
    return solve_kkt(P, rows, torch.cat([every, active], -1), r1, r2)


def _compiled(
    ctx: Any, gx: Tensor | None, gnu: Tensor | None, glam: Tensor | None
) -> tuple[Tensor | None, ...]:
    """The same gradients in one pass over the factors that the forward pass left."""
    factors, shared = ctx.run.factors, ctx.shared
    x, nu, lam = ctx.saved_tensors[3:6]
    p, gy = nu.shape[-1], None
    if gnu is not None or glam is not None:
        pairs = ((gnu, nu), (glam, lam))
        gy = torch.cat([torch.zeros_like(v) if g is None else g for g, v in pairs], -1)
    gx = torch.zeros_like(x) if gx is None else gx
    wanted = ctx.needs_input_grad[1::2]
    alone = tuple(w and not s for w, s in zip(wanted, shared[::2], strict=True))
    dx, dy, *matrices = factors.gradients(gx, gy, alone)
    if not factors.complete:
        x, nu, lam = _mended(ctx, (gx, gy), (dx, dy), matrices)
    dnu, dlam = dy[:, :p], dy[:, p:]
    products = _products((dx, dnu, dlam), (x, nu, lam))
    grad_P, grad_A, grad_G = (
        _outer(*parts, shared=True) if want and one else found
        for want, one, parts, found in zip(
            wanted, shared[::2], products, matrices, strict=True
        )
    )
    grad_q, grad_b, grad_h = _summed((dx, -dnu, -dlam), shared)
    return None, grad_P, grad_q, grad_A, grad_b, grad_G, grad_h


def _mended(
    ctx: Any,
    seeds: tuple[Tensor, Tensor | None],
    found: tuple[Tensor, Tensor],
    matrices: list[Tensor | None],
) -> tuple[Tensor, ...]:
    """Fill in, in place, the instances that the compiled engine left to another.

    Returns (x, nu, lam) with zeros where there is no solution.
    """
    P, A, G, x, nu, lam, active, solved = _healthy(ctx.saved_tensors)
    other = ~ctx.run.factors.good
    P, A, G = (v if len(v) == 1 else v[other] for v in (P, A, G))
    gx, gy = (
        torch.zeros_like(v) if g is None else torch.where(solved.unsqueeze(-1), g, 0.0)
        for g, v in zip(seeds, found, strict=True)
    )
    dx, dy = _on_active(P, A, G, active[other], -gx[other], -gy[other])
    found[0][other], found[1][other] = dx, dy
    dnu, dlam = dy.split([nu.shape[-1], lam.shape[-1]], -1)
    products = _products((dx, dnu, dlam), (x[other], nu[other], lam[other]))
    for whole, parts in zip(matrices, products, strict=True):
        if whole is not None:
            whole[other] = _outer(*parts, shared=False)
    return x, nu, lam


def _products(
    adjoint: tuple[Tensor, ...], point: tuple[Tensor, ...]
) -> tuple[tuple[Any, ...], ...]:
    """The outer products of which the gradients of P, A and G are made."""
    (dx, dnu, dlam), (x, nu, lam) = adjoint, point
    return ((dx, x, x, dx, 0.5), (dnu, x, nu, dx, 1.0), (dlam, x, lam, dx, 1.0))


def _summed(vectors: tuple[Tensor, ...], shared: list[bool]) -> tuple[Tensor, ...]:
    """Gradients of q, b and h, summed over the batch where it shares them."""
    pairs = zip(vectors, shared[1::2], strict=True)
    return tuple(v.sum(0, keepdim=True) if one else v for v, one in pairs)


def _outer(
    u: Tensor, v: Tensor, a: Tensor, b: Tensor, scale: float, *, shared: bool
) -> Tensor:
    """The matrices scale·(u vᵀ + a bᵀ): one an instance, or their sum if shared."""
    if shared:
        return (scale * (u.mT @ v + a.mT @ b)).unsqueeze(0)
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
