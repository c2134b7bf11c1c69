"""Learn a polygon in the plane from the nearest points that it gives.

The model moves its walls by the gradient of the layer, or, to see what an error does,
by the gradient as OptNet's eq. (8) prints it.

Chapter: optnet.md. Theorems: qp-gradients, qp-parametrisation.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from companion.layers import qp
from companion.problems import QP

CORNERS = np.array([[1.6, -0.6], [1.0, 1.2], [-0.4, 1.5], [-1.5, 0.2], [-0.7, -1.3]])
SPREAD = 2.5  # standard deviation of the points that are projected
EPS = 1e-6  # of the layer's P = LLᵀ + eps I; with L² = 1 - eps that is the identity

Walls = tuple[np.ndarray, np.ndarray]


def walls(corners: np.ndarray) -> Walls:
    """(G, h) of the convex polygon with these corners, counterclockwise; unit rows."""
    along = np.roll(corners, -1, axis=0) - corners
    G = np.stack([along[:, 1], -along[:, 0]], -1)
    G = G / np.linalg.norm(G, axis=1, keepdims=True)
    return G, (G * corners).sum(1)


def examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random points, and the point of the hidden polygon nearest to each."""
    rng = np.random.default_rng(seed)
    points = torch.from_numpy(SPREAD * rng.standard_normal((count, 2)))
    G, h = map(torch.from_numpy, walls(CORNERS))
    eye = torch.eye(2, dtype=points.dtype)
    return points, qp.layer(QP(eye, -points, G=G, h=h))


def student(count: int, radius: float = 0.5) -> qp.QPLayer:
    """A layer with P = I and the walls of a regular polygon, all of them learnable."""
    model = qp.QPLayer(2, 0, count, eps=EPS, dtype=torch.float64)
    angle = 0.2 + 2 * np.pi * torch.arange(count, dtype=torch.float64) / count
    with torch.no_grad():
        model.L.copy_((1 - EPS) ** 0.5 * torch.eye(2))
        model.G.copy_(torch.stack([angle.cos(), angle.sin()], -1))
        model.z0.zero_()
        model.log_s0.fill_(float(np.log(radius)))
    model.L.requires_grad = False
    return model


def surplus(loss: Tensor, q: Tensor, lam: Tensor) -> Tensor:
    """What eq. (8) as printed adds to the gradient in a shared G.

    Row i of every instance receives (lam_i² − lam_i) d_xᵀ, and the batch the sum.
    Source: amos2017optnet, eq. (8).
    """
    (dx,) = torch.autograd.grad(loss, q, retain_graph=True)  # it is d_x
    return ((lam**2 - lam).unsqueeze(-1) * dx.unsqueeze(-2)).sum(0)


def fit(
    model: qp.QPLayer,
    data: tuple[Tensor, Tensor],
    steps: int,
    *,
    rate: float = 0.05,
    printed: bool = False,
) -> list[float]:
    """Losses of Adam's steps on the mean squared distance, at a rate falling to zero.

    With `printed` the gradient in G is that of the printed formula.
    """
    points, targets = data
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=rate)
    fall = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        q = -points.clone().requires_grad_()
        sol = qp.solve(model.problem(q))
        loss = (sol.x - targets).square().sum(-1).mean()
        wrong = surplus(loss, q, sol.lam.detach()) if printed else None
        loss.backward()
        if wrong is not None and model.G.grad is not None:
            model.G.grad += wrong
        optimizer.step()
        fall.step()
        losses.append(float(loss.detach()))
    return losses


def learned_walls(model: qp.QPLayer) -> Walls:
    """(G, h) of the layer, as arrays."""
    problem = model.problem(torch.zeros(2, dtype=torch.float64))
    return problem.G.detach().numpy(), problem.h.detach().numpy()
