"""Cone programs and moves that the tests of the layer share."""

from __future__ import annotations

import numpy as np
import torch

from companion import sampling
from companion.problems import ConeProgram, Cones, Status

FIELDS = ("P", "q", "A", "b")
OUTPUTS = ("x", "y", "s", "value")
EVERY = Cones(
    zero=2,
    nonneg=3,
    soc=(4, 1, 3, 3),
    psd=(2, 4),
    exp=3,
    exp_dual=3,
    power=(0.3, -0.6, 0.5),
)
PRODUCTS = {
    "line": Cones(zero=2, nonneg=4),
    "soc": Cones(soc=(4, 3, 2, 5, 1)),
    "psd": Cones(zero=1, psd=(2, 4, 5)),
    "exp": Cones(exp=5, nonneg=1),
    "exp_dual": Cones(exp_dual=5, zero=1),
    "power": Cones(power=(0.3, 0.5, 0.8, 0.3), nonneg=1),
    "power_dual": Cones(power=(-0.3, -0.5, -0.8, -0.3), nonneg=1),
    "every": EVERY,
}
REGULAR = ("strictly_complementary", "linear")


def sample(seed: int, K: Cones = EVERY, regime: str = "strictly_complementary"):
    """A program as tensors, and its solution as arrays."""
    problem, sol = sampling.cone_program(np.random.default_rng(seed), K, regime)
    return problem.map(torch.from_numpy), sol


def batch_of(*problems: ConeProgram) -> ConeProgram:
    columns = zip(*(problem.fields for problem in problems), strict=True)
    return ConeProgram(*map(torch.stack, columns), problems[0].K)


def moved(problem: ConeProgram, d: ConeProgram, t: float) -> ConeProgram:
    pairs = zip(problem.fields, d.fields, strict=True)
    return ConeProgram(*(v + t * dv for v, dv in pairs), problem.K)


def direction(rng: np.random.Generator, problem: ConeProgram) -> ConeProgram:
    """A random perturbation of every field, symmetric in P, and zero where P is."""
    d = problem.map(lambda v: torch.from_numpy(rng.normal(size=v.shape)))
    dP = (d.P + d.P.mT) * bool(problem.P.any())
    return ConeProgram(dP, *d.fields[1:], problem.K)


SMALL = Cones(nonneg=2, soc=(3,))
MATRIX = torch.tensor([[1.0, 0], [-1, 0], [0, 0], [-1, 0], [0, -1]]).double()


def disc(centre: float = 0.0) -> ConeProgram:
    """Least x₂ on the unit disc where |x₁ − centre| ≤ ½."""
    b = torch.tensor([0.5 + centre, 0.5 - centre, 1.0, 0.0, 0.0]).double()
    q = torch.tensor([0.0, 1.0]).double()
    return ConeProgram(torch.zeros(2, 2).double(), q, MATRIX, b, SMALL)


def infeasible() -> ConeProgram:
    """The strip misses the disc."""
    return disc(2.0)


def unbounded() -> ConeProgram:
    """No disc: its cone holds (1, 0, 0) whatever x is."""
    problem = disc()
    A = MATRIX.clone()
    A[3:] = 0
    return ConeProgram(problem.P, problem.q, A, problem.b, SMALL)


def poisoned() -> ConeProgram:
    """A number that is none."""
    problem = disc()
    b = problem.b.clone()
    b[0] = torch.nan
    return ConeProgram(problem.P, problem.q, problem.A, b, SMALL)


BAD = {
    "infeasible": (infeasible, Status.PRIMAL_INFEASIBLE),
    "unbounded": (unbounded, Status.DUAL_INFEASIBLE),
    "nan": (poisoned, Status.NUMERICAL_ERROR),
}


def chain(count: int) -> ConeProgram:
    """Shrink neighbours' differences: a program with mostly zeros, in P and in A."""
    n = 2 * count
    A = torch.zeros(3 * (count - 1), n).double()
    for i in range(count - 1):
        A[3 * i, count + i] = -1
        A[3 * i + 1, i], A[3 * i + 1, i + 1] = -1, 1
        A[3 * i + 2, i] = -0.3
    P = torch.diag(torch.cat([torch.ones(count), 1e-3 * torch.ones(count)])).double()
    q = torch.cat([-torch.arange(count).sin(), 0.1 * torch.ones(count)]).double()
    return ConeProgram(
        P, q, A, torch.zeros(len(A)).double(), Cones(soc=(3,) * (count - 1))
    )


def sparse(problem: ConeProgram) -> ConeProgram:
    """The same program with P and A in compressed rows."""
    P, A = (v.to_sparse_csr() for v in (problem.P, problem.A))
    return ConeProgram(P, problem.q, A, problem.b, problem.K)
