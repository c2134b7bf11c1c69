"""Quadratic programs as cone programs.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from companion.problems import QP, ConeProgram, Cones


def to_cone(problem: QP) -> ConeProgram:
    """The QP over K = {0} × R₊: A stacked on G, b on h, y = (nu, lam), s = (0, slack).

    Gradients flow back to the six fields.  Batch axes of A and G are broadcast
    against each other, those of b and h as well, and no others.
    """
    A, b = _stacked(problem.A, problem.G, 2), _stacked(problem.b, problem.h, 1)
    cones = Cones(zero=problem.p, nonneg=problem.m)
    return ConeProgram(problem.P, problem.q, A, b, cones)


def _stacked(top: Tensor, bottom: Tensor, axes: int) -> Tensor:
    leads = (v.shape[: v.dim() - axes] for v in (top, bottom))
    lead = torch.broadcast_shapes(*leads)
    parts = [v.expand(*lead, *v.shape[v.dim() - axes :]) for v in (top, bottom)]
    return torch.cat(parts, -axes)
