"""The route of automatic differentiation: through every step of a solver.

The solver is projected gradient ascent on the dual, with P eliminated.

Chapter: differentiation-routes.md. Theorems: unrolled-projected.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from companion.layers.qp.interior_point import Data
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes.route import Point, Trace, judge
from companion.problems import Status


@dataclass(frozen=True)
class Unrolled:
    """Needs P ≻ 0; keeps `steps` copies of the multipliers for the backward pass.

    Error: the derivative of the last iterate, which lags behind the iterate and does
    not know by how much.  `tolerance` bounds the KKT residual of the *point* alone; an
    instance above it counts as not solved, and `inf` accepts whatever was reached.
    """

    steps: int = 1000
    tolerance: float = 1e-6


def solve(settings: Unrolled, trace: Trace, data: Data) -> tuple[Tensor, ...]:
    """(x, nu, lam, status) after a fixed number of steps, recorded by autograd."""
    z = Point(*ascend(data, settings.steps))
    with torch.no_grad():
        status = judge(trace, data, z, settings.tolerance)
    solved = (status == Status.SOLVED).unsqueeze(-1)
    return *(torch.where(solved, v, torch.nan) for v in z), status


def ascend(data: Data, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """(x, nu, lam) after these steps y <- Π(y - α(Hy + f)) from y = 0.

    y = (nu, lam), C = (A; G), H = CP⁻¹Cᵀ, f = CP⁻¹q + (b; h), Π clips lam at zero and
    α = 1/λ_max(H), held constant by the derivative; x = -P⁻¹(q + Cᵀy).
    """
    p = data.b.shape[-1]
    C, d = torch.cat([data.A, data.G], -2), torch.cat([data.b, data.h], -1)
    L = _factor(data.P)
    H = C @ torch.cholesky_solve(C.mT, L)
    f = d + matvec(C, _against(L, data.q))
    rate = _rate(H)
    y = torch.zeros_like(f)
    for _ in range(steps):
        y = y - rate * (matvec(H, y) + f)
        y = torch.cat([y[..., :p], y[..., p:].relu()], -1)
    x = -_against(L, data.q + matvec(C.mT, y))
    return x, y[..., :p], y[..., p:]


def _rate(H: Tensor) -> Tensor:
    """1/λ_max of every instance; 1 where there are no rows."""
    if not H.shape[-1]:
        return H.new_ones(len(H), 1)
    return 1 / torch.linalg.eigvalsh(H.detach())[..., -1:]


def _against(L: Tensor, v: Tensor) -> Tensor:
    return torch.cholesky_solve(v.unsqueeze(-1), L).squeeze(-1)


def _factor(P: Tensor) -> Tensor:
    L, failed = torch.linalg.cholesky_ex((P + P.mT) / 2)
    if bool(failed.any()):
        first = int(failed.nonzero()[0, 0])
        msg = f"unrolled: expected P ≻ 0, got another in instance {first}"
        raise ValueError(msg)
    return L
