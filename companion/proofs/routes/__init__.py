"""Evidence for six routes to the derivative of one quadratic program.

Chapter: differentiation-routes.md.  Theorems: full-and-reduced-agree,
unrolled-projected, alternating-derivative, perturbation-limit, smoothed-adjoint.
"""

# isort: off
from companion.proofs.routes import systems
from companion.proofs.routes import unrolling
from companion.proofs.routes import alternation
from companion.proofs.routes import perturbation
from companion.proofs.routes import smoothing
# isort: on

__all__ = ["alternation", "perturbation", "smoothing", "systems", "unrolling"]
