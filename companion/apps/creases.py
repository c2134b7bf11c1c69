"""Train a two-layer ReLU network on max(0, x₁, x₂), a function that it does not have.

Chapter: representation.md.  Theorems: max-affine-separation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

Array = np.ndarray
STEPS = 1500  # of Adam
RATE = 0.02  # at the first of them


def largest(points: Array) -> Array:
    """max(0, x₁, x₂) at points of the plane, by the last axis."""
    return np.maximum(0, points.max(-1))


def square(count: int, reach: float = 1.0) -> Array:
    """A grid over the square of half width `reach`, of shape ``(count, count, 2)``."""
    line = np.linspace(-reach, reach, count)
    return np.stack(np.meshgrid(line, line), -1)


@dataclass(frozen=True)
class Network:
    """Σ w_i max(a_iᵀx + b_i, 0) + vᵀx + c."""

    a: Array
    b: Array
    w: Array
    v: Array
    c: float

    def __call__(self, points: Array) -> Array:
        """The values at points of the plane, by the last axis."""
        hidden = np.maximum(points @ self.a.T + self.b, 0)
        return hidden @ self.w + points @ self.v + self.c

    def relative_error(self, reach: float) -> float:
        """Largest error on a square, over its half width; that at 0 is forgiven."""
        points = square(61, reach)
        off = self(points) - self(np.zeros((1, 2))) - largest(points)
        return float(np.abs(off).max() / reach)


def train(units: int, seed: int) -> Network:
    """Adam on the mean squared error over a grid, at a rate falling to zero."""
    source = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        drawn = torch.randn(*shape, generator=source, dtype=torch.float64)
        return drawn.requires_grad_()

    a, b, w, v, c = normal(units, 2), normal(units), normal(units), normal(2), normal(1)
    with torch.no_grad():
        w /= units**0.5
    points = torch.from_numpy(square(41).reshape(-1, 2))
    targets = torch.from_numpy(largest(points.numpy()))
    optimizer = torch.optim.Adam([a, b, w, v, c], lr=RATE)
    fall = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        values = torch.relu(points @ a.T + b) @ w + points @ v + c
        (values - targets).square().mean().backward()
        optimizer.step()
        fall.step()
    arrays = (t.detach().numpy() for t in (a, b, w, v))
    return Network(*arrays, c=float(c.detach()))
