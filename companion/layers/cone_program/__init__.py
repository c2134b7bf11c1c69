"""Cone programs as layers: min ½xᵀPx + qᵀx subject to Ax + s = b, s ∈ K.

Chapter: cone-derivative.md. Theorems: cone-derivative, cone-duality,
solution-refinement.
"""

from companion.layers.cone_program.certificates import certifies
from companion.layers.cone_program.conversion import to_cone
from companion.layers.cone_program.derivative import derivative, linear_operator
from companion.layers.cone_program.derivative import refined as refine
from companion.layers.cone_program.explain import explain
from companion.layers.cone_program.lpgd import lpgd
from companion.layers.cone_program.module import ConeProgramLayer
from companion.layers.cone_program.regularity import regularity
from companion.layers.cone_program.solution import layer, solve

__all__ = [
    "ConeProgramLayer",
    "certifies",
    "derivative",
    "explain",
    "layer",
    "linear_operator",
    "lpgd",
    "refine",
    "regularity",
    "solve",
    "to_cone",
]
