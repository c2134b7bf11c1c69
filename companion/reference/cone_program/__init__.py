"""Cone programs, one instance, in NumPy: embed, solve, differentiate, refine.

Chapter: embedding.md. Theorems: cone-duality, infeasibility-certificate,
homogeneous-embedding, residual-map.
Chapter: cone-derivative.md. Theorems: singular-embedding, cone-derivative,
cone-adjoint, untransposed-adjoint, quadratic-cone-program, lagrangian-perturbation,
solution-refinement.
"""

from companion.reference.cone_program.differential import (
    adjoint,
    derivative,
    embedded_adjoint,
    newton,
    reduced,
    refine,
)
from companion.reference.cone_program.homogeneous import (
    embedding,
    jacobian,
    operator,
    operator_jacobian,
    point,
    project,
    residual,
    solution,
    violations,
)
from companion.reference.cone_program.perturbation import lpgd
from companion.reference.cone_program.splitting import (
    Run,
    factor,
    outcome,
    resolvent,
    solve,
)

__all__ = [
    "Run",
    "adjoint",
    "derivative",
    "embedded_adjoint",
    "embedding",
    "factor",
    "jacobian",
    "lpgd",
    "newton",
    "operator",
    "operator_jacobian",
    "outcome",
    "point",
    "project",
    "reduced",
    "refine",
    "residual",
    "resolvent",
    "solution",
    "solve",
    "violations",
]
