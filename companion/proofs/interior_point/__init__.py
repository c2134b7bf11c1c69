"""Linear systems that an interior-point method factors, and what backward reuses.

Chapter: representation.md.  Theorems: symmetric-kkt, schur-reduction.
"""

from companion.proofs.interior_point import systems  # register

__all__ = ["systems"]
