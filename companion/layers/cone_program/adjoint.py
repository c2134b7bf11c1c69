"""The solution map of a batch of cone programs with its tangent and its adjoint.

Chapter: cone-derivative.md. Theorems: cone-adjoint.
Source: agrawal2019cone, §3, without its row of the homogenising variable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.layers import cones
from companion.layers.cone_program import certificates, engine, newton
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.linearised import Linearised
from companion.layers.cone_program.solves import Plain, Transposed, outer
from companion.layers.cone_program.stacks import Stack, times, transposed
from companion.layers.qp.kkt import matvec
from companion.problems import Cones, Status

ACCEPTED = 1e-8  # error of the conditions at which an instance counts as solved


@dataclass(eq=False)
class Run:
    """What a call asks for, and what the forward pass leaves for the adjoint."""

    K: Cones
    batch: tuple[int, ...]
    system: Linearised | None = None
    error: np.ndarray | None = None
    iterations: np.ndarray | None = None
    certificate: Any = None

    def fresh(self) -> Run:
        """The same request, nothing left yet."""
        return replace(self, system=None, error=None, iterations=None, certificate=None)


class Solve(torch.autograd.Function):
    """(run, P, q, A, b) -> (x, y, s, status), in float64 on the CPU.

    Every field has one batch axis, of full size or of size one for a field that the
    batch shares; such a field receives the sum of its instances' gradients.
    """

    @staticmethod
    def forward(run: Run, *data: Tensor) -> tuple[Tensor, ...]:
        """Solve and refine; NaN in the instances that have no solution."""
        fields = tuple(v.detach().numpy() for v in data)
        x, y, s, status = _forward(run, fields)
        return tuple(map(torch.from_numpy, (x, y, s, status)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the matrices, the solution and the factors."""
        run, P, _, A, _ = inputs
        x, y, s, status = output
        ctx.run = run
        ctx.shared = [len(v) == 1 and len(x) > 1 for v in inputs[1:]]
        ctx.mark_non_differentiable(status)
        ctx.save_for_backward(P, A, x, y, s, status)
        ctx.save_for_forward(P, A, x, y, s, status)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor | None) -> tuple[Tensor | None, ...]:
        """Mᵀ(g1, g2) = −(gx, D(gy + gs) − gs), then the fields' gradients.

        grad_P = (g1 xᵀ + x g1ᵀ)/2, grad_q = g1, grad_A = y g1ᵀ − g2 xᵀ, grad_b = g2.
        """
        if torch.is_grad_enabled():
            return _differentiable(ctx, seeds[:3])
        _, _, x, y, s, status = ctx.saved_tensors
        solved = (status == Status.SOLVED).unsqueeze(-1)
        gx, gy, gs = (
            None if g is None else torch.where(solved, g, 0.0) for g in seeds[:3]
        )
        x, y, s = (torch.where(solved, v, 0.0) for v in (x, y, s))
        parts = tuple(None if g is None else g.numpy() for g in (gx, gy, gs))
        g1, g2 = map(torch.from_numpy, pulled_back(ctx.run.system, parts, len(x)))
        _, want_P, _, want_A, _ = ctx.needs_input_grad
        P1, _, A1, _ = ctx.shared
        grad_P = _outer((g1, x, x, g1), 0.5, shared=P1) if want_P else None
        grad_A = _outer((y, g1, -g2, x), 1.0, shared=A1) if want_A else None
        grad_q, grad_b = (
            v.sum(0, keepdim=True) if one else v
            for v, one in zip((g1, g2), ctx.shared[1::2], strict=True)
        )
        return None, grad_P, grad_q, grad_A, grad_b

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """M(dx, dv) = −(dP x + dAᵀy + dq, db − dA x), dy = D dv, ds = dy − dv."""
        P, A, x, y, s, solved = _healthy(ctx.saved_tensors)
        dP, dq, dA, db = (
            torch.zeros_like(v) if t is None else t
            for t, v in zip(tangents[1:], (P, x, A, y), strict=True)
        )
        r1 = -(matvec(0.5 * (dP + dP.mT), x) + dq + matvec(dA.mT, y))
        r2 = torch.where(solved, matvec(dA, x) - db, 0.0)
        dx, dv = Plain.apply(ctx.run, P, A, y - s, torch.where(solved, r1, 0.0), r2)
        dy = cones.jvp_dual(y - s, dv, ctx.run.K)
        return dx, dy, dy - dv, None


