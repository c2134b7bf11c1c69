"""One linear system for everything: the KKT system of an equality-constrained QP.

The final Newton step of the forward pass, the adjoint and the tangent of the solution
are all this system with different right-hand sides, on the rows that are active.

Chapter: optnet.md. Theorems: qp-active-set, qp-augmented.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.linalg import cholesky_ex, solve_triangular

PIVOT_RATIO = (
    1e-7  # least/greatest Cholesky pivot below which a factor counts as singular
)
CUTOFF = 1e-11  # relative eigenvalue cut-off of the minimum-norm solution


def norms(C: Tensor) -> Tensor:
    """Euclidean norm of every row, with 1 for a zero row."""
    size = torch.linalg.vector_norm(C, dim=-1)
    return torch.where(size > 0, size, torch.ones_like(size))


def matvec(M: Tensor, v: Tensor) -> Tensor:
    """The product M v over leading batch axes."""
    return (M @ v.unsqueeze(-1)).squeeze(-1)


def solve_kkt(
    P: Tensor, C: Tensor, active: Tensor, r1: Tensor, r2: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve [P Cᵀ; C 0](u, y) = (r1, r2) with C restricted to its active rows.

    Rows that are not active get y = 0.  The block P is replaced by P + ρCᵀC, and r1 by
    r1 + ρCᵀr2, which changes nothing in the solution and makes the block positive
    definite whenever the system is nonsingular (theorem qp-augmented), so that two
    Cholesky factorisations suffice; torch's batched LU hangs or returns garbage when a
    thread count is set (torch 2.13).  Where the system is singular the minimum-norm
    least-squares solution is returned; `regularity` reports those instances.

    Every step is differentiable, so second derivatives of a layer follow.
    """
    scale = active.to(C.dtype) / norms(C).detach()
    C, r2 = C * scale.unsqueeze(-1), r2 * scale
    rho = P.detach().abs().amax((-2, -1))
    rho = torch.where(rho > 0, rho, torch.ones_like(rho))[..., None, None]
    with torch.no_grad():
        singular = _singular(P, C, active, rho)
    if not singular.any():
        u, y = _regular(P, C, active, rho, (r1, r2))
        return u, y * scale
    # a singular instance must not send NaN through its neighbours' shared gradients
    bad = singular[..., None, None]
    eye = torch.eye(P.shape[-1], dtype=P.dtype, device=P.device)
    u, y = _regular(
        torch.where(bad, eye, P),
        torch.where(bad, 0.0, C),
        active & ~singular.unsqueeze(-1),
        rho,
        (r1, torch.where(bad.squeeze(-1), 0.0, r2)),
    )
    rows = (singular,)
    u_bad, y_bad = _minimum_norm(P[rows], C[rows], r1[rows], r2[rows])
    return u.index_put(rows, u_bad), y.index_put(rows, y_bad) * scale


def _factor(
    P: Tensor, C: Tensor, active: Tensor, rho: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cholesky factors of P + ρCᵀC and of its Schur complement, and their status."""
    L, info = cholesky_ex(P + rho * (C.mT @ C))
    half = solve_triangular(L, C.mT, upper=False)
    idle = torch.diag_embed((~active).to(P.dtype))
    S, info_s = cholesky_ex(rho * (half.mT @ half) + idle)
    return L, S, (info > 0) | (info_s > 0)


def _singular(P: Tensor, C: Tensor, active: Tensor, rho: Tensor) -> Tensor:
    """Whether the KKT matrix on the active rows is numerically singular."""
    L, S, failed = _factor(P, C, active, rho)
    small = torch.zeros_like(failed)
    for factor in (L, S):
        pivots = factor.diagonal(dim1=-2, dim2=-1)
        if pivots.shape[-1]:
            small |= ~(pivots.amin(-1) > PIVOT_RATIO * pivots.amax(-1))
    return failed | small


def _regular(
    P: Tensor, C: Tensor, active: Tensor, rho: Tensor, rhs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Block elimination with one step of iterative refinement on the true system."""
    L, S, _ = _factor(P, C, active, rho)
    weight = rho.squeeze(-1)

    def eliminate(r1: Tensor, r2: Tensor) -> tuple[Tensor, Tensor]:
        t = r1 + weight * matvec(C.mT, r2)
        v = torch.cholesky_solve(t.unsqueeze(-1), L).squeeze(-1)
        gap = (weight * (matvec(C, v) - r2)).unsqueeze(-1)
        y = torch.cholesky_solve(gap, S).squeeze(-1)
        u = v - torch.cholesky_solve(matvec(C.mT, y).unsqueeze(-1), L).squeeze(-1)
        return u, y

    r1, r2 = rhs
    u, y = eliminate(r1, r2)
    du, dy = eliminate(r1 - matvec(P, u) - matvec(C.mT, y), r2 - matvec(C, u))
    return u + du, y + dy


def _minimum_norm(
    P: Tensor, C: Tensor, r1: Tensor, r2: Tensor
) -> tuple[Tensor, Tensor]:
    """Least-squares solution of least norm, by the pseudo-inverse of the KKT matrix."""
    n, k = P.shape[-1], C.shape[-2]
    corner = torch.zeros(*P.shape[:-2], k, k, dtype=P.dtype, device=P.device)
    K = torch.cat([torch.cat([P, C.mT], -1), torch.cat([C, corner], -1)], -2)
    inverse = torch.linalg.pinv(K, rtol=CUTOFF, hermitian=True)
    solution = matvec(inverse, torch.cat([r1, r2], -1))
    return solution[..., :n], solution[..., n:]
