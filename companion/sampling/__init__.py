"""Seeded instances in named regimes, and points in named regions of cones.

Chapter: optnet.md.
"""

from companion.sampling.conic import (
    KINKS,
    REGIONS,
    exp_point,
    nonneg_point,
    points,
    power_point,
    psd_point,
    soc_point,
)
from companion.sampling.programs import CONE_REGIMES, cone_program
from companion.sampling.quadratic import (
    CONDITION,
    REGIMES,
    REGULAR_REGIMES,
    WIDTH,
    qp,
)

__all__ = [
    "CONDITION",
    "CONE_REGIMES",
    "KINKS",
    "REGIMES",
    "REGIONS",
    "REGULAR_REGIMES",
    "WIDTH",
    "cone_program",
    "exp_point",
    "nonneg_point",
    "points",
    "power_point",
    "psd_point",
    "qp",
    "soc_point",
]
