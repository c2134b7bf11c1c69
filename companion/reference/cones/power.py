"""The power cone {(x, y, z) : x^α y^(1−α) ≥ |z|, x, y ≥ 0}, 0 < α < 1.

Its dual is {(u, v, w) : (u/α)^α (v/(1−α))^(1−α) ≥ |w|, u, v ≥ 0}; an exponent −α stands
for it.

Chapter: cones.md.  Theorems: power-projection, power-derivative.
Source: hien2015differential.
"""

from __future__ import annotations

import math

import numpy as np

from companion.reference.cones.boundary import (
    asinh_exp,
    frame,
    increasing_root,
    unit,
)

Array = np.ndarray
TINY = 5e-324  # the least float: stands for 0 where a logarithm is taken
FARTHEST = 2.0**40  # half of |log(r/μ)|; reached only within rounding of a boundary


def project(v: Array, alpha: float) -> Array:
    """Nearest point; v is cut into inside, polar, plane and between, in this order."""
    if alpha < 0:
        return v + project(-v, -alpha)
    u, exponent = unit(v)
    piece = region(u, alpha)
    if piece == "inside":
        return v.copy()
    if piece == "polar":
        return np.zeros(3)
    if piece == "plane":
        return np.maximum(v, 0.0)
    p, _, _ = frame(u, *curve(angle(u, alpha), alpha, v[2]))
    return np.ldexp((p @ u) * p, exponent)


def derivative(v: Array, alpha: float) -> Array:
    """I inside, 0 in the polar cone, diag(1{x > 0}, 1{y > 0}, flat) in the plane.

    Between the cones it is that of a boundary of rays.  It exists off the boundary of
    the cone and of its polar; a boundary point belongs to the piece outside the cone.
    """
    if alpha < 0:
        return np.eye(3) - derivative(-v, -alpha)
    u, _ = unit(v)
    piece = region(u, alpha)
    if piece == "inside":
        return np.eye(3)
    if piece == "polar":
        return np.zeros((3, 3))
    if piece == "plane":
        return np.diag([v[0] > 0, v[1] > 0, flat(u, alpha)]).astype(float)
    p, n, share = frame(u, *curve(angle(u, alpha), alpha, v[2]))
    return np.outer(p, p) + share * np.outer(n, n)


def region(v: Array, alpha: float) -> str:
    """The piece of v: inside, polar, the plane z = 0, or between cone and polar."""
    x, y, z = v
    beta = 1 - alpha
    if x > 0 and y > 0 and x**alpha * y**beta > abs(z):
        return "inside"
    if x <= 0 and y <= 0 and (-x / alpha) ** alpha * (-y / beta) ** beta >= abs(z):
        return "polar"
    return "plane" if z == 0 else "between"


def flat(v: Array, alpha: float) -> float:
    """∂Π₃/∂z at z = 0 where one of x and y is positive: how sharp is the edge there.

    The edge is smooth (1) where the positive entry has the exponent above ½, sharp (0)
    where it has one below, and round, with the distance counting, at ½.
    """
    positive, other = max(v[0], v[1]), min(v[0], v[1])
    exponent = alpha if v[0] > 0 else 1 - alpha
    if exponent == 0.5:
        return positive / (positive - 2 * other)
    return float(exponent > 0.5)


def curve(tau: float, alpha: float, z: float) -> tuple[Array, Array, Array, Array]:
    """(e^(1−α)τ, e^−ατ, ±1) with its normal, their derivatives, each scaled."""
    beta = 1 - alpha
    high, low, sign = max(beta * tau, -alpha * tau), -min(beta * tau, -alpha * tau), 1.0
    sign = math.copysign(1.0, z)
    xi, eta = math.exp(beta * tau - high), math.exp(-alpha * tau - high)
    P = np.array([xi, eta, sign * math.exp(-high)])
    dP = np.array([beta * xi, -alpha * eta, 0.0])
    xi, eta = math.exp(-beta * tau - low), math.exp(alpha * tau - low)
    D = np.array([-alpha * xi, -beta * eta, sign * math.exp(-low)])
    dD = np.array([alpha * beta * xi, -alpha * beta * eta, 0.0])
    return P, dP, D, dD


def angle(v: Array, alpha: float) -> float:
    """The τ = log(x/y) of the projection.

    The unknown is t = ½log(r/μ) where r is the size of z in the projection and μ what
    is lost of it.  It makes x and y of the projection explicit; along the curve their
    logarithms, less that of r, satisfy α log ξ + (1−α) log η = 0.
    """
    x, y, z = v
    at_zero, _ = mismatch(0.0, v, alpha)
    end = -1.0 if at_zero > 0 else 1.0
    while abs(end) < FARTHEST and mismatch(end, v, alpha)[0] * end < 0:
        end *= 2
    t = increasing_root(
        lambda t: mismatch(t, v, alpha), min(end, 0.0), max(end, 0.0), end / 2
    )
    log_xi, _ = logarithm(t, x, z, alpha)
    log_eta, _ = logarithm(t, y, z, 1 - alpha)
    return log_xi - log_eta


def mismatch(t: float, v: Array, alpha: float) -> tuple[float, float]:
    """−α log ξ − (1−α) log η at t, and its slope, which is positive."""
    (x, y, z), beta = v, 1 - alpha
    (log_xi, dxi), (log_eta, deta) = logarithm(t, x, z, alpha), logarithm(t, y, z, beta)
    return -alpha * log_xi - beta * log_eta, -alpha * dxi - beta * deta


def logarithm(t: float, x: float, z: float, alpha: float) -> tuple[float, float]:
    """log(x of the projection / r) = ½ log α − t + asinh(x cosh t/(√α|z|)), its slope.

    x of the projection is the positive root p of p² − xp = αrμ.  The asinh is taken as
    ±(|t| + rest), since |t| may be large and cancel.
    """
    sign, size = np.sign(x), abs(t)
    ratio = math.log(max(abs(x), TINY)) - math.log(alpha) / 2 - math.log(abs(z))
    falling = math.log1p(math.exp(-2 * size)) - math.log(2)  # log cosh t − |t|
    w = ratio + size + falling
    if w > 0:
        rest = ratio + falling + math.log1p(math.sqrt(1 + math.exp(-2 * w)))
    else:
        rest = asinh_exp(w) - size
    value = math.log(alpha) / 2 - t * (1 - sign * np.sign(t)) + sign * rest
    return value, -1 + math.tanh(t) * sign * math.tanh(size + rest)


def project_dual(v: Array, alpha: float) -> Array:
    """Nearest point of the dual cone, by Moreau: v + Π(−v)."""
    return project(v, -alpha)


def derivative_dual(v: Array, alpha: float) -> Array:
    """I − DΠ(−v)."""
    return derivative(v, -alpha)
