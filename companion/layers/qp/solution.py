"""The two calls: every output of a batch of QPs, or the minimiser alone.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope, qp-shared-parameters.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from companion.layers.qp.engines import Run
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes import differentiate
from companion.problems import QP, QPSolution, SolveError, Status


def solve(
    problem: QP,
    *,
    engine: str = "auto",
    warm_start: QPSolution | None = None,
    route: Any = "active_set",
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

    `route` says how the derivative is formed: a name of `routes.ROUTES`, or settings
    such as `routes.Perturbed(temperature=0.1)`.  What this docstring promises is
    "active_set"; the others are for comparison, have errors of their own, and give
    first derivatives in reverse mode (all but "unrolled", which is plain autograd).

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
    run, data = _prepare(problem, engine, warm_start)
    dtype, batch = problem.q.dtype, problem.batch
    x, nu, lam, status, info = differentiate(route, run, data)
    solved = (status == Status.SOLVED).unsqueeze(-1)
    P, q, A, b, G, h = data
    x0, nu0, lam0 = (torch.where(solved, v, 0.0) for v in (x, nu, lam))
    P, A, G = (torch.where(solved.unsqueeze(-1), v, 0.0) for v in (P, A, G))
    q, b, h = (torch.where(solved, v, 0.0) for v in (q, b, h))
    slack = h - matvec(G, x0)
    # the Lagrangian at the solution: its derivative is the envelope theorem's
    value = (x0 * (0.5 * matvec(P, x0) + q)).sum(-1)
    value = value + (nu0 * (matvec(A, x0) - b)).sum(-1) - (lam0 * slack).sum(-1)
    slack = torch.where(solved, slack, torch.nan)
    value = torch.where(solved.squeeze(-1), value, torch.nan)

    def shaped(v: Tensor) -> Tensor:
        return v.to(dtype).reshape(batch + v.shape[1:])

    return QPSolution(
        x=shaped(x),
        nu=shaped(nu),
        lam=shaped(lam),
        slack=shaped(slack),
        value=shaped(value),
        status=status.reshape(batch),
        info=info,
    )


def layer(
    problem: QP,
    *,
    on_failure: str = "raise",
    engine: str = "auto",
    route: Any = "active_set",
) -> Tensor:
    """The minimiser x alone, shape ``(*batch, n)``; `route` as in `solve`.

    `on_failure="raise"` raises SolveError naming the instances that did not solve;
    `"nan"` leaves NaN in their rows of x and zero in their gradients.
    """
    if on_failure not in ("raise", "nan"):
        msg = f'on_failure: expected "raise" or "nan", got {on_failure!r}'
        raise ValueError(msg)
    run, data = _prepare(problem, engine, None)
    x, _, _, status, _ = differentiate(route, run, data)
    batch = problem.batch
    if on_failure == "raise" and bool((status != Status.SOLVED).any()):
        raise SolveError(status.reshape(batch))
    return x.to(problem.q.dtype).reshape(batch + x.shape[1:])


def _prepare(
    problem: QP, engine: str, warm_start: QPSolution | None
) -> tuple[Run, tuple[Tensor, ...]]:
    """The fields in float64 with one batch axis, of size one where they are shared."""
    _check_tensors(problem)
    batch = problem.batch
    size = math.prod(batch)
    data = []
    for v, axes in zip(problem.fields, (2, 1, 2, 1, 2, 1), strict=True):
        tail = tuple(v.shape[v.dim() - axes :])
        alone = size > 0 and v.numel() == math.prod(tail)
        lead = () if alone else batch
        v = v.double() if alone else v.double().expand(lead + tail)
        data.append(v.reshape(1 if alone else size, *tail))
    if size > 1 and all(len(v) == 1 for v in data):  # batch axes, but no batch
        data[1] = data[1].expand(size, -1)
    wanted = torch.is_grad_enabled() and any(v.requires_grad for v in problem.fields)
    guess = None
    if warm_start is not None:
        lam = warm_start.lam.detach().double().expand(*batch, problem.m)
        guess = lam.reshape(size, problem.m).nan_to_num(0.0)
    eps = torch.finfo(problem.q.dtype).eps
    return Run(engine, eps, wanted, batch, guess), tuple(data)


def _check_tensors(problem: QP) -> None:
    for name, field in zip(("P", "q", "A", "b", "G", "h"), problem.fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"QP.{name}: expected a torch tensor, got {type(field).__name__}"
            raise TypeError(msg)
