"""The forward pass: Clarabel, instance by instance, on threads.

Clarabel has no dual exponential and dual power cones, and stores the *upper* triangle
of a PSD block column by column.  Both are undone by a linear map of the rows: s' = Rs,
A' = RA, b' = Rb, and y = Rᵀy'.

    (u, v, w) ∈ K_exp*  ⇔  (u − v, −u, w) ∈ K_exp
    (u, v, w) ∈ K_α*    ⇔  (u/α, v/(1 − α), w) ∈ K_α

Chapter: cone-derivative.md. Theorems: cone-program-duality.
Source: goulart2024clarabel.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import clarabel
import numpy as np
import torch
from scipy import sparse

from companion.layers.cone_program.layout import layout, triangle
from companion.problems import Cones, Status

CLARABEL: Any = clarabel  # compiled, without annotations
EARLY = 1e-5  # of gap and residuals: from there Newton's method is cheaper
ACCURACY = 1e-9  # where that was not enough
RAY_ACCURACY = 1e-10  # of a proof of infeasibility, to be verified at 1e-9
EXP_DUAL = np.array([[1.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

STATUSES = {
    "Solved": Status.SOLVED,
    "AlmostSolved": Status.SOLVED,
    "PrimalInfeasible": Status.PRIMAL_INFEASIBLE,
    "AlmostPrimalInfeasible": Status.PRIMAL_INFEASIBLE,
    "DualInfeasible": Status.DUAL_INFEASIBLE,
    "AlmostDualInfeasible": Status.DUAL_INFEASIBLE,
    "MaxIterations": Status.MAX_ITERATIONS,
}


class Answer(NamedTuple):
    """What Clarabel says of every instance, to be verified."""

    x: np.ndarray
    y: np.ndarray
    s: np.ndarray
    status: np.ndarray
    iterations: np.ndarray
    finite: np.ndarray

    def put(self, places: np.ndarray, other: Answer) -> None:
        """Replace some instances, in place; iterations add up."""
        self.x[places], self.y[places], self.s[places] = other.x, other.y, other.s
        self.iterations[places] += other.iterations


@dataclass(frozen=True, eq=False)
class Rows:
    """The map R of the rows: a permutation, then 3 x 3 blocks on some triples."""

    cones: tuple[Any, ...]
    order: np.ndarray | None
    triples: np.ndarray
    blocks: np.ndarray
    inverses: np.ndarray

    def there(self, X: np.ndarray) -> np.ndarray:
        """R X, for an array with batch axis and rows."""
        if self.order is not None:
            X = X[:, self.order]
        if len(self.triples):
            X = X.copy()
            X[:, self.triples] = np.einsum("tij,btj...->bti...", self.blocks,
                                           X[:, self.triples])  # fmt: skip
        return X

    def back(self, y: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(Rᵀy', R⁻¹s')."""
        if len(self.triples):
            t = self.triples
            y[:, t] = np.einsum("tji,btj->bti", self.blocks, y[:, t])
            s[:, t] = np.einsum("tij,btj->bti", self.inverses, s[:, t])
        if self.order is None:
            return y, s
        # y'[i] = y[order[i]]: scattering undoes it, gathering again would not
        out = np.empty_like(y), np.empty_like(s)
        out[0][:, self.order], out[1][:, self.order] = y, s
        return out


@cache
def rows_for(K: Cones) -> Rows:
    """Clarabel's cones, and the map from our rows to its."""
    cones: list[Any] = []
    if K.zero:
        cones.append(CLARABEL.ZeroConeT(K.zero))
    if K.nonneg:
        cones.append(CLARABEL.NonnegativeConeT(K.nonneg))
    cones += [CLARABEL.SecondOrderConeT(k) for k in K.soc]
    cones += [CLARABEL.PSDTriangleConeT(k) for k in K.psd]
    cones += [CLARABEL.ExponentialConeT()] * (K.exp + K.exp_dual)
    cones += [CLARABEL.PowerConeT(abs(alpha)) for alpha in K.power]
    order = np.arange(K.rows)
    for group in layout(K).psd:
        order[group.rows] = group.rows[:, upper_to_lower(group.size)]
    moved = not np.array_equal(order, np.arange(K.rows))
    blocks = [EXP_DUAL] * K.exp_dual
    duals = [-alpha for alpha in K.power if alpha < 0]
    blocks += [np.diag([1 / a, 1 / (1 - a), 1.0]) for a in duals]
    triples = layout(K).triples
    kinds = [False] * K.exp + [True] * K.exp_dual + [alpha < 0 for alpha in K.power]
    stacked = np.array(blocks).reshape(-1, 3, 3)
    return Rows(
        tuple(cones),
        order if moved else None,
        triples[np.array(kinds, bool)],
        stacked,
        np.linalg.inv(stacked),
    )


