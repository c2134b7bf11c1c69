"""The central path at a fixed distance from the solution: smooth, and differentiable.

P x + q + Aᵀnu + Gᵀlam = 0, Ax = b, slack_i lam_i = mu for every row i: the solution of
min ½xᵀPx + qᵀx − mu Σ log(h − Gx)_i over Ax = b.  It has a derivative everywhere, at
kinks too, whose linear system is that of these equations.

Chapter: optnet.md. Theorems: qp-optimality, qp-gradients.
Source: tracy2024differentiability, who smooth the derivative alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from companion.layers.qp.interior_point import (
    Data,
    Point,
    balance,
    largest,
    newton,
    restore,
    start,
    to_boundary,
)
from companion.layers.qp.kkt import matvec, solve_kkt
from companion.problems import Status

TARGET = 1e-13  # at which an instance stops, on residuals relative to their terms
ACCEPTED = 1e-9  # what rounding may leave of that
CONSISTENT = 1e-3  # between the slack variable and h − Gx, relative
SHRINK = 0.2  # share of the complementarity that a step aims at
STEP = 0.9  # share of the way to the boundary
PATIENCE = 4  # steps near the path that do not improve, and end an instance
MOST_STEPS = 120


def central(data: Data, mu: float) -> tuple[Point, Tensor]:
    """The point of every instance with slack_i lam_i = mu, and whether it was found.

    Newton's method on the perturbed conditions, aimed at ever smaller products until
    they are mu, then to full accuracy; each instance is frozen when it is there.
    """
    data, sizes = balance(data)
    goal = mu / sizes[0]
    z = best = start(data)
    lowest = _error(data, z, goal)
    running = torch.isfinite(lowest)
    since = torch.zeros_like(lowest, dtype=torch.int64)
    for _ in range(MOST_STEPS):
        z = _pick(running, _step(data, z, goal), z)
        now = _error(data, z, goal)
        running = running & torch.isfinite(now)
        better = running & (now < lowest)
        best, lowest = _pick(better, z, best), torch.where(better, now, lowest)
        since = torch.where(better | (lowest > ACCEPTED), 0, since + 1)
        running = running & (lowest > TARGET) & (since < PATIENCE)
        if not running.any():
            break
    # where s is below the rounding of h − Gx, there is no interior to be on the path of
    room = data.h - matvec(data.G, best.x)
    inside = largest(room * best.lam / goal - 1) <= CONSISTENT
    return restore(best, sizes), (lowest <= ACCEPTED) & inside


def _pick(mask: Tensor, new: Point, old: Point) -> Point:
    pairs = zip(new, old, strict=True)
    return Point(*(torch.where(mask.unsqueeze(-1), u, v) for u, v in pairs))


def _residuals(data: Data, z: Point) -> tuple[Tensor, Tensor, Tensor]:
    dual = matvec(data.P, z.x) + data.q
    dual = dual + matvec(data.A.mT, z.nu) + matvec(data.G.mT, z.lam)
    rows = matvec(data.G, z.x) + z.s - data.h
    return dual, matvec(data.A, z.x) - data.b, rows


def _error(data: Data, z: Point, mu: Tensor) -> Tensor:
    """Largest residual of the perturbed conditions, each relative to its terms."""
    dual, equal, rows = _residuals(data, z)
    terms = (matvec(data.P, z.x), data.q, matvec(data.A.mT, z.nu))
    dual = largest(dual) / (1 + largest(*terms, matvec(data.G.mT, z.lam)))
    primal = largest(equal, rows) / (1 + largest(data.b, data.h, matvec(data.G, z.x)))
    return torch.stack([dual, primal, largest(z.s * z.lam / mu - 1)]).amax(0)


def _step(data: Data, z: Point, mu: Tensor) -> Point:
    """A Newton step towards products that are a share of today's, and at least mu."""
    dual, equal, rows = _residuals(data, z)
    product = z.s * z.lam
    mean = product.mean(-1, keepdim=True) if product.shape[-1] else product
    goal = torch.maximum(SHRINK * mean, mu)
    t = (z.lam * rows - (product - goal)) / z.s
    dx, dnu = newton(data, z.lam / z.s)(-dual - matvec(data.G.mT, t), -equal)
    ds = -rows - matvec(data.G, dx)
    d = Point(dx, dnu, -(product - goal + z.lam * ds) / z.s, ds)
    length = (STEP * to_boundary(z, d)).clamp(max=1).unsqueeze(-1)
    return Point(*(v + length * dv for v, dv in zip(z, d, strict=True)))


def solve_path(
    fields: tuple[Tensor, Tensor, Tensor], weight: Tensor, r1: Tensor, r2: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve [P Aᵀ Gᵀ; A 0 0; G 0 −W⁻¹](u, y, w) = (r1, r2), W = diag(lam/slack).

    The last block is eliminated, which leaves [P + GᵀWG Aᵀ; A 0].
    """
    P, A, G = fields
    p = A.shape[-2]
    pressed = matvec(G.mT, weight * r2[:, p:])
    H = P + G.mT @ (weight.unsqueeze(-1) * G)
    every = torch.ones_like(r2[:, :p], dtype=torch.bool)
    u, y = solve_kkt(H, A, every, r1 + pressed, r2[:, :p])
    return u, torch.cat([y, weight * (matvec(G, u) - r2[:, p:])], -1)


def outcome(found: Tensor, exact: Tensor) -> Tensor:
    """Status of every instance: that of the exact program where it has no solution.

    A program without a strictly feasible point, or with an unbounded face of solutions,
    has no central path: MAX_ITERATIONS.
    """
    lost = torch.where(exact == Status.SOLVED, int(Status.MAX_ITERATIONS), exact)
    return torch.where(found, int(Status.SOLVED), lost)
