"""Linear programs: P = 0, where the cost moves x by jumps or not at all.

At a unique nondegenerate vertex the gradient in q is zero and those in A, b, G and h
are right: `solve` gives both, and `regularity` calls the vertex differentiable.  On a
tied face x is no function of the data, which `regularity` calls not unique.  A layer
that is to learn a cost needs another map, and there is no neutral one: the three here
are explicit, and each changes the answer or the derivative in its own way.

Chapter: optnet.md. Theorems: qp-gradients.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from companion.layers.qp.kkt import matvec
from companion.layers.qp.routes import Perturbed
from companion.layers.qp.solution import layer
from companion.problems import QP, SolveError, Status

MOST_STEPS = 200
HALVINGS = 40
ACCURATE = 1e-12  # residual of Ax = b, relative, at which Newton's method stops
ACCEPTED = 1e-8  # what rounding may leave of that


def ridge(problem: QP, gamma: float) -> QP:
    """The program with ½ gamma ‖x‖² added to its objective: P + gamma I.

    Strictly convex, so unique and Lipschitz in q, with dx/dq of size 1/gamma on faces
    and still zero at vertices.  For every solvable linear program there is a threshold
    below which its solution is exactly the least-norm solution of the program.

    Source: mangasarian1979nonlinear; wilder2019melding.
    """
    _check_positive("gamma", gamma)
    eye = torch.eye(problem.n, dtype=problem.P.dtype, device=problem.P.device)
    return QP(problem.P + gamma * eye, *problem.fields[1:])


def entropy(problem: QP, gamma: float) -> Tensor:
    """Minimiser of qᵀx + gamma Σ x_i log x_i over Ax = b, x ≥ 0, shape ``(*batch, n)``.

    Smooth in q, A and b wherever a positive feasible point exists, never zero and never
    at a vertex: on the simplex it is softmax(−q/gamma), at finite margins
    exponentially close to the vertex.  First and second derivatives are exact.

    Raises
    ------
    ValueError
        Unless P = 0, gamma > 0 and the inequalities are x ≥ 0: G = −I, h = 0.
    SolveError
        If an instance has no positive feasible point, or Newton's method none.
    """
    _check_positive("gamma", gamma)
    _check_standard(problem)
    batch = problem.batch
    q, A, b = (
        v.double().expand(*batch, *v.shape[v.dim() - axes :])
        for v, axes in ((problem.q, 1), (problem.A, 2), (problem.b, 1))
    )
    with torch.no_grad():
        nu, failed = _dual(q, A, b, gamma)
    if bool(failed.any()):
        raise SolveError(torch.where(failed, int(Status.MAX_ITERATIONS), 0))
    # from a root, one Newton step has its first derivative and two have its second
    for _ in range(2):
        nu = nu + _newton(q, A, b, nu, gamma)
    return _primal(q, A, nu, gamma).to(problem.q.dtype)


def lpgd(problem: QP, tau: float) -> Tensor:
    """The exact minimiser, with Lagrangian proximal gradients in the backward pass.

    With x', nu', lam' the solution for the cost q + tau g, g the gradient of the loss:
    grad_q = (x' − x)/tau, grad_b = (nu − nu')/tau, grad_h = (lam − lam')/tau,
    grad_A = (nu'x'ᵀ − nu xᵀ)/tau, grad_G likewise, grad_P = ½(x'x'ᵀ − x xᵀ)/tau.  They
    tend to the derivative for tau ↓ 0 where there is one; at finite tau they are those
    of an envelope of the linearised loss, and not zero at a vertex that tau g leaves.
    This is the route "perturbed" at temperature tau.  A choice, not a derivative; it
    is not differentiated again.

    Raises SolveError if an instance has no solution, and in the backward pass
    routes.DerivativeError if its perturbed program has none.

    Source: paulus2024lpgd.
    """
    _check_positive("tau", tau)
    return layer(problem, route=Perturbed(temperature=tau))


def _primal(q: Tensor, A: Tensor, nu: Tensor, gamma: float) -> Tensor:
    return torch.exp(-1 - (q + matvec(A.mT, nu)) / gamma)


def _newton(q: Tensor, A: Tensor, b: Tensor, nu: Tensor, gamma: float) -> Tensor:
    """Newton's step for A x(nu) = b, whose Jacobian is −A diag(x) Aᵀ/gamma."""
    x = _primal(q, A, nu, gamma)
    H = (A * x.unsqueeze(-2)) @ A.mT / gamma
    L, info = torch.linalg.cholesky_ex(H)
    step = torch.cholesky_solve((matvec(A, x) - b).unsqueeze(-1), L).squeeze(-1)
    return torch.where((info > 0).unsqueeze(-1), torch.nan, step)


def _dual(q: Tensor, A: Tensor, b: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Minimiser of the convex dual gamma Σ x_i(nu) + bᵀnu, by damped Newton steps."""

    def height(nu: Tensor) -> Tensor:
        return gamma * _primal(q, A, nu, gamma).sum(-1) + (b * nu).sum(-1)

    nu = torch.zeros_like(b)
    if A.shape[-2]:  # the largest x_i starts at one where rows sum positively
        lowest = q.amin(-1, keepdim=True) + gamma
        ones = torch.ones_like(q).unsqueeze(-1)
        fit = matvec(torch.linalg.pinv(A.mT), -lowest * ones.squeeze(-1))
        nu = torch.where(torch.isfinite(height(fit)).unsqueeze(-1), fit, nu)
    for _ in range(MOST_STEPS):
        step = _newton(q, A, b, nu, gamma)
        now, length = height(nu), torch.ones_like(nu[..., :1].sum(-1))
        slope = ((b - matvec(A, _primal(q, A, nu, gamma))) * step).sum(-1)
        for _ in range(HALVINGS):
            trial = height(nu + length.unsqueeze(-1) * step)
            worse = ~(trial <= now + 1e-4 * length * slope + 1e-15 * now.abs())
            if not bool(worse.any()):
                break
            length = torch.where(worse, 0.5 * length, length)
        nu = nu + length.unsqueeze(-1) * step
        if bool((_residual(q, A, b, nu, gamma) <= ACCURATE).all()):
            break
    return nu, ~(_residual(q, A, b, nu, gamma) <= ACCEPTED)


def _residual(q: Tensor, A: Tensor, b: Tensor, nu: Tensor, gamma: float) -> Tensor:
    """Largest error in Ax = b, relative to b."""
    error = matvec(A, _primal(q, A, nu, gamma)) - b
    return error.abs().amax(-1) / (1 + b.abs().amax(-1))


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        msg = f"{name}: expected a positive number, got {value}"
        raise ValueError(msg)


def _check_standard(problem: QP) -> None:
    G, n = problem.G, problem.n
    eye = torch.eye(n, dtype=G.dtype, device=G.device)
    given = {
        "P = 0": not bool(problem.P.any()),
        "at least one row in A": problem.p > 0,
        "G = −I": G.shape[-2] == n and not bool((G + eye).any()),
        "h = 0": not bool(problem.h.any()),
    }
    missing = [name for name, holds in given.items() if not holds]
    if missing:
        msg = (
            f"entropy: expected a linear program over Ax = b, x ≥ 0, with {missing[0]}"
        )
        raise ValueError(f"{msg}, got another")
