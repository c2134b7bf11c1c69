"""Cone projections in many digits, straight from the definitions, sharing no code.

The one-dimensional equations are solved by bisection on the logarithm of the distance
from an end of the interval, and the derivative is the inverse of the bordered Hessian
of the projection problem.
"""

from __future__ import annotations

import clarabel
import mpmath as mp
import numpy as np
from scipy import sparse

DIGITS = 60
HALVINGS = 230


def exponential(v):
    """(Π(v), DΠ(v)) between the exponential cone and its polar."""
    with mp.workdps(DIGITS):
        x, y, z = map(mp.mpf, map(float, v))
        low = 1 - y / x if x > 0 else None
        high = x / y if y > 0 else None

        def parts(s, end, side):
            rho = end + side * mp.exp(s)
            q = rho * (rho - 1) + 1
            a = x * mp.exp(s) if side > 0 else (rho - 1) * x + y
            b = y * mp.exp(s) if side < 0 else x - rho * y
            return rho, a / q, b / q

        def gap(s, end, side):
            rho, a, b = parts(s, end, side)
            return side * (a * mp.exp(rho) - b * mp.exp(-rho) - z)

        end, side = (low, 1) if high is None else (high, -1)
        if low is not None and high is not None:
            half = mp.log((high - low) / 2)
            end, side = (low, 1) if gap(half, low, 1) >= 0 else (high, -1)
        limit = mp.log((high - low) / 2) if None not in (low, high) else mp.mpf(9)
        s = _bisect(lambda s: gap(s, end, side), mp.mpf(-5000), limit)
        rho, a, _ = parts(s, end, side)
        p = a * mp.matrix([rho, 1, mp.exp(rho)])
        slope = mp.matrix([mp.exp(rho), (1 - rho) * mp.exp(rho), -1])
        w = mp.matrix([1, -rho, 0])
        return _answer(p, p[2] - z, slope, mp.exp(rho) / p[1] * w * w.T)


def power(v, alpha):
    """(Π(v), DΠ(v)) between the power cone and its polar, where z ≠ 0."""
    with mp.workdps(4 * DIGITS):
        x, y, z = map(mp.mpf, map(float, v))
        alpha, size = mp.mpf(alpha), abs(z)

        def parts(s):
            r, mu = size / (1 + mp.exp(-s)), size / (1 + mp.exp(s))
            px, py = (
                (u + mp.sqrt(u * u + 4 * e * r * mu)) / 2
                for u, e in ((x, alpha), (y, 1 - alpha))
            )
            return r, mu, px, py

        def gap(s):
            r, _, px, py = parts(s)
            return mp.log(r) - alpha * mp.log(px) - (1 - alpha) * mp.log(py)

        r, mu, px, py = parts(_bisect(gap, mp.mpf(-200), mp.mpf(200)))
        p = mp.matrix([px, py, mp.sign(z) * r])
        slope = mp.matrix([-alpha * r / px, -(1 - alpha) * r / py, mp.sign(z)])
        w = mp.matrix([1 / px, -1 / py, 0])
        return _answer(p, mu, slope, alpha * (1 - alpha) * r * w * w.T)


def _bisect(f, low, high):
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    return middle


def _answer(p, mu, slope, hessian):
    """The leading block of [I + μH g; gᵀ 0]⁻¹, and the projection, as floats."""
    bordered = mp.zeros(4)
    for i in range(3):
        bordered[i, 3] = bordered[3, i] = slope[i]
        for j in range(3):
            bordered[i, j] = (i == j) + mu * hessian[i, j]
    with mp.workdps(2000):  # entries may be e^±1000 apart
        D = bordered**-1
    numbers = [[float(D[i, j]) for j in range(3)] for i in range(3)]
    return np.array([float(e) for e in p]), np.array(numbers)


def nearest(v, K):
    """Minimize ½‖p - v‖² over p in K by an interior-point method."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    kinds = [clarabel.ZeroConeT(K.zero)] if K.zero else []
    kinds += [clarabel.NonnegativeConeT(K.nonneg)] if K.nonneg else []
    kinds += [clarabel.SecondOrderConeT(size) for size in K.soc]
    kinds += [clarabel.PSDTriangleConeT(side) for side in K.psd]
    kinds += [clarabel.ExponentialConeT()] * K.exp
    kinds += [clarabel.PowerConeT(alpha) for alpha in K.power]
    order, start = list(range(K.zero + K.nonneg + sum(K.soc))), K.zero + K.nonneg
    start += sum(K.soc)
    for side in K.psd:  # clarabel's triangle is the upper one, column by column
        columns, rows = np.triu_indices(side)
        place = {pair: k for k, pair in enumerate(zip(rows, columns, strict=True))}
        order += [start + place[i, j] for i in range(side) for j in range(i + 1)]
        start += len(place)
    order += range(start, K.rows)
    A = sparse.csc_matrix(-np.eye(K.rows)[order])
    P = sparse.eye(K.rows, format="csc")
    zero = np.zeros(K.rows)
    solver = clarabel.DefaultSolver(P, -np.asarray(v), A, zero, kinds, settings)
    return np.array(solver.solve().x)