def _differentiable(
    ctx: Any, seeds: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """The same gradients, made of what autograd can differentiate again."""
    P, A, x, y, s, solved = _healthy(ctx.saved_tensors)
    gx, gy, gs = (
        torch.zeros_like(v) if g is None else torch.where(solved, g, 0.0)
        for g, v in zip(seeds, (x, y, s), strict=True)
    )
    f2 = gs - cones.jvp_dual(y - s, gy + gs, ctx.run.K)
    g1, g2 = Transposed.apply(ctx.run, P, A, y - s, -gx, f2)
    grad_P = 0.5 * (outer(g1, x) + outer(x, g1))
    grad_A = outer(y, g1) - outer(g2, x)
    grads = (grad_P, g1, grad_A, g2)
    return None, *(
        v.sum(0, keepdim=True) if one else v
        for v, one in zip(grads, ctx.shared, strict=True)
    )


def _healthy(saved: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Saved tensors with zeros for failed instances: NaN times zero is still NaN."""
    P, A, x, y, s, status = saved
    solved = (status == Status.SOLVED).unsqueeze(-1)
    if bool(solved.all()):
        return P, A, x, y, s, solved
    x, y, s = (torch.where(solved, v, 0.0) for v in (x, y, s))
    mask = solved.unsqueeze(-1)
    P, A = (v if len(v) == 1 else torch.where(mask, v, 0.0) for v in (P, A))
    return P, A, x, y, s, solved


def _forward(run: Run, fields: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """(x, y, s, status), and in the run the system for the derivative.

    Clarabel stops early and Newton's method finishes; an instance for which that is not
    enough is solved again, to the end.
    """
    stacked = Stack.of(fields[0]), fields[1], Stack.of(fields[2]), fields[3]
    found = engine.solve(stacked, run.K, accuracy=engine.EARLY)
    state, run.system, status = _finished(run.K, stacked, found)
    short = (status != Status.SOLVED) | (state.error > newton.ENOUGH)
    again = np.flatnonzero(short & found.finite & ~proved(status))
    if len(again):
        own = newton.chosen(stacked, again)
        more = engine.solve(own, run.K, accuracy=engine.ACCURACY)
        later, system, outcome = _finished(run.K, own, more)
        better = (outcome == Status.SOLVED) & (later.error < state.error[again])
        which = np.flatnonzero(better | (status[again] != Status.SOLVED))
        state.put(again[which], later, which)
        run.system.put(again[which], system, which)
        status[again[which]] = outcome[which]
        found.put(again, more)
    run.iterations = found.iterations
    status, run.certificate = certificates.prove(fields, run.K, found, status)
    good = (status == Status.SOLVED)[:, None]
    run.error = np.where(good[:, 0], state.error, np.nan)
    parts = (np.where(good, w, np.nan) for w in (state.x, state.y, state.s))
    return (*parts, status)


def _finished(
    K: Cones, fields: newton.Fields, found: engine.Answer
) -> tuple[newton.State, Linearised, np.ndarray]:
    """The answers refined, with the system there and statuses by the error left."""
    lost = proved(found.status) | ~found.finite
    keep = ~lost[:, None]
    x, y, s = (np.where(keep, w, 0.0) for w in (found.x, found.y, found.s))
    if not found.finite.all():
        fields = tuple(_masked(v, found.finite) for v in fields)
    start = newton.at(fields, x, y - s, layout(K), y)
    state, system = newton.refine(fields, start, ~lost)
    good = ~lost & (state.error <= ACCEPTED)
    unfinished = found.status == Status.SOLVED
    status = np.where(unfinished, Status.NUMERICAL_ERROR, found.status)
    return state, system, np.where(good, Status.SOLVED, status)


def proved(status: np.ndarray) -> np.ndarray:
    """Where there is no solution, with a proof."""
    return (status == Status.PRIMAL_INFEASIBLE) | (status == Status.DUAL_INFEASIBLE)


def _masked(v: np.ndarray | Stack, keep: np.ndarray) -> np.ndarray | Stack:
    """Zeros in the instances that are lost: nobody asks, and NaN spreads."""
    if isinstance(v, Stack):
        return v if v.finite.all() else Stack.of(_masked(v.dense, keep))
    own = keep if len(v) > 1 else keep.any(keepdims=True)
    return np.where(own.reshape(-1, *(1,) * (v.ndim - 1)), v, 0.0)


def pulled_back(
    system: Linearised, seeds: tuple[np.ndarray | None, ...], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """(g1, g2) for seeds (gx, gy, gs), None standing for zeros."""
    gx, gy, gs = seeds
    n, m = system.P.shape[-1], system.A.shape[-2]
    f1 = np.zeros((size, n)) if gx is None else -gx
    f2 = np.zeros((size, m))
    if gy is not None or gs is not None:
        given = [g for g in (gy, gs) if g is not None]
        f2 = -system.exact.times(np.sum(given, axis=0))
    if gs is not None:
        f2 = f2 + gs
    return system.adjoint(f1, f2)


def pushed_forward(
    system: Linearised, moves: list[np.ndarray], point: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dx, dy, ds) for moves (dP, dq, dA, db) of the fields."""
    (dP, dq, dA, db), (x, y) = moves, point
    dP = 0.5 * (dP + dP.swapaxes(-1, -2))
    r1 = -(times(dP, x) + transposed(dA, y) + dq)
    r2 = times(dA, x) - db
    dx, dv = system.solve(r1, r2)
    dy = system.exact.times(dv)
    return dx, dy, dy - dv


def _outer(parts: tuple[Tensor, ...], scale: float, *, shared: bool) -> Tensor:
    """The matrices scale·(u vᵀ + a bᵀ): one an instance, or their sum if shared."""
    u, v, a, b = parts
    if shared:
        return (scale * (u.mT @ v + a.mT @ b)).unsqueeze(0)
    left, right = torch.stack([scale * u, scale * a], -1), torch.stack([v, b], -2)
    return left @ right
