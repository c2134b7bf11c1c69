"""Whether a problem with sparse matrices is better solved by a sparse or dense engine.

Chapter: interior-point.md.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor

from companion.layers.qp.sparse.checks import check_layout
from companion.layers.qp.sparse.data import Matrix, rows_of
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

    The envelope of the KKT matrix after reverse Cuthill-McKee bounds the work of a
    sparse factorisation: small for a band, nearly all of the matrix if there is no
    structure.
    """
    check_layout(problem)
    if max(problem.n, problem.p + problem.m) > MOST:
        return False
    P, A, G = (matrix(v) for v in (problem.P, problem.A, problem.G))
    n, k = problem.n, problem.p + problem.m
    dense = n**3 / 3 + n * n * k + k * k * n / 2
    return ITERATIONS * PENALTY * _envelope_work(P, A, G) > dense


def _envelope_work(P: Matrix, A: Matrix, G: Matrix) -> float:
    """Multiplications of a Cholesky factorisation within the envelope."""
    C = sparse.vstack([A, G], format="csr")
    K = sparse.bmat([[P, C.T], [C, None]], format="csr")
    order = reverse_cuthill_mckee(K, symmetric_mode=True)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows, columns = place[rows_of(K)], place[K.indices]
    width = np.zeros(len(order))
    np.maximum.at(width, rows, rows - columns)
    return float((width**2).sum() / 2)
