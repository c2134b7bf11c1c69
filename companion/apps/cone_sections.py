"""Plane sections through cones: who projects where, and how much the derivative keeps.

Chapter: cones.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from companion.layers import cones
from companion.problems import Cones

Array = np.ndarray
POLAR, BETWEEN, INSIDE, FACE = range(4)  # codes of the pieces
ROUNDING = 1e-9  # of a trace


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane of points origin + a·right + b·up in the space of a cone."""

    K: Cones
    origin: Array
    right: Array
    up: Array
    names: tuple[str, str]  # of a and b

    def points(self, a: Array, b: Array) -> torch.Tensor:
        """The points at these coordinates, which broadcast."""
        a, b = np.broadcast_arrays(a, b)
        return torch.tensor(
            self.origin + a[..., None] * self.right + b[..., None] * self.up
        )


def _plane(K: Cones, rows: list[list[int | float]], names: tuple[str, str]) -> Plane:
    origin, right, up = np.array(rows, float)
    return Plane(K, origin, right, up, names)


PLANES = {
    "orthant": _plane(Cones(nonneg=2), [[0, 0], [1, 0], [0, 1]], ("x₁", "x₂")),
    "second order": _plane(
        Cones(soc=(3,)), [[0, 0, 0], [0, 1, 0], [1, 0, 0]], ("w₁", "t")
    ),
    "semidefinite": _plane(
        Cones(psd=(2,)), [[0, 0, 0], [1, 0, 0], [0, 0, 1]], ("λ₁", "λ₂")
    ),
    "power, z = 1": _plane(
        Cones(power=(0.3,)), [[0, 0, 1], [1, 0, 0], [0, 1, 0]], ("x", "y")
    ),
    "exponential, z = 1": _plane(
        Cones(exp=1), [[0, 0, 1], [1, 0, 0], [0, 1, 0]], ("x", "y")
    ),
    "exponential, z = −½": _plane(
        Cones(exp=1), [[0, 0, -0.5], [1, 0, 0], [0, 1, 0]], ("x", "y")
    ),
}


def traces(plane: Plane, a: Array, b: Array) -> Array:
    """How many directions DΠ keeps: its trace, at every point of a grid."""
    D = cones.derivative(plane.points(a[None, :], b[:, None]), plane.K)
    return torch.diagonal(D, dim1=-2, dim2=-1).sum(-1).numpy()


def pieces(plane: Plane, a: Array, b: Array) -> Array:
    """The code of the piece of every point of a grid."""
    kept = traces(plane, a, b)
    codes = np.full(kept.shape, BETWEEN)
    codes[kept < ROUNDING] = POLAR
    codes[kept > plane.K.rows - ROUNDING] = INSIDE
    if plane.K.exp:
        at = plane.points(a[None, :], b[:, None]).numpy()
        codes[(codes == BETWEEN) & (at[..., :2] <= 0).all(-1)] = FACE
    return codes


def moves(plane: Plane, a: Array, b: Array) -> tuple[Array, Array]:
    """Points of the plane with where their projections lie, in its coordinates."""
    start = plane.points(a, b)
    end = cones.project(start, plane.K).numpy() - plane.origin
    axes = np.stack([plane.right, plane.up], -1)
    return np.stack([a, b], -1), end @ axes


def along(start: Array, end: Array, K: Cones, count: int) -> tuple[Array, Array]:
    """The trace of DΠ on the way from one point to another, after the share s of it."""
    s = np.linspace(0, 1, count)
    way = torch.tensor(start + s[:, None] * (end - start))
    D = cones.derivative(way, K)
    return s, torch.diagonal(D, dim1=-2, dim2=-1).sum(-1).numpy()
