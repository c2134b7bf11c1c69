"""The numbers of `regularity` for a sparse problem, from sparse factorisations.

Margins of the rows are read off; the least singular value of the rows that touch, the
curvature and the condition come from Lanczos on an LU of the matrix that has them, to
four digits.  All are the dense ones, in the same units.

Chapter: sensitivity.md. Theorems: kkt-nonsingular, qp-active-set.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import linprog

from companion.layers.qp.interior_point import MARGIN
from companion.layers.qp.sparse.data import (
    Data,
    Matrix,
    Point,
    largest,
    lengths,
    row_divided,
    stacked,
)
from companion.layers.qp.sparse.factor import Factor, System
from companion.layers.qp.sparse.solution import instances
from companion.layers.qp.sparse.spectrum import (
    curvature,
    factored,
    greatest,
    kkt,
    least_singular,
)
from companion.problems import QP, QPSolution, Regularity, Status
from companion.problems.outcomes import CURVATURE_MARGIN, LICQ_MARGIN

ZERO_SLACK = 1e-8  # slack at which a row of norm one touches its bound
SINGULAR = 1e15  # condition beyond which the KKT matrix counts as singular
ROUNDING = 1e-12  # speed, beside the direction's, that counts as standing still
FOUND = 1e-7  # what a cone of unit box reaches if it is more than its apex
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


class Rows(NamedTuple):
    """A solved problem, its rows scaled to norm one and told apart."""

    data: Data
    point: Point
    slack: np.ndarray
    sizes: np.ndarray
    A: Matrix
    G: Matrix
    strong: np.ndarray
    weak: np.ndarray


class Margins(NamedTuple):
    """What `Regularity` wants, and the factors and the least eigenvalue of the KKT."""

    numbers: tuple[float, float, float, float, float]
    unique: bool
    unique_multipliers: bool
    factor: Factor
    least: float


def rows_of(data: Data, point: Point) -> Rows:
    """The rows of a solution."""
    slack, sizes = data.h - data.G @ point.x, lengths(data.G)
    strong = point.lam * sizes - slack / sizes > MARGIN
    weak = ~strong & (slack / sizes < ZERO_SLACK)
    A, G = row_divided(data.A, lengths(data.A)), row_divided(data.G, sizes)
    return Rows(data, point, slack, sizes, A, G, strong, weak)


def margins(rows: Rows) -> Margins:
    """The margins of one instance."""
    data, point = rows.data, rows.point
    room = np.maximum(point.lam * rows.sizes, rows.slack / rows.sizes)
    strict = float(room.min(initial=np.inf))
    licq = least_singular(stacked(rows.A, rows.G[rows.strong | rows.weak]))
    C = stacked(rows.A, rows.G[rows.strong])
    K = kkt(data.P, C)
    lu = factored(K)
    least = 0.0 if lu is None else 1 / greatest(lu.solve, K.shape[0])
    condition = np.inf if least == 0 else greatest(lambda v: K @ v, len(C.indptr) - 1
                                                   + len(data.q)) / least  # fmt: skip
    if not condition < SINGULAR:
        lu, condition = None, np.inf
    bend = curvature(data.P, C, lu)
    factor = System(data).factor(rows.strong)
    numbers = (strict, licq, bend, condition, _residual(rows, factor))
    unique = bend > CURVATURE_MARGIN or _only_solution(rows)
    duals = licq > LICQ_MARGIN or _only_multipliers(rows)
    return Margins(numbers, unique, duals, factor, least)


def _residual(rows: Rows, factor: Factor) -> float:
    """Residual of the adjoint solve for the seed (cos 1, cos 2, …) of x."""
    n, k = len(rows.data.q), len(rows.data.b) + len(rows.data.h)
    seed = np.cos(np.arange(1.0, n + 1))
    u, y = factor.solve(-seed, np.zeros(k))
    C = stacked(rows.data.A, rows.data.G)
    held = stacked(rows.A, rows.G[rows.strong]) @ u
    left = np.concatenate([rows.data.P @ u + C.T @ y + seed, held])
    return float(np.linalg.norm(left) / np.linalg.norm(seed))


def _only_solution(rows: Rows) -> bool:
    """Whether no d has Pd = 0, Ad = 0, Gd = 0 on strong and Gd ≤ 0 on weak rows."""
    P = rows.data.P / (largest(rows.data.P.data) or 1.0)
    held = stacked(stacked(P, rows.A), rows.G[rows.strong])
    return _trivial(held, rows.G[rows.weak])


def _only_multipliers(rows: Rows) -> bool:
    """Whether no w has Cᵀw = 0 on the rows that touch and w ≥ 0 on the weak ones."""
    C = stacked(stacked(rows.A, rows.G[rows.strong]), rows.G[rows.weak])
    signs = -sparse.identity(C.shape[0], format="csr")
    return _trivial(C.T.tocsr(), signs[C.shape[0] - int(rows.weak.sum()) :])


def _trivial(held: Matrix, R: Matrix) -> bool:
    """Whether 0 is all of {z : held·z = 0, Rz ≤ 0}.

    It is if no z has a fall in Rz, which a linear program says, and none is without.
    """
    both = stacked(held, R)
    if both.shape[0] < both.shape[1] or least_singular(both.T.tocsr()) < LICQ_MARGIN:
        return False
    if not R.shape[0]:
        return True
    # HiGHS, to its finest tolerances: the fall of every row is at most one
    A = sparse.vstack([R, -R])
    b = np.concatenate([np.zeros(R.shape[0]), np.ones(R.shape[0])])
    fall = np.asarray(R.sum(axis=0)).ravel()
    found = linprog(fall, A, b, held, np.zeros(held.shape[0]), (None, None),
                    options=EXACT)  # fmt: skip
    return found.status == 0 and found.fun > -FOUND


def radius(rows: Rows, factor: Factor, moves: tuple[np.ndarray, ...]) -> float:
    """Least t at which a multiplier or a slack reaches zero, for (dq, db, dh)."""
    dq, db, dh = moves
    r2 = np.concatenate([db, dh])
    dx, dy = factor.solve(-dq, r2)
    p, strong = len(db), rows.strong
    fall = np.where(strong, dy[p:], dh - rows.data.G @ dx)
    level = np.where(strong, rows.point.lam, rows.slack).clip(min=0)
    level[rows.weak] = 0.0
    falling = fall < -ROUNDING * largest(dq, r2)
    return float((level[falling] / -fall[falling]).min(initial=np.inf))


def told(problem: QP, sol: QPSolution) -> list[tuple[Rows, Margins] | None]:
    """Rows and margins of every instance; None where it was not solved."""
    size = math.prod(problem.batch)
    status = sol.status.reshape(size).tolist()
    parts = (
        v.detach().reshape(size, v.shape[-1]).numpy() for v in (sol.x, sol.nu, sol.lam)
    )
    found: list[tuple[Rows, Margins] | None] = []
    for data, state, *own in zip(instances(problem), status, *parts, strict=True):
        if state == Status.SOLVED:
            rows = rows_of(data, Point(*own))
            found.append((rows, margins(rows)))
        else:
            found.append(None)
    return found


def regularity(problem: QP, sol: QPSolution, direction: QP | None) -> Regularity:
    """How far every instance is from losing its derivative."""
    return shaped(problem, told(problem, sol), direction)


def shaped(problem: QP, found: list[Any], direction: QP | None = None) -> Regularity:
    """The margins of all instances as tensors; NaN where there are none."""
    nothing = ((np.nan,) * 5, False, False)
    numbers, unique, duals = zip(
        *(one[1][:3] if one else nothing for one in found), strict=True
    )
    columns = [list(v) for v in zip(*numbers, strict=True)]
    if direction is not None:
        pairs = zip(found, _vector_speeds(problem, direction), strict=True)
        columns.append([_radius(one, moves) for one, moves in pairs])

    def tensor(v: Any, kind: torch.dtype) -> torch.Tensor:
        return torch.tensor(v, dtype=kind).reshape(problem.batch)

    margin = [tensor(v, torch.float64) for v in columns]
    flags = [tensor(v, torch.bool) for v in (unique, duals)]
    return Regularity(*margin[:5], *flags, *margin[5:])


def _radius(one: Any, moves: tuple[np.ndarray, ...]) -> float:
    """NaN where there is no derivative."""
    if one is None or not one[1].factor.regular or one[1].numbers[3] == np.inf:
        return np.nan
    return radius(one[0], one[1].factor, moves)


def _vector_speeds(problem: QP, direction: QP) -> list[tuple[np.ndarray, ...]]:
    """The speeds of (q, b, h) in every instance; those of matrices have to be zero."""
    for name in "PAG":
        v = getattr(direction, name)
        if bool((v.values() if v.layout == torch.sparse_csr else v).any()):
            msg = (
                f"direction.{name}: expected zeros where the problem is sparse (the "
                "radius along matrices takes dense pencils), got others"
            )
            raise ValueError(msg)
    parts = []
    for name in "qbh":
        v, own = getattr(direction, name).detach(), getattr(problem, name)
        if v.shape[-1] != own.shape[-1]:
            msg = f"direction.{name}: expected {own.shape[-1]} entries"
            raise ValueError(f"{msg}, got {v.shape[-1]}")
        full = v.expand(*problem.batch, own.shape[-1])
        parts.append(full.reshape(math.prod(problem.batch), own.shape[-1]).numpy())
    return list(zip(*parts, strict=True))
