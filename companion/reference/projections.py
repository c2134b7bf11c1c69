"""Nearest points of sets whose nearest points have a formula.

Chapter: convexity.md.  Theorems: projection-characterization, projection-nonexpansive.
"""

from __future__ import annotations

import numpy as np


def box(v: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """Nearest point of {z : low ≤ z ≤ high}: each entry is clipped by itself."""
    return np.minimum(np.maximum(v, low), high)


def halfspace(v: np.ndarray, a: np.ndarray, b: float) -> np.ndarray:
    """Nearest point of {z : aᵀz ≤ b}: step back along a by what is too much.

    Raises ValueError if a is zero.
    """
    squared = a @ a
    if not squared > 0:
        msg = f"a: expected a vector other than zero, got {a}"
        raise ValueError(msg)
    return v - max(a @ v - b, 0.0) / squared * a


def affine(v: np.ndarray, A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Nearest point of {z : Az = b}: a step in the range of Aᵀ.

    The rows of A may depend on each other, as long as Az = b has a solution.
    """
    return v - np.linalg.lstsq(A, A @ v - b, rcond=None)[0]


def ball(v: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Nearest point of {z : ‖z - centre‖ ≤ radius}: shorten what is too long.

    Raises ValueError if the radius is negative.
    """
    if radius < 0:
        msg = f"radius: expected a nonnegative number, got {radius}"
        raise ValueError(msg)
    away = v - centre
    length = np.linalg.norm(away)
    return centre + away * min(1.0, radius / length) if length > 0 else centre + away
