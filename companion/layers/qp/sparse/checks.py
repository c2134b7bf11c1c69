"""What a problem with sparse matrices has to be, said in the words of the dense one.

Chapter: optnet.md.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from companion.layers.qp.sparse.data import Matrix, largest, rows_of
from companion.problems import QP


def is_sparse(problem: QP) -> bool:
    """Whether any matrix of the problem is a sparse tensor."""
    matrices = problem.P, problem.A, problem.G
    return any(isinstance(v, Tensor) and v.layout != torch.strided for v in matrices)


def check_layout(problem: QP) -> None:
    """Refuse what is not in float64, on the CPU, in compressed rows."""
    for name, v in zip("PqAbGh", problem.fields, strict=True):
        if not isinstance(v, Tensor):
            msg = f"QP.{name}: expected a torch tensor, got {type(v).__name__}"
            raise TypeError(msg)
        if v.dtype != torch.float64 or v.device.type != "cpu":
            msg = (
                f"QP.{name}: expected torch.float64 on the CPU beside sparse matrices, "
                f"got {v.dtype} on {v.device}"
            )
            raise TypeError(msg)
        csr = v.layout == torch.sparse_csr
        if name in "PAG" and not csr and v.numel():
            msg = (
                f"QP.{name}: expected a sparse CSR tensor as other matrices are, "
                f"got layout {v.layout}; use .to_sparse_csr()"
            )
            raise TypeError(msg)


def check_convex(P: Matrix, problem: str = "QP") -> None:
    """Refuse a P that is not symmetric positive semidefinite beyond rounding."""
    size = largest(P.data)
    if not np.isfinite(size):
        return
    if np.array_equal(P.indices, rows_of(P)) and (P.data >= 0).all():
        return  # diagonal
    eps = float(np.finfo(np.float64).eps)
    skew = largest((P - P.T).tocsr().data)
    if skew > eps**0.5 * size:
        msg = (
            f"{problem}.P: expected a symmetric matrix, got one with |P - Pᵀ| up to "
            f"{skew:.3g}"
        )
        raise ValueError(msg)
    if _dominant(P):
        return
    allowed = 10 * P.shape[0] * eps * size
    shifted = sparse.csc_matrix(P + 2 * allowed * sparse.identity(P.shape[0]))
    if not _positive(shifted):
        msg = (
            f"{problem}.P: expected a positive semidefinite matrix, got one with a "
            "negative pivot; the problem is not convex"
        )
        raise ValueError(msg)


def _dominant(P: Matrix) -> bool:
    """Whether every diagonal entry is at least the sum of the others in its row."""
    sums = np.bincount(rows_of(P), np.abs(P.data), P.shape[0])
    diagonal = P.diagonal()
    return bool((2 * diagonal >= sums).all())


def _positive(M: Matrix) -> bool:
    """Whether elimination along the diagonal meets positive pivots only."""
    options = {"SymmetricMode": True}
    try:
        lu = splu(M, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    except RuntimeError:
        return False
    along = np.array_equal(lu.perm_r, lu.perm_c)
    return along and bool((lu.U.diagonal() > 0).all())
