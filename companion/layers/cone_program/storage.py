"""Cone programs with sparse matrices: values for autograd, patterns, and instances.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from companion.layers.cone_program.matrices import Pattern
from companion.layers.cone_program.thin import Thin
from companion.layers.qp.sparse.adjoint import Values
from companion.problems import ConeProgram

Fields = tuple[Any, np.ndarray, Any, np.ndarray]


def is_sparse(problem: ConeProgram) -> bool:
    """Whether a matrix of the problem is a sparse tensor."""
    return any(
        isinstance(v, Tensor) and v.layout != torch.strided
        for v in (problem.P, problem.A)
    )


def check_dense(problem: ConeProgram) -> None:
    """Refuse sparse matrices where there is no way with them."""
    for name, v in (("P", problem.P), ("A", problem.A)):
        if isinstance(v, Tensor) and v.layout != torch.strided:
            msg = f"ConeProgram.{name}: expected a dense tensor here"
            raise TypeError(f"{msg}, got layout {v.layout}; use .to_dense()")


def check_layout(problem: ConeProgram) -> None:
    """Refuse what is not in float64, on the CPU, in compressed rows."""
    for name, v in zip("PqAb", problem.fields, strict=True):
        if v.dtype != torch.float64 or v.device.type != "cpu":
            msg = (
                f"ConeProgram.{name}: expected torch.float64 on the CPU beside sparse "
                f"matrices, got {v.dtype} on {v.device}"
            )
            raise TypeError(msg)
        if name in "PA" and v.layout != torch.sparse_csr and v.numel():
            msg = (
                f"ConeProgram.{name}: expected a sparse CSR tensor as the other matrix "
                f"is, got layout {v.layout}; use .to_sparse_csr()"
            )
            raise TypeError(msg)


def fields(
    problem: ConeProgram,
) -> tuple[tuple[Tensor, ...], tuple[Pattern, Pattern]]:
    """(P, q, A, b) with one batch axis, the matrices as values on patterns."""
    check_layout(problem)
    batch = problem.batch
    P, cost = split(problem.P, batch)
    A, rows = split(problem.A, batch)
    q, b = (flattened(v, batch, 1) for v in (problem.q, problem.b))
    return (P, q, A, b), (cost, rows)


def split(M: Tensor, batch: tuple[int, ...]) -> tuple[Tensor, Pattern]:
    """The values of a sparse matrix on one batch axis, and where they stand."""
    shape = (M.shape[-2], M.shape[-1])
    # torch's transforms wrap whatever is looked at, and cannot wrap sparse tensors
    with torch._C._DisableFuncTorch(), torch.no_grad():
        values, pattern = _stored(M, batch, shape)
    if M.requires_grad and M.layout == torch.sparse_csr:
        values = flattened(Values.apply(M), batch, 1)
    return values, pattern


def _stored(
    M: Tensor, batch: tuple[int, ...], shape: tuple[int, int]
) -> tuple[Tensor, Pattern]:
    if M.layout != torch.sparse_csr:  # it has no entries
        none = torch.zeros(1, 0, dtype=torch.int64)
        return M.new_zeros(1, 0), Pattern(none, none, shape)
    columns, counts = M.col_indices(), M.crow_indices().diff(dim=-1)
    rows = torch.arange(shape[0]).expand_as(counts).flatten()
    rows = rows.repeat_interleave(counts.flatten()).reshape(columns.shape)
    flat = (flattened(v, batch, 1) for v in (M.values(), rows, columns))
    values, rows, columns = flat
    return values, Pattern(rows.long(), columns.long(), shape)


def flattened(v: Tensor, batch: tuple[int, ...], axes: int) -> Tensor:
    """A field with one batch axis, of size one if it has one instance."""
    tail, size = tuple(v.shape[v.dim() - axes :]), math.prod(batch)
    alone = size > 0 and math.prod(v.shape[: v.dim() - axes]) == 1
    v = v if alone else v.expand(batch + tail)
    # products of other strides are rounded in another order
    return v.reshape(1 if alone else size, *tail).contiguous()


def instance(
    patterns: tuple[Pattern, Pattern], data: tuple[np.ndarray, ...], i: int
) -> Fields:
    """The fields (P, q, A, b) of one instance, each with a batch axis of one."""
    P, q, A, b = (v[i if len(v) > 1 else 0] for v in data)
    cost, rows = patterns
    return Thin(assembled(cost, P, i)), q[None], Thin(assembled(rows, A, i)), b[None]


def assembled(pattern: Pattern, values: np.ndarray, i: int) -> Any:
    """The matrix of one instance in compressed rows."""
    k = i % len(pattern.rows)
    rows, columns = pattern.rows[k].numpy(), pattern.columns[k].numpy()
    counts = np.bincount(rows, minlength=pattern.shape[0])
    starts = np.concatenate([[0], np.cumsum(counts)])
    # SuperLU's and Clarabel's integers have 32 bits
    places = (w.astype(np.int32) for w in (columns, starts))
    return sparse.csr_matrix((values, *places), shape=pattern.shape)
