"""What a QP layer can express, and what its backward pass inherits.

Chapter: representation.md.  Theorems: pwl-layer, max-affine-separation,
qp-layer-lipschitz, exact-regularization, backward-is-a-qp, box-qp, lqr-backward.
"""

from companion.proofs.representation import (
    backward,
    hinges,
    horizon,
    regularity,
    ridge,
    separation,
)  # register

__all__ = ["backward", "hinges", "horizon", "regularity", "ridge", "separation"]
