"""Evidence for cone programs: the embedding, and the derivative of a solution.

Chapter: embedding.md.  Theorems: cone-duality, infeasibility-certificate,
homogeneous-embedding, residual-map.
Chapter: cone-derivative.md.  Theorems: singular-embedding, cone-derivative,
cone-adjoint, untransposed-adjoint, quadratic-cone-program, lagrangian-perturbation,
solution-refinement.
"""

# registered first: their labels are used here
import companion.proofs.argmin
import companion.proofs.cones
import companion.proofs.convexity
import companion.proofs.duality
import companion.proofs.kkt
import companion.proofs.qp
import companion.proofs.routes
import companion.proofs.sensitivity  # noqa: F401

# isort: off
from companion.proofs.cone_program import duality
from companion.proofs.cone_program import embedding
from companion.proofs.cone_program import residual
from companion.proofs.cone_program import singular
from companion.proofs.cone_program import derivative
from companion.proofs.cone_program import adjoint
from companion.proofs.cone_program import untransposed
from companion.proofs.cone_program import quadratic
from companion.proofs.cone_program import perturbation
from companion.proofs.cone_program import refinement
# isort: on

__all__ = [
    "adjoint",
    "derivative",
    "duality",
    "embedding",
    "perturbation",
    "quadratic",
    "refinement",
    "residual",
    "singular",
    "untransposed",
]
