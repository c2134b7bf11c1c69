"""The exercises of cone-derivative.md: null vectors, systems, pull-backs, Newton.

Chapter: cone-derivative.md.
"""

from companion.exercises.cone_derivative.adjoints import (
    INCONSISTENCY,
    NEWTON,
    PULLBACK,
    SHORTEST,
)
from companion.exercises.cone_derivative.systems import NULL, REDUCED, TANGENT

EXERCISES = (NULL, REDUCED, PULLBACK, TANGENT, INCONSISTENCY, NEWTON, SHORTEST)

__all__ = ["EXERCISES"]
