"""Evidence for cone programs: the embedding, and the derivative of a solution.

Chapter: embedding.md.  Theorems: cone-duality, infeasibility-certificate,
homogeneous-embedding, minty-parametrization, residual-map.
Chapter: cone-derivative.md.  Theorems: singular-embedding, cone-derivative,
cone-adjoint, untransposed-adjoint, quadratic-cone-program, lagrangian-perturbation,
solution-refinement.
"""

# isort: off
from companion.proofs.cone_program import duality
from companion.proofs.cone_program import embedding
# isort: on

__all__ = ["duality", "embedding"]
