"""Points in the named regions of a cone's projection, its kinks among them.

A projection onto a cone is made of pieces.  Points of a region keep their distance
from every other one, so that a Taylor test has room; points of a kink lie on it
exactly, in floats.  Between a cone and its polar, a point is built backwards from its
parts: v = p + d with p in the cone, d in the polar, and pᵀd = 0.

Chapter: cones.md.  Theorems: moreau-minty.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Draw = Callable[[np.random.Generator], Array]

REGIONS = {
    "nonneg": {
        "inside": "every entry positive",
        "polar": "every entry negative",
        "between": "entries of both signs",
        "boundary": "one entry is 0",
    },
    "soc": {
        "inside": "‖w‖ < t",
        "polar": "‖w‖ < -t",
        "between": "|t| < ‖w‖",
        "boundary": "‖w‖ = t, and both are representable",
        "polar_boundary": "‖w‖ = -t",
        "apex": "the origin",
    },
    "psd": {
        "inside": "positive definite",
        "polar": "negative definite",
        "between": "eigenvalues of both signs",
        "repeated": "eigenvalues of both signs, each sign with one eigenvalue",
        "singular": "diagonal, one entry is 0",
    },
    "exp": {
        "inside": "y exp(x/y) < z, y > 0",
        "polar": "inside the polar cone",
        "face": "x < 0, y < 0, z > 0: the nearest point is (x, 0, z)",
        "ray": "x < 0, y < 0, z < 0: the nearest point is (x, 0, 0)",
        "between": "the nearest point has y > 0 and a moderate ratio x/y",
        "steep": "the same, with a ratio x/y between 3 and 6 in size",
        "boundary": "y exp(x/y) = z, and all are representable",
        "polar_boundary": "the same for the polar cone",
        "edge": "x = 0, y < 0, z > 0, at the end of the face",
    },
    "power": {
        "inside": "x^α y^(1-α) > |z|",
        "polar": "inside the polar cone",
        "between": "the nearest point has x, y > 0 and z ≠ 0",
        "plane": "z = 0, x and y of opposite sign",
        "boundary": "x^α y^(1-α) = |z|, and all are representable",
        "polar_boundary": "the same for the polar cone",
    },
}
KINKS = {"boundary", "polar_boundary", "apex", "singular", "edge"}
MARGIN = 0.4  # least distance, up to a small factor, from another region


def nonneg_point(rng: np.random.Generator, n: int, region: str) -> Array:
    """A point of ℝⁿ, n ≥ 2, in this region of the orthant."""
    size = rng.uniform(MARGIN, 2.0, n)
    sign = np.where(np.arange(n) % 2, -1.0, 1.0)
    return _drawn(
        "nonneg",
        region,
        {
            "inside": size,
            "polar": -size,
            "between": sign * size,
            "boundary": np.where(np.arange(n) == 0, 0.0, sign * size),
        },
    )


def soc_point(rng: np.random.Generator, n: int, region: str) -> Array:
    """A point of ℝⁿ, n ≥ 3, in this region of the second-order cone."""
    w = rng.normal(size=n - 1)
    w *= rng.uniform(2 * MARGIN, 2.0) / np.linalg.norm(w)
    r = float(np.linalg.norm(w))
    more = r + rng.uniform(2 * MARGIN, 2.0)
    flat = np.zeros(n - 1)
    flat[rng.permutation(n - 1)[:2]] = 2.0 ** rng.integers(-2, 3) * np.array(
        [3.0, -4.0]
    )
    long = float(np.abs(flat).max()) * 1.25
    return _drawn(
        "soc",
        region,
        {
            "inside": np.r_[more, w],
            "polar": np.r_[-more, w],
            "between": np.r_[r * rng.uniform(-0.5, 0.5), w],
            "boundary": np.r_[long, flat],
            "polar_boundary": np.r_[-long, flat],
            "apex": np.zeros(n),
        },
    )


def psd_point(rng: np.random.Generator, side: int, region: str) -> Array:
    """A symmetric matrix of this side, at least 2, as its scaled lower triangle."""
    size = rng.uniform(MARGIN, 2.0, side)
    sign = np.where(np.arange(side) % 2, -1.0, 1.0)
    lam = {
        "inside": size,
        "polar": -size,
        "between": sign * size,
        "repeated": np.where(sign > 0, 1.5, -0.5),
        "singular": np.where(np.arange(side) == 0, 0.0, sign * size),
    }
    Q = np.linalg.qr(rng.normal(size=(side, side)))[0]
    Q = np.eye(side) if region == "singular" else Q
    X = (Q * _drawn("psd", region, lam)) @ Q.T
    columns, rows = np.triu_indices(side)
    return X[rows, columns] * np.where(rows == columns, 1.0, math.sqrt(2.0))


def exp_point(rng: np.random.Generator, region: str) -> Array:
    """A point of ℝ³ in this region of the exponential cone."""
    a, b, c = rng.uniform(2 * MARGIN, 2.0, 3)
    rho = rng.uniform(-1.5, 1.5)
    tall = rng.choice([-1.0, 1.0]) * rng.uniform(3.0, 6.0)
    scale = 2.0 ** rng.integers(-1, 3)
    P, D = _exp_ray(rho), _exp_normal(rho)
    return _drawn(
        "exp",
        region,
        {
            "inside": a * P + np.array([0.0, 0.0, b]) + b * _exp_ray(-rho),
            "polar": b * D - np.array([0.0, 0.0, a]) + a * _exp_normal(-rho),
            "face": np.array([-a, -b, c]),
            "ray": np.array([-a, -b, -c]),
            "between": a * P + b * D,
            "steep": _balanced(a, _exp_ray(tall)) + _balanced(b, _exp_normal(tall)),
            "boundary": scale * _exp_ray(0.0),
            "polar_boundary": scale * _exp_normal(0.0),
            "edge": np.array([0.0, -a, c]),
        },
    )


def power_point(rng: np.random.Generator, alpha: float, region: str) -> Array:
    """A point of ℝ³ in this region of the power cone of exponent 0 < α < 1."""
    a, b = rng.uniform(2 * MARGIN, 2.0, 2)
    x, y = np.exp(rng.uniform(-0.7, 0.7) * np.array([1 - alpha, -alpha]))
    side = rng.choice([-1.0, 1.0])
    P = np.array([x, y, side])
    D = np.array([-alpha / x, (alpha - 1) / y, side])
    shrunk, scale = np.array([1.0, 1.0, 0.4]), 2.0 ** rng.integers(-1, 3)
    plane = np.array([a, -b, 0.0]) if side > 0 else np.array([-a, b, 0.0])
    return _drawn(
        "power",
        region,
        {
            "inside": a * shrunk * P,
            "polar": b * shrunk * D,
            "between": a * P + b * D,
            "plane": plane,
            "boundary": scale * np.array([1.0, 1.0, side]),
            "polar_boundary": np.array([-alpha, -(1 - alpha), side]),
        },
    )


def points(cone: str, region: str, seeds: range, alpha: float = 0.3) -> list[Array]:
    """One point a seed in this region, in the smallest size that shows everything."""
    draw: dict[str, Draw] = {
        "nonneg": lambda rng: nonneg_point(rng, 3, region),
        "soc": lambda rng: soc_point(rng, 4, region),
        "psd": lambda rng: psd_point(rng, 3, region),
        "exp": lambda rng: exp_point(rng, region),
        "power": lambda rng: power_point(rng, alpha, region),
    }
    if cone not in draw:
        msg = f"cone: expected one of {', '.join(draw)}, got {cone!r}"
        raise ValueError(msg)
    return [draw[cone](np.random.default_rng(seed)) for seed in seeds]


def _drawn(cone: str, region: str, found: dict[str, Array]) -> Array:
    if region not in found:
        msg = f"region: expected one of {', '.join(found)}, got {region!r}"
        raise ValueError(f"{msg} for the cone {cone!r}")
    return found[region]


def _exp_ray(rho: float) -> Array:
    return np.array([rho, 1.0, math.exp(rho)])


def _exp_normal(rho: float) -> Array:
    return np.array([1.0, 1.0 - rho, -math.exp(-rho)])


def _balanced(length: float, v: Array) -> Array:
    """The vector at this length."""
    return length * v / np.linalg.norm(v)
