"""The route of the central path: another function, and the derivative of that one.

Chapter: differentiation-routes.md. Theorems: smoothed-adjoint, central-path-smoothing.
Source: tracy2024differentiability.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from companion.layers.qp import interior_point, smoothing
from companion.layers.qp.interior_point import Data
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes.route import Point, Trace, assemble
from companion.problems import Status


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
    """The point of the central path, as `solve(smoothing=mu)` finds it."""
    mu = trace.settings.mu
    if not mu > 0:
        msg = f"smoothed: expected mu > 0, got {mu}"
        raise ValueError(msg)
    z, found = smoothing.central(data, mu)
    status = torch.where(found, int(Status.SOLVED), int(Status.MAX_ITERATIONS))
    return Point(z.x, z.nu, z.lam), status


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
