"""The exponential cone, closure of {(x, y, z) : y > 0, y·exp(x/y) ≤ z}.

Its dual is the closure of {(u, v, w) : u < 0, −u·exp(v/u) ≤ e·w}.

Chapter: cones.md.  Theorems: exponential-projection, exponential-derivative.
Source: friberg2021projection.
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
FAR = 1e150  # a ratio ρ beyond which exp(−|ρ|) has long been 0
TINY = 5e-324  # the least float: stands for 0 where a logarithm is taken
NEAREST, FARTHEST = -750.0, math.log(2e3)  # log distances of ρ from its bound


def project(v: Array) -> Array:
    """Nearest point; v is cut into inside, polar, face and between, in this order."""
    u, exponent = unit(v)
    piece = region(u)
    if piece == "inside":
        return v.copy()
    if piece == "polar":
        return np.zeros(3)
    if piece == "face":
        return np.array([v[0], 0.0, max(v[2], 0.0)])
    p, _, _ = frame(u, *curve(ratio(*u)))
    return np.ldexp((p @ u) * p, exponent)


def derivative(v: Array) -> Array:
    """I inside, 0 in the polar cone, diag(1{x < 0}, 0, 1{z > 0}) at the face, else ray.

    It exists off the boundary of the cone and of its polar, and, at the face, where
    x < 0, y < 0 and z ≠ 0.  A boundary point belongs to the piece outside the cone.
    """
    u, _ = unit(v)
    piece = region(u)
    if piece == "inside":
        return np.eye(3)
    if piece == "polar":
        return np.zeros((3, 3))
    if piece == "face":
        return np.diag([v[0] < 0, 0, v[2] > 0]).astype(float)
    p, n, share = frame(u, *curve(ratio(*u)))
    return np.outer(p, p) + share * np.outer(n, n)


def region(v: Array) -> str:
    """The piece of v: inside, polar, face (x, y ≤ 0), or between cone and polar."""
    x, y, z = v
    if y > 0 and z > 0 and x < y * (math.log(z) - math.log(y)):
        return "inside"
    if x == 0 and y <= 0 and z <= 0:
        return "polar"
    if x > 0 and z < 0 and y <= x * (1 + math.log(-z) - math.log(x)):
        return "polar"
    return "face" if x <= 0 and y <= 0 else "between"


def curve(rho: float) -> tuple[Array, Array, Array, Array]:
    """(ρ, 1, e^ρ) with its normal (1, 1−ρ, −e^−ρ), their derivatives, each scaled."""
    up, down = math.exp(-max(rho, 0.0)), math.exp(min(rho, 0.0))
    P, dP = np.array([rho * up, up, down]), np.array([up, 0.0, down])
    D, dD = np.array([down, (1 - rho) * down, -up]), np.array([0.0, -down, up])
    return P, dP, D, dD


def ratio(x: float, y: float, z: float) -> float:
    """The ρ = x/y of the projection, the zero of an increasing function.

    v = a(ρ, 1, e^ρ) + b(1, 1−ρ, −e^−ρ) gives a and b from x and y; they are positive
    between 1 − y/x and x/y.  The unknown is the logarithm of the distance from the
    bound that is nearer, which may be far below the spacing of floats at ρ.
    """
    low = 1 - y / max(x, abs(y) / FAR) if x > 0 else -np.inf
    high = x / max(y, abs(x) / FAR) if y > 0 else np.inf
    half = math.log((high - low) / 2) if x > 0 and y > 0 else np.inf
    from_low = y <= 0 or (x > 0 and mismatch(half, (x, y, z), low, 1)[0] >= 0)
    end, side = (low, 1) if from_low else (high, -1)
    s = increasing_root(
        lambda s: mismatch(s, (x, y, z), end, side),
        *(NEAREST, min(half, FARTHEST), 0.0),
    )
    return end + side * math.exp(s)


def mismatch(s: float, v: tuple, end: float, side: int) -> tuple[float, float]:
    """How far (aP + bD)₃ is above z, by asinh(·/2√(ab)), and its slope.

    The first is negated where s counts down from the upper end (side < 0).
    """
    x, y, z = v
    step = math.exp(s)
    rho = end + side * step
    q = rho * (rho - 1) + 1
    # a and b times q: the one that vanishes at this end is s's exponential
    a, b = (x, x - rho * y) if side > 0 else ((rho - 1) * x + y, y)
    log_a, log_b = math.log(a) + s * (side > 0), math.log(b) + s * (side < 0)
    w = math.log(max(abs(z), TINY)) - (log_a + log_b) / 2 + math.log(q / 2)
    turn = np.sign(z) * asinh_exp(w)
    T = math.tanh(turn)
    value = rho + (log_a - log_b) / 2 - turn
    slope = step * (1 - T * (2 * rho - 1) / q)
    slope += (1 + T) / 2 * (1 if side > 0 else x * step / a)
    slope += (1 - T) / 2 * (y * step / b if side > 0 else 1)
    return side * value, slope


def project_dual(v: Array) -> Array:
    """Nearest point of the dual cone, by Moreau: v + Π(−v)."""
    return v + project(-v)


def derivative_dual(v: Array) -> Array:
    """I − DΠ(−v)."""
    return np.eye(3) - derivative(-v)
