"""Seeded instances in named regimes.

Chapter: optnet.md.
"""

from companion.sampling.quadratic import (
    CONDITION,
    REGIMES,
    REGULAR_REGIMES,
    WIDTH,
    qp,
)

__all__ = ["CONDITION", "REGIMES", "REGULAR_REGIMES", "WIDTH", "qp"]
