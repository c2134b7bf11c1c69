"""Quadratic programs, one instance, in NumPy: solve, check, differentiate.

Chapter: optnet.md. Theorems: qp-optimality, qp-differential, qp-gradients,
newton-residual-decrease.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from companion.problems import QP, QPSolution, Status
from companion.reference.kkt import jacobian, residual

TOLERANCE = 1e-10  # on the KKT residual, relative to the data
CERTIFICATE = 1e-8  # residual of a Farkas or recession direction, relative to its gain
ROUNDING = 1e-12  # residual of such a direction, entry by entry, beside its terms
NOISE = 1e-12  # an entry, beside the largest, that is rounding of zero
MAX_ITERATIONS = 60


class Iterate(NamedTuple):
    """A primal-dual point, or a step from one; Gx + s = h at a solution."""

    x: np.ndarray
    nu: np.ndarray
    lam: np.ndarray
    s: np.ndarray


def solve(problem: QP) -> QPSolution:
    """Minimize ½xᵀPx + qᵀx over Ax = b, Gx ≤ h by predictor and corrector.

    Raises ValueError if P is not symmetric positive semidefinite.
    Source: mehrotra1992implementation.
    """
    _check_convex(problem)
    z = start(problem)
    for _ in range(MAX_ITERATIONS):
        status = outcome(problem, *z)
        if status is not None:
            return _solution(problem, *z, status)
        affine = newton_step(problem, *z, z.s * z.lam)
        t = step_length(z, affine, 1.0)
        rows = max(len(z.s), 1)
        mu = z.s @ z.lam / rows
        predicted = (z.s + t * affine.s) @ (z.lam + t * affine.lam) / rows
        centre = (predicted / mu) ** 3 * mu if mu > 0 else 0.0
        bend = affine.s * affine.lam - centre
        step = newton_step(problem, *z, z.s * z.lam + bend)
        t = step_length(z, step, 0.99)
        z = Iterate(*(v + t * dv for v, dv in zip(z, step, strict=True)))
    return _solution(problem, *z, Status.MAX_ITERATIONS)


def newton_step(problem: QP, x, nu, lam, s, rc) -> Iterate:
    """Newton's step for the KKT conditions, with s∘lam driven towards s∘lam − rc."""
    P, q, A, b, G, h = problem.fields
    rd = P @ x + q + A.T @ nu + G.T @ lam
    rp, ri = A @ x - b, G @ x + s - h
    # with ds = -(rc + s dlam)/lam eliminated:
    #   [P  Aᵀ  Gᵀ         ] [dx  ]     [rd         ]
    #   [A  0   0          ] [dnu ] = - [rp         ]
    #   [G  0   -diag(s/lam)] [dlam]     [ri - rc/lam]
    n, p, m = len(q), len(b), len(h)
    K = np.block(
        [
            [P, A.T, G.T],
            [A, np.zeros((p, p + m))],
            [G, np.zeros((m, p)), -np.diag(s / lam)],
        ]
    )
    d = -_linear(K, np.r_[rd, rp, ri - rc / lam])
    dx, dnu, dlam = np.split(d, [n, n + p])
    return Iterate(dx, dnu, dlam, -ri - G @ dx)


def start(problem: QP) -> Iterate:
    """Minimize the objective plus ½‖h − Gx‖², then move s and lam inside."""
    P, q, A, b, G, h = problem.fields
    if not all(np.isfinite(v).all() for v in problem.fields):
        return Iterate(*(np.full_like(v, np.nan) for v in (q, b, h, h)))
    K = np.block([[P + G.T @ G, A.T], [A, np.zeros((len(b), len(b)))]])
    d = _linear(K, np.r_[G.T @ h - q, b])
    x, nu = d[: len(q)], d[len(q) :]
    s = h - G @ x
    inside = [v + max(0.0, 1.0 - v.min(initial=1.0)) for v in (-s, s)]
    return Iterate(x, nu, *inside)


def step_length(z: Iterate, step: Iterate, share: float) -> float:
    """Longest step, at most 1, that keeps s and lam this share away from zero."""
    v, dv = np.r_[z.lam, z.s], np.r_[step.lam, step.s]
    falling = dv < 0
    return min(1.0, share * np.min(-v[falling] / dv[falling], initial=np.inf))


def outcome(problem, x, nu, lam, s):
    """Status that the iterate has reached, or None to go on."""
    P, q, A, b, G, h = problem.fields
    stationarity = P @ x, q, A.T @ nu, G.T @ lam
    equalities, inequalities = (A @ x, -b), (G @ x, s, -h)
    gap = s @ lam
    if not np.isfinite(np.r_[np.sum(stationarity, 0), x, nu, lam, s, b, h, gap]).all():
        return Status.NUMERICAL_ERROR
    # each residual against its own terms: they have different units
    parts = [stationarity, equalities, inequalities]
    small = [_size(np.sum(v, 0)) <= TOLERANCE * (1 + max(map(_size, v))) for v in parts]
    if all(small) and gap <= TOLERANCE * (1 + _size(q * x) + _size(x * (P @ x))):
        return Status.SOLVED
    return certificate(problem, x, nu, lam)


