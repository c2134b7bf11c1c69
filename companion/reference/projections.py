"""Nearest points of sets whose nearest points have a formula.

Chapter: convexity.md.  Theorems: projection-characterization, projection-nonexpansive.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def box(v: Array, low: Array | float, high: Array | float) -> Array:
    """Nearest point of {z : low ≤ z ≤ high}: each entry is clipped by itself."""
    return np.minimum(np.maximum(v, low), high)


def halfspace(v: Array, a: Array, b: float) -> Array:
    """Nearest point of {z : aᵀz ≤ b}: step back along a by what is too much.

    Raises ValueError if a is zero.
    """
    squared = a @ a
    if not squared > 0:
        msg = f"a: expected a vector other than zero, got {a}"
        raise ValueError(msg)
    return v - max(a @ v - b, 0.0) / squared * a


def affine(v: Array, A: Array, b: Array) -> Array:
    """Nearest point of {z : Az = b}: a step in the range of Aᵀ.

    The rows of A may depend on each other, as long as Az = b has a solution.
    """
    return v - np.linalg.lstsq(A, A @ v - b, rcond=None)[0]


def ball(v: Array, centre: Array, radius: float) -> Array:
    """Nearest point of {z : ‖z - centre‖ ≤ radius}: shorten what is too long.

    Raises ValueError if the radius is negative.
    """
    if radius < 0:
        msg = f"radius: expected a nonnegative number, got {radius}"
        raise ValueError(msg)
    away = v - centre
    length = max(float(np.linalg.norm(away)), radius)
    return centre + away * (radius / length) if length > 0 else centre + away
