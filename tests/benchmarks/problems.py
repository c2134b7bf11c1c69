"""Problems on which the layers of this field are usually compared, seeded.

OptNet's generator (P = LLᵀ + 1e-3 I with L uniform, a strictly feasible point), the
4 x 4 Sudoku layer, total variation, projections onto the simplex.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

Fields = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]  # P, q, A, b, G, h
SEED = 0
NOISE, STRENGTH, LENGTH = 10.0, 13.0, 100  # of the denoising problem
CELLS, RULES = 64, 40  # of a 4 x 4 Sudoku: one-hot variables and learned equalities


def _tensors(*arrays: np.ndarray) -> Fields:
    return tuple(torch.from_numpy(np.ascontiguousarray(v)) for v in arrays)  # type: ignore[return-value]


def optnet(batch: int, n: int, m: int, p: int) -> Fields:
    """Dense problems with matrices of their own; leading axis of size `batch`."""
    rng = np.random.default_rng(SEED)
    L = rng.uniform(size=(batch, n, n))
    G, A = rng.normal(size=(batch, m, n)), rng.normal(size=(batch, p, n))
    x0, room = rng.normal(size=(batch, n)), rng.uniform(size=(batch, m))
    P = L @ L.transpose(0, 2, 1) + 1e-3 * np.eye(n)
    q = rng.normal(size=(batch, n))
    b, h = np.einsum("bij,bj->bi", A, x0), np.einsum("bij,bj->bi", G, x0) + room
    return _tensors(P, q, A, b, G, h)


def sudoku(batch: int = 150) -> Fields:
    """OptNet's Sudoku layer: matrices that the batch shares, a clue for some cells."""
    rng = np.random.default_rng(SEED)
    A, x0 = rng.uniform(size=(RULES, CELLS)), rng.uniform(size=CELLS)
    q = -(rng.uniform(size=(batch, CELLS)) < 0.15).astype(float)
    eye = np.eye(CELLS)
    return _tensors(0.1 * eye, q, A, A @ x0, -eye, np.zeros(CELLS))


def denoising(batch: int = 32) -> Fields:
    """Total variation as a QP in (z, t): |Dz| ≤ t, with z near piecewise constants."""
    rng = np.random.default_rng(SEED)
    steps = rng.uniform(10, 100, size=(batch, 10)).repeat(LENGTH // 10, axis=1)
    noisy = steps + NOISE * rng.normal(size=steps.shape)
    n, k = 2 * LENGTH - 1, LENGTH - 1
    P = np.zeros((n, n))
    P[:LENGTH, :LENGTH] = np.eye(LENGTH)
    P[LENGTH:, LENGTH:] = 1e-4 * np.eye(k)
    D = np.diff(np.eye(LENGTH), axis=0)
    G = np.block([[D, -np.eye(k)], [-D, -np.eye(k)]])
    q = np.hstack([-noisy, np.full((batch, k), STRENGTH)])
    return _tensors(P, q, np.zeros((0, n)), np.zeros(0), G, np.zeros(2 * k))


def simplex(batch: int = 128, n: int = 1000) -> Fields:
    """Nearest points of the simplex; the batch shares all but q."""
    y = np.random.default_rng(SEED).normal(size=(batch, n))
    eye, ones = np.eye(n), np.ones((1, n))
    return _tensors(eye, -y, ones, np.ones(1), -eye, np.zeros(n))
