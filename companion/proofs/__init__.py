"""Proofs as code: every numbered statement of the book, checked and controlled.

`python -m companion.proofs` runs everything, `python -m companion.proofs qp-gradients`
one record with its derivation.
"""

from companion.proofs import (  # their theorems register on import
    argmin,
    cone_program,
    cones,
    convexity,
    denoising,
    duality,
    hard_constraints,
    interior_point,
    kkt,
    nonsmooth,
    qp,
    representation,
    routes,
    sensitivity,
)
from companion.proofs.registry import (
    THEOREMS,
    Evidence,
    Record,
    Step,
    Theorem,
    derivation,
    verify,
)

__all__ = [
    "THEOREMS",
    "Evidence",
    "Record",
    "Step",
    "Theorem",
    "argmin",
    "cone_program",
    "cones",
    "convexity",
    "denoising",
    "derivation",
    "duality",
    "hard_constraints",
    "interior_point",
    "kkt",
    "nonsmooth",
    "qp",
    "representation",
    "routes",
    "sensitivity",
    "verify",
]
