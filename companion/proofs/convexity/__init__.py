"""Convexity, from the definition: functions, minimizers, projections, cones.

Chapter: convexity.md.  Theorems: first-order-convexity, second-order-convexity,
convex-composition, local-is-global, strongly-convex-minimizer,
projection-characterization, projection-nonexpansive, normal-cone-optimality,
moreau-decomposition.

Inequalities are sums of signed terms of any size (`signed`), tried on functions and
sets in rational arithmetic (`instances`); the records stand in the modules imported
here, in the order in which they lean on each other.
"""

# isort: off
from companion.proofs.convexity import functions
from companion.proofs.convexity import composition
from companion.proofs.convexity import minimizers
from companion.proofs.convexity import projections
from companion.proofs.convexity import cones
from companion.proofs.convexity import moreau
# isort: on

__all__ = ["composition", "cones", "functions", "minimizers", "moreau", "projections"]
