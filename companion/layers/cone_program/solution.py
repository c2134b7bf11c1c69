"""The two calls: every output of a batch of cone programs, or the minimiser alone.

Chapter: cone-derivative.md. Theorems: cone-derivative, cone-duality.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from companion.layers.cone_program import storage
from companion.layers.cone_program.adjoint import Run, Solve
from companion.layers.cone_program.checks import check_tensors
from companion.layers.cone_program.sparse_solution import SparseSolve
from companion.problems import (
    ConeCertificate,
    ConeProgram,
    ConeSolution,
    SolveError,
    Status,
)


def solve(problem: ConeProgram) -> ConeSolution:
    """Minimiser x, dual y, slack s, optimal value and status of every instance.

    min ½xᵀPx + qᵀx subject to Ax + s = b, s ∈ K; dual max −½xᵀPx − bᵀy subject to
    Px + Aᵀy + q = 0, y ∈ K*.  Batch axes broadcast; every output has the full batch,
    and x, y, s and value are differentiable in P, q, A and b, twice in reverse mode and
    once in forward mode.  A field shared by the batch receives the sum of its
    instances' gradients.  The gradient of P is its symmetric representative.
    Arithmetic is float64 on the CPU inside; the outputs have the dtype and the device
    of the problem.

    P and A may be sparse CSR tensors in float64 on the CPU, shared by a batch or with
    batch axes of their own.  They stay sparse throughout; their gradients are sparse
    CSR tensors of the same pattern, or flow on to the values that they were built from.

    An instance that is not SOLVED is NaN in every output and contributes a zero
    gradient; its neighbours are bit for bit what they would be beside any other
    instance.  Where a status says that there is no solution, `certificate` proves it,
    and `certifies` checks the proof.  Whether the derivative exists is `regularity`'s
    to say; where it does not, the gradient is that of least norm in the reduced system.
    `info` has Clarabel's iterations and the error that is left after refinement.

    Raises
    ------
    TypeError
        If a field is no torch tensor; beside a sparse matrix, if a field is not in
        float64 on the CPU or a matrix not in CSR.
    ValueError
        If P is not symmetric, or not positive semidefinite, beyond rounding.

    Source: agrawal2019cone; busseti2019solution.
    """
    if torch.compiler.is_compiling():  # a graph break: the engine cannot be traced
        eager: Any = torch.compiler.disable(solve)
        return eager(problem)
    run, data, (x, y, s, status) = apply(problem)
    dtype, device, batch = problem.q.dtype, problem.q.device, problem.batch
    solved = (status == Status.SOLVED).unsqueeze(-1)
    P, q, A, b = (
        torch.where(solved.reshape(-1, *(1,) * (v.dim() - 1)), v, 0.0) for v in data
    )
    x0, y0, s0 = (torch.where(solved, v, 0.0) for v in (x, y, s))
    # the Lagrangian at the solution: its derivative is the envelope theorem's
    cost, rows = run.matrices
    value = (x0 * (0.5 * cost.product(P, x0) + q)).sum(-1)
    value = value + (y0 * (rows.product(A, x0) + s0 - b)).sum(-1)
    value = torch.where(solved.squeeze(-1), value, torch.nan)

    def shaped(v: Tensor) -> Tensor:
        return v.to(device, dtype).reshape(batch + v.shape[1:])

    info = {
        "iterations": torch.from_numpy(run.iterations).reshape(run.batch),
        "error": torch.from_numpy(run.error).reshape(run.batch),
    }
    return ConeSolution(
        x=shaped(x),
        y=shaped(y),
        s=shaped(s),
        value=shaped(value),
        status=status.to(device).reshape(batch),
        info=info,
        certificate=_shaped(run, problem.q),
    )


def _shaped(run: Run, like: Tensor) -> ConeCertificate | None:
    """The certificate in the shape of the batch, vmap's axes first."""
    if run.certificate is None:
        return None
    parts = (run.certificate.y, run.certificate.d, run.certificate.s)
    whole = (v.to(like.device, like.dtype) for v in parts)
    return ConeCertificate(*(v.reshape(*run.batch, v.shape[-1]) for v in whole))


def layer(problem: ConeProgram, *, on_failure: str = "raise") -> Tensor:
    """The minimiser x alone, shape ``(*batch, n)``.

    `on_failure="raise"` raises SolveError naming the instances that did not solve;
    `"nan"` leaves NaN in their rows of x and zero in their gradients.
    """
    if on_failure not in ("raise", "nan"):
        msg = f'on_failure: expected "raise" or "nan", got {on_failure!r}'
        raise ValueError(msg)
    if torch.compiler.is_compiling():
        eager: Any = torch.compiler.disable(layer)
        return eager(problem, on_failure=on_failure)
    run, _, (x, *_) = apply(problem)
    status, q = torch.from_numpy(run.status), problem.q
    if on_failure == "raise" and bool((status != Status.SOLVED).any()):
        raise SolveError(status.reshape(run.batch))
    return x.to(q.device, q.dtype).reshape(problem.batch + x.shape[1:])


def prepare(problem: ConeProgram) -> tuple[Run, tuple[Tensor, ...]]:
    """The fields in float64 on the CPU with one batch axis, of size one if shared."""
    check_tensors(problem.fields)
    batch, size = problem.batch, math.prod(problem.batch)
    run = Run(problem.K, batch, torch.finfo(problem.q.dtype).eps)
    if storage.is_sparse(problem):
        found, run.matrices = storage.fields(problem)
        data = list(found)
    else:
        data = [
            storage.flattened(v.to("cpu", torch.float64), batch, axes)
            for v, axes in zip(problem.fields, (2, 1, 2, 1), strict=True)
        ]
    if size > 1 and all(len(v) == 1 for v in data):  # batch axes, but no batch
        data[1] = data[1].expand(size, -1)
    return run, tuple(data)


def apply(problem: ConeProgram) -> tuple[Run, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What a call leaves, its data, and (x, y, s, status)."""
    run, data = prepare(problem)
    kind = SparseSolve if storage.is_sparse(problem) else Solve
    return run, data, kind.apply(run, *data)
