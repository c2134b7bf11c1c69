"""The closest feasible program: least shift of the constraints, then the objective.

Chapter: optnet.md. Theorems: qp-gradients.
Source: bambade2024leveraging, the hierarchic QP.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from companion.layers.qp.kkt import CUTOFF, matvec
from companion.layers.qp.solution import solve
from companion.problems import QP, QPSolution, Status

FEASIBLE = 1e-9  # shift, relative to the data, below which the constraints are met
VIOLATED = 1e-9  # shift of a row, beside the greatest, that is no rounding


class Closest(NamedTuple):
    """The solution of the shifted program, and the shifts of b and h."""

    solution: QPSolution
    shift_b: Tensor
    shift_h: Tensor


def closest(problem: QP) -> Closest:
    """Solve over Ax = b + s_b, Gx ≤ h + s_h with the least ‖s‖ that makes it feasible.

    The shifts are unique: s is the projection of the contradictions on the constraints,
    Aᵀs_b + Gᵀs_h = 0 and s_h ≥ 0, so that −s is no choice of ours and s/‖s‖ a Farkas
    ray.  They depend on the scaling of the rows.  A feasible program is left as it is.

    All this is differentiable in every field, twice: s by the optimality conditions of
    the projection, the rest through them.  The violated rows act as equations: their
    multipliers have no sign, are not unique (s can be added), and are those of least
    norm, the rows scaled to norm one.  The derivative holds while the same rows are
    violated; where feasibility begins or ends, it jumps.
    """
    A, b, G, h = _full(problem)
    C, target = torch.cat([A, G], -2), torch.cat([b, h], -1)
    p, m = problem.p, problem.m
    eye = torch.eye(p + m, dtype=b.dtype, device=b.device)
    zero = torch.zeros_like(problem.q.expand(*problem.batch, -1))
    # with y the shifts: Aᵀy_b + Gᵀy_h = 0, y_h ≥ 0, least ½‖y‖² + (b, h)ᵀy
    shifts = solve(QP(eye, target, C.mT, zero, -eye[p:], torch.zeros_like(h)))
    size = shifts.x.detach().abs().amax(-1, keepdim=True)
    needed = size > FEASIBLE * (1 + target.detach().abs().amax(-1, keepdim=True))
    s = torch.where(needed, shifts.x, 0.0)
    violated = needed & (s[..., p:].detach() > VIOLATED * size)
    return Closest(_second(problem, s, violated), s[..., :p], s[..., p:])


def _second(problem: QP, s: Tensor, violated: Tensor) -> QPSolution:
    """Minimise over the shifted constraints, violated rows as the equations they are.

    Every feasible point of the shifted program meets them with equality.
    """
    A, b, G, h = _full(problem)
    p = problem.p
    mask, moved = violated.to(G.dtype), h + s[..., p:]
    equations = torch.cat([A, G * mask.unsqueeze(-1)], -2)
    sol = solve(
        QP(
            problem.P,
            problem.q,
            equations,
            torch.cat([b + s[..., :p], moved * mask], -1),
            G * (1 - mask).unsqueeze(-1),
            torch.where(violated, 1.0, moved),
        )
    )
    slack = moved - matvec(G, sol.x)
    shifted = (s != 0).any(-1) & (sol.status == Status.SOLVED)
    y = _least(equations, sol.nu, shifted)
    lam = torch.where(violated, y[..., p:], sol.lam)
    return QPSolution(sol.x, y[..., :p], lam, slack, sol.value, sol.status,
                      sol.info, sol.certificate)  # fmt: skip


def _least(C: Tensor, y: Tensor, chosen: Tensor) -> Tensor:
    """The multipliers of least norm with the same Cᵀy, differentiable, if chosen.

    The solver has them, of dependent rows too, but with another derivative: that of
    some multipliers, the least at this program alone.
    """
    rows = (chosen.unsqueeze(-1) & (C != 0).any(-1)).unsqueeze(-1)
    size = torch.where(rows, C, 1.0).norm(dim=-1, keepdim=True)
    unit = torch.where(rows, C, 0.0) / size
    scaled = torch.where(rows, y.unsqueeze(-1) * size, 0.0)
    least = torch.linalg.pinv(unit.mT, rtol=CUTOFF) @ (unit.mT @ scaled) / size
    return torch.where(chosen.unsqueeze(-1), least.squeeze(-1), y)


def _full(problem: QP) -> tuple[Tensor, ...]:
    parts = zip(problem.fields[2:], (2, 1, 2, 1), strict=True)
    return tuple(
        v.expand(*problem.batch, *v.shape[v.dim() - axes :]) for v, axes in parts
    )
