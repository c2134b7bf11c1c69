"""The KKT conditions of a quadratic program, and what their derivatives say.

Chapter: kkt.md. Theorems: kkt-sufficient, kkt-necessary, kkt-scaling,
kkt-error-bound, complementarity-functions, kkt-inverse, kkt-nonsingular, qp-envelope.
Chapter: nonsmooth.md. Theorems: directional-derivative.
"""

from companion.reference.kkt.conditions import (
    balance,
    jacobian,
    regularity,
    residual,
    value_gradients,
    violations,
)
from companion.reference.kkt.directions import (
    central_derivative,
    central_path,
    critical_program,
    directional_derivative,
    least_squares_derivative,
)

__all__ = [
    "balance",
    "central_derivative",
    "central_path",
    "critical_program",
    "directional_derivative",
    "jacobian",
    "least_squares_derivative",
    "regularity",
    "residual",
    "value_gradients",
    "violations",
]
