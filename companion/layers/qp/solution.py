"""The two calls: every output of a batch of QPs, or the minimizer alone.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope, qp-shared-parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from companion.layers.qp import sparse
from companion.layers.qp.engines import Kink, Run, check_engine
from companion.layers.qp.kinks import choose
from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes import differentiate
from companion.problems import QP, Certificate, QPSolution, SolveError, Status


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
    kink = choose(at_kink, problem, direction, smoothing=smoothing)
    problem = _suited(problem, engine)
    if sparse.is_sparse(problem):
        _dense_only(kink, smoothing)
        return sparse.solve(problem, warm_start)
    run, data = _prepare(problem, engine, warm_start, smoothing, kink)
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
    value = value + (nu0 * (matvec(A, x0) - b)).sum(-1)
    if not smoothing:  # on the central path it would add the duality gap
        value = value - (lam0 * slack).sum(-1)
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
        certificate=_shaped(run.certificate, shaped),
    )


def _shaped(
    certificate: Certificate | None, shaped: Callable[[Tensor], Tensor]
) -> Certificate | None:
    if certificate is None:
        return None
    parts = (certificate.nu, certificate.lam, certificate.d)
    return Certificate(*map(shaped, parts))


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
    kink = choose(at_kink, problem, direction, smoothing=smoothing)
    problem = _suited(problem, engine)
    if sparse.is_sparse(problem):
        _dense_only(kink, smoothing)
        return sparse.layer(problem, on_failure)
    run, data = _prepare(problem, engine, None, smoothing, kink)
    x, _, _, status, _ = differentiate(route, run, data)
    batch = problem.batch
    if on_failure == "raise" and bool((status != Status.SOLVED).any()):
        raise SolveError(status.reshape(batch))
    return x.to(problem.q.dtype).reshape(batch + x.shape[1:])


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
    problem: QP,
    engine: str,
    warm_start: QPSolution | None,
    smoothing: float,
    kink: Kink | None,
) -> tuple[Run, tuple[Tensor, ...]]:
    """The fields in float64 with one batch axis, of size one where they are shared."""
    _check_tensors(problem)
    if not 0 <= smoothing < math.inf:
        msg = f"smoothing: expected a number ≥ 0, got {smoothing}"
        raise ValueError(msg)
    if smoothing and engine == "active_set":
        msg = 'engine: expected "auto" or "interior_point" with smoothing'
        raise ValueError(f"{msg}, got 'active_set'")
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
    return Run(engine, eps, wanted, batch, guess, smoothing, kink), tuple(data)


def _check_tensors(problem: QP) -> None:
    for name, field in zip(("P", "q", "A", "b", "G", "h"), problem.fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"QP.{name}: expected a torch tensor, got {type(field).__name__}"
            raise TypeError(msg)
