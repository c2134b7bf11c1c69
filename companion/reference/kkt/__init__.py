"""The KKT conditions of a quadratic program, and what their derivatives say.

Chapter: kkt.md. Theorems: kkt-sufficient, kkt-necessary, kkt-scaling,
kkt-error-bound, complementarity-functions, kkt-inverse, kkt-nonsingular, qp-envelope.
"""

from companion.reference.kkt.conditions import (
    balance,
    jacobian,
    regularity,
    residual,
    value_gradients,
    violations,
)

__all__ = [
    "balance",
    "jacobian",
    "regularity",
    "residual",
    "value_gradients",
    "violations",
]
