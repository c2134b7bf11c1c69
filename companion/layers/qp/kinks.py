"""Which derivative to give where there is none: the choices at a kink.

At a kink a row touches its bound with multiplier zero.  The solution still moves along
every direction of the data, by the solution of a small program, but not linearly.

Chapter: optnet.md. Theorems: kkt-nonsingular.
Source: robinson1980strongly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from companion.layers.qp import engines
from companion.layers.qp.engines import Kink, Run
from companion.layers.qp.interior_point import active_rows, largest
from companion.layers.qp.kkt import matvec, norms
from companion.layers.qp.stability import speeds
from companion.problems import QP, QPSolution, Status

CORES = (2, 1, 2, 1, 2, 1, 1, 1, 1)  # axes of the fields and of x, nu, lam
CHOICES = ("inactive", "least_squares", "left", "right", "directional")
TOUCHES = 1e-8  # slack at which a row of norm one touches its bound
RANK = 1e-11  # singular value, relative to the greatest, that counts as zero
HELD = 1e-9  # multiplier, beside the greatest, of a row that a direction presses


class Rates(NamedTuple):
    """One-sided speeds of (x, nu, lam), the weak rows that are held, and success."""

    x: Tensor
    nu: Tensor
    lam: Tensor
    held: Tensor
    found: Tensor


class Speeds(NamedTuple):
    """One-sided speeds of the outputs of `solve` along a direction; NaN if none."""

    x: Tensor
    nu: Tensor
    lam: Tensor
    slack: Tensor


def choose(
    choice: str, problem: QP, direction: QP | None, *, smoothing: float
) -> Kink | None:
    """The choice at a kink, checked; None stands for the solver's own active rows."""
    if choice not in CHOICES:
        msg = f"at_kink: expected one of {', '.join(CHOICES)}, got {choice!r}"
        raise ValueError(msg)
    if direction is not None and choice not in ("left", "right"):
        msg = 'direction: expected None unless at_kink is "left" or "right"'
        raise ValueError(f"{msg}, got one with {choice!r}")
    if smoothing and choice != "inactive":
        msg = 'at_kink: expected "inactive" with smoothing, which leaves no kink'
        raise ValueError(f"{msg}, got {choice!r}")
    if choice == "inactive":
        return None
    return Kink(choice, None if direction is None else speeds(problem, direction))


