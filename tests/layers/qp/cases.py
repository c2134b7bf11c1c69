"""Instances and moves that the tests of the QP layer share."""

from __future__ import annotations

import numpy as np
import torch

from companion import sampling
from companion.problems import QP, Status

FIELDS = ("P", "q", "A", "b", "G", "h")
OUTPUTS = ("x", "nu", "lam", "slack", "value")
SHAPES = [(4, 1, 5), (4, 1, 0), (4, 0, 5), (4, 0, 0), (1, 0, 1)]


def as_torch(problem: QP, dtype: torch.dtype = torch.float64) -> QP:
    return problem.map(lambda v: torch.as_tensor(v, dtype=dtype))


def sample(seed: int, regime: str = "strictly_complementary", shape=(4, 1, 5)):
    return sampling.qp(np.random.default_rng(seed), *shape, regime=regime)


def batch_of(*problems: QP) -> QP:
    return QP(
        *(
            torch.stack([torch.as_tensor(v) for v in f])
            for f in zip(*(problem.fields for problem in problems), strict=True)
        )
    )


def direction(rng: np.random.Generator, problem: QP) -> QP:
    """A random perturbation of every field, symmetric in P."""
    d = problem.map(lambda v: torch.as_tensor(rng.normal(size=v.shape)))
    return QP(d.P + d.P.mT, *d.fields[1:])


def moved(problem: QP, d: QP, t: float) -> QP:
    return QP(*(v + t * dv for v, dv in zip(problem.fields, d.fields, strict=True)))


def infeasible() -> QP:
    problem, _ = sample(11)
    G, h = problem.G.copy(), problem.h.copy()
    G[1], h[1] = -G[0], -h[0] - 1.0
    return QP(problem.P, problem.q, problem.A, problem.b, G, h)


def unbounded() -> QP:
    problem, _ = sample(12)
    zero = np.zeros_like(problem.P)
    return QP(
        zero, np.ones(4), problem.A, 0 * problem.b, 0 * problem.G, problem.h**2 + 1
    )


def poisoned() -> QP:
    problem, _ = sample(13)
    q = problem.q.copy()
    q[2] = np.nan
    return QP(problem.P, q, *problem.fields[2:])


BAD = {
    "infeasible": (infeasible, Status.PRIMAL_INFEASIBLE),
    "unbounded": (unbounded, Status.DUAL_INFEASIBLE),
    "nan": (poisoned, Status.NUMERICAL_ERROR),
}
