"""The optimality conditions of a quadratic program, and what follows where they bend.

Chapter: nonsmooth.md.
"""

from companion.reference.kkt.directions import (
    central_derivative,
    central_path,
    critical_program,
    directional_derivative,
    least_squares_derivative,
)

__all__ = [
    "central_derivative",
    "central_path",
    "critical_program",
    "directional_derivative",
    "least_squares_derivative",
]
