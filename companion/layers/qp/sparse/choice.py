"""Whether a problem with sparse matrices is better solved by a sparse or dense engine.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor

from companion.layers.qp.sparse import compiled
from companion.layers.qp.sparse.checks import check_layout
from companion.layers.qp.sparse.data import Matrix, rows_of, stacked
from companion.layers.qp.sparse.solution import matrices
from companion.problems import QP

MOST = 2500  # variables or rows beyond which a dense factorisation is too much
PENALTY = 12  # cost of a sparse multiplication, in dense ones
ITERATIONS = 10  # of an interior point, each a sparse factorisation
SAMPLES = 10  # variables whose neighbours are counted


def densified(problem: QP) -> QP:
    """The same problem with dense matrices; gradients come back on the patterns."""
    check_layout(problem)
    return problem.map(_dense)


def _dense(v: Tensor) -> Tensor:
    return v if v.layout == torch.strided else v.to_dense()


def dense_is_better(problem: QP) -> bool:
    """Whether sparse factors would fill in so much that dense ones are cheaper.

    The envelope of P + CᵀC bounds the fill of its factor: small for a band, nearly the
    whole matrix if there is no structure.  Variables are taken as they come, and if
    that is not good enough, in the order of reverse Cuthill-McKee; but no order helps
    where some variables, taken as a sample, meet too many others.
    """
    check_layout(problem)
    n, k = problem.n, problem.p + problem.m
    if max(n, k) > MOST:
        return False
    parts = [matrices(v)[0] for v in (problem.P, problem.A, problem.G)]
    bound = (n**3 / 3 + n * n * k + k * k * n / 2) / (ITERATIONS * PENALTY)
    if _envelope_work(parts, np.arange(n)) <= bound:
        return False
    C = stacked(parts[0], stacked(*parts[1:]))
    # an envelope holds every pair that meets, and the mean of squares is no less
    if n * _mean_degree(C) ** 2 / 8 > bound:
        return True
    order = reverse_cuthill_mckee((C.T @ C).tocsr(), symmetric_mode=True)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    return _envelope_work(parts, place) > bound


def _mean_degree(C: Matrix) -> float:
    """How many variables share a row of C with one of a sample, in the mean."""
    rows, total = rows_of(C), 0
    sample = np.arange(0, C.shape[1], max(1, C.shape[1] // SAMPLES))
    for j in sample:
        near = C[np.unique(rows[C.indices == j])]
        total += len(np.unique(near.indices))
    return total / len(sample)


def _envelope_work(parts: Sequence[Matrix], place: np.ndarray) -> float:
    """Multiplications of a Cholesky factorisation in the envelope of CᵀC."""
    kernel = compiled.kernel()
    if kernel is not None:
        fields = tuple(map(compiled.rows, parts))
        return kernel.compressed.envelope_work(fields, place)
    n = len(place)
    reach = np.arange(n)
    for C in parts:
        columns = place[C.indices]
        first = np.full(C.shape[0], n)
        np.minimum.at(first, rows_of(C), columns)
        np.minimum.at(reach, columns, first[rows_of(C)])
    width = np.arange(n) - reach
    return float((width.astype(float) ** 2).sum() / 2)
