"""What the numeric checks share: points by region, and the two things held there.

Chapter: cones.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch

from companion import sampling
from companion.gradcheck import taylor
from companion.layers import cones as layers
from companion.problems import Cones
from companion.reference import cones

Array = np.ndarray
Map = Callable[[Array], Array]

PRODUCTS = {
    "nonneg": Cones(nonneg=3),
    "soc": Cones(soc=(4,)),
    "psd": Cones(psd=(3,)),
    "exp": Cones(exp=1),
    "power": Cones(power=(0.3,)),
}
ROUNDING = 1e-12  # of numbers of size one


def smooth(cone: str) -> list[str]:
    """The regions in which the projection is differentiable."""
    return [region for region in sampling.REGIONS[cone] if region not in sampling.KINKS]


def drawn(cone: str, region: str, count: int = 2) -> list[Array]:
    """Points of a region."""
    return sampling.points(cone, region, range(count))


def project(cone: str) -> Map:
    """The reference's projection onto the cone of this name."""
    return lambda v: cones.project(v, PRODUCTS[cone])


def derivative(cone: str) -> Map:
    """The reference's derivative."""
    return lambda v: cones.derivative(v, PRODUCTS[cone])


def layer_derivative(cone: str) -> Map:
    """The layer's, by one reverse pass a row."""
    K = PRODUCTS[cone]

    def dense(v: Array) -> Array:
        E = torch.eye(len(v), dtype=torch.float64)
        return layers.vjp(torch.tensor(v), E, K).numpy()

    return dense


def assert_order(f: Map, df: Map, points: Iterable[Array], reach: float = 0.3) -> None:
    """The claimed derivative has the Taylor order of one, to and fro."""
    rng = np.random.default_rng(7)
    for v in points:
        dv = rng.normal(size=len(v))
        for sign in (1, -1):
            step = sign * reach * dv / np.linalg.norm(dv)
            report = taylor(f, v, step, df(v) @ step)
            assert report.passes, f"at {v.round(3)}: {report}"


def assert_nearest(cone: str, f: Map, points: Iterable[Array]) -> None:
    """P and p - v are where the reference's projections leave them, at right angles.

    A point of K is a fixed point of Π_K, and one of K* a fixed point of Π_K*.
    """
    K = PRODUCTS[cone]
    for v in points:
        p = f(v)
        assert np.abs(cones.project(p, K) - p).max() < ROUNDING, f"{p} is not in K"
        rest = p - v
        moved = np.abs(cones.project_dual(rest, K) - rest).max()
        assert moved < ROUNDING, f"p - v is {moved:.1e} away from K*"
        assert abs(p @ rest) < ROUNDING, f"pᵀ(p - v) = {p @ rest:.2e}"
