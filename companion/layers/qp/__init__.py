"""Quadratic programs as layers: min ½xᵀPx + qᵀx subject to Ax = b, Gx ≤ h.

Chapter: optnet.md. Theorems: qp-gradients, qp-active-set, qp-envelope,
qp-shared-parameters, qp-parametrisation.
"""

from companion.layers.qp import routes
from companion.layers.qp.module import QPLayer
from companion.layers.qp.regularity import regularity
from companion.layers.qp.solution import layer, solve

__all__ = ["QPLayer", "layer", "regularity", "routes", "solve"]
