"""Exercises of the chapter on how a quadratic program is solved.

Chapter: interior-point.md. Theorems: central-path-gap, newton-residual-decrease,
schur-reduction, central-path-accuracy, nonnegative-dual.
"""

from companion.exercises.interior_point import path, systems

EXERCISES = (*path.EXERCISES, *systems.EXERCISES)
