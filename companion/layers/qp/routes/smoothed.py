"""The route of the central path: another function, and the derivative of that one.

Chapter: differentiation-routes.md. Theorems: smoothed-adjoint, central-path-smoothing.
Source: tracy2024differentiability.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from companion.layers.qp import interior_point
from companion.layers.qp.interior_point import Data
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes.route import Point, Trace, assemble
from companion.problems import Status

TOLERANCE = 1e-10  # on every residual of the smoothed conditions, relative
CENTRING = 0.2  # share of the complementarity that a step aims at
MAX_ITERATIONS = 80
STEP = 0.99  # share of the way to the boundary


@dataclass(frozen=True)
class Smoothed:
    """Needs a strictly feasible point; keeps the point.

    The point has lam_i (h - Gx)_i = mu on every row, and it is *this* function of the
    data that is differentiated: forward and backward belong together, at kinks too.
    Error against the unsmoothed solution: of the order of mu away from kinks, in the
    point and in the derivative; up to √mu in the point at a kink.
    """

    mu: float = 1e-3


def find(trace: Trace, data: Data) -> tuple[Point, Tensor]:
    """Newton's method on the smoothed conditions, from the inside."""
    mu = trace.settings.mu
    if not mu > 0:
        msg = f"smoothed: expected mu > 0, got {mu}"
        raise ValueError(msg)
    z = interior_point.start(data)
    for _ in range(MAX_ITERATIONS):
        running = ~(error(data, z, mu) <= TOLERANCE)
        if not bool(running.any()):
            break
        z = interior_point._where(running, step(data, z, mu), z)
    gap = trace.info["residual"] = error(data, z, mu)
    good = gap <= TOLERANCE
    status = torch.where(good, int(Status.SOLVED), int(Status.MAX_ITERATIONS))
    return Point(z.x, z.nu, z.lam), status


def error(data: Data, z: interior_point.Point, mu: float) -> Tensor:
    """Largest residual of an instance, relative to its terms, or to mu."""
    largest = interior_point.largest
    Px, Ax, Gx = (matvec(M, z.x) for M in (data.P, data.A, data.G))
    An, Gl = matvec(data.A.mT, z.nu), matvec(data.G.mT, z.lam)
    dual = largest(Px + data.q + An + Gl) / (1 + largest(Px, data.q, An, Gl))
    primal = largest(Ax - data.b, Gx + z.s - data.h)
    primal = primal / (1 + largest(Ax, data.b, Gx, data.h))
    return torch.stack([dual, primal, largest(z.s * z.lam / mu - 1)]).amax(0)


def step(data: Data, z: interior_point.Point, mu: float) -> interior_point.Point:
    """One Newton step towards s∘lam = mu, by way of larger products."""
    rows = max(z.s.shape[-1], 1)
    now = interior_point.dot(z.s, z.lam) / rows
    target = torch.clamp(CENTRING * now, min=mu).unsqueeze(-1)
    rd = matvec(data.P, z.x) + data.q
    rd = rd + matvec(data.A.mT, z.nu) + matvec(data.G.mT, z.lam)
    rh = matvec(data.G, z.x) + z.s - data.h
    t = (z.lam * (rh - z.s) + target) / z.s
    newton = interior_point.newton(data, z.lam / z.s)
    dx, dnu = newton(-rd - matvec(data.G.mT, t), data.b - matvec(data.A, z.x))
    ds = -rh - matvec(data.G, dx)
    d = interior_point.Point(dx, dnu, (target - z.lam * ds) / z.s - z.lam, ds)
    length = STEP * interior_point.to_boundary(z, d)
    length = length.clamp(max=1).unsqueeze(-1)
    return interior_point.Point(*(v + length * dv for v, dv in zip(z, d, strict=True)))


def gradients(trace: Trace, data: Data, z: Point, g: Point) -> Data:
    """Gradients from the adjoint of the smoothed conditions."""
    return assemble(z, adjoint(data, z, g, trace.settings.mu))


def adjoint(data: Data, z: Point, g: Point, mu: float) -> Point:
    """Solve [P Aᵀ Gᵀ; A 0 0; G 0 -D(s/lam)](dx, dnu, dlam) = -(gx, gnu, glam).

    The slack is s = mu/lam.  Eliminating dlam leaves the matrix of a Newton step.
    """
    weight = z.lam.square() / mu
    newton = interior_point.newton(data, weight)
    dx, dnu = newton(-g.x - matvec(data.G.mT, weight * g.lam), -g.nu)
    return Point(dx, dnu, weight * (matvec(data.G, dx) + g.lam))
