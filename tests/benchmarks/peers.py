"""Peers as functions of (P, q, A, b, G, h), each imported when it is first called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from companion.layers import qp
from companion.problems import QP

Layer = Callable[..., Tensor]
FAR = 1e20  # where there is no lower bound


def companion(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """Ours."""
    return qp.layer(QP(P, q, A, b, G, h))


def batched(q: Tensor, *fields: Tensor) -> list[Tensor]:
    """Fields with the batch axis of q, for peers that do not broadcast or sum right."""
    ranks = (2, 2, 1, 2, 1)
    return [
        v if v.dim() > r else v.expand(len(q), *v.shape)
        for v, r in zip(fields, ranks, strict=True)
    ]


def qpth(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """OptNet's own package; it averages shared gradients, hence expanded fields."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    none = torch.empty(0, dtype=q.dtype)
    solve = importlib.import_module("qpth.qp").QPFunction(verbose=-1)
    return solve(P, q, G, h, *((A, b) if b.shape[-1] else (none, none)))


def proxsuite(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """QPLayer of proxsuite; it wants lower bounds too."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    layer = importlib.import_module("proxsuite.torch.qplayer").QPFunction
    return layer(structural_feasibility=True)(P, q, A, b, G, h * 0 - FAR, h)[0]


@cache
def _dqp() -> Any:
    module = importlib.import_module("dqp.dQP")
    settings = module.build_settings(
        solve_type="dense", qp_solver="daqp", lin_solver="scipy LU"
    )
    return module.dQP_layer(settings=settings)


def dqp(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """DQP around DAQP (the distribution is libdqp)."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    rows = (A, b) if b.shape[-1] else (None, None)
    return _dqp()(P, q, G, h, *rows)[0]


@cache
def _moreau(n: int, p: int, m: int, batch: int) -> Any:
    """A solver for dense data; its active set needs limits of its own."""
    moreau = importlib.import_module("moreau")
    solver = importlib.import_module("moreau.torch").Solver
    full = [torch.arange(0, n * k + 1, n, dtype=torch.int32) for k in (n, p + m)]
    columns = [torch.arange(n, dtype=torch.int32).repeat(k) for k in (n, p + m)]
    return solver(
        n=n, m=p + m, cones=moreau.Cones(num_zero_cones=p, num_nonneg_cones=m),
        settings=moreau.Settings(batch_size=batch),
        P_row_offsets=full[0], P_col_indices=columns[0],
        A_row_offsets=full[1], A_col_indices=columns[1],
    )  # fmt: skip


def moreau(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """moreau, with P and the rows as dense patterns."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    n, p, m = q.shape[-1], b.shape[-1], h.shape[-1]
    rows, sides = torch.cat([A, G], -2), torch.cat([b, h], -1)
    solver = _moreau(n, p, m, len(q))
    return solver.solve(P.flatten(-2), rows.flatten(-2), q, sides).x


PEERS: dict[str, tuple[str, Layer]] = {  # name: module to look for, layer
    "qpth": ("qpth", qpth),
    "proxsuite": ("proxsuite", proxsuite),
    "dqp": ("dqp", dqp),
    "moreau": ("moreau", moreau),
}
