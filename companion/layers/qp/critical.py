"""How a solution moves along one direction: the program on the critical cone.

Strongly active rows stay equations, weakly active ones become inequalities.

Chapter: optnet.md. Theorems: kkt-nonsingular.
Source: robinson1980strongly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from companion.layers.qp import engines
from companion.layers.qp.interior_point import active_rows, largest
from companion.layers.qp.kkt import matvec, norms, stacked
from companion.layers.qp.run import Run
from companion.problems import Status

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


def split(G: Tensor, lam: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """Strongly active rows, and weakly active ones."""
    strong = active_rows(G, lam, slack)
    return strong, ~strong & (slack / norms(G) < TOUCHES)


def right_sides(
    moves: tuple[Tensor, ...], point: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """What a direction of the data adds to the KKT conditions at a point."""
    dP, dq, dA, db, dG, dh = moves
    x, nu, lam = point
    r1 = -(matvec(dP, x) + dq + matvec(dA.mT, nu) + matvec(dG.mT, lam))
    return r1, torch.cat([db - matvec(dA, x), dh - matvec(dG, x)], -1)


def directional(
    matrices: tuple[Tensor, ...],
    rows: tuple[Tensor, ...],
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
    w, pressed, found = Program.apply(
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


class Once(torch.autograd.Function):
    """Tensors as they are, but without a derivative: they serve for one already."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors."""
        return tuple(v.view_as(v) for v in tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor, ...]:
        """Directional derivatives jump from kink to kink."""
        del ctx, seeds
        raise RuntimeError(TWICE)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        """Directional derivatives jump from kink to kink."""
        del ctx, tangents
        raise RuntimeError(TWICE)


TWICE = (
    'at_kink="directional": expected one derivative at a kink, got a second; '
    "directional derivatives have none there"
)


class Program(torch.autograd.Function):
    """(H, c, G, room) -> minimizer and multipliers of ½wᵀHw + cᵀw over Gw ≤ room.

    And whether they were found.  Not differentiable: it is a derivative already; an
    autograd function, so that vmap folds what it maps.
    """

    @staticmethod
    def forward(
        H: Tensor, c: Tensor, G: Tensor, room: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Solve by the layer's own engines."""
        run = Run("auto", torch.finfo(H.dtype).eps, (len(H),))
        H = 0.5 * (H + H.mT)
        data = (H, c, G[:, :0], room[:, :0], G, room)
        w, pressed, status, _ = engines.solve(run, None, data)
        return w, pressed, status == Status.SOLVED

    @staticmethod
    def setup_context(ctx: Any, _inputs: tuple[Any, ...], output: Any) -> None:
        """Keep nothing."""
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor
    ) -> tuple[Any, ...]:
        """Fold a mapped axis into the batch."""
        pairs = zip(inputs, in_dims, strict=True)
        folded = (stacked(v, d, info.batch_size).flatten(0, 1) for v, d in pairs)
        outputs = Program.apply(*folded)
        return tuple(v.unflatten(0, (info.batch_size, -1)) for v in outputs), (0,) * 3
