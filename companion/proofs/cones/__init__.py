"""Cones, their duals, the projections onto them, and the derivatives of these.

Chapter: cones.md.
"""

from companion.proofs.cones import (  # their theorems register on import, in order
    duals,
    exponential,
    identities,
    moreau,
    power,
    psd,
    rays,
    soc,
)

__all__ = [
    "duals",
    "exponential",
    "identities",
    "moreau",
    "power",
    "psd",
    "rays",
    "soc",
]
