"""Maps of one cost vector q, and their derivatives by the reference in NumPy."""

from __future__ import annotations

import numpy as np
import torch

from companion.layers import qp
from companion.problems import QP
from companion.reference import qp as reference
from tests.layers.qp.cases import as_torch, sample

CLOSE = {"rtol": 1e-7, "atol": 1e-7}  # the reference stops at residuals of 1e-9


def base() -> QP:
    return as_torch(sample(0, shape=(3, 1, 3))[0])


def inputs() -> torch.Tensor:
    """Three costs q that keep the active set of the base problem."""
    q = base().q
    return torch.stack([q, q + 0.01, q - 0.02])


def minimizer(engine):
    problem = base()
    return lambda q: qp.layer(QP(problem.P, q, *problem.fields[2:]), engine=engine)


def value(engine):
    problem = base()
    return lambda q: (
        qp.solve(QP(problem.P, q, *problem.fields[2:]), engine=engine).value
    )


def jacobian(q: torch.Tensor) -> torch.Tensor:
    """dx/dq by the reference: symmetric, and the Hessian of the value."""
    P, _, *rest = (v.numpy() for v in base().fields)
    problem = QP(P, q.numpy(), *rest)
    sol = reference.solve(problem)
    rows = [
        reference.vjp(problem, sol, e, 0 * sol.nu, 0 * sol.lam).q for e in np.eye(3)
    ]
    return torch.as_tensor(np.stack(rows))


def optimum(q: torch.Tensor) -> torch.Tensor:
    """Minimizer by the reference: the gradient of the value in q."""
    P, _, *rest = (v.numpy() for v in base().fields)
    return torch.as_tensor(reference.solve(QP(P, q.numpy(), *rest)).x)


def close(got, want):
    torch.testing.assert_close(got, want, **CLOSE)


def each(f):
    return torch.stack([f(q) for q in inputs()])
