"""Gradients to hold every contestant against: verified active sets, refined solves.

A guess of the active rows is not believed: the equality-constrained problem on them is
solved, and the signs of its multipliers and slacks decide, repaired where they are
wrong.  Strict signs prove that the point is the optimum, and that the gradients of that
linear system are those of the layer.  Solves are refined with residuals in extended
precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse.linalg import splu
from torch import Tensor

from tests.benchmarks.family import Reference

REPAIRS = 30
REFINEMENTS = 4
RESIDUAL = 1e-9  # of a solve, beside the largest number of the solution
STRICT = 1e-8  # the larger of multiplier and slack, of a regular row
Array = np.ndarray


class Linear:
    """A square system K z = r, solved with refinement; K dense or sparse."""

    def __init__(self, K: Any) -> None:
        if sparse.issparse(K):
            self.solve = splu(sparse.csc_matrix(K)).solve
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the residual says it too
                factors = lu_factor(K)
            self.solve = lambda r: lu_solve(factors, r, check_finite=False)
        self.K = K.astype(np.longdouble)

    def __call__(self, r: Array) -> Array:
        with np.errstate(all="ignore"):
            z = self.solve(r).astype(np.longdouble)
            for _ in range(REFINEMENTS):
                z = z + self.solve((r - self.K @ z).astype(float))
            z = z.astype(float)
        if not np.isfinite(z).all() or np.abs(r - self.K @ z).max() > RESIDUAL * max(
            1.0, np.abs(z).max()
        ):
            msg = "the rows that are taken for active depend on each other"
            raise ValueError(msg)
        return z


@dataclass(frozen=True)
class Point:
    """An optimum whose signs were verified, and the system that it solves."""

    x: Array
    y: Array  # of the equalities, then of the active rows
    rows: Array  # the active ones
    system: Linear
    margin: float


def optimum(fields: list[Any], active: Array) -> Point:
    """The optimum of min ½xᵀPx + qᵀx, Ax = b, Gx ≤ h, from a guess of active rows.

    Raises ValueError if the signs are still wrong after REPAIRS corrections.
    """
    P, q, A, b, G, h = fields
    join = sparse.vstack if sparse.issparse(P) else np.vstack
    p, n = A.shape
    for _ in range(REPAIRS):
        rows = np.flatnonzero(active)
        C = join([A, G[rows]])
        system = Linear(stacked(P, C))
        z = system(np.concatenate([-q, b, h[rows]]))
        lam, slack = np.zeros(len(h)), h - G @ z[:n]
        lam[rows], slack[rows] = z[n + p :], 0.0
        if lam.min(initial=0) >= 0 and slack.min(initial=0) >= 0:
            margin = np.maximum(lam, slack).min(initial=np.inf)
            return Point(z[:n], z[n:], rows, system, float(margin))
        active = (active & (lam > 0)) | (slack < 0)
    msg = f"no active set with right signs in {REPAIRS} repairs"
    raise ValueError(msg)


def stacked(P: Any, C: Any) -> Any:
    """[P Cᵀ; C 0]."""
    if sparse.issparse(P):
        return sparse.bmat([[P, C.T], [C, None]], format="csr")
    return np.block([[P, C.T], [C, np.zeros((len(C), len(C)))]])


def pull(point: Point, seed: Array, fields: list[Any]) -> tuple[Array, ...]:
    """(u, v, w): minus the gradients in q, and those in b and in all of h."""
    n, p, m = len(seed), fields[2].shape[0], fields[4].shape[0]
    zeros = np.zeros(len(point.y))
    z = point.system(np.concatenate([seed, zeros]))
    w = np.zeros(m)
    w[point.rows] = z[n + p :]
    return z[:n], z[n : n + p], w


def dense(fields: tuple[Tensor, ...], seed: Tensor, hint: Array) -> Reference:
    """Gradients of a batch; the hint has a row of booleans for each instance."""
    arrays = [v.detach().numpy() for v in fields]
    grads = [np.zeros(v.shape) for v in arrays]
    irregular = []
    for k in range(len(seed)):
        one = [
            v[k] if v.ndim > r else v
            for v, r in zip(arrays, (2, 1) * 3, strict=True)
        ]  # fmt: skip
        point = optimum(one, hint[k])
        if point.margin < STRICT:
            irregular.append(k)
        for total, part in zip(grads, parts(point, seed[k].numpy(), one), strict=True):
            batched = total.ndim > part.ndim
            total[k if batched else ...] += part
    tensors: list[Tensor | None] = [torch.from_numpy(v) for v in grads]
    return Reference(lined(tensors), tuple(irregular))


def parts(point: Point, seed: Array, fields: list[Array]) -> list[Array]:
    """Gradients of one dense instance."""
    p, m = len(fields[3]), len(fields[5])
    u, v, w = pull(point, seed, fields)
    nu, lam = point.y[:p], np.zeros(m)
    lam[point.rows] = point.y[p:]
    x = point.x
    dP = -(np.outer(u, x) + np.outer(x, u)) / 2
    dA = -(np.outer(v, x) + np.outer(nu, u))
    dG = -(np.outer(w, x) + np.outer(lam, u))
    return [dP, -u, dA, v, dG, w]


def lined(grads: list[Tensor | None]) -> list[Tensor | None]:
    """Symmetric in P, and with a leading axis where the batch shares a field."""
    ready = []
    for k, v in enumerate(grads):
        v = (v + v.mT) / 2 if k == 0 and v is not None else v
        shared = v is not None and v.dim() == (1 if k % 2 else 2)
        ready.append(v[None] if shared else v)
    return ready


def on_pattern(problem: Any, seed: Tensor, hint: Array) -> Reference:
    """Gradients of one sparse problem, as values on its patterns.

    `problem` has matrices in compressed rows, as in `tests.benchmarks.sparse`.
    """
    fields = [scipy_of(v) for v in problem]
    point = optimum(fields, hint)
    u, v, w = pull(point, seed.numpy(), fields)
    nu, lam = point.y[: len(v)], np.zeros(len(w))
    lam[point.rows] = point.y[len(v) :]
    x = point.x
    values: list[Callable[[Array, Array], Array]] = [
        lambda i, j: -(u[i] * x[j] + x[i] * u[j]) / 2,
        lambda i, j: -(v[i] * x[j] + nu[i] * u[j]),
        lambda i, j: -(w[i] * x[j] + lam[i] * u[j]),
    ]
    P, A, G = (value(*places(M)) for M, value in zip(fields[::2], values, strict=True))
    grads = [torch.from_numpy(g)[None] for g in (P, -u, A, v, G, w)]
    return Reference(list(grads), (0,) if point.margin < STRICT else ())


def scipy_of(v: Tensor) -> Any:
    """A matrix in compressed rows for SciPy, or an array."""
    if v.layout == torch.strided:
        return v.detach().numpy()
    parts = (v.values(), v.col_indices(), v.crow_indices())
    return sparse.csr_matrix(tuple(w.detach().numpy() for w in parts), v.shape)


def places(M: Any) -> tuple[Array, Array]:
    """Row and column of each entry, in the order of the values."""
    return np.repeat(np.arange(M.shape[0]), np.diff(M.indptr)), M.indices
