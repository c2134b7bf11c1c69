"""The derivative of the solution map and its adjoint as linear maps.

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from companion.layers.cone_program.adjoint import pulled_back, pushed_forward
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.linearised import Linearised
from companion.layers.cone_program.newton import State, at, refine
from companion.layers.cone_program.solution import prepare
from companion.layers.cone_program.spectrum import Spectrum
from companion.layers.cone_program.storage import check_dense
from companion.problems import ConeProgram, ConeSolution, Status


@dataclass(frozen=True, eq=False)
class Point:
    """A solved batch in NumPy, with M factored at it."""

    fields: tuple[np.ndarray, ...]
    x: np.ndarray
    y: np.ndarray
    system: Linearised
    solved: np.ndarray
    batch: tuple[int, ...]

    def flat(self, v: Tensor | None, tail: tuple[int, ...]) -> np.ndarray:
        """A tensor with the full batch on one axis; zeros for None."""
        size = len(self.solved)
        if v is None:
            return np.zeros((size, *tail))
        v = v.detach().double().cpu().expand(self.batch + tail)
        return v.reshape(size, *tail).numpy()

    def shaped(self, v: np.ndarray) -> Tensor:
        """With the batch axes of the problem; NaN where there is no solution."""
        v = np.where(self.solved.reshape(-1, *(1,) * (v.ndim - 1)), v, np.nan)
        return torch.from_numpy(v).reshape(self.batch + v.shape[1:])


@dataclass(frozen=True, eq=False)
class Tangent:
    """(dP, dq, dA, db) -> (dx, dy, ds); None stands for zeros, dP is symmetrised."""

    point: Point

    def __call__(
        self,
        dP: Tensor | None = None,
        dq: Tensor | None = None,
        dA: Tensor | None = None,
        db: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """How the solution moves with the data."""
        here = self.point
        moves = [
            here.flat(v, f.shape[1:])
            for v, f in zip((dP, dq, dA, db), here.fields, strict=True)
        ]
        parts = pushed_forward(here.system, moves, (here.x, here.y))
        return tuple(map(here.shaped, parts))  # type: ignore[return-value]

    @property
    def residual(self) -> Tensor:
        """What the last solve left over, relative to its right-hand side."""
        return self.point.shaped(self.point.system.residual)


@dataclass(frozen=True, eq=False)
class Adjoint:
    """(gx, gy, gs) -> (gP, gq, gA, gb); None stands for zeros, gP is symmetric."""

    point: Point

    def __call__(
        self,
        gx: Tensor | None = None,
        gy: Tensor | None = None,
        gs: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients in the data of a function with these gradients in the solution."""
        here = self.point
        n, m = here.x.shape[-1], here.y.shape[-1]
        seeds = tuple(
            here.flat(v, (k,)) for v, k in zip((gx, gy, gs), (n, m, m), strict=True)
        )
        g1, g2 = pulled_back(here.system, seeds, len(here.x))
        left = g1[:, :, None] * here.x[:, None, :]
        gP = 0.5 * (left + left.swapaxes(-1, -2))
        gA = here.y[:, :, None] * g1[:, None, :] - g2[:, :, None] * here.x[:, None, :]
        return tuple(map(here.shaped, (gP, g1, gA, g2)))  # type: ignore[return-value]

    @property
    def residual(self) -> Tensor:
        """What the last solve left over, relative to its right-hand side."""
        return self.point.shaped(self.point.system.residual)


def derivative(problem: ConeProgram, sol: ConeSolution) -> tuple[Tangent, Adjoint]:
    """The derivative D of (P, q, A, b) ↦ (x, y, s) at a solved batch, and Dᵀ.

    Both take and return tensors of the shapes of the fields, batch axes first, and use
    one factorisation.  `linear_operator` is D of a single problem as SciPy has it.
    Instances that were not solved are NaN.
    """
    here = point_of(problem, sol)
    return Tangent(here), Adjoint(here)


def linear_operator(problem: ConeProgram, sol: ConeSolution) -> LinearOperator:
    """D of a single problem, fields and outputs flattened one after another."""
    D, DT = derivative(problem, sol)
    if problem.batch:
        msg = f"problem: expected a single problem, got batch {problem.batch}"
        raise ValueError(msg)
    shapes = [tuple(v.shape) for v in problem.fields]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    outs = np.cumsum([problem.n, problem.m, problem.m])

    def there(v: np.ndarray) -> np.ndarray:
        parts = np.split(np.ravel(v), ends[:-1])
        tensors = (
            torch.from_numpy(p.reshape(shape))
            for p, shape in zip(parts, shapes, strict=True)
        )
        return torch.cat(D(*tensors)).numpy()

    def back(v: np.ndarray) -> np.ndarray:
        parts = np.split(np.ravel(v), outs[:-1])
        return torch.cat(
            [g.flatten() for g in DT(*map(torch.from_numpy, parts))]
        ).numpy()

    shape = (int(outs[-1]), int(ends[-1]))
    return LinearOperator(shape, matvec=there, rmatvec=back, dtype=float)  # type: ignore[call-arg]


def point_of(problem: ConeProgram, sol: ConeSolution) -> Point:
    """A solved batch with M factored at its v = y − s."""
    fields, x, v, solved = numbers(problem, sol)
    spectrum = Spectrum(v, layout(problem.K))
    system = Linearised(fields[0], fields[2], spectrum, solved)
    y = system.at.point
    return Point(fields, x, y, system, solved, problem.batch)


def numbers(
    problem: ConeProgram, sol: ConeSolution
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Fields, x and v of a batch in NumPy, zeros where it is not solved."""
    check_dense(problem)
    _, data = prepare(problem)
    fields = tuple(v.detach().numpy() for v in data)
    solved = (sol.status == Status.SOLVED).reshape(-1).cpu().numpy()
    parts = (sol.x, sol.y, sol.s)
    x, y, s = (
        v.detach().double().cpu().reshape(len(solved), v.shape[-1]).numpy()
        for v in parts
    )
    keep = solved[:, None]
    return fields, np.where(keep, x, 0.0), np.where(keep, y - s, 0.0), solved


def refined(problem: ConeProgram, sol: ConeSolution) -> ConeSolution:
    """The solution after Newton's method on the conditions of optimality.

    R(x, v) = (Px + AᵀΠv + q, −Ax + b + v − Πv) with Π the projection on K* and
    v = y − s.  A step is kept only where it lowers the error, relative to the terms
    that it sums; where M is singular it is one of least squares.  `solve` does this
    already: this is for solutions from elsewhere.  Not differentiable; statuses stay.

    Source: busseti2019solution, without the homogenising variable.
    """
    fields, x, v, solved = numbers(problem, sol)
    state, _ = refine(fields, at(fields, x, v, layout(problem.K)), solved)
    return _as_solution(problem, sol, state, solved)


def _as_solution(
    problem: ConeProgram, sol: ConeSolution, state: State, solved: np.ndarray
) -> ConeSolution:
    def shaped(v: np.ndarray) -> Tensor:
        v = np.where(solved.reshape(-1, *(1,) * (v.ndim - 1)), v, np.nan)
        return torch.from_numpy(v).reshape(problem.batch + v.shape[1:])

    x, y, s = (shaped(v) for v in (state.x, state.y, state.s))
    P, q = (v.detach().double().cpu() for v in (problem.P, problem.q))
    value = (x * (0.5 * (P @ x.unsqueeze(-1)).squeeze(-1) + q)).sum(-1)
    info = {"error": shaped(state.error)}
    return ConeSolution(x, y, s, value, sol.status, info, sol.certificate)
