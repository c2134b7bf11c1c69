"""The nonnegative orthant, which is its own dual.

Chapter: cones.md.  Theorems: dual-cones, moreau-minty.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def project(x: Array) -> Array:
    """Each entry, or 0 where it is negative."""
    return np.maximum(x, 0.0)


def derivative(x: Array) -> Array:
    """diag(1{x > 0}): an entry that is 0 has derivative 0."""
    return np.diag((x > 0).astype(float))


def project_dual(x: Array) -> Array:
    """Nearest point of the dual cone: the orthant itself, x + Π(−x)."""
    return x + project(-x)


def derivative_dual(x: Array) -> Array:
    """I − DΠ(−x): by Moreau, an entry that is 0 has derivative 1 here."""
    return np.eye(len(x)) - derivative(-x)
