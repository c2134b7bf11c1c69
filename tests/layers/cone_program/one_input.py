"""Maps of one cost vector q, and their derivatives by the reference in NumPy."""

from __future__ import annotations

import functools

import numpy as np
import torch

from companion.layers import cone_program
from companion.problems import ConeProgram, Cones
from companion.reference import cone_program as reference
from tests.layers.cone_program.cases import FIELDS, OUTPUTS, sample

FEW = Cones(zero=1, nonneg=1, soc=(3,), psd=(2,), exp=1, exp_dual=1, power=(0.3, -0.6))
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@functools.cache
def base() -> ConeProgram:
    return sample(1, FEW)[0]


def inputs() -> torch.Tensor:
    """Three costs q that stay in the piece of the base problem."""
    q = base().q
    return torch.stack([q, q + 0.01, q - 0.02])


def with_cost(q: torch.Tensor) -> ConeProgram:
    problem = base()
    return ConeProgram(problem.P, q, problem.A, problem.b, problem.K)


def minimiser(q: torch.Tensor) -> torch.Tensor:
    return cone_program.layer(with_cost(q))


def value(q: torch.Tensor) -> torch.Tensor:
    return cone_program.solve(with_cost(q)).value


def solved(q: torch.Tensor):
    problem = with_cost(q).map(lambda v: v.numpy())
    sol = cone_program.solve(with_cost(q))
    parts = (getattr(sol, name).numpy() for name in OUTPUTS)
    return problem, type(sol)(*parts, sol.status)


def jacobian(q: torch.Tensor) -> torch.Tensor:
    """dx/dq by the reference."""
    problem, sol = solved(q)
    rows = [reference.adjoint(problem, sol, e).q for e in np.eye(len(q))]
    return torch.as_tensor(np.stack(rows))


def optimum(q: torch.Tensor) -> torch.Tensor:
    """The minimiser: the gradient of the value in q."""
    return torch.as_tensor(solved(q)[1].x)


def close(got, want):
    torch.testing.assert_close(got, want, **CLOSE)


def each(f):
    return torch.stack([f(q) for q in inputs()])


def outputs(problem: ConeProgram, kept=FIELDS):
    """The four outputs as a function of some fields, symmetric in P."""

    def f(*leaves):
        values = dict(zip(FIELDS, problem.fields, strict=True))
        values.update(zip(kept, leaves, strict=True))
        values["P"] = 0.5 * (values["P"] + values["P"].mT)
        sol = cone_program.solve(ConeProgram(**values, K=problem.K))
        return tuple(getattr(sol, name) for name in OUTPUTS)

    return f
