"""The zero cone {0}, whose dual is the whole space.

Chapter: cones.md.  Theorems: dual-cones, moreau-minty.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def project(x: Array) -> Array:
    """The only point there is."""
    return np.zeros_like(x)


def derivative(x: Array) -> Array:
    """Zero everywhere: this projection has no kink."""
    return np.zeros((len(x), len(x)))


def project_dual(x: Array) -> Array:
    """Nearest point of the whole space."""
    return x.copy()


def derivative_dual(x: Array) -> Array:
    """The identity, everywhere."""
    return np.eye(len(x))
