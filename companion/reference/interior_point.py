"""An interior-point method that factors once a step, and what the factor is good for.

The predictor and the corrector of `companion.reference.qp`, for P ≻ 0, with the system
reduced to the multipliers: what does not depend on the iterate is computed once, one
Cholesky factor serves both right-hand sides of a step, and the last one the gradient.

Chapter: interior-point.md. Theorems: schur-reduction, newton-residual-decrease,
central-path-gap, central-path-accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from companion.problems import QP
from companion.reference import qp
from companion.reference.qp import Iterate

SHARE = 0.99  # of the way to the boundary that a step goes
MOST = 60  # steps
PATIENCE = 3  # steps without an improvement after which a batch is given up


class Fixed(NamedTuple):
    """What no iterate changes: C = (A; G), P⁻¹Cᵀ and CP⁻¹Cᵀ, and a factor of P."""

    C: np.ndarray
    H: np.ndarray
    S: np.ndarray
    root: Any


class Step(NamedTuple):
    """A step from z: its factor, prediction, centring, corrected direction, end."""

    z: Iterate
    factor: Any
    affine: Iterate
    sigma: float
    direction: Iterate
    length: float
    end: Iterate

    @property
    def mu(self) -> float:
        """Mean of the products s_i lam_i at the start of the step."""
        return float(self.z.s @ self.z.lam) / len(self.z.s)


def prepare(problem: QP) -> Fixed:
    """Factor P and form CP⁻¹Cᵀ; LinAlgError if P is not positive definite."""
    root = cho_factor(problem.P)
    C = np.vstack([problem.A, problem.G])
    H = cho_solve(root, C.T)
    return Fixed(C, H, C @ H, root)


def factor(fixed: Fixed, ratio: np.ndarray) -> Any:
    """Cholesky factor of CP⁻¹Cᵀ + blkdiag(0, D(ratio)), ratio = s/lam."""
    equalities = np.zeros(len(fixed.S) - len(ratio))
    return cho_factor(fixed.S + np.diag(np.r_[equalities, ratio]))


def back(fixed: Fixed, factored: Any, r1: np.ndarray, r2: np.ndarray):
    """(u, y) with Pu + Cᵀy = r1 and Cu − Ey = r2; E was factored with S."""
    y = cho_solve(factored, fixed.H.T @ r1 - r2)
    return cho_solve(fixed.root, r1) - fixed.H @ y, y


def direction(
    problem: QP, fixed: Fixed, factored: Any, z: Iterate, rc: np.ndarray
) -> Iterate:
    """Newton's direction, with s∘lam driven towards s∘lam − rc."""
    P, q, A, b, G, h = problem.fields
    rd = P @ z.x + q + A.T @ z.nu + G.T @ z.lam
    ri = G @ z.x + z.s - h
    # ds = -ri - G dx, and lam ds + s dlam = -rc:  G dx - (s/lam)dlam = rc/lam - ri
    dx, dy = back(fixed, factored, -rd, np.r_[b - A @ z.x, rc / z.lam - ri])
    return Iterate(dx, dy[: len(b)], dy[len(b) :], -ri - G @ dx)


def step(problem: QP, fixed: Fixed, z: Iterate) -> Step:
    """One factorization, a predictor, a corrector, and a step that stays inside.

    Source: mehrotra1992implementation.
    """
    factored = factor(fixed, z.s / z.lam)
    products = z.s * z.lam
    affine = direction(problem, fixed, factored, z, products)
    t = qp.step_length(z, affine, 1.0)
    predicted = (z.s + t * affine.s) @ (z.lam + t * affine.lam)
    sigma = float(predicted / products.sum()) ** 3
    bend = affine.s * affine.lam - sigma * products.mean()
    d = direction(problem, fixed, factored, z, products + bend)
    t = qp.step_length(z, d, SHARE)
    end = Iterate(*(v + t * dv for v, dv in zip(z, d, strict=True)))
    return Step(z, factored, affine, sigma, d, t, end)


def solve(problem: QP, most: int = MOST) -> list[Step]:
    """The steps from `qp.start` until `qp.outcome` has something to say of their end.

    P ≻ 0 and at least one inequality are assumed.
    """
    fixed, z, steps = prepare(problem), qp.start(problem), []
    while len(steps) < most and qp.outcome(problem, *z) is None:
        steps.append(step(problem, fixed, z))
        z = steps[-1].end
    return steps


def adjoint(problem: QP, fixed: Fixed, factored: Any, g: np.ndarray):
    """(d_x, d_nu, d_lam) for a gradient g in x, from the factor of a step."""
    dx, dy = back(fixed, factored, -g, np.zeros(len(fixed.C)))
    return dx, dy[: problem.p], dy[problem.p :]


def error(problem: QP, z: Iterate) -> float:
    """Norms of the three linear residuals, and s·lam: what a batch is judged by."""
    P, q, A, b, G, h = problem.fields
    rd = P @ z.x + q + A.T @ z.nu + G.T @ z.lam
    rows = np.linalg.norm(A @ z.x - b) + np.linalg.norm(G @ z.x + z.s - h)
    return float(np.linalg.norm(rd) + rows + z.s @ z.lam)


def together(problems: Sequence[QP], most: int = 20) -> list[Iterate]:
    """Best iterates of a batch that stops as one: when nobody improves, or at `most`.

    This is how not to stop.  The rule is that of a well-known layer.
    """
    z = best = [qp.start(problem) for problem in problems]
    fixed = [prepare(problem) for problem in problems]
    least, idle = np.array(list(map(error, problems, z))), 0
    for _ in range(most):
        z = [one.end for one in map(step, problems, fixed, z)]
        now = np.array(list(map(error, problems, z)))
        better = now < least
        best = list(map(_either, better, z, best))
        least, idle = np.minimum(now, least), 0 if better.any() else idle + 1
        if idle == PATIENCE:
            break
    return best


def _either(yes: Any, first: Iterate, second: Iterate) -> Iterate:
    return first if yes else second
