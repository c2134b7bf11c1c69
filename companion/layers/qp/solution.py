"""The two calls: every output of a batch of QPs, or the minimizer alone.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope, qp-shared-parameters.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import sparse
from companion.layers.qp.engines import Kink, Run, check_engine
from companion.layers.qp.kinks import choose
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes import differentiate
from companion.problems import QP, Certificate, QPSolution, SolveError, Status

NAMES = ("P", "q", "A", "b", "G", "h")
AXES = (2, 1, 2, 1, 2, 1)  # of each, beside those of the batch


def solve(  # noqa: PLR0913 - choices, each with a default
    problem: QP,
    *,
    engine: str = "auto",
    warm_start: QPSolution | None = None,
    smoothing: float = 0.0,
    at_kink: str = "inactive",
    direction: QP | None = None,
    route: Any = "active_set",
) -> QPSolution:
    """Minimizer, multipliers, slack, optimal value and status of every instance.

    L = ½xᵀPx + qᵀx + nuᵀ(Ax − b) + lamᵀ(Gx − h), lam ≥ 0, slack = h − Gx.  Batch axes
    broadcast; every output has the full batch and every floating output is
    differentiable in every field of the problem, twice, and in forward mode.  A field
    shared by the batch receives the sum of its instances' gradients.  The gradient of
    P is its symmetric representative.  Arithmetic is float64 inside; the outputs have
    the dtype of the problem.

    P, A and G may be sparse CSR tensors in float64 on the CPU, shared by a batch or
    with batch axes of their own; their gradients are sparse CSR tensors of the same
    pattern, or flow on to the values that they were built from.

    `engine` is "auto", "separable" or "active_set" (compiled, need numba),
    "interior_point", or "sparse" (needs clarabel, or piqp, which is faster); `info` of
    the solution says which one was used.  `warm_start` is a solution of a problem of
    the same shape, whose active rows the active set tries first.

    `smoothing` = mu > 0 stops on the central path instead, where slack_i lam_i = mu for
    every row, and differentiates that point: x minimises the objective minus
    mu Σ log slack_i, and its derivative exists everywhere, kinks included.  `value` is
    then the objective at x.  An instance without a strictly feasible point has no such
    path: MAX_ITERATIONS.

    `route` says how the derivative is formed: a name of `routes.ROUTES`, or settings
    such as `routes.Perturbed(temperature=0.1)`.  What this docstring promises is
    "active_set"; the others are for comparison, have errors of their own, and give
    first derivatives in reverse mode (all but "unrolled", which is plain autograd).

    An instance that is not SOLVED is NaN in every output and contributes a zero
    gradient; its neighbours are bit for bit what they would be beside any other
    instance.  Where a status says that there is no solution, `certificate` proves it,
    and `certifies` checks the proof.  Whether the derivative exists is `regularity`'s
    to say.

    `at_kink` chooses what stands for it where a row is weakly active, with multiplier
    and slack both zero; elsewhere it changes nothing.

    * "inactive": the derivative with such rows released.
    * "left", "right" with a `direction` (a QP of speeds, as `along` makes one): the
      limit of the derivatives at data ∓ t·direction for t ↓ 0, the piece that the
      solution comes from and the one that it goes to.
    * "left", "right" without: such rows held, the limit of programs in which they are
      pressed; or released, the limit of programs in which they have room.
    * "directional": in forward mode the one-sided derivative along the tangent, by the
      program on the critical cone; it is not linear, so a backward pass is an error.
    * "least_squares": the least-norm solution of the singular linearised conditions, an
      average of pieces that depends on the scaling of the rows.  It need not be a
      derivative along anything.

    Raises
    ------
    TypeError
        If a field is not a torch tensor.
    ValueError
        If P is not symmetric, or not positive semidefinite, beyond rounding; if the
        engine is not known or cannot be had; if `smoothing` is negative.

    Source: amos2017optnet, §3.
    """
    if torch.compiler.is_compiling():  # a graph break: the engines cannot be traced
        eager: Any = torch.compiler.disable(solve)
        return eager(
            problem, engine=engine, warm_start=warm_start, smoothing=smoothing,
            at_kink=at_kink, direction=direction, route=route,
        )  # fmt: skip
    kink = choose(at_kink, problem, direction, smoothing=smoothing)
    problem = _suited(problem, engine)
    if sparse.is_sparse(problem):
        _dense_only(kink, smoothing)
        return sparse.solve(problem, warm_start)
    run, data = _prepare(problem, engine, smoothing, kink)
    guess = None if warm_start is None else _guess(problem, warm_start)
    x, nu, lam, status, info = differentiate(route, run, guess, data)
    slack, value = _slack_and_value(run, data, (x, nu, lam), status)
    dtype, batch = problem.q.dtype, problem.batch

    def shaped(v: Tensor) -> Tensor:
        return v.to(dtype).reshape(batch + v.shape[1:])

    return QPSolution(
        *map(shaped, (x, nu, lam, slack, value)),
        status=status.reshape(batch),
        info=_described(info, batch),
        certificate=_shaped(run.certificate, dtype, batch),
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
    value = value + (nu * (_times(A, x) - b)).sum(-1)
    if not run.smoothing:  # on the central path it would add the duality gap
        value = value - (lam * slack).sum(-1)
    if run.failed:
        slack = torch.where(solved, slack, torch.nan)
        value = torch.where(solved.squeeze(-1), value, torch.nan)
    return slack, value


def _times(M: Tensor, x: Tensor) -> Tensor:
    """The products M x; a shared M gets its gradient as one matrix, not as many."""
    return x @ M[0].mT if len(M) == 1 else matvec(M, x)


def _described(info: dict[str, Any], batch: tuple[int, ...]) -> dict[str, Any]:
    """What a route left, with the iterations in the shape of the batch."""
    if info.get("iterations") is not None:
        info["iterations"] = _per_instance(info["iterations"], batch)
    return info


def _per_instance(v: Tensor, batch: tuple[int, ...]) -> Tensor:
    """A flat value of every instance in the shape of the batch, vmap's axes first."""
    return v.reshape(v.shape[:-1] + batch)


