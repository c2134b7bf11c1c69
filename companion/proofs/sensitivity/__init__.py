"""Evidence for how a solution moves with its data.

Chapter: sensitivity.md.  Theorems: kkt-differentiable, basic-sensitivity,
value-sensitivity, reciprocity, jacobian-bounds.
"""

# isort: off
from companion.proofs.sensitivity import programs
from companion.proofs.sensitivity import value
from companion.proofs.sensitivity import reciprocity
from companion.proofs.sensitivity import bounds
# isort: on

__all__ = ["bounds", "programs", "reciprocity", "value"]
