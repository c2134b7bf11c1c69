"""Penalties against constraints, and four activations as minimizers.

Chapter: hard-constraints.md.  Theorems: penalty-bias, exact-penalty, relu-projection,
sigmoid-argmin, softmax-argmin, simplex-projection.
"""

from companion.proofs.hard_constraints import (
    entropies,
    exactness,
    penalties,
    projections,
)  # register

__all__ = ["entropies", "exactness", "penalties", "projections"]
