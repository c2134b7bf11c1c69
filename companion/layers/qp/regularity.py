"""Does the derivative of the solution exist?  The three conditions, as numbers.

Chapter: sensitivity.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from companion.layers.qp import sparse
from companion.layers.qp.interior_point import active_rows
from companion.layers.qp.kkt import matvec, norms, solve_kkt
from companion.layers.qp.stability import radius
from companion.layers.qp.uniqueness import only_multipliers, only_solution
from companion.problems import QP, QPSolution, Regularity, Status
from companion.problems.outcomes import CURVATURE_MARGIN, LICQ_MARGIN

ZERO_SLACK = 1e-8  # slack at which a row of norm one touches its bound
CORES = (2, 1, 2, 1, 2, 1, 1, 1, 1, 1)  # axes of the fields and of x, nu, lam, slack


class Rows(NamedTuple):
    """A solved batch in float64, one batch axis, detached; zeros where unsolved.

    unit: the inequalities scaled to norm one; strong: rows with a multiplier above
    their slack; weak: rows with neither multiplier nor slack.
    """

    fields: tuple[Tensor, ...]
    x: Tensor
    nu: Tensor
    lam: Tensor
    slack: Tensor
    unit: Tensor
    strong: Tensor
    weak: Tensor
    solved: Tensor


def rows_of(problem: QP, sol: QPSolution) -> Rows:
    """The rows of a solved batch, told apart."""
    batch, size = problem.batch, math.prod(problem.batch)
    solved = (sol.status == Status.SOLVED).reshape(size)
    parts = []
    pairs = zip(
        (*problem.fields, sol.x, sol.nu, sol.lam, sol.slack), CORES, strict=True
    )
    for v, axes in pairs:
        tail = v.shape[v.dim() - axes :]
        v = v.detach().double().expand(batch + tail).reshape(size, *tail)
        mask = solved.reshape(size, *(1,) * axes)
        parts.append(torch.where(mask, v, 0.0))
    G, lam, slack = parts[4], parts[8], parts[9]
    length = norms(G)
    strong = active_rows(G, lam, slack)
    weak = ~strong & (slack / length < ZERO_SLACK)
    unit = G / length.unsqueeze(-1)
    x, nu = parts[6:8]
    return Rows(
        tuple(parts[:6]), x, nu, lam, slack, unit=unit, strong=strong, weak=weak,
        solved=solved,
    )  # fmt: skip


def of_sparse(problem: QP, found: list[Any]) -> Rows:
    """The rows of sparse instances, each with what was found of it; no matrices."""
    sizes = (problem.n, problem.p, *(problem.m,) * 4)
    parts = []
    for one in found:
        if one is None:
            parts.append(tuple(map(np.zeros, sizes)))
        else:
            rows = one[0]
            parts.append((*rows.point, rows.slack, rows.strong, rows.weak))
    x, nu, lam, slack, strong, weak = (
        torch.from_numpy(np.stack(column)) for column in zip(*parts, strict=True)
    )
    solved = torch.tensor([one is not None for one in found])
    return Rows((), x, nu, lam, slack, x[:0], strong.bool(), weak.bool(), solved)


def regularity(problem: QP, sol: QPSolution, direction: QP | None = None) -> Regularity:
    """How far every instance is from losing its derivative, with a verdict in words.

    strict_complementarity: min over rows of max(lam_i |G_i|, slack_i / |G_i|);
    licq: least singular value of the equality rows and the rows that touch, each
    scaled to norm one; curvature: least eigenvalue of P on the null space of the
    strongly active rows; condition: of the KKT matrix on those rows.  No rows give
    infinity for the first two, a null space of {0} infinity for the third.

    residual: of the adjoint solve for the seed (cos 1, cos 2, …) of x, relative to the
    seed: of order one where that seed asks for a derivative that does not exist.
    unique: no other x is optimal; unique_multipliers: no other (nu, lam) is.

    `direction` is a QP whose fields are the speeds of the data, as `along` makes one.
    radius is then the largest t up to which the active set at data + t·direction is
    that of the solution and P semidefinite; infinite if that never ends, NaN if the
    KKT matrix is singular.  For q, b and h it is an exact ratio test, for P, A and G
    the least root of one matrix pencil a row.

    A problem with sparse matrices gets the same numbers from sparse factorisations, the
    eigenvalues to four digits, and a radius for directions of q, b and h.

    An instance that was not solved is NaN throughout, hence not differentiable.

    Source: fiacco1976sensitivity, Theorem 2.1, for the three conditions.
    """
    if sparse.is_sparse(problem):
        return sparse.regularity(problem, sol, direction)
    rows = rows_of(problem, sol)
    P, _, A, _, G, _ = rows.fields
    size, A = norms(G), A / norms(A).unsqueeze(-1)
    strict = _least(torch.maximum(rows.lam * size, rows.slack / size))
    licq = _least_singular(A, rows.unit, rows.strong | rows.weak)
    curvature, condition = _kkt(P, A, rows.unit, rows.strong)
    residual = _residual(P, A, rows)
    numbers = [strict, licq, curvature, condition, residual]
    flat = (curvature <= CURVATURE_MARGIN) & rows.solved
    dependent = (licq <= LICQ_MARGIN) & rows.solved
    unique = only_solution(P, A, rows.unit, (rows.strong, rows.weak), flat)
    duals = only_multipliers(A, rows.unit, (rows.strong, rows.weak), dependent)
    if direction is not None:
        regular = ~flat & (condition < 1 / torch.finfo(P.dtype).eps)
        numbers.append(radius(problem, rows, direction, regular))
    solved = (torch.where(rows.solved, v, torch.nan) for v in numbers)
    shaped = [v.reshape(problem.batch) for v in solved]
    flags = [(v & rows.solved).reshape(problem.batch) for v in (unique, duals)]
    return Regularity(*shaped[:5], *flags, *shaped[5:])


def _residual(P: Tensor, A: Tensor, rows: Rows) -> Tensor:
    """Residual of the adjoint solve for a seed with no special direction."""
    n, p = P.shape[-1], A.shape[-2]
    seed = torch.arange(1.0, n + 1, dtype=P.dtype, device=P.device).cos()
    seed = seed.expand(len(P), n)
    active = torch.cat([rows.strong.new_ones(len(P), p), rows.strong], -1)
    C = torch.cat([A, rows.unit], -2) * active.unsqueeze(-1)
    u, y = solve_kkt(P, C, active, -seed, torch.zeros_like(active, dtype=P.dtype))
    left = torch.cat([matvec(P, u) + matvec(C.mT, y) + seed, matvec(C, u)], -1)
    return torch.linalg.vector_norm(left, dim=-1) / torch.linalg.vector_norm(
        seed, dim=-1
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
