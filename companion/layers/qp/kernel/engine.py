"""The compiled active set as an engine of the layer: arrays in, factors kept, threads.

Chapter: interior-point.md. Theorems: qp-active-set, qp-gradients.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import scipy
import threadpoolctl
import torch
from torch import Tensor

from companion.layers.qp.kernel import adjoint, dense, system, workspace
from companion.layers.qp.kernel.lapack import LETTERS, NUMBERS, routines

WORK = 2e6  # multiplications below which a batch stays on one thread
CHUNKS = 2  # for each core, so that an uneven batch still keeps all busy

Arrays = tuple[np.ndarray, ...]


@cache
def _pool() -> ThreadPoolExecutor:
    # a fork has no threads but its own: it starts a pool anew, or would wait for ever
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="companion")


def _forget() -> None:
    _pool.cache_clear()
    _one_thread_each.cache_clear()


@cache
def _blas() -> tuple[threadpoolctl.LibController, ...]:
    """SciPy's BLAS, whose own threads would fight with ours."""
    folder = os.path.dirname(os.path.dirname(scipy.__file__))
    loaded = threadpoolctl.ThreadpoolController().lib_controllers
    return tuple(
        library
        for library in loaded
        if library.filepath.startswith(os.path.join(folder, "scipy"))
    )


@cache
def _calls() -> tuple[int, int, int, int]:
    return routines()


class _OneThreadEach:
    """While any caller is inside, SciPy's BLAS runs every call on one thread.

    Callers may overlap: the first one in looks up the counts, the last one out restores
    them.
    """

    def __init__(self) -> None:
        self.lock, self.inside, self.before = threading.Lock(), 0, list[int]()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.before = [library.get_num_threads() for library in _blas()]
                for library in _blas():
                    library.set_num_threads(1)
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                for library, count in zip(_blas(), self.before, strict=True):
                    library.set_num_threads(count)


@cache
def _one_thread_each() -> _OneThreadEach:
    return _OneThreadEach()


def over_chunks(act: Callable[[tuple[int, int]], None], size: int, work: float) -> None:
    """Run act on spans that cover range(size), in threads if there is enough work."""
    parts = min(size, CHUNKS * (os.cpu_count() or 1)) if work * size > WORK else 1
    if parts <= 1:
        act((0, size))
        return
    cuts = [size * k // parts for k in range(parts + 1)]
    spans = list(pairwise(cuts))
    with _one_thread_each():
        list(_pool().map(act, spans))


@dataclass(frozen=True, eq=False)
class Found:
    """Solutions of the instances that are `good`; rubbish in the others.

    y = (nu, lam), `active` are the rows with lam > 0, `skew` is the largest asymmetry
    of a P, and `factors` is what `gradients` wants, its first entry being `good`.
    """

    x: Tensor
    y: Tensor
    active: Tensor
    good: Tensor
    complete: bool
    skew: float
    iterations: Tensor
    factors: tuple[Tensor, ...]


def as_array(v: Tensor) -> np.ndarray:
    """The numbers of a tensor, as compiled code wants them."""
    return v.detach().contiguous().numpy()


def gradients(
    data: tuple[Tensor, ...],
    factors: Sequence[Tensor],
    point: tuple[Tensor, Tensor],
    seeds: tuple[Tensor, Tensor | None],
    wanted: tuple[bool, ...],
) -> tuple[Tensor | None, ...]:
    """(dx, dy) with [P Cᵀ; C 0](dx, dy) = -(gx, gy) on the active rows C.

    After them the gradients of P, A and G that are wanted, one for each instance.
    """
    matrices, (x, y) = tuple(map(as_array, data)), tuple(map(as_array, point))
    _, L, X, S, F, rows, counts, rough = map(as_array, factors)
    (size, n), (k, p) = x.shape, (y.shape[1], S.shape[2])
    gx, gy = seeds
    g = as_array(gx), np.empty((0, k)) if gy is None else as_array(gy)
    found = np.empty((size, n)), np.empty((size, k))
    pairs = zip(wanted, (n, p, k - p), strict=True)
    shapes = ((size if want else 0, r, n) for want, r in pairs)
    filled = tuple(map(workspace.lent, workspace.take(*shapes)))

    def act(span: tuple[int, int]) -> None:
        adjoint.adjoint_chunk(
            span, matrices, (L, X, S, F, rows), (counts, rough), (x, y), g, found,
            filled,
        )  # fmt: skip

    over_chunks(act, size, 5.0 * n * (n + k))
    shown = (
        torch.from_numpy(v) if want else None
        for v, want in zip(filled, wanted, strict=True)
    )
    return (*map(torch.from_numpy, found), *shown)


def solve(data: tuple[Tensor, ...], guess: Tensor | None, *, keep: bool) -> Found:
    """Solve a batch of dense QPs with P ≻ 0; fields have batch size B or one.

    `guess` are multipliers of G to start from; `keep` keeps factors for the adjoint.
    """
    arrays = tuple(map(as_array, data))
    P, q, A, b, G, h = arrays
    size = max(map(len, arrays))
    n, p, m = q.shape[1], b.shape[1], h.shape[1]
    shared = size > 1 and len(P) == len(A) == len(G) == 1
    rooms = size if keep and not shared else 1
    inside = max(min(m, n - p), 0)  # rows that can be independent of the equalities
    shapes = (
        (rooms, n, n), (rooms, p + m, n), (rooms, p + m, p), (m, m),
        (size if keep else 1, inside, inside),
    )  # fmt: skip
    factors = (*workspace.take(*shapes), np.empty((size, m), np.int64))
    found = (
        np.empty((size, n)), np.empty((size, p + m)), np.empty((size, m)),
        np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64),
        np.zeros(size, np.bool_), np.zeros(size),
    )  # fmt: skip
    calls, constants = _calls(), (LETTERS, NUMBERS)
    start = np.empty((0, m)) if guess is None else as_array(guess)
    if shared:
        L, X, S, R = (factors[0][0], factors[1][0], factors[2][0], factors[3])
        L[:], X[:p], X[p:] = P[0], A[0], G[0]
        found[7][:] = dense.asymmetry(P[0])
        if system.factor(calls, constants, L, X, S, R, p) != 0:
            found[5][:] = system.NOT_CONVEX
    if not (shared and found[5][0]):

        def act(span: tuple[int, int]) -> None:
            dense.solve_chunk(
                calls, constants, span, arrays, factors, start, found, keep, shared
            )

        work = 3.0 * n * (p + m) + (0 if shared else n**3 / 3 + (n + p + m) ** 2 * n)
        over_chunks(act, size, work)
    x, y, _, counts, iterations, outcomes, rough, skew = found
    good = outcomes == 0
    complete = bool(good.all())
    kept: Arrays = ()
    if keep:
        L, X, S, _, F, rows = factors
        counts[~good] = 0
        kept = (good, *map(workspace.lent, (L, X, S, F)), rows, counts, rough)
        workspace.give_back(factors[3:4])
    else:
        workspace.give_back(factors[:5])
    return Found(
        *map(torch.from_numpy, (x, y, y[:, p:] > 0, good)),
        complete,
        float(skew.max(initial=0.0)),
        torch.from_numpy(iterations),
        tuple(map(torch.from_numpy, kept)),
    )
