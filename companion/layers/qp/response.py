"""How fast the solution moves with every row of a field, by the KKT inverse.

Chapter: optnet.md. Theorems: qp-gradients, qp-differential.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from companion.layers.qp.kkt import norms
from companion.layers.qp.regularity import Rows
from companion.problems import QP

NOTHING = 1e-13  # speed, beside the KKT inverse and the data, that counts as none
SHARED = 1e-6  # part of a row that other active rows have, from which it is dependent
CUTOFF = 1e-14  # relative eigenvalue below which the KKT matrix counts as singular


class Response(NamedTuple):
    """How fast x moves with every row of a field, along the seed, and at weak rows.

    scale: what counts as standing still; alone: rows that follow from no others.
    """

    speed: Tensor
    gradient: Tensor
    pressure: Tensor
    scale: Tensor
    alone: Tensor


def response(rows: Rows, wrt: str, seed: Tensor | None, problem: QP) -> Response:
    """Speeds of x from the pseudo-inverse of the KKT matrix on the active rows."""
    P, _, A, _, G, _ = rows.fields
    n, p = P.shape[-1], A.shape[-2]
    C = torch.cat([A, G], -2)
    size = norms(C)
    active = torch.cat([rows.strong.new_ones(len(P), p), rows.strong], -1)
    C = C / size.unsqueeze(-1) * active.unsqueeze(-1)
    corner = C.new_zeros(len(P), C.shape[-2], C.shape[-2])
    K = torch.cat([torch.cat([P, C.mT], -1), torch.cat([C, corner], -1)], -2)
    inverse = torch.linalg.pinv(K, rtol=CUTOFF, hermitian=True)
    X, Y = inverse[:, :n, :n], inverse[:, n:, :n] / size.unsqueeze(-1)
    dx = _speeds(rows, wrt, X, Y)
    g = torch.zeros_like(rows.x)
    if seed is not None:
        g = seed.detach().double().expand(*problem.batch, n).reshape(-1, n)
    speed = torch.linalg.vector_norm(dx, dim=-1).amax(-1)
    gradient = (dx * g[:, None, None]).sum(-1).abs().amax(-1)
    weak = rows.unit * rows.weak.unsqueeze(-1)
    pressure = torch.linalg.vector_norm(dx @ weak.mT.unsqueeze(1), dim=-1).amax(-1)
    sizes = {"P": rows.x, "A": _pair(rows.x, rows.nu), "G": _pair(rows.x, rows.lam)}
    data = sizes[wrt].abs().amax(-1) if wrt in sizes else torch.ones_like(rows.x[:, 0])
    scale = NOTHING * data * inverse.abs().amax((-2, -1))
    return Response(speed, gradient, pressure, scale, _alone(rows, wrt, speed))


def _alone(rows: Rows, wrt: str, speed: Tensor) -> Tensor:
    """Rows of a field of constraints that do not follow from other active rows."""
    if wrt in "Pq":
        return torch.ones_like(speed, dtype=torch.bool)
    A = rows.fields[2]
    held = rows.unit * rows.strong.unsqueeze(-1)
    C = torch.cat([A / norms(A).unsqueeze(-1), held], -2)
    # what is missing to one on the diagonal of CC⁺ is shared with other rows
    covered = (C * torch.linalg.pinv(C, rtol=CUTOFF).mT).sum(-1) > 1 - SHARED
    p = A.shape[-2]
    return covered[:, :p] if wrt in "Ab" else covered[:, p:]


def _pair(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([x, y], -1)


def _speeds(rows: Rows, wrt: str, X: Tensor, Y: Tensor) -> Tensor:
    """Dx for every entry of the field; axes instance, row, entry of the row, variable.

    X and Y are the blocks of the inverse that answer the cost and the constraints.
    """
    p = rows.nu.shape[-1]
    Y = Y[:, :p] if wrt in "Ab" else Y[:, p:]
    x = rows.x[:, None, :, None]
    if wrt in "bh":
        return Y.unsqueeze(-2)
    if wrt == "q":
        return -X.unsqueeze(-2)
    if wrt == "P":
        return -0.5 * (X.unsqueeze(2) * x + X.unsqueeze(1) * rows.x[:, :, None, None])
    y = rows.nu if wrt == "A" else rows.lam
    return -(y[:, :, None, None] * X.unsqueeze(1) + Y.unsqueeze(2) * x)
