"""Denoising problems with known solutions: rational ones, and samples for the layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion.apps import denoising as app

Matrix = sp.Matrix


def certified(seed: int) -> tuple[Matrix, Matrix, int, Matrix, Matrix]:
    """Rational D, w, λ, z and y = z + Dᵀw, with w and the signs of Dz in agreement."""
    rng = np.random.default_rng(seed)
    operator = sp.zeros(4, 5)
    for i in range(4):
        operator[i, i], operator[i, i + 1] = -1 - i, 1 + (i + seed) % 3
    strength, signs = 3, [0, 1, 0, -1]
    jumps = Matrix([sign * int(rng.integers(1, 5)) for sign in signs])
    z0 = operator.gauss_jordan_solve(jumps)
    point = z0[0].subs(dict.fromkeys(z0[1], sp.Integer(2)))
    inner = [sp.Rational(int(rng.integers(-8, 9)), 3) for _ in signs]
    pairs = zip(signs, inner, strict=True)
    multipliers = Matrix([strength * sign if sign else value for sign, value in pairs])
    return operator, multipliers, strength, point, point + operator.T * multipliers


def samples() -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Batches of y with first differences, and with an operator without structure."""
    rng = np.random.default_rng(3)
    for length, strength in ((12, 15.0), (30, 40.0)):
        y = app.piecewise(rng, 3, length).noisy
        yield y, app.differences(length), torch.tensor(strength, dtype=torch.float64)
        loose = torch.from_numpy(rng.standard_normal((length - 4, length)))
        yield y, loose, torch.tensor(strength / 10, dtype=torch.float64)
