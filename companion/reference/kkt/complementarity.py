"""Three functions of a multiplier and its slack with the same zeros.

Where lam ≥ 0 and s ≥ 0, each vanishes exactly where lam·s = 0; `minimum` and
`fischer_burmeister` vanish nowhere else either.

Chapter: kkt.md. Theorems: complementarity-functions.
"""

from __future__ import annotations

import numpy as np

Values = np.ndarray | np.floating  # one for each pair, a number for a number


def product(lam, s) -> Values:
    """The product lam·s; it vanishes also where one factor is negative."""
    return np.multiply(lam, s)


def minimum(lam, s) -> Values:
    """The smaller of lam and s, in the units of neither."""
    return np.minimum(lam, s)


def fischer_burmeister(lam, s) -> Values:
    """The value of lam + s − √(lam² + s²), without cancellation.

    Source: fischer1992special.
    """
    lam, s = np.asarray(lam, float), np.asarray(s, float)
    total, radius = lam + s, np.hypot(lam, s)
    stable = 2 * lam * s / np.where(total > 0, total + radius, 1.0)
    return np.where(total > 0, stable, total - radius)
