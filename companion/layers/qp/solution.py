"""The two calls: every output of a batch of QPs, or the minimiser alone.

Chapter: optnet.md. Theorems: qp-gradients, qp-envelope, qp-shared-parameters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from companion.layers.qp.adjoint import Solve
from companion.layers.qp.kkt import matvec
from companion.problems import QP, QPSolution, SolveError, Status


def solve(problem: QP) -> QPSolution:
    """Minimiser, multipliers, slack, optimal value and status of every instance.

    L = ½xᵀPx + qᵀx + nuᵀ(Ax − b) + lamᵀ(Gx − h), lam ≥ 0, slack = h − Gx.  Batch axes
    broadcast; every output has the full batch and every floating output is
    differentiable in every field of the problem, twice, and in forward mode.  A field
    shared by the batch receives the sum of its instances' gradients.  The gradient of
    P is its symmetric representative.  Arithmetic is float64 inside; the outputs have
    the dtype of the problem.

    An instance that is not SOLVED is NaN in every output and contributes a zero
    gradient; its neighbours are bit for bit what they would be beside any other
    instance.  Whether the derivative exists is `regularity`'s to say: a weakly active
    row (multiplier and slack both zero) is differentiated as an inactive one, and
    where the KKT matrix is singular the minimum-norm adjoint is used.

    Raises
    ------
    TypeError
        If a field is not a torch tensor.
    ValueError
        If P is not symmetric, or not positive semidefinite, beyond rounding.

    Source: amos2017optnet, §3.
    """
    _check_tensors(problem)
    dtype, batch = problem.q.dtype, problem.batch
    P, q, A, b, G, h = (
        v.double().expand(batch + tail).reshape(math.prod(batch), *tail)
        for v, tail in (
            (v, tuple(v.shape[v.dim() - axes :]))
            for v, axes in zip(problem.fields, (2, 1, 2, 1, 2, 1), strict=True)
        )
    )
    _check_convex(P.detach(), batch, torch.finfo(dtype).eps)
    x, nu, lam, status, _ = Solve.apply(P, q, A, b, G, h)
    solved = (status == Status.SOLVED).unsqueeze(-1)
    x0, nu0, lam0 = (torch.where(solved, v, 0.0) for v in (x, nu, lam))
    P, A, G = (torch.where(solved.unsqueeze(-1), v, 0.0) for v in (P, A, G))
    q, b, h = (torch.where(solved, v, 0.0) for v in (q, b, h))
    slack = h - matvec(G, x0)
    # the Lagrangian at the solution: its derivative is the envelope theorem's
    value = (x0 * (0.5 * matvec(P, x0) + q)).sum(-1)
    value = value + (nu0 * (matvec(A, x0) - b)).sum(-1) - (lam0 * slack).sum(-1)

    def shaped(v: Tensor) -> Tensor:
        return v.to(dtype).reshape(batch + v.shape[1:])

    return QPSolution(
        x=shaped(x),
        nu=shaped(nu),
        lam=shaped(lam),
        slack=shaped(torch.where(solved, slack, torch.nan)),
        value=shaped(torch.where(solved.squeeze(-1), value, torch.nan)),
        status=status.reshape(batch),
    )


def layer(problem: QP, *, on_failure: str = "raise") -> Tensor:
    """The minimiser x alone, shape ``(*batch, n)``.

    `on_failure="raise"` raises SolveError naming the instances that did not solve;
    `"nan"` leaves NaN in their rows of x and zero in their gradients.
    """
    if on_failure not in ("raise", "nan"):
        msg = f'on_failure: expected "raise" or "nan", got {on_failure!r}'
        raise ValueError(msg)
    sol = solve(problem)
    if on_failure == "raise" and bool((sol.status != Status.SOLVED).any()):
        raise SolveError(sol.status)
    return sol.x


def _check_tensors(problem: QP) -> None:
    for name, field in zip(("P", "q", "A", "b", "G", "h"), problem.fields, strict=True):
        if not isinstance(field, Tensor):
            msg = f"QP.{name}: expected a torch tensor, got {type(field).__name__}"
            raise TypeError(msg)


def _check_convex(P: Tensor, batch: tuple[int, ...], eps: float) -> None:
    """Refuse a P that is not symmetric positive semidefinite; NaN passes through."""
    size = P.abs().amax((-2, -1)).clamp(min=torch.finfo(P.dtype).tiny)
    skew = (P - P.mT).abs().amax((-2, -1))
    crooked = skew > eps**0.5 * size
    if bool(crooked.any()):
        where, i = _first(crooked, batch)
        msg = (
            f"QP.P: expected a symmetric matrix, got one with |P - Pᵀ| up to "
            f"{float(skew[i]):.3g}{where}"
        )
        raise ValueError(msg)
    allowed = 10 * P.shape[-1] * eps * size
    eye = torch.eye(P.shape[-1], dtype=P.dtype, device=P.device)
    _, info = torch.linalg.cholesky_ex(P + (2 * allowed)[:, None, None] * eye)
    suspects = (info > 0) & torch.isfinite(P).all(-1).all(-1)
    if bool(suspects.any()):
        where, i = _first(suspects, batch)
        least = float(torch.linalg.eigvalsh(0.5 * (P[i] + P[i].mT))[0])
        msg = (
            "QP.P: expected a positive semidefinite matrix, got one with least "
            f"eigenvalue {least:.3g}{where}; the problem is not convex"
        )
        raise ValueError(msg)


def _first(mask: Tensor, batch: tuple[int, ...]) -> tuple[str, int]:
    """The first instance of a mask, in words and as a flat index."""
    flat = int(mask.nonzero()[0])
    index = tuple(
        int(k) for k in torch.unravel_index(torch.tensor(flat), batch or (1,))
    )
    return (f" in instance {index}" if batch else ""), flat
