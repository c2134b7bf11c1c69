"""How a quadratic program's solution is found, and which systems backward reuses.

Chapter: interior-point.md.  Theorems: symmetric-kkt, schur-reduction,
central-path-gap, newton-residual-decrease, central-path-accuracy, nonnegative-dual,
dual-active-set.
"""

from companion.proofs import kkt, sensitivity  # noqa: F401 - their records are used

# isort: split
from companion.proofs.interior_point import systems

# isort: split
from companion.proofs.interior_point import dual, entering, gap, path, steps

__all__ = ["dual", "entering", "gap", "path", "steps", "systems"]
