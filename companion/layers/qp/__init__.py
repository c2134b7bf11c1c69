"""Quadratic programs as layers: min ½xᵀPx + qᵀx subject to Ax = b, Gx ≤ h.

Chapter: optnet.md. Theorems: qp-gradients, qp-active-set, qp-envelope,
qp-shared-parameters, qp-parametrisation.
"""

from companion.layers.qp import routes
from companion.layers.qp.certificates import certifies
from companion.layers.qp.closest import closest
from companion.layers.qp.explain import explain
from companion.layers.qp.kinks import directional_derivative
from companion.layers.qp.linear import entropy, lpgd, ridge
from companion.layers.qp.module import QPLayer
from companion.layers.qp.regularity import regularity
from companion.layers.qp.solution import layer, solve
from companion.layers.qp.stability import along

__all__ = [
    "QPLayer",
    "along",
    "certifies",
    "closest",
    "directional_derivative",
    "entropy",
    "explain",
    "layer",
    "lpgd",
    "regularity",
    "ridge",
    "routes",
    "solve",
]
