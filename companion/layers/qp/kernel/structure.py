"""Structure that is seen and used: separable problems with at most one equality.

Chapter: optnet.md. Theorems: qp-active-set, simplex-projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from companion.layers.qp.kernel import separable
from companion.layers.qp.kernel.engine import Arrays, Found, as_array, over_chunks

LEAST = 30  # variables below which looking costs more than it saves


@dataclass(frozen=True, eq=False)
class Separable:
    """Diagonal of P, the equality's row (or none), and the entry of each row of G."""

    diagonal: np.ndarray
    row: np.ndarray
    entries: tuple[np.ndarray, np.ndarray]


def seen(data: tuple[Tensor, ...]) -> Separable | None:
    """The structure of a batch that shares a diagonal P, A and G; None if it has none.

    P ≻ 0 is part of it; so is that each row of G bounds one variable.
    """
    P, _, A, _, G, _ = data
    n, shared = P.shape[-1], len(P) == len(A) == len(G) == 1
    if not shared or n < LEAST or A.shape[1] > 1 or G.shape[1] == 0:
        return None
    P, A, G = (np.ascontiguousarray(v.detach().numpy()[0]) for v in (P, A, G))
    every, column = np.arange(n), np.empty(len(G), np.int64)
    places = np.empty(n, np.int64)
    # most problems are told apart by their first row
    if not (separable.lone(G, column) and separable.lone(P, places)):
        return None
    diagonal = np.ascontiguousarray(np.diagonal(P))
    coefficient = G[np.arange(len(G)), column]
    positive = (places == every).all() and (diagonal > 0).all()
    if not positive or not np.isfinite(coefficient).all():
        return None
    row = A[0] if len(A) else np.empty(0)
    return Separable(diagonal, row, (column, coefficient))


def gradients(
    _data: tuple[Tensor, ...],
    factors: Sequence[Tensor],
    point: tuple[Tensor, Tensor],
    seeds: tuple[Tensor, Tensor | None],
    wanted: tuple[bool, ...],
) -> tuple[Tensor | None, ...]:
    """(dx, dy) of the adjoint system; the matrices are shared, hence None here."""
    assert not any(wanted), "shared matrices have summed gradients"
    _, diagonal, row, column, coefficient, free = map(as_array, factors)
    gx, gy = seeds
    y = as_array(point[1])
    g = as_array(gx), np.empty((0, 0)) if gy is None else as_array(gy)
    found = np.empty(gx.shape), np.empty_like(y)

    def act(span: tuple[int, int]) -> None:
        separable.adjoint_chunk(
            span, diagonal, row, (column, coefficient), (y, free), g, found
        )

    over_chunks(act, len(gx), 6.0 * gx.shape[1])
    return (*map(torch.from_numpy, found), None, None, None)


def solve(s: Separable, data: tuple[Tensor, ...], *, keep: bool) -> Found:
    """Solve a batch of separable QPs; what fails is left to another engine."""
    _, q, _, b, _, h = data
    arrays: Arrays = tuple(map(as_array, (q, b, h)))
    size, n, m = max(map(len, arrays)), q.shape[1], h.shape[1]
    p = b.shape[1]
    found = (
        np.empty((size, n)), np.empty((size, p + m)), np.empty((size, m)),
        np.empty((size, n), np.bool_), np.zeros(size, np.int64),
    )  # fmt: skip

    def act(span: tuple[int, int]) -> None:
        separable.solve_chunk(span, s.diagonal, s.row, s.entries, arrays, found)

    over_chunks(act, size, 30.0 * n)
    x, y, _, free, outcomes = found
    fine = (outcomes == 0) & np.isfinite(x).all(1) & np.isfinite(y).all(1)
    kept: Arrays = (fine, s.diagonal, s.row, *s.entries, free) if keep else ()
    return Found(
        *map(torch.from_numpy, (x, y, y[:, p:] > 0, fine)),
        bool(fine.all()),
        0.0,
        torch.zeros(size, dtype=torch.int64),
        tuple(map(torch.from_numpy, kept)),
    )
