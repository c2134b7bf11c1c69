"""`solve` and `layer` for a problem whose matrices are sparse.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from companion.layers.qp.sparse import engine, libraries
from companion.layers.qp.sparse.adjoint import Kept, Pattern, Solve, Values
from companion.layers.qp.sparse.checks import check_convex, check_layout
from companion.layers.qp.sparse.data import Data, Matrix, rows_of
from companion.problems import QP, Certificate, QPSolution, SolveError, Status


def solve(problem: QP, warm_start: QPSolution | None) -> QPSolution:
    """Every output; NaN in all of them unless the status is SOLVED."""
    kept, data = _run(problem, warm_start)
    found = kept.found
    x, nu, lam = _point(kept, data)
    solved = found.status == Status.SOLVED
    if solved:
        P, q, A, b, G, h = data
        slack = h - kept.G.product(G, x)
        # the Lagrangian at the solution: its derivative is the envelope theorem's
        value = x @ (0.5 * kept.P.product(P, x) + q)
        value = value + nu @ (kept.A.product(A, x) - b) - lam @ slack
    else:
        slack, value = torch.full_like(lam, torch.nan), x.new_tensor(torch.nan)
    info: dict[str, Any] = {
        "engine": "sparse",
        "library": found.library,
        "iterations": torch.tensor(found.iterations),
    }
    status = torch.tensor(int(found.status))
    return QPSolution(x, nu, lam, slack, value, status, info, _certificate(found))


def _certificate(found: engine.Found) -> Certificate | None:
    """The ray, in the part of a certificate that the status asks for."""
    if found.ray is None:
        return None
    d, nu, lam = (torch.tensor(v) for v in found.ray)
    if found.status == Status.PRIMAL_INFEASIBLE:
        return Certificate(nu, lam, d * torch.nan)
    return Certificate(nu * torch.nan, lam * torch.nan, d)


def layer(problem: QP, on_failure: str) -> Tensor:
    """The minimiser alone."""
    kept, data = _run(problem, None)
    if on_failure == "raise" and kept.found.status != Status.SOLVED:
        raise SolveError(torch.tensor(int(kept.found.status)))
    return _point(kept, data)[0]


def _point(kept: Kept, data: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """(x, nu, lam): differentiable if solved; else NaN whose gradients are zero."""
    if kept.found.status == Status.SOLVED:
        return Solve.apply(kept, *data)
    zero = torch.stack([(0 * torch.nan_to_num(v)).sum() for v in data]).sum()
    failed = torch.ones((), dtype=torch.bool)
    sizes = (len(v) for v in kept.found.point)
    return tuple(torch.where(failed, torch.nan, zero.expand(n)) for n in sizes)


def _run(problem: QP, warm_start: QPSolution | None) -> tuple[Kept, tuple[Tensor, ...]]:
    """Solve; the result with the patterns, and the values as autograd sees them."""
    check_layout(problem)
    if not libraries.installed():
        msg = (
            "engine: expected clarabel or piqp for sparse matrices, neither is "
            "installed"
        )
        raise ValueError(msg)
    P, A, G = (matrix(v) for v in (problem.P, problem.A, problem.G))
    check_convex(P)
    q, b, h = (v.detach().numpy() for v in (problem.q, problem.b, problem.h))
    guess = None if warm_start is None else warm_start.lam.detach().nan_to_num().numpy()
    found = engine.solve(Data(P, q, A, b, G, h), guess)
    kept = Kept(_pattern(P), _pattern(A), _pattern(G), found)
    data = tuple(
        Values.apply(v) if v.layout == torch.sparse_csr else v.reshape(-1)
        for v in problem.fields
    )
    return kept, data


def matrix(v: Tensor) -> Matrix:
    """A sparse tensor in SciPy's form, on the same memory."""
    shape = (v.shape[0], v.shape[1])
    if v.layout != torch.sparse_csr:  # it has no rows
        return sparse.csr_matrix(np.zeros(shape))
    v = v.detach()
    # SuperLU's integers have 32 bits
    places = (w.numpy().astype(np.int32) for w in (v.col_indices(), v.crow_indices()))
    return sparse.csr_matrix((v.values().numpy(), *places), shape=shape)


def _pattern(M: Matrix) -> Pattern:
    rows, columns = (torch.from_numpy(v) for v in (rows_of(M), M.indices))
    return Pattern(rows, columns, M.shape)
