"""Evidence for quadratic programs as layers.

Chapter: optnet.md.  Theorems: qp-optimality, qp-uniqueness, qp-differential,
kkt-nonsingular, qp-gradients, qp-active-set, qp-augmented, qp-envelope,
qp-shared-parameters, qp-invariances, qp-parametrisation.

Words for the identities of any size (`conditions`), rational arithmetic on stated
instances (`instances`), floating point in the named regimes (`numeric`); the records
stand in the modules imported here, in the order in which they lean on each other.
"""

# registered first: their labels are used here
import companion.proofs.argmin
import companion.proofs.duality  # noqa: F401

# isort: off
from companion.proofs.qp import optimality
from companion.proofs.qp import differential
from companion.proofs.qp import active
from companion.proofs.qp import gradients
from companion.proofs.qp import envelope
from companion.proofs.qp import parameters
from companion.proofs.qp import parametrisation
# isort: on

__all__ = [
    "active",
    "differential",
    "envelope",
    "gradients",
    "optimality",
    "parameters",
    "parametrisation",
]