def settle(
    run: Run, data: tuple[Tensor, ...], found: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Outputs of an engine, with the active rows that the choice at kinks asks for.

    The run learns which rows are weakly active, and drops factors that do not fit.
    """
    x, nu, lam, status, active = found
    if run.kink is None:
        return found
    full = tuple(v.expand(len(x), *v.shape[1:]) for v in data)
    strong, weak = split(full[4], lam, full[5] - matvec(full[4], x))
    weak = weak & (status == Status.SOLVED).unsqueeze(-1)
    some = weak.any(-1)
    if not bool(some.any()):
        return found
    run.factors, run.weak = None, weak
    own = tuple(v[some] for v in full)
    at = (x[some], nu[some], lam[some])
    kink = run.kink
    if kink.direction is not None:
        # under vmap the batch is repeated
        moves = (torch.cat([v] * (len(x) // len(v))) for v in kink.direction)
        kink = Kink(kink.choice, tuple(v[some] for v in moves))
    if kink.choice in ("left", "right"):
        active[some] = piece(kink, own, at, strong[some], weak[some])
    else:
        active[some] = strong[some]
    return x, nu, lam, status, active


def directional_derivative(problem: QP, sol: QPSolution, direction: QP) -> Speeds:
    """The limits of (output(data + t·direction) − output(data))/t for t ↓ 0.

    They exist at kinks too, where the touching rows are independent and P is definite
    on the directions that the pressed rows leave; positively homogeneous, and linear
    if no row is weakly active.  NaN where the instance was not solved, or where the
    critical program has no solution.

    Source: robinson1980strongly.
    """
    size = math.prod(problem.batch)
    pairs = zip((*problem.fields, sol.x, sol.nu, sol.lam), CORES, strict=True)
    parts = []
    for v, axes in pairs:
        tail = v.shape[v.dim() - axes :]
        v = v.detach().double().expand(*problem.batch, *tail)
        parts.append(v.reshape(size, *tail).nan_to_num(0.0))
    P, _, A, _, G, h, *point = parts
    moves = speeds(problem, direction)
    rows = split(G, point[2], h - matvec(G, point[0]))
    rates = directional((P, A, G), rows, *right_sides(moves, tuple(point)))
    slack = moves[5] - matvec(moves[4], point[0]) - matvec(G, rates.x)
    solved = (sol.status == Status.SOLVED).reshape(size, 1)
    return Speeds(
        *(
            torch.where(solved, v, torch.nan).reshape(*problem.batch, v.shape[-1])
            for v in (*rates[:3], slack)
        )
    )


def split(G: Tensor, lam: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """Strongly active rows, and weakly active ones."""
    strong = active_rows(G, lam, slack)
    return strong, ~strong & (slack / norms(G) < TOUCHES)


def piece(
    kink: Kink,
    data: tuple[Tensor, ...],
    point: tuple[Tensor, ...],
    strong: Tensor,
    weak: Tensor,
) -> Tensor:
    """Active rows of the piece on the chosen side of instances with weak rows.

    Without a direction, "left" holds every weakly active row (the limit of programs in
    which it is pressed) and "right" releases it (the limit of programs in which it has
    room).  With one, the sides are those of the direction.
    """
    if kink.direction is None:
        return strong | weak if kink.choice == "left" else strong
    sign = 1.0 if kink.choice == "right" else -1.0
    P, _, A, _, G, _ = data
    r1, r2 = right_sides(tuple(sign * v for v in kink.direction), point)
    return strong | directional((P, A, G), (strong, weak), r1, r2).held


def right_sides(
    moves: tuple[Tensor, ...], point: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """What a direction of the data adds to the KKT conditions at a point."""
    dP, dq, dA, db, dG, dh = moves
    x, nu, lam = point
    r1 = -(matvec(dP, x) + dq + matvec(dA.mT, nu) + matvec(dG.mT, lam))
    return r1, torch.cat([db - matvec(dA, x), dh - matvec(dG, x)], -1)


def directional(
    matrices: tuple[Tensor, Tensor, Tensor],
    rows: tuple[Tensor, Tensor],
    r1: Tensor,
    r2: Tensor,
) -> Rates:
    """Speeds along a direction: argmin ½dᵀPd − r1ᵀd on the critical cone's shift.

    Ad and G_i d on strongly active rows equal r2; G_i d ≤ r2_i on weakly active ones.
    With d = d0 + Nw, N a basis of the directions that the equations leave, what remains
    is a program in w with the weakly active rows alone.
    """
    P, A, G = matrices
    strong, weak = rows
    p = A.shape[-2]
    size = torch.cat([norms(A), norms(G)], -1)
    every = torch.cat([strong.new_ones(len(P), p), strong], -1)
    C, target = torch.cat([A, G], -2) / size.unsqueeze(-1), r2 / size
    fixed = C * every.unsqueeze(-1)
    inverse = torch.linalg.pinv(fixed, rtol=RANK)
    start = matvec(inverse, torch.where(every, target, 0.0))
    N, free = _null_space(fixed)
    touching = C[:, p:] * weak.unsqueeze(-1)
    room = torch.where(weak, target[:, p:] - matvec(touching, start), 1.0)
    w, pressed, found = _program(
        N.mT @ P @ N + torch.diag_embed(1 - free),
        matvec(N.mT, matvec(P, start) - r1),
        touching @ N,
        room,
    )
    d = start + matvec(N, w)
    push = r1 - matvec(P, d) - matvec(touching.mT, pressed)
    held = weak & (pressed > HELD * (1 + largest(pressed).unsqueeze(-1)))
    y = matvec(inverse.mT, push) * every
    y = torch.cat([y[:, :p], y[:, p:] + pressed * held], -1) / size
    d, y = (torch.where(found.unsqueeze(-1), v, torch.nan) for v in (d, y))
    return Rates(d, y[:, :p], y[:, p:], held, found)


def _null_space(C: Tensor) -> tuple[Tensor, Tensor]:
    """Columns that span {d : Cd = 0}, zero columns for the rest; and which they are."""
    _, values, V = torch.linalg.svd(C, full_matrices=True)
    above = values > RANK  # rows have norm one
    free = torch.arange(V.shape[-1], device=C.device) >= above.sum(-1, keepdim=True)
    free = free.to(C.dtype)
    return V.mT * free.unsqueeze(-2), free


def _program(
    H: Tensor, c: Tensor, G: Tensor, room: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Minimiser and multipliers of ½wᵀHw + cᵀw over Gw ≤ room, and success."""
    eps = torch.finfo(H.dtype).eps
    run = Run("auto", eps, keep=False, batch=(len(H),))
    H = 0.5 * (H + H.mT)
    data = (H, c, G[:, :0], room[:, :0], G, room)
    w, _, pressed, status, _ = engines.solve(run, data)
    return w, pressed, status == Status.SOLVED


def at_kink(
    choice: str,
    matrices: tuple[Tensor, Tensor, Tensor],
    rows: tuple[Tensor, Tensor],
    rhs: tuple[Tensor, Tensor],
    *,
    adjoint: bool,
) -> tuple[Tensor, Tensor]:
    """The differential, or its adjoint, of instances that stand at a kink."""
    if choice == "least_squares":
        return least_squares(matrices, rows, rhs, adjoint=adjoint)
    if adjoint:
        msg = (
            'at_kink="directional": expected forward-mode differentiation, got a '
            f"backward pass through {len(rhs[0])} instances at a kink; directional "
            'derivatives are not linear there, so there is no gradient: choose "left" '
            'or "right" with a direction'
        )
        raise RuntimeError(msg)
    rates = directional(matrices, rows, *rhs)
    return rates.x, torch.cat([rates.nu, rates.lam], -1)


def least_squares(
    matrices: tuple[Tensor, Tensor, Tensor],
    rows: tuple[Tensor, Tensor],
    rhs: tuple[Tensor, Tensor],
    *,
    adjoint: bool,
) -> tuple[Tensor, Tensor]:
    """Least-norm solution of the linearised KKT conditions, or of their adjoint.

    The equation of a weakly active row is 0 = 0, its multiplier's speed is free.
    """
    P, A, G = matrices
    strong, weak = rows
    n, p = P.shape[-1], A.shape[-2]
    ones = strong.new_ones(len(P), p)
    equations = torch.cat([ones, strong], -1).unsqueeze(-1)
    unknowns = torch.cat([ones, strong | weak], -1).unsqueeze(-1)
    C = torch.cat([A, G], -2)
    corner = C.new_zeros(len(P), C.shape[-2], C.shape[-2])
    M = torch.cat([torch.cat([P, (C * unknowns).mT], -1),
                   torch.cat([C * equations, corner], -1)], -2)  # fmt: skip
    r2 = rhs[1] * (unknowns if adjoint else equations).squeeze(-1)
    inverse = torch.linalg.pinv(M, rtol=RANK)
    z = matvec(inverse.mT if adjoint else inverse, torch.cat([rhs[0], r2], -1))
    return z[:, :n], z[:, n:]
