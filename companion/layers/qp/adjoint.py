"""The solution map of a batch of QPs with its tangent and its adjoint.

Chapter: optnet.md. Theorems: qp-differential, qp-gradients, qp-active-set.
Source: amos2017optnet, eqs. (6)-(8), with eq. (8) corrected.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers.forward_mode import bare, filled, moving, outward
from companion.layers.qp import certificates, engines, kinks
from companion.layers.qp.engines import Run
from companion.layers.qp.kkt import in_memory, matvec, solve_kkt, stacked
from companion.layers.qp.smoothing import solve_path
from companion.problems import Status

SOLVED = int(Status.SOLVED)
KEPT = 8  # saved tensors before the engine's factors, of which the first says whose
Gradients = list[Tensor | None]


def solution(run: Run, guess: Tensor | None, data: tuple[Tensor, ...]) -> Any:
    """Apply `Solve`, with the engine's factors kept if backward can use them."""
    plain = in_memory(*data)
    wanted = torch.is_grad_enabled() and any(v.requires_grad for v in data)
    run.keep = wanted and plain
    return (Plain if plain else Solve).apply(run, guess, *data)


class Solve(torch.autograd.Function):
    """(run, guess, P, q, A, b, G, h) -> (x, y, status, active, weak), in float64.

    y = (nu, lam).  Every field has one batch axis, of full size or of size one for a
    field that the batch shares; such a field receives the sum of its instances'
    gradients.
    """

    @staticmethod
    def forward(run: Run, guess: Tensor | None, *data: Tensor) -> tuple[Tensor, ...]:
        """Solve; NaN in the instances that have no solution."""
        found = engines.solve(run, guess, data)
        x, y, status, _ = found
        active, weak = kinks.settle(run, data, found)
        if run.failed:
            status, run.certificate = certificates.prove(data, status, run.rays)
            solved = (status == SOLVED).unsqueeze(-1)
            x, y = (torch.where(solved, v, torch.nan) for v in (x, y))
            active = active & solved
        run.status = status
        return x, y, status, active, weak

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the matrices, the solution and the engine's factors."""
        x, y, status, active, weak = output
        run, _, P, _, A, _, G, _ = inputs
        many = x.shape[0] > 1
        ctx.shared = [many and v.shape[0] == 1 for v in inputs[2:]]
        ctx.mark_non_differentiable(status, active, weak)
        ctx.equalities = A.shape[-2]
        ctx.smoothing = run.smoothing
        ctx.choice = run.kink.choice if run.kink is not None and run.weak else None
        ctx.complete, ctx.adjoint, factors = run.complete, run.adjoint, run.take()
        ctx.save_for_backward(P, A, G, x, y, status, active, weak, *factors)
        ctx.save_for_forward(P, A, G, x, y, status, active, weak)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor | None) -> tuple[Tensor | None, ...]:
        """Gradients of the fields that need one, from one solve per instance.

        [P Cᵀ; C 0](dx, dy) = -(gx, gy) on the active rows C, then
        grad_P = (dx xᵀ + x dxᵀ)/2, grad_C = dy xᵀ + y dxᵀ, grad_rhs = -dy.
        """
        gx, gy = seeds[:2]
        saved = ctx.saved_tensors  # once: a checkpoint recomputes at every access
        # the formulas in torch can be differentiated and mapped; compiled code cannot
        plain = not torch.is_grad_enabled() and in_memory(gx, gy)
        if saved[KEPT:] and plain and not moving(*saved[:5], gx, gy):
            return _compiled(ctx, saved, gx, gy)
        P, A, G, x, y, active, solved = _healthy(saved)
        gx, gy = (
            torch.zeros_like(v)
            if g is None
            else torch.where(solved.unsqueeze(-1), g, 0.0)
            for g, v in ((gx, x), (gy, y))
        )
        rows = (active, saved[KEPT - 1], y)
        found = _system(ctx, (P, A, G), rows, (-gx, -gy), adjoint=True)
        return _gradients(ctx, found, (x, y), [None] * 3)

    @staticmethod
    @outward()
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """The differential of the KKT conditions, solved for (dx, dy)."""
        saved = bare(ctx.saved_tensors)
        P, A, G, x, y, active, solved = _healthy(saved)
        nu, lam = y.split([A.shape[-2], G.shape[-2]], -1)
        shapes = (P, x, A, nu, G, lam)
        moves = (_masked(solved, t) for t in filled(tangents[2:], shapes))
        dP, dq, dA, db, dG, dh = moves
        dP = 0.5 * (dP + dP.mT)  # as the gradient is
        r1 = -(matvec(dP, x) + dq + matvec(dA.mT, nu) + matvec(dG.mT, lam))
        r2 = torch.cat([db - matvec(dA, x), dh - matvec(dG, x)], -1)
        rows = (active, saved[KEPT - 1], y)
        dx, dy = _system(ctx, (P, A, G), rows, (r1, r2), adjoint=False)
        return _masked(solved, dx), _masked(solved, dy), None, None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        run: Run,
        guess: Tensor | None,
        *data: Tensor,
    ) -> tuple[Any, ...]:
        """Fold a mapped axis into the batch."""
        many = info.batch_size
        size = max(
            v.shape[0 if d is None or d > 0 else 1]
            for v, d in zip(data, in_dims[2:], strict=True)
        )

        def fold(v: Tensor, d: int | None) -> Tensor:
            if d is None and len(v) == 1:
                return v
            v = stacked(v, d, many)
            return v.expand(many, size, *v.shape[2:]).flatten(0, 1)

        folded = tuple(fold(v, d) for v, d in zip(data, in_dims[2:], strict=True))
        if guess is not None:
            guess = stacked(guess, in_dims[1], many).flatten(0, 1)
        outputs = solution(run, guess, folded)
        run.map(many)
        return tuple(v.reshape(many, size, *v.shape[1:]) for v in outputs), (0,) * 5


