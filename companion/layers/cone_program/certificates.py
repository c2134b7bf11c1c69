"""Rays that prove that a cone program has no solution, and their check.

Chapter: cone-derivative.md. Theorems: infeasibility-certificate.
Source: boyd2004convex, §5.8, for the theorems of the alternative.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import lsmr
from torch import Tensor

from companion.layers.cone_program import storage
from companion.layers.cone_program.engine import Answer
from companion.layers.cone_program.layout import Layout, layout
from companion.layers.cone_program.linearised import norm
from companion.layers.cone_program.spectrum import Spectrum
from companion.layers.cone_program.stacks import times, transposed
from companion.problems import ConeCertificate, ConeProgram, Cones, Status

TOLERANCE = 1e-9  # residual of a ray, relative to its gain and to its terms
MEMBER = 1e-12  # distance to the cone, relative to the ray: rounding of a projection
ROUNDING = 1e-15  # of LSMR, on both of its measures
POLISHES = 20  # projections onto the equations and onto the cone, in turn


class Proof(NamedTuple):
    """What a certificate proves, instance by instance."""

    primal_infeasible: Tensor
    dual_infeasible: Tensor


def certifies(problem: ConeProgram, certificate: ConeCertificate) -> Proof:
    """Check a certificate against the problem, by products and one projection.

    A Farkas ray has Aᵀy = 0, y ∈ K* and bᵀy < 0: a feasible x would give
    0 ≤ sᵀy = bᵀy − xᵀAᵀy < 0.  A recession direction has Pd = 0, Ad + s = 0, s ∈ K and
    qᵀd < 0: from a feasible point the objective falls along it for ever.  Residuals
    are at most 1e-9 of the gain and of the terms that they sum, distances to the cone
    at most rounding.  NaN proves nothing.
    """
    batch, size = problem.batch, int(np.prod(problem.batch))
    where = layout(problem.K)
    y, d, s = (
        _flat(v, batch, size, 1) for v in (certificate.y, certificate.d, certificate.s)
    )
    primal, dual = np.zeros(size, bool), np.zeros(size, bool)
    for places, fields in _parts(problem, size):
        primal[places] = _farkas(fields, where, y[places])
        dual[places] = _recession(fields, where, d[places], s[places])
    return Proof(*(torch.from_numpy(v).reshape(batch) for v in (primal, dual)))


def _parts(problem: ConeProgram, size: int) -> Iterator[tuple[slice, tuple[Any, ...]]]:
    """The fields of all instances; of sparse ones, each by itself."""
    batch = problem.batch
    if not storage.is_sparse(problem):
        axes = (2, 1, 2, 1)
        pairs = zip(problem.fields, axes, strict=True)
        yield slice(None), tuple(_flat(v, batch, size, k) for v, k in pairs)
        return
    data, patterns = storage.fields(problem)
    plain = tuple(v.detach().numpy() for v in data)
    for i in range(size):
        yield slice(i, i + 1), storage.instance(patterns, plain, i)


def _flat(v: Tensor, batch: tuple[int, ...], size: int, axes: int) -> np.ndarray:
    tail = v.shape[v.dim() - axes :]
    whole = v.detach().double().cpu().expand(batch + tail)
    return whole.reshape(size, *tail).numpy()


def _farkas(fields: tuple[Any, ...], where: Layout, y: np.ndarray) -> np.ndarray:
    _, _, A, b = fields
    y = np.where(np.isfinite(y).all(-1, keepdims=True), y, 0.0)
    gain, error = -(b * y).sum(-1), norm(transposed(A, y))
    terms = norm(transposed(abs(A), np.abs(y)))
    member = norm(y - Spectrum(y, where).point) <= MEMBER * norm(y)
    # a ray of zero rows alone has no terms: its residual is exact
    small = error <= TOLERANCE * np.minimum(gain, terms)
    return np.asarray(member & (gain > 0) & small)


def _recession(
    fields: tuple[Any, ...], where: Layout, d: np.ndarray, s: np.ndarray
) -> np.ndarray:
    P, q, A, _ = fields
    finite = np.isfinite(np.concatenate([d, s], -1)).all(-1, keepdims=True)
    d, s = (np.where(finite, v, 0.0) for v in (d, s))
    fall = -(q * d).sum(-1)
    leaves = norm(times(P, d), times(A, d) + s)
    terms = norm(times(abs(P), np.abs(d)), times(abs(A), np.abs(d)))
    # Π_K(s) = s + Π_K*(−s)
    member = norm(Spectrum(-s, where).point) <= MEMBER * norm(s)
    small = leaves <= TOLERANCE * np.minimum(fall, terms)
    return np.asarray(member & (fall > 0) & small)


def prove(
    fields: tuple[Any, ...], K: Cones, found: Answer, status: np.ndarray
) -> tuple[np.ndarray, ConeCertificate | None]:
    """Statuses with certificates of those that say that there is no solution.

    A ray that does not hold is projected onto its equations and its cone in turn; if
    that does not help, the status becomes NUMERICAL_ERROR.
    """
    where = layout(K)
    y, d, s = (np.full_like(v, np.nan) for v in (found.y, found.x, found.s))
    lost = np.isin(status, (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE))
    if not lost.any():
        return status, None
    for i in np.flatnonzero(lost):
        one = tuple(v[i : i + 1] if len(v) > 1 else v for v in fields)
        if status[i] == Status.PRIMAL_INFEASIBLE:
            ray, holds = _polished_farkas(one, where, found.y[i : i + 1])
            y[i] = ray[0]
        else:
            ray, slack, holds = _polished_recession(one, where, found.x[i : i + 1])
            d[i], s[i] = ray[0], slack[0]
        status[i] = status[i] if holds else Status.NUMERICAL_ERROR
    return status, ConeCertificate(*map(torch.from_numpy, (y, d, s)))


def _polished_farkas(
    fields: tuple[Any, ...], where: Layout, y: np.ndarray
) -> tuple[np.ndarray, bool]:
    A = fields[2][0]
    for _ in range(POLISHES):
        y = y / norm(y)[:, None]
        y = Spectrum(y, where).point
        if _farkas(fields, where, y)[0]:
            return y, True
        y = y - _least(A.T, A.T @ y[0])
    return y, False


def _polished_recession(
    fields: tuple[Any, ...], where: Layout, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """The nearest s ∈ K to −Ad, then the nearest d with Ad = −s and Pd = 0."""
    P, _, A, _ = (v[0] for v in fields)
    rows, s = _stacked(A, P), np.zeros((1, A.shape[0]))
    for _ in range(POLISHES):
        d = d / norm(d)[:, None]
        away = times(fields[2], d)
        s = Spectrum(away, where).point - away  # Π_K(−Ad)
        if _recession(fields, where, d, s)[0]:
            return d, s, True
        target = np.concatenate([-s[0], np.zeros(P.shape[0])])
        d = d + _least(rows, target - rows @ d[0])
    return d, s, False


def _least(M: Any, r: np.ndarray) -> np.ndarray:
    """The solution of Mv = r of least norm, in the sense of least squares."""
    if not sparse.issparse(M):
        return np.linalg.lstsq(M, r)[0]
    return lsmr(
        M, r, atol=ROUNDING, btol=ROUNDING, conlim=0, maxiter=20 * sum(M.shape)
    )[0]


def _stacked(A: Any, P: Any) -> Any:
    return sparse.vstack([A, P]) if sparse.issparse(A) else np.vstack([A, P])
