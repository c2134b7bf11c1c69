"""The nouns of the book: problems, solutions, statuses, and verdicts on derivatives.

They hold NumPy arrays or torch tensors alike, check structure (kinds, shapes, batch
axes) when they are built, and never read the numbers, so that they can be traced.

Chapter: optnet.md.
"""

from companion.problems.conic import (
    Block,
    ConeCertificate,
    ConeProgram,
    Cones,
    ConeSolution,
    blocks,
)
from companion.problems.outcomes import Regularity, SolveError, Status, Verdict
from companion.problems.quadratic import QP, Certificate, QPSolution

__all__ = [
    "QP",
    "Block",
    "Certificate",
    "ConeCertificate",
    "ConeProgram",
    "ConeSolution",
    "Cones",
    "QPSolution",
    "Regularity",
    "SolveError",
    "Status",
    "Verdict",
    "blocks",
]
