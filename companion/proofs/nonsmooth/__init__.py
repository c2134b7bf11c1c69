"""Evidence for what a layer can return where its solution has no derivative.

Chapter: nonsmooth.md.  Theorems: solution-lipschitz, directional-derivative,
degenerate-duals, clarke-jacobian, least-squares-at-kink, central-path-smoothing,
lp-vertex.

The records stand in the modules imported here, in the order in which they lean on each
other; `exact` solves small programs over the rationals.
"""

# registered first: their labels are used here
import companion.proofs.argmin
import companion.proofs.kkt
import companion.proofs.qp  # noqa: F401

# isort: off
from companion.proofs.nonsmooth import lipschitz
from companion.proofs.nonsmooth import onesided
from companion.proofs.nonsmooth import duals
from companion.proofs.nonsmooth import selections
from companion.proofs.nonsmooth import squares
from companion.proofs.nonsmooth import smoothing
from companion.proofs.nonsmooth import vertices
# isort: on

__all__ = [
    "duals",
    "lipschitz",
    "onesided",
    "selections",
    "smoothing",
    "squares",
    "vertices",
]
