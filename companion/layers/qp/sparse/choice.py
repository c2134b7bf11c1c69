"""Whether a problem with sparse matrices is better solved by a sparse or dense engine.

Chapter: optnet.md.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor

from companion.layers.qp.sparse.checks import check_layout
from companion.layers.qp.sparse.data import Matrix, rows_of, stacked
from companion.layers.qp.sparse.solution import matrix
from companion.problems import QP

MOST = 2500  # variables or rows beyond which a dense factorisation is too much
PENALTY = 12  # cost of a sparse multiplication, in dense ones
ITERATIONS = 10  # of an interior point, each a sparse factorisation


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
    that is not good enough, in the order of reverse Cuthill-McKee.
    """
    check_layout(problem)
    n, k = problem.n, problem.p + problem.m
    if max(n, k) > MOST:
        return False
    C = stacked(*(matrix(v) for v in (problem.A, problem.G)))
    C = stacked(matrix(problem.P), C)
    bound = (n**3 / 3 + n * n * k + k * k * n / 2) / (ITERATIONS * PENALTY)
    if _envelope_work(C, np.arange(n)) <= bound:
        return False
    order = reverse_cuthill_mckee((C.T @ C).tocsr(), symmetric_mode=True)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    return _envelope_work(C, place) > bound


def _envelope_work(C: Matrix, place: np.ndarray) -> float:
    """Multiplications of a Cholesky factorisation in the envelope of CᵀC."""
    rows, columns = rows_of(C), place[C.indices]
    first = np.full(C.shape[0], C.shape[1])
    np.minimum.at(first, rows, columns)
    reach = np.arange(C.shape[1])
    np.minimum.at(reach, columns, first[rows])
    width = np.arange(C.shape[1]) - reach
    return float((width.astype(float) ** 2).sum() / 2)
