"""The two calls: every output of a batch of cone programs, or the minimiser alone.

Chapter: cone-derivative.md. Theorems: cone-program-derivative, cone-program-duality.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from companion.layers.cone_program.adjoint import Run, Solve
from companion.layers.qp.kkt import matvec
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

    An instance that is not SOLVED is NaN in every output and contributes a zero
    gradient; its neighbours are bit for bit what they would be beside any other
    instance.  Where a status says that there is no solution, `certificate` proves it,
    and `certifies` checks the proof.  Whether the derivative exists is `regularity`'s
    to say; where it does not, the gradient is that of least norm in the reduced system.
    `info` has Clarabel's iterations and the error that is left after refinement.

    Raises
    ------
    TypeError
        If a field is no torch tensor.
    ValueError
        If P is not symmetric, or not positive semidefinite, beyond rounding.

    Source: agrawal2019cone; busseti2019solution.
    """
    run, data = prepare(problem)
    x, y, s, status = Solve.apply(run, *data)
    dtype, device, batch = problem.q.dtype, problem.q.device, problem.batch
    solved = (status == Status.SOLVED).unsqueeze(-1)
    P, q, A, b = (
        torch.where(solved.reshape(-1, *(1,) * (v.dim() - 1)), v, 0.0) for v in data
    )
    x0, y0, s0 = (torch.where(solved, v, 0.0) for v in (x, y, s))
    # the Lagrangian at the solution: its derivative is the envelope theorem's
    value = (x0 * (0.5 * matvec(P, x0) + q)).sum(-1)
    value = value + (y0 * (matvec(A, x0) + s0 - b)).sum(-1)
    value = torch.where(solved.squeeze(-1), value, torch.nan)

    def shaped(v: Tensor) -> Tensor:
        return v.to(device, dtype).reshape(batch + v.shape[1:])

    info = {
        "iterations": torch.from_numpy(run.iterations).reshape(batch),
        "error": torch.from_numpy(run.error).reshape(batch),
    }
    return ConeSolution(
        x=shaped(x),
        y=shaped(y),
        s=shaped(s),
        value=shaped(value),
        status=status.to(device).reshape(batch),
        info=info,
        certificate=_shaped(run.certificate, shaped),
    )


def _shaped(
    certificate: ConeCertificate | None, shaped: Callable[[Tensor], Tensor]
) -> ConeCertificate | None:
    if certificate is None:
        return None
    parts = (certificate.y, certificate.d, certificate.s)
    return ConeCertificate(*map(shaped, parts))


def layer(problem: ConeProgram, *, on_failure: str = "raise") -> Tensor:
    """The minimiser x alone, shape ``(*batch, n)``.

    `on_failure="raise"` raises SolveError naming the instances that did not solve;
    `"nan"` leaves NaN in their rows of x and zero in their gradients.
    """
    if on_failure not in ("raise", "nan"):
        msg = f'on_failure: expected "raise" or "nan", got {on_failure!r}'
        raise ValueError(msg)
    run, data = prepare(problem)
    x, _, _, status = Solve.apply(run, *data)
    batch = problem.batch
    if on_failure == "raise" and bool((status != Status.SOLVED).any()):
        raise SolveError(status.reshape(batch))
    q = problem.q
    return x.to(q.device, q.dtype).reshape(batch + x.shape[1:])


def prepare(problem: ConeProgram) -> tuple[Run, tuple[Tensor, ...]]:
    """The fields in float64 on the CPU with one batch axis, of size one if shared."""
    for name, field in zip("PqAb", problem.fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"ConeProgram.{name}: expected a torch tensor"
            raise TypeError(f"{msg}, got {type(field).__name__}")
    batch, data = problem.batch, []
    size = math.prod(batch)
    for v, axes in zip(problem.fields, (2, 1, 2, 1), strict=True):
        tail = tuple(v.shape[v.dim() - axes :])
        alone = size > 0 and v.numel() == math.prod(tail)
        w = v.to("cpu", torch.float64)
        w = w if alone else w.expand(batch + tail)
        data.append(w.reshape(1 if alone else size, *tail))
    if size > 1 and all(len(v) == 1 for v in data):  # batch axes, but no batch
        data[1] = data[1].expand(size, -1)
    check_convex(data[0].detach(), batch, torch.finfo(problem.q.dtype).eps)
    return Run(problem.K, batch), tuple(data)


def check_convex(P: Tensor, batch: tuple[int, ...], eps: float) -> None:
    """Refuse a P that is not symmetric positive semidefinite; NaN passes through."""
    if not bool(P.any()):
        return
    size = P.abs().amax((-2, -1)).clamp(min=torch.finfo(P.dtype).tiny)
    skew = (P - P.mT).abs().amax((-2, -1))
    crooked = skew > eps**0.5 * size
    if bool(crooked.any()):
        place, i = _first(crooked, batch)
        msg = "ConeProgram.P: expected a symmetric matrix, got one with |P - Pᵀ| up to "
        raise ValueError(f"{msg}{float(skew[i]):.3g}{place}")
    allowed = 10 * P.shape[-1] * eps * size
    eye = torch.eye(P.shape[-1], dtype=P.dtype)
    _, info = torch.linalg.cholesky_ex(P + (2 * allowed)[:, None, None] * eye)
    suspects = (info > 0) & torch.isfinite(P).all(-1).all(-1)
    if bool(suspects.any()):
        place, i = _first(suspects, batch)
        least = float(torch.linalg.eigvalsh(0.5 * (P[i] + P[i].mT))[0])
        msg = (
            "ConeProgram.P: expected a positive semidefinite matrix, got one with "
            f"least eigenvalue {least:.3g}{place}; the problem is not convex"
        )
        raise ValueError(msg)


def _first(mask: Tensor, batch: tuple[int, ...]) -> tuple[str, int]:
    """The first instance of a mask, in words and as a place in the mask."""
    flat = int(mask.nonzero()[0])
    if not batch or len(mask) == 1:
        return "", flat
    index = tuple(int(k) for k in torch.unravel_index(torch.tensor(flat), batch))
    return f" in instance {index}", flat
