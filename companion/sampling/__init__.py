"""Seeded instances in named regimes.

Chapter: optnet.md.
"""

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
    "REGIMES",
    "REGULAR_REGIMES",
    "WIDTH",
    "cone_program",
    "qp",
]
