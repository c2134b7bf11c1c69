"""How fast the solution of a sparse problem moves with every row of a field.

Columns of the inverse of the KKT matrix come from its factors, a block at a time; only
for matrices is the block of the inverse that belongs to P kept, hence the limit on
their size.  Entries that are not stored are no data and have no speed.

Chapter: optnet.md. Theorems: qp-gradients, qp-differential.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from companion.layers.qp.response import NOTHING, SHARED, Response
from companion.layers.qp.sparse.data import largest, lengths, stacked
from companion.layers.qp.sparse.factor import Factor
from companion.layers.qp.sparse.regularity import Margins, Rows
from companion.layers.qp.sparse.spectrum import factored, kkt
from companion.problems import QP
from companion.problems.outcomes import LICQ_MARGIN

BLOCK = 64  # columns of the inverse that are computed at a time
MOST = 3000  # variables up to which a block of the inverse is kept as a whole
SHIFT = 1e-12  # of CCᵀ, to find what its rows share

Columns = Iterator[tuple[np.ndarray, np.ndarray]]


def response(
    problem: QP, found: list[tuple[Rows, Margins] | None], wrt: str, seed: Tensor | None
) -> Response:
    """Speeds of x in every instance; zeros where it was not solved.

    Raises
    ------
    ValueError
        If `wrt` is a matrix and the problem has more than MOST variables.
    """
    if wrt in "PAG" and problem.n > MOST:
        msg = f"wrt: expected q, b or h for more than {MOST} sparse variables"
        raise ValueError(f"{msg}, got {wrt!r} and {problem.n}")
    count = {"P": problem.n, "q": problem.n, "A": problem.p, "b": problem.p}
    size, rows = math.prod(problem.batch), count.get(wrt, problem.m)
    g = np.zeros((size, problem.n))
    if seed is not None:
        full = seed.detach().double().expand(*problem.batch, problem.n)
        g = full.reshape(g.shape).numpy()
    parts = []
    for one, own in zip(found, g, strict=True):
        nothing = (np.zeros(rows),) * 3
        parts.append(_instance(*one, wrt, own) if one else
                     (*nothing, 0.0, np.ones(rows, bool)))  # fmt: skip
    columns = (np.stack(v) for v in zip(*parts, strict=True))
    return Response(*map(torch.from_numpy, columns))


def _instance(rows: Rows, margins: Margins, wrt: str, g: np.ndarray) -> tuple[Any, ...]:
    """(speed, gradient, pressure, scale, alone) of one instance."""
    data, point, factor = rows.data, rows.point, margins.factor
    n, p = len(data.q), len(data.b)
    weak, seen = rows.G[rows.weak], 0.0
    count = {"P": n, "q": n, "A": p, "b": p}.get(wrt, len(data.h))
    found = np.zeros((3, count))
    moves = (_of_vector if wrt in "qbh" else _of_matrix)(rows, factor, wrt)
    for places, dx in moves:  # columns are speeds of x
        speed = np.linalg.norm(dx, axis=0)
        pressure = np.linalg.norm(weak @ dx, axis=0)
        for kept, values in zip(found, (speed, np.abs(g @ dx), pressure), strict=True):
            np.maximum.at(kept, places, values)
        seen = max(seen, largest(dx))
    y = {"A": point.nu, "G": point.lam}.get(wrt, point.x[:0])
    size = largest(point.x, y) if wrt in "PAG" else 1.0
    reach = max(seen, 1 / (1 + largest(data.P.data)))  # the inverse has such entries
    if factor.regular and margins.least:
        reach = 1 / margins.least
    alone = np.ones(count, bool)
    if wrt in "AbGh" and not margins.numbers[1] > LICQ_MARGIN:
        shared = _shared(rows)
        alone = ~(shared[:p] if wrt in "Ab" else shared[p:])
    return *found, NOTHING * size * reach, alone


def _blocks(factor: Factor, places: np.ndarray, first: int) -> Columns:
    """Speeds of x with right-hand sides of one, at these places of the system."""
    sizes = np.concatenate([np.full(factor.n, factor.cost), factor.sizes])
    sides = factor.n + len(factor.rows)
    where = np.concatenate(
        [np.arange(factor.n), factor.n + np.flatnonzero(factor.rows)]
    )
    for some in np.array_split(places, max(1, math.ceil(len(places) / BLOCK))):
        if factor.regular:
            at = np.searchsorted(where, some + first)
            r = np.zeros((len(sizes), len(some)))
            r[at, np.arange(len(some))] = 1 / sizes[at]
            z = factor.lu.solve(r)
            z += factor.lu.solve(r - factor.K @ z)
            yield some, z[: factor.n]
        elif len(some):
            e = np.zeros((len(some), sides))
            e[np.arange(len(some)), some + first] = 1.0
            parts = [factor.solve(v[: factor.n], v[factor.n :])[0] for v in e]
            yield some, np.stack(parts, axis=1)


def _of_vector(rows: Rows, factor: Factor, wrt: str) -> Columns:
    """Speeds of x with every entry of q, b or h that moves it."""
    n, p = len(rows.data.q), len(rows.data.b)
    if wrt == "q":
        yield from _blocks(factor, np.arange(n), 0)
    elif wrt == "b":
        yield from _blocks(factor, np.arange(p), n)
    else:
        yield from _blocks(factor, np.flatnonzero(rows.strong), n + p)


def _of_matrix(rows: Rows, factor: Factor, wrt: str) -> Columns:
    """Speeds of x with every stored entry of P, A or G, for its row."""
    data, (x, nu, lam) = rows.data, rows.point
    X = np.zeros((len(x), len(x)))
    for some, dx in _blocks(factor, np.arange(len(x)), 0):
        X[:, some] = dx
    M, y = {"P": (data.P, x), "A": (data.A, nu), "G": (data.G, lam)}[wrt]
    answers, half = X, 0.5
    if wrt != "P":
        answers, half = np.zeros((len(x), len(y))), 1.0
        for some, dx in _of_vector(rows, factor, "b" if wrt == "A" else "h"):
            answers[:, some] = dx
    for i in range(M.shape[0]):
        own = M.indices[M.indptr[i] : M.indptr[i + 1]]
        dx = -half * (y[i] * X[:, own] + np.outer(answers[:, i], x[own]))
        yield np.full(len(own), i), dx


def _shared(rows: Rows) -> np.ndarray:
    """Rows of [A; G] that follow from other active ones: not alone in their span.

    I − CC⁺, whose diagonal says so, is the limit of δ(CCᵀ + δ)⁻¹, twice.
    """
    held = np.concatenate([np.ones(len(rows.data.b), bool), rows.strong])
    C = stacked(rows.A, rows.G)[held]
    k, n = C.shape
    lu = factored(kkt(sparse.identity(n, format="csr"), C, 0.0, SHIFT))
    shared = np.zeros(len(held), bool)
    if lu is None or not k:
        shared[held] = lengths(C) == 0 if k else False
        return shared
    for some in np.array_split(np.arange(k), math.ceil(k / BLOCK)):
        r = np.zeros((n + k, len(some)))
        r[n + some, np.arange(len(some))] = 1.0
        for _ in range(2):
            z = lu.solve(r)
            r[n:] = -SHIFT * z[n:]
        shared[np.flatnonzero(held)[some]] = r[n + some, np.arange(len(some))] > SHARED
    return shared
