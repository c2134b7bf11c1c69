"""Does the derivative of the solution exist?  The three conditions, as numbers.

Chapter: sensitivity.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

import torch
from torch import Tensor

from companion.layers.qp.interior_point import active_rows
from companion.layers.qp.kkt import norms
from companion.problems import QP, QPSolution, Regularity, Status

ZERO_SLACK = 1e-8  # slack at which a row of norm one touches its bound


def regularity(problem: QP, sol: QPSolution) -> Regularity:
    """How far every instance is from losing its derivative.

    strict_complementarity: min over rows of max(lam_i |G_i|, slack_i / |G_i|);
    licq: least singular value of the equality rows and the rows that touch, each
    scaled to norm one; curvature: least eigenvalue of P on the null space of the
    strongly active rows; condition: of the KKT matrix on those rows.  No rows give
    infinity for the first two, a null space of {0} infinity for the third.  An
    instance that was not solved is NaN throughout, hence not differentiable.

    Source: fiacco1976sensitivity, Theorem 2.1, for the three conditions.
    """
    P, A, G, lam, slack = (
        v.detach().double()
        for v in (problem.P, problem.A, problem.G, sol.lam, sol.slack)
    )
    batch, _n = problem.batch, problem.n
    P, A, G = (v.expand(batch + v.shape[-2:]) for v in (P, A, G))
    A = A / norms(A).unsqueeze(-1)
    solved = sol.status == Status.SOLVED
    P, A, G, lam, slack = (
        torch.where(
            solved.reshape(solved.shape + (1,) * (v.dim() - len(batch))), v, 0.0
        )
        for v in (P, A, G, lam, slack)
    )
    size = norms(G)
    strict = _least(torch.maximum(lam * size, slack / size))
    strong = active_rows(G, lam, slack)
    touching = strong | (slack / size < ZERO_SLACK)
    unit = G / size.unsqueeze(-1)

    licq = _least_singular(A, unit, touching)
    curvature, condition = _kkt(P, A, unit, strong)
    return Regularity(
        *(
            torch.where(solved, v, torch.nan)
            for v in (strict, licq, curvature, condition)
        )
    )


def _least(v: Tensor) -> Tensor:
    if not v.shape[-1]:
        return torch.full(v.shape[:-1], torch.inf, dtype=v.dtype, device=v.device)
    return v.amin(-1)


def _stack(A: Tensor, G: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
    """Equality and active rows, with zeros for the rest; and how many there are."""
    rows = torch.cat([A, G * active.unsqueeze(-1)], -2)
    return rows, active.sum(-1) + A.shape[-2]


def _least_singular(A: Tensor, G: Tensor, active: Tensor) -> Tensor:
    rows, count = _stack(A, G, active)
    values = torch.linalg.svdvals(rows)
    infinite = torch.full_like(values[..., :1].sum(-1), torch.inf)
    if not values.shape[-1]:
        return infinite
    at = (count - 1).clamp(0, values.shape[-1] - 1).unsqueeze(-1)
    least = values.gather(-1, at).squeeze(-1)
    least = torch.where(count > values.shape[-1], 0.0, least)
    return torch.where(count == 0, infinite, least)


def _kkt(P: Tensor, A: Tensor, G: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
    """Least curvature on the null space of the rows, and the KKT matrix's condition."""
    rows, count = _stack(A, G, active)
    n, k = P.shape[-1], rows.shape[-2]
    _, values, V = torch.linalg.svd(rows, full_matrices=True)
    rank = (values > 1e-10).sum(-1)
    free = torch.arange(n, device=P.device) >= rank.unsqueeze(-1)
    Z = V.mT * free.unsqueeze(-2)  # null space basis, zero columns elsewhere
    bound = 2 * torch.linalg.matrix_norm(P) + 1
    fill = torch.diag_embed((~free).to(P.dtype) * bound.unsqueeze(-1))
    curvature = torch.linalg.eigvalsh(Z.mT @ P @ Z + fill)[..., 0]
    curvature = torch.where(free.any(-1), curvature, torch.inf)

    corner = torch.zeros(*P.shape[:-2], k, k, dtype=P.dtype, device=P.device)
    K = torch.cat([torch.cat([P, rows.mT], -1), torch.cat([rows, corner], -1)], -2)
    sizes = torch.linalg.eigvalsh(K).abs().sort(-1, descending=True).values
    least = sizes.gather(-1, (n + count - 1).unsqueeze(-1)).squeeze(-1)
    return curvature, sizes[..., 0] / least