class Plain(Solve):
    """The same outside of torch.func, where torch needs half the time to call it."""

    setup_context = torch.autograd.Function.setup_context

    @staticmethod
    def forward(
        ctx: Any, run: Run, guess: Tensor | None, *data: Tensor
    ) -> tuple[Tensor, ...]:
        """Solve, and keep what backward needs."""
        output = Solve.forward(run, guess, *data)
        Solve.setup_context(ctx, (run, guess, *data), output)
        return output


def _system(
    ctx: Any,
    matrices: tuple[Tensor, Tensor, Tensor],
    rows: tuple[Tensor, Tensor, Tensor],
    rhs: tuple[Tensor, Tensor],
    *,
    adjoint: bool,
) -> tuple[Tensor, Tensor]:
    """The differential of the conditions that the forward pass solved, or its adjoint.

    It is symmetric but for the choices of a kink.  rows = (active, weak, multipliers).
    """
    active, weak, y = rows
    P, A, G = (v.expand(len(rhs[0]), *v.shape[1:]) for v in matrices)
    if ctx.smoothing:
        weight = y[..., A.shape[-2] :].square() / ctx.smoothing
        return solve_path((P, A, G), weight, *rhs)
    found = _on_active(P, A, G, active, *rhs)
    if ctx.choice in (None, "left", "right"):
        return found
    kind = (active, weak)
    return kinks.at_kink(ctx.choice, (P, A, G), kind, rhs, found, adjoint=adjoint)


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
    ctx: Any, saved: tuple[Tensor, ...], gx: Tensor | None, gy: Tensor | None
) -> tuple[Tensor | None, ...]:
    """The same gradients in one pass over the factors that the forward pass left."""
    P, A, G, x, y = saved[:5]
    factors = saved[KEPT:]
    gx = torch.zeros_like(x) if gx is None else gx
    needed = ctx.needs_input_grad[2::2]
    alone = tuple(w and not s for w, s in zip(needed, ctx.shared[::2], strict=True))
    dx, dy, *matrices = ctx.adjoint((P, A, G), factors, (x, y), (gx, gy), alone)
    if not ctx.complete:
        x, y = _mended(saved, (gx, gy), (dx, dy), matrices)
    return _gradients(ctx, (dx, dy), (x, y), matrices)


def _mended(
    saved: tuple[Tensor, ...],
    seeds: tuple[Tensor, Tensor | None],
    found: tuple[Tensor, Tensor],
    matrices: Gradients,
) -> tuple[Tensor, Tensor]:
    """Fill in, in place, the instances that the compiled engine left to another.

    Returns (x, y) with zeros where there is no solution.
    """
    P, A, G, x, y, active, solved = _healthy(saved)
    other = ~saved[KEPT]
    P, A, G = (v if len(v) == 1 else v[other] for v in (P, A, G))
    gx, gy = (
        torch.zeros_like(v) if g is None else torch.where(solved.unsqueeze(-1), g, 0.0)
        for g, v in zip(seeds, found, strict=True)
    )
    dx, dy = _on_active(P, A, G, active[other], -gx[other], -gy[other])
    found[0][other], found[1][other] = dx, dy
    products = _products((dx, dy), (x[other], y[other]), A.shape[-2])
    for whole, parts in zip(matrices, products, strict=True):
        if whole is not None:
            whole[other] = _outer(*parts, shared=False)
    return x, y


def _gradients(
    ctx: Any,
    adjoint: tuple[Tensor, Tensor],
    point: tuple[Tensor, Tensor],
    found: Gradients,
) -> tuple[Tensor | None, ...]:
    """Gradients of the six fields, where they are needed and not found already."""
    needed, shared, p = ctx.needs_input_grad[2:], ctx.shared, ctx.equalities
    dx, dy = adjoint
    products = _products(adjoint, point, p)
    grad_P, grad_A, grad_G = (
        _outer(*parts, shared=one) if want and known is None else known
        for want, one, parts, known in zip(
            needed[::2], shared[::2], products, found, strict=True
        )
    )
    grad_q, grad_b, grad_h = (
        (v.sum(0, keepdim=True) if one else v) if want else None
        for want, one, v in zip(
            needed[1::2], shared[1::2], (dx, -dy[..., :p], -dy[..., p:]), strict=True
        )
    )
    return None, None, grad_P, grad_q, grad_A, grad_b, grad_G, grad_h


def _products(
    adjoint: tuple[Tensor, Tensor], point: tuple[Tensor, Tensor], p: int
) -> tuple[tuple[Any, ...], ...]:
    """The outer products of which the gradients of P, A and G are made."""
    (dx, dy), (x, y) = adjoint, point
    dnu, dlam, nu, lam = dy[..., :p], dy[..., p:], y[..., :p], y[..., p:]
    return ((dx, x, x, dx, 0.5), (dnu, x, nu, dx, 1.0), (dlam, x, lam, dx, 1.0))


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
    P, A, G, x, y, status, active = saved[: KEPT - 1]
    solved = status == SOLVED
    if in_memory(status) and bool(solved.all()):
        return P, A, G, x, y, active, solved
    parts = (_masked(solved, v) for v in (P, A, G, x, y))
    return (*parts, active, solved)
