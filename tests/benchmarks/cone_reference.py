"""Gradients of cone programs at known solutions: the Jacobian of the KKT residual.

With z = s - y, a solution is a zero of (q + Aᵀ(Πz - z), Ax + Πz - b), Π the projection
onto the cone.  Its Jacobian is built densely, block by block, from derivatives that
stand here in a form of their own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from companion.problems import Cones
from tests.benchmarks.cone_problems import Programs, smat, svec
from tests.benchmarks.family import Reference
from tests.benchmarks.reference import Linear

Array = np.ndarray
SINGULAR = 1e12  # condition number beyond which no derivative is believed


def projection_derivative(s: Array, y: Array, K: Cones) -> Array:
    """DΠ at z = s - y for strictly complementary s and y."""
    z, D, place = s - y, np.zeros((len(s), len(s))), K.zero + K.nonneg
    flat = np.arange(K.zero, place)
    D[flat, flat] = s[flat] > y[flat]
    for size in K.soc:
        part = slice(place, place + size)
        D[part, part], place = soc(z[part]), place + size
    for side in K.psd:
        part = slice(place, place + side * (side + 1) // 2)
        D[part, part], place = psd(z[part], side), part.stop
    for _ in range(K.exp):
        part = slice(place, place + 3)
        D[part, part], place = exp(s[part], y[part]), place + 3
    return D


def soc(z: Array) -> Array:
    """The derivative of the projection onto |u| ≤ t."""
    t, r = z[0], np.linalg.norm(z[1:])
    if abs(t) >= r:
        return np.eye(len(z)) * (t > 0)
    u = z[1:] / r
    D = np.empty((len(z), len(z)))
    D[0, 0], D[0, 1:], D[1:, 0] = 1, u, u
    D[1:, 1:] = (1 + t / r) * np.eye(len(u)) - t / r * np.outer(u, u)
    return D / 2


def psd(z: Array, side: int) -> Array:
    """The derivative of the projection onto positive semidefinite matrices, in svec."""
    values, Q = np.linalg.eigh(smat(z, side))
    positive = values.clip(min=0)
    gap = values[:, None] - values
    same = (values > 0)[:, None] == (values > 0)
    B = np.where(same, (values > 0)[:, None], 0.0)
    B[~same] = ((positive[:, None] - positive) / np.where(same, 1.0, gap))[~same]
    moved = Q.T @ smat(np.eye(len(z)), side) @ Q
    return svec(Q @ (B * moved) @ Q.T).T


def exp(s: Array, y: Array) -> Array:
    """The same on the boundary of y exp(x/y) ≤ z, from s and y as functions of three.

    s = σ(r, 1, eʳ) and y = μ(-eʳ, -eʳ(1 - r), 1): DΠ is ds/dz with z = s - y.
    """
    sigma, mu, r = s[1], y[2], s[0] / s[1]
    e = np.exp(r)
    ds = np.array([[1.0, 0, r], [0, 0, 1], [e, 0, e]])
    ds[:, 0] *= sigma  # columns: r, μ, σ
    dy = np.array([[-mu * e, -e, 0], [mu * r * e, -e * (1 - r), 0], [0, 1, 0]])
    return ds @ np.linalg.inv(ds - dy)


def reference(data: Programs, seed: Tensor) -> Reference:
    """Gradients in q, in A on its pattern, and in b."""
    rows, columns = data.places
    grads: list[list[Array]] = [[], [], []]
    irregular = []
    for k, weights in enumerate(seed.numpy()):
        A, x, y, s = data.A[k].numpy(), data.x[k], data.y[k], data.s[k]
        D = projection_derivative(s, y, data.K)
        n, m = len(x), len(s)
        J = np.block([[np.zeros((n, n)), A.T @ (D - np.eye(m))], [A, D]])
        if np.linalg.cond(J) > SINGULAR:
            irregular.append(k)
        w = Linear(J.T)(np.concatenate([weights, np.zeros(m)]))
        u, v = w[:n], w[n:]
        entries = -(y[rows] * u[columns] + v[rows] * x[columns])
        for kept, part in zip(grads, (-u, entries, v), strict=True):
            kept.append(part)
    found = [torch.from_numpy(np.array(part)) for part in grads]
    return Reference(list(found), tuple(irregular))