def _shaped(
    certificate: Certificate | None, dtype: torch.dtype, batch: tuple[int, ...]
) -> Certificate | None:
    """The certificate in the shape of the batch, vmap's axes first."""
    if certificate is None:
        return None
    return certificate.map(
        lambda v: v.to(dtype).reshape(v.shape[:-2] + batch + v.shape[-1:])
    )


def layer(  # noqa: PLR0913 - the choices of `solve`
    problem: QP,
    *,
    on_failure: str = "raise",
    engine: str = "auto",
    smoothing: float = 0.0,
    at_kink: str = "inactive",
    direction: QP | None = None,
    route: Any = "active_set",
) -> Tensor:
    """The minimizer x alone, shape ``(*batch, n)``.

    `on_failure="raise"` raises SolveError naming the instances that did not solve;
    `"nan"` leaves NaN in their rows of x and zero in their gradients.  The other
    arguments are those of `solve`.
    """
    if on_failure not in ("raise", "nan"):
        msg = f'on_failure: expected "raise" or "nan", got {on_failure!r}'
        raise ValueError(msg)
    if torch.compiler.is_compiling():
        eager: Any = torch.compiler.disable(layer)
        return eager(
            problem, on_failure=on_failure, engine=engine, smoothing=smoothing,
            at_kink=at_kink, direction=direction, route=route,
        )  # fmt: skip
    kink = choose(at_kink, problem, direction, smoothing=smoothing)
    problem = _suited(problem, engine)
    if sparse.is_sparse(problem):
        _dense_only(kink, smoothing)
        return sparse.layer(problem, on_failure)
    run, data = _prepare(problem, engine, smoothing, kink)
    x, *_ = differentiate(route, run, None, data)
    batch = problem.batch
    if run.failed and run.status is not None and on_failure == "raise":
        raise SolveError(_per_instance(run.status, batch))
    if len(batch) != 1:
        x = x.reshape(batch + x.shape[1:])
    return x if x.dtype == problem.q.dtype else x.to(problem.q.dtype)


def _dense_only(kink: Kink | None, smoothing: float) -> None:
    """Refuse for sparse matrices what only dense problems have."""
    if kink is not None or smoothing:
        what = "smoothing" if smoothing else "at_kink"
        msg = f"{what}: expected dense P, A and G, got sparse ones"
        raise ValueError(msg)


def _suited(problem: QP, engine: str) -> QP:
    """The problem, with dense matrices if it is not for the sparse engine."""
    if not sparse.is_sparse(problem):
        return problem
    check_engine(engine)
    auto = engine == "auto"
    dense = (auto and sparse.dense_is_better(problem)) or engine not in (
        "auto",
        "sparse",
    )
    return sparse.densified(problem) if dense else problem


def _prepare(
    problem: QP, engine: str, smoothing: float, kink: Kink | None
) -> tuple[Run, tuple[Tensor, ...]]:
    """The fields in float64 with one batch axis, of size one where they are shared."""
    fields, batch = problem.fields, problem.batch
    _check_tensors(fields)
    if smoothing:
        _check_smoothing(smoothing, engine)
    size = math.prod(batch)
    data = []
    for v, axes in zip(fields, AXES, strict=True):
        v = v.double()
        rank = v.dim() - axes
        if rank != 1 or (size != 1 and (v.shape[0] != size or not v.numel())):
            v = _one_axis(v, axes, batch, size)
        data.append(v)
    if size > 1 and all(v.shape[0] == 1 for v in data):  # batch axes, but no batch
        data[1] = data[1].expand(size, -1)
    eps = torch.finfo(fields[0].dtype).eps
    return Run(engine, eps, batch, smoothing=smoothing, kink=kink), tuple(data)


def _one_axis(v: Tensor, axes: int, batch: tuple[int, ...], size: int) -> Tensor:
    """The field with its batch axes made one, of size one if it has one instance."""
    tail = v.shape[v.dim() - axes :]
    if size > 0 and (v.shape[: v.dim() - axes].numel() == 1 or not tail.numel()):
        return v.reshape(1, *tail)
    return v.expand(batch + tail).reshape(size, *tail)


def _guess(problem: QP, warm_start: QPSolution) -> Tensor:
    lam = warm_start.lam.detach().double().expand(*problem.batch, problem.m)
    return lam.reshape(math.prod(problem.batch), problem.m).nan_to_num(0.0)


def _check_smoothing(smoothing: float, engine: str) -> None:
    if not 0 <= smoothing < math.inf:
        msg = f"smoothing: expected a number ≥ 0, got {smoothing}"
        raise ValueError(msg)
    if engine == "active_set":
        msg = 'engine: expected "auto" or "interior_point" with smoothing'
        raise ValueError(f"{msg}, got 'active_set'")


def _check_tensors(fields: tuple[Any, ...]) -> None:
    for name, field in zip(NAMES, fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"QP.{name}: expected a torch tensor, got {type(field).__name__}"
            raise TypeError(msg)
    if fields[0].device.type == "meta":
        msg = 'QP.P: expected numbers, got a tensor on the device "meta", without any'
        raise ValueError(msg)
