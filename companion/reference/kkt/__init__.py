"""The KKT conditions of a quadratic program, and what their derivatives say.

Chapter: kkt.md. Theorems: qp-optimality, kkt-nonsingular, qp-envelope.
"""

from companion.reference.kkt.conditions import (
    jacobian,
    regularity,
    residual,
    value_gradients,
)

__all__ = ["jacobian", "regularity", "residual", "value_gradients"]
