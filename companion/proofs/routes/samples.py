"""Gradients by a route in floating point, and slopes of solutions over the rationals.

Chapter: differentiation-routes.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.nonsmooth import exact
from companion.proofs.qp import numeric
from companion.proofs.qp.instances import Instance, Matrix

SMALL = sp.Rational(1, 1000)  # within which MASTER keeps its active set


def gradient(problem: QP, route: Any, *names: str) -> np.ndarray:
    """The gradient of a fixed linear loss in all data, by a route."""
    tensors = numeric.as_tensors(problem)
    loss = numeric.linear_loss(problem, *(names or ("x",)))
    value = loss(layers.solve(tensors, route=route))
    grads = torch.autograd.grad(
        value, tensors.fields, allow_unused=True, materialize_grads=True
    )
    return np.concatenate([v.numpy().ravel() for v in grads])


def in_q(problem: QP, found: np.ndarray) -> np.ndarray:
    """The part of a flat gradient that belongs to q."""
    return found[problem.n**2 : problem.n * (problem.n + 1)]


def at(i: Instance, q: Matrix) -> Instance:
    """The instance with another q, and its solution."""
    return exact.solve(i.P, q, i.A, i.b, i.G, i.h)


def assert_slopes_in_q(i: Instance, g: Matrix, dx: Matrix) -> None:
    """d_x is the gradient of gᵀx in q: exactly, on both sides of every entry.

    A solution is affine in q on a piece, so that a quotient is a derivative.
    """
    for j in range(i.q.rows):
        for sign in (1, -1):
            e = sp.zeros(i.q.rows, 1)
            e[j] = sign * SMALL
            moved = (g.T * (at(i, i.q + e).x - i.x))[0] / (sign * SMALL)
            assert moved == dx[j], f"entry {j}: the slope is {moved}, not {dx[j]}"


def relu_at_zero() -> Instance:
    """Min ½x² over x ≥ 0 at q = 0: one row at rest."""
    zero, one = sp.zeros(1, 1), sp.eye(1)
    none = sp.zeros(0, 1)
    return Instance(one, zero, sp.zeros(0, 1), none, -one, zero, zero, none, zero)
