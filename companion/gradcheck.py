"""The Taylor test: does a claimed derivative have the order of a derivative?

A single finite difference with a tolerance proves little: a step of 1e-6 with an
absolute tolerance of 1e-5 accepts a derivative of zero for any 1-Lipschitz map.  The
order of the remainder cannot be fooled: 2 when the derivative is right, 1 when wrong.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS = 2.0 ** -np.arange(4, 12)
LEAST_ORDER = 1.8  # slope fitted to finitely many steps; a wrong derivative gives 1


@dataclass(frozen=True, eq=False)
class GradientReport:
    """Steps t, remainders ‖f(x + tv) − f(x) − t Df[v]‖ and the level of rounding."""

    steps: np.ndarray
    remainders: np.ndarray
    rounding: float

    @property
    def order(self) -> float:
        """Log-log slope of the remainders above rounding; infinite if none is.

        Where f is affine along v there is no remainder but rounding, and the derivative
        is right to rounding divided by the longest step.  A single remainder above
        rounding has no slope: the order is then not a number, and the test fails.
        """
        seen = ~(self.remainders <= self.rounding)
        if not seen.any():
            return float("inf")
        if seen.sum() < 2:
            return float("nan")
        logs = np.log(self.steps[seen]), np.log(self.remainders[seen])
        return float(np.polyfit(*logs, 1)[0])

    @property
    def passes(self) -> bool:
        """Whether the order is that of a derivative."""
        return self.order >= LEAST_ORDER

    def __str__(self) -> str:
        rows = (
            f"{t:9.2e}  {r:9.2e}"
            for t, r in zip(self.steps, self.remainders, strict=True)
        )
        verdict = "passes" if self.passes else "fails"
        head = f"order {self.order:.2f}: {verdict} (rounding {self.rounding:.1e})"
        return "\n".join([head, "     step  remainder", *rows])


def taylor(
    f: Callable[[np.ndarray], np.ndarray | float],
    x: np.ndarray,
    direction: np.ndarray,
    derivative: np.ndarray | float,
    *,
    steps: np.ndarray = STEPS,
    noise: float = 1e-12,
) -> GradientReport:
    """Test the claim Df(x)[direction] = derivative by the order of its remainder.

    `noise` is the relative accuracy of f: remainders below noise times the largest
    entry of f (at least 1) count as rounding.  Choose the direction's length so that
    x + direction/16 stays in the piece of f that holds x.

    Raises
    ------
    ValueError
        If the direction has not the shape of x, or the derivative not that of f(x).
    """
    x, direction = np.asarray(x, float), np.asarray(direction, float)
    if x.shape != direction.shape:
        msg = f"direction: expected shape {x.shape} as x has, got {direction.shape}"
        raise ValueError(msg)
    value, slope = np.asarray(f(x), float), np.asarray(derivative, float)
    if value.shape != slope.shape:
        msg = f"derivative: expected shape {value.shape} as f(x) has, got {slope.shape}"
        raise ValueError(msg)
    steps = np.asarray(steps, float)
    remainders = np.array(
        [np.linalg.norm(f(x + t * direction) - value - t * slope) for t in steps]
    )
    scale = max(1.0, float(np.abs(value).max(initial=0.0)))
    return GradientReport(steps, remainders, noise * scale)
