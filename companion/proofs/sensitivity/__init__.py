"""Evidence for how a solution moves with its data.

Chapter: sensitivity.md.  Theorems: kkt-differentiable, basic-sensitivity,
value-sensitivity, reciprocity, jacobian-bounds.
"""

# registered first: their labels are used here
import companion.proofs.argmin
import companion.proofs.convexity
import companion.proofs.duality
import companion.proofs.kkt
import companion.proofs.qp  # noqa: F401

# isort: off
from companion.proofs.sensitivity import programs
from companion.proofs.sensitivity import value
from companion.proofs.sensitivity import reciprocity
from companion.proofs.sensitivity import bounds
# isort: on

__all__ = ["bounds", "programs", "reciprocity", "value"]
