"""How a solve ended, and how far its derivative is from not existing.

Chapter: optnet.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

STRICT_MARGIN = 1e-8  # least max(multiplier, slack) of a row, rows of norm one
LICQ_MARGIN = 1e-7  # least singular value of the touching rows, rows of norm one
CURVATURE_MARGIN = 1e-9  # least curvature on the null space of the active rows
CONDITION_LIMIT = 1e7  # of the KKT matrix: beyond, rounding alone costs over 1e-9


class Status(IntEnum):
    """How the solution of one instance ended."""

    SOLVED = 0
    PRIMAL_INFEASIBLE = 1
    DUAL_INFEASIBLE = 2
    MAX_ITERATIONS = 3
    NUMERICAL_ERROR = 4


class SolveError(RuntimeError):
    """Raised by a layer when instances did not solve; `status` has every outcome."""

    def __init__(self, status: Any) -> None:
        self.status = status
        flat = [int(code) for code in status.reshape(-1)]
        counts = {s: flat.count(s) for s in Status if s is not Status.SOLVED}
        failed = [i for i, code in enumerate(flat) if code != Status.SOLVED]
        kinds = ", ".join(f"{k} {s.name}" for s, k in counts.items() if k)
        first = ", ".join(str(_unravel(i, status.shape)) for i in failed[:5])
        more = ", …" if len(failed) > 5 else ""
        super().__init__(
            f"{len(failed)} of {len(flat)} instances did not solve: {kinds}; "
            f"first at {first}{more}. "
            'Use solve() to see every status, or on_failure="nan".'
        )


def _unravel(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        index.append(i % size)
        i //= size
    return tuple(reversed(index))


class Verdict(StrEnum):
    """What can be said of the derivative of one instance, in words."""

    DIFFERENTIABLE = "differentiable"
    ONE_SIDED = "one-sided"
    NOT_UNIQUE = "not unique"
    ILL_CONDITIONED = "ill-conditioned"
    NOT_SOLVED = "not solved"


@dataclass(frozen=True, eq=False)
class Regularity:
    """How far each instance is from losing its derivative.

    strict_complementarity: least max(multiplier, slack) over the rows; licq: least
    singular value of the rows that touch; curvature: least eigenvalue of P on the null
    space of the active rows; condition: of the KKT matrix.  Rows have norm one.
    residual: of an adjoint solve, relative to its seed; unique and unique_multipliers:
    whether the solution is the only one; radius: how far along a direction of the data
    the active set stays; for cones, sigma: least singular value of the Jacobian of the
    conditions, kinks: distance of every block to the kinks of its projection.  None
    stands for what nobody computed.
    """

    strict_complementarity: Any
    licq: Any
    curvature: Any
    condition: Any
    residual: Any = None
    unique: Any = None
    unique_multipliers: Any = None
    radius: Any = None
    sigma: Any = None
    kinks: Any = None

    @property
    def differentiable(self) -> Any:
        """Whether all three margins are met (theorem kkt-nonsingular)."""
        return (
            (self.strict_complementarity > STRICT_MARGIN)
            & (self.licq > LICQ_MARGIN)
            & (self.curvature > CURVATURE_MARGIN)
        )

    @property
    def verdict(self) -> Any:
        """A Verdict for one instance, a nested list of them for a batch.

        *not solved*: no solution, so no derivative.  *not unique*: another minimiser or
        other multipliers do as well.  *one-sided*: the solution is unique and moves
        along every direction, but not linearly.  *ill-conditioned*: differentiable,
        with a KKT matrix in which rounding costs half of the digits.
        """
        unique = (
            self.curvature > CURVATURE_MARGIN if self.unique is None else (self.unique)
        )
        duals = (
            self.licq > LICQ_MARGIN
            if self.unique_multipliers is None
            else (self.unique_multipliers)
        )
        parts = (
            self.condition == self.condition,
            unique & duals,
            self.differentiable,
            self.condition < CONDITION_LIMIT,
        )
        return _named(*(part.tolist() for part in parts))


def _named(solved: Any, unique: Any, smooth: Any, calm: Any) -> Any:
    if isinstance(solved, list):
        rows = zip(solved, unique, smooth, calm, strict=True)
        return [_named(*row) for row in rows]
    pairs = (
        (solved, Verdict.NOT_SOLVED),
        (unique, Verdict.NOT_UNIQUE),
        (smooth, Verdict.ONE_SIDED),
        (calm, Verdict.ILL_CONDITIONED),
    )
    return next((name for good, name in pairs if not good), Verdict.DIFFERENTIABLE)
