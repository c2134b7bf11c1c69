"""Does the derivative of the solution exist?  For cones, as numbers and in words.

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import null_space

from companion.layers.cone_program.derivative import numbers
from companion.layers.cone_program.kinks import distances, undecided
from companion.layers.cone_program.layout import layout
from companion.layers.cone_program.linearised import Linearised
from companion.layers.cone_program.spectrum import Spectrum
from companion.problems import ConeProgram, ConeSolution, Regularity
from companion.problems.outcomes import (
    CURVATURE_MARGIN,
    LICQ_MARGIN,
    STRICT_MARGIN,
)

ONE = 1e-9  # distance to 1 at which an eigenvalue of DΠ holds its row
RANK = 1e-10  # singular value of a row of norm one that counts as none


def regularity(problem: ConeProgram, sol: ConeSolution) -> Regularity:
    """How far every instance is from losing its derivative, with a verdict in words.

    Blocks are scaled so that their longest row in A has norm one.  In the eigenbasis
    of DΠ_{K*}(v), v = y − s, with B = UᵀA:

    strict_complementarity: least distance of v to the kinks of Π, over the blocks;
    kinks: that distance for every block, signed rows one by one; licq: least singular
    value of the rows of B that are held (lam = 1) or undecided; curvature: least
    eigenvalue of P + Σ lam/(1 − lam) b bᵀ on the null space of the held rows; sigma and
    condition: least singular value and condition number of M; residual: of the adjoint
    solve for the seed (cos 1, cos 2, …) of x, relative to it.

    unique, unique_multipliers: whether x, and y, are shown to be the only ones.  Away
    from the kinks that decides; at a kink False may mean that nobody knows.

    An instance that was not solved is NaN throughout, hence not differentiable.
    """
    fields, x, v, solved = numbers(problem, sol)
    where, batch = layout(problem.K), problem.batch
    P, _, A, _ = fields
    scale = scales(A, where.blocks)
    s = Spectrum(v, where).point - v
    v = (v + s) * scale - s / scale
    A = A / scale[..., None]
    system = Linearised(P, A, Spectrum(v, where), solved)
    gaps = distances(v, where)
    least = gaps.min(-1, initial=np.inf)
    licq, curvature, sigma, condition = _margins(P, A, v, system, solved)
    seed = np.broadcast_to(np.cos(np.arange(1.0, x.shape[-1] + 1)), x.shape)
    system.adjoint(-seed, np.zeros_like(v))
    rows = (least, licq, curvature, condition, system.residual, sigma)
    strict, licq, curvature, condition, residual, sigma = (
        _shaped(np.where(solved, w, np.nan), batch) for w in rows
    )
    return Regularity(
        strict_complementarity=strict,
        licq=licq,
        curvature=curvature,
        condition=condition,
        residual=residual,
        unique=curvature > CURVATURE_MARGIN,
        unique_multipliers=licq > LICQ_MARGIN,
        sigma=sigma,
        kinks=_shaped(np.where(solved[:, None], gaps, np.nan), batch),
    )


def _shaped(v: np.ndarray, batch: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(v).reshape(batch + v.shape[1:])


def scales(A: np.ndarray, blocks: tuple[np.ndarray, ...]) -> np.ndarray:
    """For every row, the norm of the longest row of its block; 1 for a zero block."""
    size = np.sqrt((A * A).sum(-1))
    out = np.ones_like(size)
    for rows in blocks:
        longest = size[:, rows].max(-1, keepdims=True)
        out[:, rows] = np.where(longest > 0, longest, 1.0)
    return out


def _margins(
    P: np.ndarray, A: np.ndarray, v: np.ndarray, system: Linearised, solved: np.ndarray
) -> tuple[np.ndarray, ...]:
    """(licq, curvature, sigma, condition) of every solved instance."""
    size = len(v)
    spectrum, out = system.at, np.full((4, size), np.nan)
    B = spectrum.rotate(np.broadcast_to(A, (size, *A.shape[1:])))
    weak = undecided(v, spectrum, STRICT_MARGIN)
    for i in np.flatnonzero(solved):
        Pi = P[i if len(P) > 1 else 0]
        lam = spectrum.lam[i]
        out[0, i] = _least_singular(B[i][(lam > 1 - ONE) | weak[i]])
        lower = np.where(weak[i], 0.0, lam)
        out[1, i] = _least_curvature(Pi, B[i], lower)
        M = np.block([[Pi, B[i].T * lam], [-B[i], np.diag(1 - lam)]])
        values = np.linalg.svd(M, compute_uv=False)
        out[2, i] = values[-1]
        out[3, i] = values[0] / values[-1] if values[-1] > 0 else np.inf
    return tuple(out)


def _least_singular(C: np.ndarray) -> float:
    if not len(C):
        return np.inf
    if len(C) > C.shape[1]:
        return 0.0
    return float(np.linalg.svd(C, compute_uv=False)[-1])


def _least_curvature(P: np.ndarray, B: np.ndarray, lam: np.ndarray) -> float:
    held = lam > 1 - ONE
    soft = ~held & (lam > 0)
    H = P + (B[soft].T * (lam[soft] / (1 - lam[soft]))) @ B[soft]
    Z = null_space(B[held], rcond=RANK) if held.any() else np.eye(len(P))
    if not Z.shape[1]:
        return np.inf
    return float(np.linalg.eigvalsh(Z.T @ H @ Z)[0])
