"""Degenerate, infeasible and unbounded programs, each with what is to be said of it."""

from __future__ import annotations

import torch
from torch import Tensor

from companion.problems import QP, Verdict

NAN = float("nan")


def tensor(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def qp_of(q, G=None, h=None, A=None, b=None, P=None) -> QP:
    """A QP from lists; P is zero unless given, so that it is a linear program."""
    n = len(q)
    P = [[0.0] * n] * n if P is None else P
    given = (None if v is None else tensor(v) for v in (P, q, A, b, G, h))
    return QP(*given)


EYE = [[1.0, 0.0], [0.0, 1.0]]
SIMPLEX = (
    [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]],
    [0.0, 0.0, 0.0],
    [[1.0, 1.0, 1.0]],
    [1.0],
)


def relu(q: float) -> QP:
    """Minimise ½x² + qx over x ≥ 0: x = max(0, −q)."""
    return qp_of([q], [[-1.0]], [0.0], P=[[1.0]])


def gnar(alpha: float) -> QP:
    """X = (0, 1/alpha), with a KKT matrix of condition about 4/alpha²."""
    return qp_of([0.0, 0.0], A=[[1.0, 0.0], [1.0, alpha]], b=[0.0, 1.0], P=EYE)


def rank_two(*, box: bool = False) -> QP:
    """P of rank two in four variables: a plane of minimisers unless a box holds."""
    M = torch.arange(16.0, dtype=torch.float64).reshape(4, 4)
    P, eye = M.mT @ M, torch.eye(4, dtype=torch.float64)
    if box:
        G = torch.cat([eye, -eye])
        return QP(P, eye[0], G=G, h=torch.ones(8, dtype=torch.float64))
    return QP(P, P @ torch.ones(4, dtype=torch.float64))


def klee_minty(n: int) -> QP:
    """The cube whose only optimal vertex is (0, …, 0, 5ⁿ)."""
    G = [[2.0 ** (i - j + 1) if j < i else float(i == j) for j in range(n)]
         for i in range(n)]  # fmt: skip
    G += [[-float(i == j) for j in range(n)] for i in range(n)]
    h = [5.0 ** (i + 1) for i in range(n)] + [0.0] * n
    return qp_of([-(2.0 ** (n - 1 - j)) for j in range(n)], G, h)


ONE, TWO = Verdict.ONE_SIDED, Verdict.DIFFERENTIABLE
TIED, ILL = Verdict.NOT_UNIQUE, Verdict.ILL_CONDITIONED
DEGENERATE = {
    "relu, free": (relu(-1e-3), TWO),
    "relu, barely free": (relu(-1e-6), TWO),
    "relu, at the kink": (relu(0.0), ONE),
    "relu, barely held": (relu(1e-6), TWO),
    "relu, held": (relu(1e-3), TWO),
    "duplicate row": (qp_of([-3.0], [[1.0], [1.0]], [1.0, 1.0], P=[[1.0]]), TIED),
    "duplicate row, weak": (qp_of([0.0], [[1.0], [1.0]], [0.0, 0.0], P=[[1.0]]), ONE),
    "tied LP": (qp_of([-1.0, -1.0, 0.0], *SIMPLEX), TIED),
    "untied LP": (qp_of([0.0, -1.0, 0.0], *SIMPLEX), TWO),
    "LP, no cost": (qp_of([0.0, 0.0, 0.0], *SIMPLEX), TIED),
    "zero row": (qp_of([1.0, 1.0], [[0.0, 0.0]], [0.0], P=EYE), TIED),
    "zero row with room": (qp_of([1.0, 1.0], [[0.0, 0.0]], [1.0], P=EYE), TWO),
    "no constraint": (qp_of([1.0, 1.0], P=EYE), TWO),
    "wedge around a flat": (
        qp_of([0.0] * 2, [[-1.0, 1.0], [-1.0, -1.0]], [0.0] * 2,
              P=[[1.0, 0.0], [0.0, 0.0]]), ONE),
    "half a flat": (
        qp_of([0.0] * 2, [[0.0, -1.0]], [0.0], P=[[1.0, 0.0], [0.0, 0.0]]), TIED),
    "gnar 1e-2": (gnar(1e-2), TWO),
    "gnar 1e-4": (gnar(1e-4), ILL),
    "gnar 1e-6": (gnar(1e-6), ILL),
    "rank two": (rank_two(), TIED),
    "Klee-Minty 3": (klee_minty(3), TWO),
    "Klee-Minty 8": (klee_minty(8), TWO),
}  # fmt: skip

INFEASIBLE = {
    "two bounds and a budget": qp_of(
        [0.0, 0.0], [[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [-6.0, -6.0, 11.0], P=EYE),
    "no stationary distribution": qp_of(
        [1.0, 1.0], [[-1.0, 0.0], [0.0, -1.0]], [0.0, 0.0],
        [[1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]], [1.0, 1.0, -1.0]),
    "crossed bounds": qp_of([0.0], [[-1.0], [1.0]], [-1.0, -1.0], P=[[1.0]]),
    "two values": qp_of([0.0], A=[[1.0], [1.0]], b=[1.0, -1.0], P=[[1.0]]),
    "impossible zero row": qp_of([1.0, 1.0], [[0.0, 0.0]], [-1.0], P=EYE),
}  # fmt: skip

UNBOUNDED = {
    "down a wall": qp_of([1.0, -2.0, 1.0], [[-1.0, -1.0, 0.0]], [0.0],
                         [[0.0, 0.0, 1.0]], [3.0]),
    "below a bound": qp_of([1.0], [[1.0]], [2.0]),
    "along a flat": qp_of([0.0, 1.0], [[-1.0, 0.0]], [0.0], P=[[1.0, 0.0], [0.0, 0.0]]),
    "free": qp_of([1.0, 2.0]),
}  # fmt: skip