def upper_to_lower(k: int) -> np.ndarray:
    """For every place of Clarabel's triangle, the place of the same entry in ours."""
    columns, rows = np.tril_indices(k)  # (c, r) with r ≤ c, column by column
    place = np.empty((k, k), int)
    place[triangle(k)[0], triangle(k)[1]] = np.arange(k * (k + 1) // 2)
    return place[columns, rows]


def solve(fields: tuple[np.ndarray, ...], K: Cones, *, accuracy: float) -> Answer:
    """Answers for (P, q, A, b), each with a batch axis of full size or of size one."""
    P, q, A, b = fields
    size, n, m = max(map(len, fields)), q.shape[-1], K.rows
    rows = rows_for(K)
    A, b = rows.there(A), rows.there(b)
    finite = np.ones(size, bool)
    for v in fields:
        finite &= np.isfinite(v).all(axis=tuple(range(1, v.ndim)))
    settings = _settings(accuracy)
    cost, matrix = Compressed(upper=True), Compressed(upper=False)
    x, y, s = np.zeros((size, n)), np.zeros((size, m)), np.zeros((size, m))
    status = np.full(size, int(Status.NUMERICAL_ERROR))
    iterations = np.zeros(size, int)

    def one(i: int) -> None:
        parts = (v[i if len(v) > 1 else 0] for v in (P, q, A, b))
        Pi, qi, Ai, bi = parts
        problem = (cost.of(Pi), qi, matrix.of(Ai), bi, list(rows.cones), settings)
        found = CLARABEL.DefaultSolver(*problem).solve()
        x[i], y[i], s[i] = found.x, found.z, found.s
        status[i] = STATUSES.get(str(found.status), Status.NUMERICAL_ERROR)
        iterations[i] = found.iterations

    _each(one, np.flatnonzero(finite).tolist())
    y, s = rows.back(y, s)
    return Answer(x, y, s, status, iterations, finite)


def _each(act: Callable[[int], None], places: list[int]) -> None:
    """The act at every place, on as many threads as torch may use."""
    threads = min(torch.get_num_threads(), len(places))
    if threads < 2:
        for i in places:
            act(i)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(act, places))


@cache
def _settings(accuracy: float) -> Any:
    settings = CLARABEL.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.presolve_enable = False  # it drops rows, and with them their multipliers
    settings.chordal_decomposition_enable = False  # it completes y only roughly
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = accuracy
    settings.tol_infeas_abs = settings.tol_infeas_rel = RAY_ACCURACY
    return settings


class Compressed:
    """Dense matrices by columns without their zeros; a pattern is found once."""

    def __init__(self, *, upper: bool) -> None:
        self.upper = upper
        self.known: tuple[Any, ...] | None = None

    def of(self, M: np.ndarray) -> Any:
        """The matrix, or its upper triangle."""
        columns = np.ascontiguousarray(M.T)
        mask = columns != 0
        known = self.known  # another thread may replace it, with one just as good
        if known is None or not np.array_equal(known[0], mask):
            kept = np.tril(mask) if self.upper else mask
            places = np.flatnonzero(kept)
            starts = np.concatenate([[0], np.cumsum(kept.sum(1))])
            indices = (places % M.shape[0] if M.shape[0] else places).astype(np.int32)
            known = (mask, places, indices, starts.astype(np.int32))
            self.known = known
        _, places, indices, starts = known
        data = columns.ravel()[places]
        return sparse.csc_matrix((data, indices, starts), shape=M.shape)
