"""The two calls: every output of a batch of QPs, or the minimiser alone.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope, qp-shared-parameters.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import adjoint
from companion.layers.qp.engines import Run
from companion.layers.qp.kkt import matvec
from companion.problems import QP, QPSolution, SolveError, Status

NAMES = ("P", "q", "A", "b", "G", "h")
AXES = (2, 1, 2, 1, 2, 1)  # of each, beside those of the batch


def solve(
    problem: QP, *, engine: str = "auto", warm_start: QPSolution | None = None
) -> QPSolution:
    """Minimiser, multipliers, slack, optimal value and status of every instance.

    L = ½xᵀPx + qᵀx + nuᵀ(Ax − b) + lamᵀ(Gx − h), lam ≥ 0, slack = h − Gx.  Batch axes
    broadcast; every output has the full batch and every floating output is
    differentiable in every field of the problem, twice, and in forward mode.  A field
    shared by the batch receives the sum of its instances' gradients.  The gradient of
    P is its symmetric representative.  Arithmetic is float64 inside; the outputs have
    the dtype of the problem.

    `engine` is "auto", "active_set" (compiled, needs numba) or "interior_point";
    `info` of the solution says which one was used.  `warm_start` is a solution of a
    problem of the same shape, whose active rows the active set tries first.

    An instance that is not SOLVED is NaN in every output and contributes a zero
    gradient; its neighbours are bit for bit what they would be beside any other
    instance.  Whether the derivative exists is `regularity`'s to say: a weakly active
    row (multiplier and slack both zero) is differentiated as an inactive one.

    Raises
    ------
    TypeError
        If a field is not a torch tensor.
    ValueError
        If P is not symmetric, or not positive semidefinite, beyond rounding; if the
        engine is not known or cannot be had.

    Source: amos2017optnet, §3.
    """
    if torch.compiler.is_compiling():  # a graph break: the engines cannot be traced
        eager: Any = torch.compiler.disable(solve)
        return eager(problem, engine=engine, warm_start=warm_start)
    run, data = _prepare(problem, engine)
    guess = None if warm_start is None else _guess(problem, warm_start)
    x, y, status, _ = adjoint.solution(run, guess, data)
    nu, lam = y[:, : problem.p], y[:, problem.p :]
    slack, value = _slack_and_value(run, data, (x, nu, lam), status)
    dtype, batch = problem.q.dtype, problem.batch

    def shaped(v: Tensor) -> Tensor:
        return v.to(dtype).reshape(batch + v.shape[1:])

    return QPSolution(
        *map(shaped, (x, nu, lam, slack, value)),
        status=status.reshape(batch),
        info={
            "engine": run.used,
            "iterations": _per_instance(run.iterations, batch),
        },
    )


def _slack_and_value(
    run: Run, data: tuple[Tensor, ...], point: tuple[Tensor, ...], status: Tensor
) -> tuple[Tensor, Tensor]:
    """Slack and Lagrangian at the solution, NaN where there is none.

    The derivative of the Lagrangian is the envelope theorem's.
    """
    solved = (status == Status.SOLVED).unsqueeze(-1)

    def healthy(v: Tensor) -> Tensor:
        # NaN times zero is still NaN; a view, so that gradients add up in one order
        mask = solved.unsqueeze(-1) if v.dim() == 3 else solved
        return torch.where(mask, v, 0.0) if run.failed else v.view_as(v)

    P, q, A, b, G, h, x, nu, lam = map(healthy, (*data, *point))
    slack = h - _times(G, x)
    value = (x * (0.5 * _times(P, x) + q)).sum(-1)
    value = value + (nu * (_times(A, x) - b)).sum(-1) - (lam * slack).sum(-1)
    if run.failed:
        slack = torch.where(solved, slack, torch.nan)
        value = torch.where(solved.squeeze(-1), value, torch.nan)
    return slack, value


def _times(M: Tensor, x: Tensor) -> Tensor:
    """The products M x; a shared M gets its gradient as one matrix, not as many."""
    return x @ M[0].mT if len(M) == 1 else matvec(M, x)


def _per_instance(v: Tensor | None, batch: tuple[int, ...]) -> Tensor | None:
    """A flat value of every instance in the shape of the batch, vmap's axes first."""
    return None if v is None else v.reshape(v.shape[:-1] + batch)


def layer(problem: QP, *, on_failure: str = "raise", engine: str = "auto") -> Tensor:
    """The minimiser x alone, shape ``(*batch, n)``.

    `on_failure="raise"` raises SolveError naming the instances that did not solve;
    `"nan"` leaves NaN in their rows of x and zero in their gradients.
    """
    if on_failure not in ("raise", "nan"):
        msg = f'on_failure: expected "raise" or "nan", got {on_failure!r}'
        raise ValueError(msg)
    if torch.compiler.is_compiling():
        eager: Any = torch.compiler.disable(layer)
        return eager(problem, on_failure=on_failure, engine=engine)
    run, data = _prepare(problem, engine)
    x, *_ = adjoint.solution(run, None, data)
    batch = problem.batch
    if run.failed and on_failure == "raise":
        raise SolveError(_per_instance(run.status, batch))
    if len(batch) != 1:
        x = x.reshape(batch + x.shape[1:])
    return x if x.dtype == problem.q.dtype else x.to(problem.q.dtype)


def _prepare(problem: QP, engine: str) -> tuple[Run, tuple[Tensor, ...]]:
    """The fields in float64 with one batch axis, of size one where they are shared."""
    fields, batch = problem.fields, problem.batch
    _check_tensors(fields)
    size = math.prod(batch)
    data = []
    for v, axes in zip(fields, AXES, strict=True):
        v = v.double()
        rank = v.dim() - axes
        if rank != 1 or (size != 1 and v.shape[0] != size):
            v = _one_axis(v, axes, batch, size)
        data.append(v)
    if size > 1 and all(v.shape[0] == 1 for v in data):  # batch axes, but no batch
        data[1] = data[1].expand(size, -1)
    return Run(engine, torch.finfo(fields[0].dtype).eps, batch), tuple(data)


def _one_axis(v: Tensor, axes: int, batch: tuple[int, ...], size: int) -> Tensor:
    """The field with its batch axes made one, of size one if it has one instance."""
    tail = v.shape[v.dim() - axes :]
    if size > 0 and v.shape[: v.dim() - axes].numel() == 1:
        return v.reshape(1, *tail)
    return v.expand(batch + tail).reshape(size, *tail)


def _guess(problem: QP, warm_start: QPSolution) -> Tensor:
    lam = warm_start.lam.detach().double().expand(*problem.batch, problem.m)
    return lam.reshape(math.prod(problem.batch), problem.m).nan_to_num(0.0)


def _check_tensors(fields: tuple[Any, ...]) -> None:
    for name, field in zip(NAMES, fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"QP.{name}: expected a torch tensor, got {type(field).__name__}"
            raise TypeError(msg)
    if fields[0].device.type == "meta":
        msg = 'QP.P: expected numbers, got a tensor on the device "meta", without any'
        raise ValueError(msg)
