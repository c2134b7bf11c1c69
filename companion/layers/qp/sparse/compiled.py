"""The compiled active-set method for one sparse problem, where numba is installed.

Chapter: optnet.md. Theorems: qp-active-set.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse.csgraph import reverse_cuthill_mckee

from companion.layers.qp.sparse.data import (
    Data,
    Matrix,
    Point,
    Scale,
    active_rows,
    largest,
    stacked,
)

STEPS = 30  # of the active rows until they should have settled
MOST = 2e4  # multiplications for each unknown: beyond, a factor in blocks is faster


@cache
def kernel() -> Any:
    """The compiled functions; None where numba is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    from companion.layers.qp.kernel import sparse  # noqa: PLC0415 - numba is optional

    return sparse


class Settled(NamedTuple):
    """A solution, the factors on its strongly active rows, its KKT residual."""

    point: Point
    factors: Factors
    residual: float
    steps: int


class Factors:
    """The KKT system on the active rows, factored by LDLᵀ: it solves the adjoint."""

    regular = True

    def __init__(self, active: np.ndarray, scales: Any, system: Any) -> None:
        self.active, self.scales, self.system = active, scales, system

    def solve(self, r1: np.ndarray, r2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(u, y) with Pu + Cᵀy = r1, Cu = r2 on the active rows; y = 0 elsewhere."""
        k = kernel()
        return k.solved(self.system, self.scales, r1, r2, k.REFINEMENTS)


def rows(M: Matrix) -> tuple[np.ndarray, ...]:
    """(starts, columns, values) of a matrix, as compiled code wants them."""
    places = (np.asarray(v, np.int32) for v in (M.indptr, M.indices))
    return (*places, np.asarray(M.data, float))


def _bandwidth_order(data: Data) -> np.ndarray:
    """Places of the variables after reverse Cuthill-McKee."""
    C = stacked(data.P, stacked(data.A, data.G))
    order = reverse_cuthill_mckee((C.T @ C).tocsr(), symmetric_mode=True)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def settle(data: Data, guess: np.ndarray | None) -> Settled | None:
    """The solution with its factors; None where it is not found.

    Variables are eliminated as they come, and if that fills too much, in the order of
    reverse Cuthill-McKee.
    """
    k = kernel()
    if k is None:
        return None
    problem = tuple(rows(M) for M in (data.P, data.A, data.G))
    n, p, m = len(data.q), len(data.b), len(data.h)
    sizes = np.concatenate([k.compressed.lengths(M) for M in problem[1:]])
    scales = (largest(data.P.data, data.q) or 1.0, sizes)
    sides = tuple(np.ascontiguousarray(v) for v in (data.q, data.b, data.h))
    active = np.zeros(m, bool) if guess is None else guess
    limits = (STEPS, MOST * (n + p + m))
    for where in (lambda: np.arange(n), lambda: _bandwidth_order(data)):
        end, z, active, system = k.settle(
            problem, sides, scales, where(), active, limits
        )
        if end != k.FULL:
            break
    if end != k.SETTLED:
        return None
    x, y, steps = z
    residual = k.compressed.accuracy(problem, sides, x, y)
    point = Point(x, y[:p], y[p:])
    strong = active_rows(data, Scale(scales[0], sizes[:p], sizes[p:]), point)
    first, last = k.changed(system, strong)
    if last >= 0:
        k.factored(system, strong, first)
        if not k.regular(system):
            return None
    return Settled(point, Factors(strong, scales, system), residual, steps)
