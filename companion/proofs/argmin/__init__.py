"""Evidence for differentiating an argmin.

Chapter: argmin-differentiation.md.  Theorems: implicit-function, residual-rescaling,
unconstrained-argmin, value-function, equality-argmin, log-barrier, adjoint-solve,
unrolled-descent, fixed-point-derivative, inexact-jacobian.
"""

# isort: off
from companion.proofs.argmin import implicit
from companion.proofs.argmin import unconstrained
from companion.proofs.argmin import adjoint
from companion.proofs.argmin import equality
from companion.proofs.argmin import unrolled
from companion.proofs.argmin import fixed_point
from companion.proofs.argmin import accuracy
from companion.proofs.argmin import barrier
# isort: on

__all__ = [
    "accuracy",
    "adjoint",
    "barrier",
    "equality",
    "fixed_point",
    "implicit",
    "unconstrained",
    "unrolled",
]
