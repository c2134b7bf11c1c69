"""Quadratic programs with fractions, built backwards from points and multipliers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from companion.reference.duality import Data, rational

Array = np.ndarray
HALF = Fraction(1, 2)


@dataclass(frozen=True, eq=False)
class Certified:
    """Data, a point u and multipliers with Pu + q + Aᵀnu + Gᵀlam = 0, a feasible x."""

    data: Data
    u: Array
    nu: Array
    lam: Array
    x: Array


def integers(rng: np.random.Generator, *shape: int, low: int = -2) -> Array:
    """Small integers from `low` to 3, as fractions."""
    return rational(rng.integers(low, 4, shape))


def certified(
    rng: np.random.Generator, *, rank: int = 2, optimal: bool = False
) -> Certified:
    """Small random data with P of at most this rank; if `optimal`, u = x solves them.

    Multipliers and slacks are zero at random, also both at once, so that rows may be
    weakly active; P = 0 for rank zero.
    """
    n, p, m = int(rng.integers(1, 4)), int(rng.integers(0, 2)), int(rng.integers(1, 5))
    F = integers(rng, min(rank, n), n)
    P = F.T @ F if len(F) else rational(np.zeros((n, n), dtype=int))
    A, G = integers(rng, p, n), integers(rng, m, n)
    x, nu = integers(rng, n), integers(rng, p)
    lam, slack = (integers(rng, m, low=0) * int_mask(rng, m) for _ in "ab")
    u = x if optimal else integers(rng, n)
    if optimal:
        slack = slack * (lam == 0)
    q = -(P @ u + A.T @ nu + G.T @ lam)
    return Certified((P, q, A, A @ x, G, G @ x + slack), u, nu, lam, x)


def int_mask(rng: np.random.Generator, m: int) -> Array:
    """Zeros and ones."""
    return rng.integers(0, 2, m)


def data(P: Any, q: Any, G: Any, h: Any) -> Data:
    """Fractions of these entries, without equalities."""
    P, q, G, h = map(rational, (P, q, G, h))
    return P, q, rational(np.zeros((0, len(q)), dtype=int)), h[:0], G, h


def feasible(data: Data, x: Array) -> bool:
    """Whether Ax = b and Gx ≤ h, exactly."""
    _, _, A, b, G, h = data
    return not any(A @ x - b) and bool(np.all(G @ x <= h))


def neighbours(rng: np.random.Generator, i: Certified, count: int = 6) -> list[Array]:
    """Feasible points: x itself, and random rational moves of it that stay feasible."""
    moves = [integers(rng, len(i.x)) / 3 for _ in range(count)]
    return [i.x, *(i.x + v for v in moves if feasible(i.data, i.x + v))]
