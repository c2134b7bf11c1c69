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

from companion.layers.qp.critical import RANK, Once, directional, right_sides, split
from companion.layers.qp.kkt import in_memory, matvec
from companion.layers.qp.run import Kink, Run
from companion.layers.qp.stability import speeds
from companion.problems import QP, QPSolution, Status

CORES = (2, 1, 2, 1, 2, 1, 1, 1, 1)  # axes of the fields and of x, nu, lam
CHOICES = ("inactive", "least_squares", "left", "right", "directional")


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
) -> tuple[Tensor, Tensor]:
    """Active rows that the choice at kinks asks for, and weakly active ones.

    The latter have no column where nobody asked or no row is weak.  The run learns
    whether one is, and drops factors that do not fit.
    """
    x, y, status, active = found
    if run.kink is None:
        return active, active[:, :0]
    full = tuple(v.expand(len(x), *v.shape[1:]) for v in data)
    nu, lam = y.split([full[3].shape[-1], full[5].shape[-1]], -1)
    strong, weak = split(full[4], lam, full[5] - matvec(full[4], x))
    weak = weak & (status == Status.SOLVED).unsqueeze(-1)
    some = weak.any(-1)
    if not bool(some.any()):
        return active, active[:, :0]
    run.factors, run.weak = (), True
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
    return active, weak


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


def at_kink(
    choice: str,
    matrices: tuple[Tensor, Tensor, Tensor],
    rows: tuple[Tensor, Tensor],
    rhs: tuple[Tensor, Tensor],
    found: tuple[Tensor, Tensor],
    *,
    adjoint: bool,
) -> tuple[Tensor, Tensor]:
    """The differential that was found, or its adjoint, put right at every kink."""
    some = rows[1].any(-1)
    if in_memory(some):
        parts = (tuple(v[some] for v in part) for part in (matrices, rows, rhs))
        u, y = _by_choice(choice, *parts, adjoint=adjoint)
        return found[0].index_put((some,), u), found[1].index_put((some,), y)
    # mapped: which instances stand at a kink cannot be looked up, only masked
    full = _by_choice(choice, matrices, rows, rhs, adjoint=adjoint)
    mask = some.unsqueeze(-1)
    u, y = (torch.where(mask, w, v) for w, v in zip(full, found, strict=True))
    return u, y


def _by_choice(
    choice: str,
    matrices: tuple[Tensor, ...],
    rows: tuple[Tensor, ...],
    rhs: tuple[Tensor, ...],
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
    given = Once.apply(*matrices, *rhs)
    rates = directional(given[:3], rows, *given[3:])
    return rates.x, torch.cat([rates.nu, rates.lam], -1)


def least_squares(
    matrices: tuple[Tensor, ...],
    rows: tuple[Tensor, ...],
    rhs: tuple[Tensor, ...],
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
