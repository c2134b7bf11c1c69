"""Total-variation denoising: its dual certificate, its gradients, its scaling.

Chapter: denoising.md.  Theorems: tv-dual, tv-gradients, tv-scaling.
"""

# registered first: their labels are used here
import companion.proofs.duality  # noqa: F401
from companion.proofs.denoising import duality, gradients  # registers, in this order

__all__ = ["duality", "gradients"]
