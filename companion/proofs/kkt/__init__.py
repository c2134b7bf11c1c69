"""Evidence for the KKT conditions: what they certify, and what their residual means.

Chapter: kkt.md.  Theorems: kkt-sufficient, kkt-necessary, kkt-scaling,
kkt-error-bound, complementarity-functions, kkt-inverse.
"""

# registered first: their labels are used here
import companion.proofs.argmin
import companion.proofs.convexity
import companion.proofs.duality
import companion.proofs.qp  # noqa: F401

# isort: off
from companion.proofs.kkt import sufficiency
from companion.proofs.kkt import necessity
from companion.proofs.kkt import residuals
from companion.proofs.kkt import complementarity
from companion.proofs.kkt import inverse
# isort: on

__all__ = ["complementarity", "inverse", "necessity", "residuals", "sufficiency"]
