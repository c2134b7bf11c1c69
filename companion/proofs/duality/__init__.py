"""Evidence for duality: bounds, dual programs, alternatives, saddle points.

Chapter: duality.md.  Theorems: weak-duality, qp-dual, farkas-lemma, strong-duality,
saddle-point, slater-condition.

Words for the identities of any size (`conditions`), rational instances (`instances`);
the records stand in the modules imported here, in the order in which they lean on each
other.
"""

# isort: off
from companion.proofs.duality import bounds
from companion.proofs.duality import farkas
from companion.proofs.duality import strong
from companion.proofs.duality import saddle
from companion.proofs.duality import slater
# isort: on

__all__ = ["bounds", "farkas", "saddle", "slater", "strong"]
