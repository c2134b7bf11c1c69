"""`solve` and `layer` for problems whose matrices are sparse.

A batch is solved one instance after another: what its instances share, patterns and
values, receives the sum of their gradients.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope, qp-shared-parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from companion.layers.qp.sparse import engine, libraries
from companion.layers.qp.sparse.adjoint import Kept, Pattern, Solve, Values
from companion.layers.qp.sparse.checks import check_convex, check_layout
from companion.layers.qp.sparse.data import Data, Matrix, rows_of
from companion.problems import QP, Certificate, QPSolution, SolveError, Status

RANKS = (2, 1, 2, 1, 2, 1)  # axes of the fields


class Instance(NamedTuple):
    """One problem of a batch: for NumPy, and its values as autograd sees them."""

    data: Data
    kept: Kept
    values: tuple[Tensor, ...]


def solve(problem: QP, warm_start: QPSolution | None) -> QPSolution:
    """Every output; NaN in all of them unless the status is SOLVED."""
    found = _run(problem, warm_start)
    batch = problem.batch

    def shaped(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack(tuple(parts)).reshape(batch + parts[0].shape)

    outputs = zip(*(_outputs(one) for one in found), strict=True)
    x, nu, lam, slack, value = map(shaped, outputs)
    ends = [one.kept.found for one in found]
    info: dict[str, Any] = {
        "engine": "sparse",
        "library": ", ".join(dict.fromkeys(e.library for e in ends if e.library)),
        "iterations": torch.tensor([e.iterations for e in ends]).reshape(batch),
    }
    status = torch.tensor([int(e.status) for e in ends]).reshape(batch)
    rays = None
    if any(e.ray is not None for e in ends):
        rays = Certificate(*map(shaped, zip(*map(_ray, ends), strict=True)))
    return QPSolution(x, nu, lam, slack, value, status, info, rays)


def _outputs(one: Instance) -> tuple[Tensor, ...]:
    kept = one.kept
    x, nu, lam = _point(one)
    if kept.found.status != Status.SOLVED:
        return x, nu, lam, torch.full_like(lam, torch.nan), x.new_tensor(torch.nan)
    P, q, A, b, G, h = one.values
    slack = h - kept.G.product(G, x)
    # the Lagrangian at the solution: its derivative is the envelope theorem's
    value = x @ (0.5 * kept.P.product(P, x) + q)
    value = value + nu @ (kept.A.product(A, x) - b) - lam @ slack
    return x, nu, lam, slack, value


def _ray(found: engine.Found) -> tuple[Tensor, ...]:
    """(nu, lam, d): the ray, in the part that the status asks for; NaN elsewhere."""
    d, nu, lam = (torch.tensor(v) for v in found.ray or found.point)
    if found.ray is None:
        return nu * torch.nan, lam * torch.nan, d * torch.nan
    if found.status == Status.PRIMAL_INFEASIBLE:
        return nu, lam, d * torch.nan
    return nu * torch.nan, lam * torch.nan, d


def layer(problem: QP, on_failure: str) -> Tensor:
    """The minimiser alone."""
    found = _run(problem, None)
    ends = torch.tensor([int(one.kept.found.status) for one in found])
    if on_failure == "raise" and bool((ends != Status.SOLVED).any()):
        raise SolveError(ends.reshape(problem.batch))
    if not problem.batch:
        return _point(found[0])[0]
    x = torch.stack([_point(one)[0] for one in found])
    return x.reshape(*problem.batch, problem.n)


def _point(one: Instance) -> tuple[Tensor, ...]:
    """(x, nu, lam): differentiable if solved; else NaN whose gradients are zero."""
    if one.kept.found.status == Status.SOLVED:
        return Solve.apply(one.kept, *one.values)
    zero = torch.stack([(0 * torch.nan_to_num(v)).sum() for v in one.values]).sum()
    failed = torch.ones((), dtype=torch.bool)
    sizes = (len(v) for v in one.kept.found.point)
    return tuple(torch.where(failed, torch.nan, zero.expand(n)) for n in sizes)


def _run(problem: QP, warm_start: QPSolution | None) -> list[Instance]:
    """Solve every instance."""
    check_layout(problem)
    if not libraries.installed():
        msg = (
            "engine: expected clarabel or piqp for sparse matrices, neither is "
            "installed"
        )
        raise ValueError(msg)
    fields = list(zip(problem.fields, RANKS, strict=True))
    parts = [_parts(v, rank) for v, rank in fields]
    for P in parts[0]:
        check_convex(P)
    patterns = [[_pattern(M) for M in own] for own in parts[::2]]
    values = [
        _values(v, len(own)) for v, own in zip(problem.fields, parts, strict=True)
    ]
    places = [_places(v, rank, problem.batch) for v, rank in fields]
    found = []
    for *at, guess in zip(*places, _guesses(problem, warm_start), strict=True):
        data = Data(*(own[k] for own, k in zip(parts, at, strict=True)))
        P, A, G = (p[k] for p, k in zip(patterns, at[::2], strict=True))
        kept = Kept(P, A, G, engine.solve(data, guess))
        row = tuple(v[k] for v, k in zip(values, at, strict=True))
        found.append(Instance(data, kept, row))
    return found


def instances(problem: QP) -> list[Data]:
    """Every problem of a batch, for NumPy."""
    fields = list(zip(problem.fields, RANKS, strict=True))
    parts = [_parts(v, rank) for v, rank in fields]
    places = [_places(v, rank, problem.batch) for v, rank in fields]
    return [
        Data(*(own[k] for own, k in zip(parts, at, strict=True)))
        for at in zip(*places, strict=True)
    ]


def _guesses(problem: QP, warm_start: QPSolution | None) -> Sequence[np.ndarray | None]:
    size = math.prod(problem.batch)
    if warm_start is None:
        return [None] * size
    lam = warm_start.lam.detach().nan_to_num()
    return list(lam.expand(*problem.batch, problem.m).reshape(size, -1).numpy())


def _places(v: Tensor, rank: int, batch: tuple[int, ...]) -> list[int]:
    """Which part of a field belongs to every instance of the batch."""
    lead = v.shape[: v.dim() - rank]
    if not lead:
        return [0] * math.prod(batch)
    return torch.arange(math.prod(lead)).reshape(lead).expand(batch).flatten().tolist()


def _values(v: Tensor, count: int) -> Tensor:
    """The numbers of a field, a row for each of its own batch."""
    v = Values.apply(v) if v.layout == torch.sparse_csr else v
    return v.reshape(count, v.numel() // max(count, 1))


def _parts(v: Tensor, rank: int) -> list[Any]:
    """The matrices or vectors of a field, one for each of its own batch."""
    if rank == 1:
        return list(v.detach().reshape(math.prod(v.shape[:-1]), v.shape[-1]).numpy())
    return matrices(v)


def matrices(v: Tensor) -> list[Matrix]:
    """Sparse tensors in SciPy's form, on the same memory."""
    shape, count = (v.shape[-2], v.shape[-1]), math.prod(v.shape[:-2])
    if v.layout != torch.sparse_csr:  # it has no rows
        return [sparse.csr_matrix(np.zeros(shape)) for _ in range(count)]
    v = v.detach()
    # SuperLU's integers have 32 bits
    places = [w.numpy().astype(np.int32) for w in (v.col_indices(), v.crow_indices())]
    parts = (w.reshape(count, -1) for w in (v.values().numpy(), *places))
    return [sparse.csr_matrix(own, shape=shape) for own in zip(*parts, strict=True)]


def _pattern(M: Matrix) -> Pattern:
    rows, columns = (torch.from_numpy(v) for v in (rows_of(M), M.indices))
    return Pattern(rows, columns, M.shape)
