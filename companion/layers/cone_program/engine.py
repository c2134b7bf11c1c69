"""The forward pass: Clarabel, instance by instance, on threads.

Clarabel has no dual exponential and dual power cones, and stores the *upper* triangle
of a PSD block column by column.  Both are undone by a linear map of the rows: s' = Rs,
A' = RA, b' = Rb, and y = Rᵀy'.

    (u, v, w) ∈ K_exp*  ⇔  (u − v, −u, w) ∈ K_exp
    (u, v, w) ∈ K_α*    ⇔  (u/α, v/(1 − α), w) ∈ K_α

Chapter: cone-derivative.md. Theorems: cone-duality.
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

from companion.layers.cone_program.compressed import Compressed
from companion.layers.cone_program.layout import layout, triangle
from companion.layers.cone_program.stacks import Stack
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

    @property
    def identical(self) -> bool:
        """Whether Clarabel has the rows as we do."""
        return self.order is None and not len(self.triples)

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


def solve(
    fields: tuple[np.ndarray | Stack, ...], K: Cones, *, accuracy: float
) -> Answer:
    """Answers for (P, q, A, b), each with a batch axis of full size or of size one."""
    P, A = Stack.of(fields[0]), Stack.of(fields[2])
    q, b = (np.asarray(v) for v in fields[1::2])
    size, n, m = max(map(len, fields)), q.shape[-1], K.rows
    finite = np.ones(size, bool)
    for good in (P.finite, A.finite, *(np.isfinite(v).all(1) for v in (q, b))):
        finite &= good
    rows, settings = rows_for(K), _settings(accuracy)
    moved = A if rows.identical else Stack.of(rows.there(A.dense))
    b, named = rows.there(b), list(rows.cones)
    cost, matrix = Compressed(P, upper=True), Compressed(moved, upper=False)
    x, y, s = np.zeros((size, n)), np.zeros((size, m)), np.zeros((size, m))
    status = np.full(size, int(Status.NUMERICAL_ERROR))
    iterations = np.zeros(size, int)

    def one(i: int) -> None:
        qi, bi = (v[i if len(v) > 1 else 0].tolist() for v in (q, b))
        problem = (cost.of(i), qi, matrix.of(i), bi, named, settings)
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
    # half of an iteration's time, for digits that Newton's method makes anyway
    settings.iterative_refinement_enable = accuracy < EARLY
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = accuracy
    settings.tol_infeas_abs = settings.tol_infeas_rel = RAY_ACCURACY
    return settings
