"""The solution map of cone programs with sparse matrices, which stay sparse.

A batch is solved one instance after another.  What autograd sees of P and A are their
values on their patterns; the rules of the derivative are those of dense programs.

Chapter: cone-derivative.md. Theorems: cone-adjoint.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import clarabel
import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from companion.layers.cone_program import engine, rules, storage
from companion.layers.cone_program.adjoint import Run, Solve, forward, mapped_solve
from companion.layers.cone_program.linearised import Linearised
from companion.layers.qp.sparse.checks import check_convex
from companion.layers.qp.sparse.data import upper
from companion.problems import ConeCertificate, Cones, Status

CLARABEL: Any = clarabel  # compiled, without annotations
Pair = tuple[np.ndarray, np.ndarray]


class SparseSolve(Solve):
    """(run, P, q, A, b) -> (x, y, s, status) for values of P and A on patterns."""

    @staticmethod
    def forward(run: Run, *data: Tensor) -> tuple[Tensor, ...]:
        """Solve and refine every instance; NaN in those that have no solution."""
        plain = tuple(v.detach().numpy() for v in data)
        cost: Any = run.matrices[0]
        for i in range(len(plain[0])):
            check_convex(storage.assembled(cost, plain[0][i], i), "ConeProgram")
        found = [_one(run, plain, i) for i in range(max(map(len, plain)))]
        if not found:
            found = [_nothing(run)]
            parts = tuple(v[:0] for v in found[0][0])
        else:
            parts = tuple(map(np.concatenate, zip(*(f[0] for f in found), strict=True)))
        runs = [f[1] for f in found]
        run.status = parts[3]
        run.system = Systems(tuple(one.system for one in runs))
        run.error, run.iterations = (
            np.concatenate([getattr(one, name) for one in runs])[: len(parts[0])]
            for name in ("error", "iterations")
        )
        run.certificate = _joined([one.certificate for one in runs], parts)
        return tuple(map(torch.from_numpy, parts))

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients, those of P and A on their patterns."""
        return None, *rules.pulled(ctx, seeds[:3])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], run: Run, *data: Tensor) -> Any:
        """Fold a mapped axis into the batch."""
        return mapped_solve(SparseSolve.apply, info.batch_size, in_dims, run, data)


class Systems(NamedTuple):
    """Solves with M and Mᵀ, instance by instance; zeros where there is no solution."""

    parts: tuple[Linearised | None, ...]

    def solve(self, r1: np.ndarray, r2: np.ndarray) -> Pair:
        """(dx, dv) with M (dx, dv) = (r1, r2)."""
        return self._each("solve", r1, r2)

    def adjoint(self, f1: np.ndarray, f2: np.ndarray) -> Pair:
        """(g1, g2) with Mᵀ (g1, g2) = (f1, f2)."""
        return self._each("adjoint", f1, f2)

    def _each(self, name: str, r1: np.ndarray, r2: np.ndarray) -> Pair:
        u, w = np.zeros_like(r1), np.zeros_like(r2)
        for i, part in enumerate(self.parts[: len(r1)]):
            if part is not None:
                one = getattr(part, name)(r1[i : i + 1], r2[i : i + 1])
                u[i : i + 1], w[i : i + 1] = one
        return u, w


def _one(run: Run, data: tuple[np.ndarray, ...], i: int) -> tuple[Any, Run]:
    """The solution of one instance, and what its own run leaves."""
    patterns: Any = run.matrices
    fields = storage.instance(patterns, data, i)
    P, q, A, b = fields
    if not all(v.all() for v in (P.finite, A.finite, np.isfinite(q), np.isfinite(b))):
        return _nothing(run)
    own = Run(run.K, (), run.eps, run.matrices, solver=solve)
    return forward(own, fields), own


def _nothing(run: Run) -> tuple[Any, Run]:
    """What is left of an instance with a number that is none."""
    cost: Any = run.matrices[0]
    own, n = Run(run.K, ()), cost.shape[0]
    own.error, own.iterations = np.array([np.nan]), np.array([0])
    sizes = (n, run.K.rows, run.K.rows)
    status = np.array([int(Status.NUMERICAL_ERROR)])
    return (*(np.full((1, k), np.nan) for k in sizes), status), own


def _joined(
    parts: list[ConeCertificate | None], found: tuple[np.ndarray, ...]
) -> ConeCertificate | None:
    """The certificates of a batch, NaN where there is none."""
    if all(part is None for part in parts):
        return None
    x, y, *_ = found
    none = (torch.full((1, v.shape[1]), torch.nan).double() for v in (y, x, y))
    empty = ConeCertificate(*none)
    whole = [empty if part is None else part for part in parts]
    return ConeCertificate(
        *(
            torch.cat([getattr(part, name) for part in whole])
            for name in ("y", "d", "s")
        )
    )


def solve(fields: storage.Fields, K: Cones, *, accuracy: float) -> engine.Answer:
    """Clarabel's answer for one instance, whose columns it is given as they are."""
    P, q, A, b = fields
    rows, R = engine.rows_for(K), map_of(K)
    settings = engine._settings(accuracy)
    cost, there = upper(P[0]), (R @ A[0]).tocsc()
    problem = (cost, q[0], there, R @ b[0], list(rows.cones), settings)
    found = CLARABEL.DefaultSolver(*problem).solve()
    x, z, s = (np.array(v)[None] for v in (found.x, found.z, found.s))
    y, s = rows.back(z, s)
    status = engine.STATUSES.get(str(found.status), Status.NUMERICAL_ERROR)
    return engine.Answer(
        x, y, s, np.array([int(status)]), np.array([found.iterations]), np.ones(1, bool)
    )


@cache
def map_of(K: Cones) -> Any:
    """The map R of the rows as a sparse matrix: nothing but permutations and blocks."""
    rows, m = engine.rows_for(K), K.rows
    order = np.arange(m) if rows.order is None else rows.order
    R = sparse.csr_matrix((np.ones(m), (np.arange(m), order)), shape=(m, m))
    if not len(rows.triples):
        return R
    kept = np.ones(m)
    kept[rows.triples] = 0
    t = np.broadcast_to(rows.triples[:, :, None], rows.blocks.shape)
    places = (t.ravel(), t.swapaxes(1, 2).ravel())
    blocks = sparse.csr_matrix((rows.blocks.ravel(), places), shape=(m, m))
    return (sparse.diags(kept).tocsr() + blocks) @ R
