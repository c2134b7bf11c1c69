"""The route of OptNet: one transposed solve with the KKT matrix of all rows.

Chapter: differentiation-routes.md. Theorems: full-and-reduced-agree.
Source: amos2017optnet, eq. (7).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from companion.layers.qp.interior_point import Data
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes.route import (
    DerivativeError,
    Point,
    Trace,
    assemble,
    exact,
)

SINGULAR = 1e-13  # least/greatest pivot of a row-scaled KKT matrix


@dataclass(frozen=True)
class FullKKT:
    """Needs strict complementarity, independent active rows and curvature.

    Where one of them fails K is singular, and `backward` raises DerivativeError.
    Error: rounding, times the condition of K.
    """


def find(trace: Trace, data: Data) -> tuple[Point, Tensor]:
    """The exact solution."""
    return exact(trace, data)


def gradients(_trace: Trace, data: Data, z: Point, g: Point) -> Data:
    """Gradients from the adjoint of the full system."""
    return assemble(z, adjoint(data, z, g))


def adjoint(data: Data, z: Point, g: Point) -> Point:
    """Solve Kᵀ(dx, e, dnu) = -(gx, glam, gnu); then dlam = lam∘e.

    K = [P Gᵀ Aᵀ; D(lam)G D(Gx - h) 0; A 0 0], of n + m + p rows.
    """
    P, A, G = data.P, data.A, data.G
    slack = data.h - matvec(G, z.x)
    corner = P.new_zeros(len(P), A.shape[-2], A.shape[-2] + G.shape[-2])
    middle = corner[..., : G.shape[-2]].mT
    Kt = torch.cat(
        [
            torch.cat([P, G.mT * z.lam.unsqueeze(-2), A.mT], -1),
            torch.cat([G, torch.diag_embed(-slack), middle], -1),
            torch.cat([A, corner], -1),
        ],
        -2,
    )
    d = _solve(Kt, -torch.cat([g.x, g.lam, g.nu], -1))
    dx, e, dnu = d.split([P.shape[-1], G.shape[-2], A.shape[-2]], -1)
    return Point(dx, dnu, z.lam * e)


def _solve(M: Tensor, r: Tensor) -> Tensor:
    """M⁻¹r by QR: torch's batched LU hangs with an explicit thread count (2.13)."""
    size = M.abs().amax(-1, keepdim=True)
    size = torch.where(size > 0, size, 1.0)
    Q, R = torch.linalg.qr(M / size)
    pivots = R.diagonal(dim1=-2, dim2=-1).abs()
    singular = ~(pivots.amin(-1) > SINGULAR * pivots.amax(-1))
    if bool(singular.any()):
        first = int(singular.nonzero()[0, 0])
        msg = (
            f"full_kkt: expected a nonsingular KKT matrix, got a singular one in "
            f"{int(singular.sum())} of {len(M)} solved instances, first in number "
            f"{first}: a row with multiplier and slack both zero, dependent active "
            f"rows, or no curvature left"
        )
        raise DerivativeError(msg)
    right = Q.mT @ (r.unsqueeze(-1) / size)
    return torch.linalg.solve_triangular(R, right, upper=True).squeeze(-1)
