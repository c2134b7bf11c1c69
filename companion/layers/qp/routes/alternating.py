"""The route of Alt-Diff: differentiate the alternating directions, then iterate that.

Chapter: differentiation-routes.md. Theorems: alternating-derivative.
Source: sun2023alternating; christianson1994reverse for the transposed recursion.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from companion.layers.qp.interior_point import Data, largest
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes.route import (
    DerivativeError,
    Point,
    Trace,
    assemble,
    judge,
)

TINY = 1e-300  # below which a vector counts as zero


@dataclass(frozen=True)
class Alternating:
    """Needs P + ρ(AᵀA + GᵀG) ≻ 0; keeps one factor and the last iterate.

    Alt-Diff carries the Jacobian along with the iterates.  This route runs the same
    linear recursion transposed, with the gates of the last iterate: one vector instead
    of a matrix, and the same limit.  Error: what `steps` leave of a linearly converging
    sequence, forward and backward.  `tolerance` bounds both, the KKT residual of the
    point and the last update of the adjoint; `inf` accepts whatever was reached.
    """

    steps: int = 1000
    tolerance: float = 1e-6
    rho: float = 1.0


def find(trace: Trace, data: Data) -> tuple[Point, Tensor]:
    """The point after a fixed number of steps, from zero multipliers."""
    steps, rho = trace.settings.steps, trace.settings.rho
    L = factor(data, rho)
    nu, u = torch.zeros_like(data.b), torch.zeros_like(data.h)
    x = primal(data, L, rho, nu, u)
    for _ in range(steps):
        nu = nu + rho * (matvec(data.A, x) - data.b)
        u = data.h - matvec(data.G, x) - (-u).relu()
        x = primal(data, L, rho, nu, u)
    z = Point(x, nu, rho * (-u).relu())
    return z, judge(trace, data, z, trace.settings.tolerance)


def primal(data: Data, L: Tensor, rho: float, nu: Tensor, u: Tensor) -> Tensor:
    """The x-step: minimise the augmented Lagrangian, for slack and multiplier in u.

    u = s - lam/ρ holds both, since s = max(u, 0) and lam = ρ max(-u, 0).
    """
    force = data.q + matvec(data.A.mT, nu - rho * data.b)
    force = force + rho * matvec(data.G.mT, u.abs() - data.h)
    return -_against(L, force)


def gradients(trace: Trace, data: Data, z: Point, g: Point) -> Data:
    """Gradients from the adjoint of the recursion."""
    d, update = adjoint(data, z, g, trace.settings.steps, trace.settings.rho)
    trace.info["adjoint_update"] = update
    if bool((update > trace.settings.tolerance).any()):
        msg = (
            f"alternating: expected the last of {trace.settings.steps} steps to move "
            f"the adjoint by at most {trace.settings.tolerance:g}, "
            f"got {float(update.max()):.1e}"
        )
        raise DerivativeError(msg)
    return assemble(z, d)


def adjoint(
    data: Data, z: Point, g: Point, steps: int, rho: float
) -> tuple[Point, Tensor]:
    """The adjoint after these steps w <- Tᵀw + w0, and its last relative update.

    T is the derivative of one alternating step in (nu, u).  A row is gated open where
    its multiplier is positive: there d|u| = -du and d max(-u, 0) = -du; elsewhere
    d|u| = du and the other is zero.
    """
    A, G, L = data.A, data.G, factor(data, rho)
    held = (z.lam > 0).to(G.dtype)
    sign = 1 - 2 * held
    w = last = Point(-_against(L, g.x), torch.zeros_like(g.nu), torch.zeros_like(g.lam))
    for _ in range(steps):
        last = w
        nu = w.nu + matvec(A, w.x) + g.nu
        lam = held * (w.lam - rho * g.lam) + rho * sign * matvec(G, w.x)
        x = -_against(L, g.x + rho * matvec(A.mT, nu) - matvec(G.mT, lam))
        w = Point(x, nu, lam)
    update = largest(*(v - u for v, u in zip(w, last, strict=True)))
    update = update / largest(*w, g.x, g.nu, g.lam).clamp(min=TINY)
    dnu = rho * (w.nu + matvec(A, w.x))
    return Point(w.x, dnu, rho * matvec(G, w.x) - w.lam), update


def factor(data: Data, rho: float) -> Tensor:
    """Cholesky factor of M = P + ρ(AᵀA + GᵀG)."""
    M = data.P + rho * (data.A.mT @ data.A + data.G.mT @ data.G)
    L, failed = torch.linalg.cholesky_ex((M + M.mT) / 2)
    if bool(failed.any()):
        first = int(failed.nonzero()[0, 0])
        msg = f"alternating: expected P + ρ(AᵀA + GᵀG) ≻ 0, not so in instance {first}"
        raise ValueError(msg)
    return L


def _against(L: Tensor, v: Tensor) -> Tensor:
    return torch.cholesky_solve(v.unsqueeze(-1), L).squeeze(-1)
