"""Gradients from a second solve: the loss is added to the objective with a weight.

Chapter: cone-derivative.md. Theorems: lagrangian-perturbation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from companion.problems import ConeProgram, ConeSolution

Solver = Callable[[ConeProgram], ConeSolution]


def lpgd(
    problem: ConeProgram, gx: np.ndarray, tau: float, solve: Solver
) -> ConeProgram:
    """Central difference quotients of the Lagrangian's gradients along q ± τ gx.

    Source: paulus2024lpgd, for a loss in x alone.
    """
    ahead, behind = (
        solve(replace(problem, q=problem.q + sign * tau * gx)) for sign in (1, -1)
    )

    def quotient(part: Callable[[ConeSolution], np.ndarray]) -> np.ndarray:
        return (part(ahead) - part(behind)) / (2 * tau)

    return ConeProgram(
        P=quotient(lambda s: np.outer(s.x, s.x) / 2),
        q=quotient(lambda s: s.x),
        A=quotient(lambda s: np.outer(s.y, s.x)),
        b=quotient(lambda s: -s.y),
        K=problem.K,
    )