def certificate(problem, x, nu, lam):
    """Infeasibility or unboundedness that a direction proves, or None.

    The iterates of an instance without solution diverge along such a direction; where
    there are no inequalities, the residual of the singular KKT system is one.
    """
    P, q, A, b, G, h = problem.fields
    C, p = np.vstack([A, G]), len(b)
    for y in (np.r_[nu, lam], np.r_[A @ x - b, 0 * lam]):
        used = np.abs(y) > CERTIFICATE * _size(y)
        ray = np.where(used, y, 0)
        ray[used] = _within(C[used].T, ray[used])
        gain = -(np.r_[b, h] @ ray)
        if (ray[p:] >= 0).all() and _vanishes(C.T @ ray, abs(C.T) @ abs(ray), gain):
            return Status.PRIMAL_INFEASIBLE
    for d in (x, -(P @ x + q + A.T @ nu + G.T @ lam)):
        touching = G[G @ d > -CERTIFICATE * _size(d)]
        ray = _within(np.vstack([P, A, touching]), d)
        leaves = np.r_[P @ ray, A @ ray, np.maximum(G @ ray, 0)]
        terms = np.r_[abs(P), abs(A), abs(G)] @ abs(ray)
        if _vanishes(leaves, terms, -q @ ray):
            return Status.DUAL_INFEASIBLE
    return None


def _within(M: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The point of the null space of M nearest to v, without rounding of zeros."""
    near = v - np.linalg.lstsq(M, M @ v, rcond=None)[0]
    return np.where(np.abs(near) > NOISE * _size(v), near, 0)


def _vanishes(residual: np.ndarray, terms: np.ndarray, gain: float) -> bool:
    """Whether entries are rounding of their terms, and small beside a positive gain."""
    rounded = (np.abs(residual) <= ROUNDING * terms).all()
    return bool(gain > 0 and rounded and _size(residual) <= CERTIFICATE * gain)


def kkt_residual(problem: QP, x, nu, lam) -> np.ndarray:
    """The KKT equations at a point, as `companion.reference.kkt.residual` has them."""
    return residual(problem, x, nu, lam)


def vjp(problem: QP, sol: QPSolution, gx, gnu=None, glam=None) -> QP:
    """Gradients of gxᵀx + gnuᵀnu + glamᵀlam in every field, as a QP.

    Source: amos2017optnet, eqs. (7) and (8), the latter corrected.
    """
    _, q, _, b, _, h = problem.fields
    x, nu, lam = sol.x, sol.nu, sol.lam
    gnu = np.zeros_like(b) if gnu is None else gnu
    glam = np.zeros_like(h) if glam is None else glam
    K = jacobian(problem, x, nu, lam).T
    d = -np.linalg.solve(K, np.concatenate([gx, glam, gnu]))
    dx, dlam, dnu = np.split(d, [len(q), len(q) + len(h)])
    return QP(
        P=(np.outer(dx, x) + np.outer(x, dx)) / 2,
        q=dx,
        A=np.outer(dnu, x) + np.outer(nu, dx),
        b=-dnu,
        G=np.outer(lam * dlam, x) + np.outer(lam, dx),
        h=-lam * dlam,
    )


def _linear(K: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Solve Kd = r; in the least-squares sense where K is singular."""
    try:
        d = np.linalg.solve(K, r)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(K, r, rcond=None)[0]
    good = np.abs(K @ d - r).max() <= 1e-6 * (1 + np.abs(r).max())
    return d if good else np.linalg.lstsq(K, r, rcond=None)[0]


def _size(v: np.ndarray) -> float:
    return float(np.abs(v).max(initial=0.0))


def _solution(problem: QP, x, nu, lam, s, status: Status) -> QPSolution:
    """The solution as a noun; NaN where the instance was not solved."""
    if status is not Status.SOLVED:
        x, nu, lam, s = (np.full_like(v, np.nan) for v in (x, nu, lam, s))
    value = float(0.5 * x @ problem.P @ x + problem.q @ x)
    return QPSolution(x, nu, lam, problem.h - problem.G @ x, value, status)


def _check_convex(problem: QP) -> None:
    P = problem.P
    if not isinstance(P, np.ndarray) or P.ndim != 2:
        msg = f"QP.P: expected a NumPy matrix (one instance), got {type(P).__name__}"
        raise TypeError(f"{msg} of shape {tuple(P.shape)}")
    skew = _size(P - P.T)
    if skew > 1e-8 * _size(P):
        msg = (
            f"QP.P: expected a symmetric matrix, got one with |P - Pᵀ| up to {skew:.3g}"
        )
        raise ValueError(msg)
    if not np.isfinite(P).all():
        return
    least = float(np.linalg.eigvalsh(P)[0])
    if least < -1e-12 * len(P) * max(_size(P), 1e-300):
        msg = (
            "QP.P: expected a positive semidefinite matrix, got one with least "
            f"eigenvalue {least:.3g}; the problem is not convex"
        )
        raise ValueError(msg)
