"""How a solve ended, and how far its derivative is from not existing.

Chapter: optnet.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

STRICT_MARGIN = 1e-6  # least max(multiplier, slack) of a row, rows of norm one
LICQ_MARGIN = 1e-7  # least singular value of the touching rows, rows of norm one
CURVATURE_MARGIN = 1e-9  # least curvature on the null space of the active rows


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


@dataclass(frozen=True, eq=False)
class Regularity:
    """How far each instance is from losing its derivative.

    strict_complementarity: least max(multiplier, slack) over the rows; licq: least
    singular value of the rows that touch; curvature: least eigenvalue of P on the null
    space of the active rows; condition: of the KKT matrix.  Rows have norm one.
    """

    strict_complementarity: Any
    licq: Any
    curvature: Any
    condition: Any

    @property
    def differentiable(self) -> Any:
        """Whether all three margins are met (theorem kkt-nonsingular)."""
        return (
            (self.strict_complementarity > STRICT_MARGIN)
            & (self.licq > LICQ_MARGIN)
            & (self.curvature > CURVATURE_MARGIN)
        )
