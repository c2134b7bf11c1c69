"""An independent solver: alternating directions with the reference's projections.

It shares neither Clarabel nor Newton's method nor a derivative with the layer.
"""

from __future__ import annotations

import numpy as np

from companion.reference import cones


def solve(fields, K, start, *, steps=20000, goal=1e-11):
    """(x, y, s) of one program in NumPy, from a guess of them.

    x minimises the augmented Lagrangian, s = Π_K(b − Ax − y/ρ), y gathers what is left.
    """
    P, q, A, b = fields
    x, y, s = start
    rho = 0.3
    inverse = np.linalg.inv(P + rho * A.T @ A)
    for _ in range(steps):
        x = inverse @ (A.T @ (rho * (b - s) - y) - q)
        last, s = s, cones.project(b - A @ x - y / rho, K)
        left = A @ x + s - b
        y = y + rho * left
        if max(abs(left).max(), abs(s - last).max()) < goal:
            return x, y, s
    msg = "the splitting did not converge"
    raise ValueError(msg)
