"""The second-order cone {(t, w) : ‖w‖ ≤ t}, which is its own dual.

Chapter: cones.md.  Theorems: soc-projection, soc-derivative, dual-cones.
Source: busseti2019solution.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def project(x: Array) -> Array:
    """Nearest point, by where t stands between −‖w‖ and ‖w‖."""
    t, w = x[0], x[1:]
    r = length(w)
    if r < t:
        return x.copy()
    if r <= -t:
        return np.zeros_like(x)
    return (1 + t / r) / 2 * np.r_[r, w]


def derivative(x: Array) -> Array:
    """½ [1 uᵀ; u (1 + t/r)I − (t/r)uuᵀ] between the cones, u = w/r.

    It exists where r ≠ |t|.  On the boundary of the cone it is the limit
    from outside, on that of the polar cone, and at the apex, zero.
    """
    t, w = x[0], x[1:]
    r = length(w)
    if r < t:
        return np.eye(len(x))
    if r <= -t:
        return np.zeros((len(x), len(x)))
    u, slope = w / r, t / r
    side = (1 + slope) * np.eye(len(w)) - slope * np.outer(u, u)
    return np.block([[np.ones((1, 1)), u[None]], [u[:, None], side]]) / 2


def project_dual(x: Array) -> Array:
    """Nearest point of the dual cone: the cone itself, x + Π(−x)."""
    return x + project(-x)


def derivative_dual(x: Array) -> Array:
    """I − DΠ(−x)."""
    return np.eye(len(x)) - derivative(-x)


def length(w: Array) -> float:
    """‖w‖, without squaring a number too large or too small for its square."""
    largest = float(np.abs(w).max(initial=0.0))
    return largest * float(np.linalg.norm(w / largest)) if largest > 0 else largest
