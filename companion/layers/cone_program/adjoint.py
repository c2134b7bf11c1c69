"""The solution map of a batch of cone programs with its tangent and its adjoint.

Chapter: cone-derivative.md. Theorems: cone-adjoint.
Source: agrawal2019cone, §3, without its row of the homogenising variable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.layers.cone_program import certificates, engine, newton, rules
from companion.layers.cone_program.checks import check_convex
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.linearised import Linearised
from companion.layers.cone_program.mapped import folded
from companion.layers.cone_program.matrices import Full, Matrix
from companion.layers.cone_program.stacks import Stack, times, transposed
from companion.layers.forward_mode import moving, outward
from companion.layers.qp.kkt import in_memory
from companion.problems import Cones, Status

FULL = Full()
ACCEPTED = 1e-8  # error of the conditions at which an instance counts as solved


@dataclass(eq=False)
class Run:
    """What a call asks for, and what the forward pass leaves for the adjoint.

    `eps` is the rounding of the caller's dtype, in which P has to be symmetric.  Under
    vmap the mapped axes stand in front of `batch`.
    """

    K: Cones
    batch: tuple[int, ...]
    eps: float = float(np.finfo(np.float64).eps)
    matrices: tuple[Matrix, Matrix] = (FULL, FULL)
    solver: Callable[..., engine.Answer] = engine.solve
    status: np.ndarray | None = None
    system: Any = None
    error: np.ndarray | None = None
    iterations: np.ndarray | None = None
    certificate: Any = None

    def fresh(self) -> Run:
        """The same request, nothing left yet."""
        return Run(self.K, self.batch, self.eps, self.matrices)


class Solve(torch.autograd.Function):
    """(run, P, q, A, b) -> (x, y, s, status), in float64 on the CPU.

    Every field has one batch axis, of full size or of size one for a field that the
    batch shares; such a field receives the sum of its instances' gradients.
    """

    @staticmethod
    def forward(run: Run, *data: Tensor) -> tuple[Tensor, ...]:
        """Solve and refine; NaN in the instances that have no solution."""
        check_convex(data[0].detach(), run.batch, run.eps)
        fields = tuple(v.detach().numpy() for v in data)
        x, y, s, status = forward(run, fields)
        run.status = status
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
        _, _, x, y, s, status = saved = ctx.saved_tensors
        # what is compiled can be neither differentiated nor mapped
        given = (*saved, *seeds[:3])
        if torch.is_grad_enabled() or moving(*given) or not in_memory(*given):
            return None, *rules.pulled(ctx, seeds[:3])
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
    @outward()
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """See `rules.pushed`."""
        return *rules.pushed(ctx, tangents[1:]), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], run: Run, *data: Tensor) -> Any:
        """Fold a mapped axis into the batch."""
        return mapped_solve(Solve.apply, info.batch_size, in_dims, run, data)


def mapped_solve(
    solve: Any, size: int, in_dims: tuple[Any, ...], run: Run, data: tuple[Tensor, ...]
) -> tuple[Any, ...]:
    """The solutions of a mapped batch; from now on the run speaks of all instances."""
    run.batch = (size, *run.batch)
    found = solve(run, *folded(size, in_dims[1:], data, len(data)))
    return tuple(v.unflatten(0, (size, -1)) for v in found), (0,) * 4


def forward(run: Run, fields: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """(x, y, s, status), and in the run the system for the derivative.

    Clarabel stops early and Newton's method finishes; an instance for which that is not
    enough is solved again, to the end.
    """
    stacked = Stack.of(fields[0]), fields[1], Stack.of(fields[2]), fields[3]
    found = run.solver(stacked, run.K, accuracy=engine.EARLY)
    state, run.system, status = _finished(run.K, stacked, found)
    short = (status != Status.SOLVED) | (state.error > newton.ENOUGH)
    again = np.flatnonzero(short & found.finite & ~proved(status))
    if len(again):
        own = newton.chosen(stacked, again)
        more = run.solver(own, run.K, accuracy=engine.ACCURACY)
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
