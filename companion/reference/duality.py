"""Certificates that anyone can check: lower bounds, dual programs, Farkas rays.

Chapter: duality.md. Theorems: weak-duality, qp-dual, farkas-lemma, strong-duality,
saddle-point, slater-condition.

Arrays may hold floats or, after `rational`, fractions; the arithmetic is then exact.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from companion.problems import QP

Data = tuple[Any, ...]  # the arrays (P, q, A, b, G, h)


class Alternative(NamedTuple):
    """A point of Gx ≤ h, or multipliers that prove that there is none."""

    x: Any = None
    lam: Any = None


def rational(values: Any) -> np.ndarray:
    """The same numbers as fractions: every float is one, so nothing is rounded."""
    array = np.asarray(values)
    flat = [Fraction(v) for v in array.ravel().tolist()]
    return np.array(flat, dtype=object).reshape(array.shape)


def objective(data: Data, x: Any) -> Any:
    """The primal value ½xᵀPx + qᵀx."""
    P, q, *_ = data
    return x @ P @ x / 2 + q @ x


def lagrangian(data: Data, x: Any, nu: Any, lam: Any) -> Any:
    """½xᵀPx + qᵀx + nuᵀ(Ax − b) + lamᵀ(Gx − h)."""
    _, _, A, b, G, h = data
    return objective(data, x) + nu @ (A @ x - b) + lam @ (G @ x - h)


def lower_bound(data: Data, u: Any, nu: Any, lam: Any) -> Any:
    """−½uᵀPu − bᵀnu − hᵀlam, no feasible point has less if P ⪰ 0.

    Raises ValueError unless lam ≥ 0 and Pu + q + Aᵀnu + Gᵀlam = 0, exactly.
    """
    P, q, A, b, G, h = data
    if any(v < 0 for v in lam):
        msg = f"lam: expected no negative entry, got {min(lam)}"
        raise ValueError(msg)
    residual = P @ u + q + A.T @ nu + G.T @ lam
    if any(residual):
        worst = max(abs(residual))
        msg = f"expected Pu + q + Aᵀnu + Gᵀlam = 0, got a residual {worst}"
        raise ValueError(msg)
    return -(u @ P @ u) / 2 - b @ nu - h @ lam


def dual(problem: QP) -> QP:
    """The dual of a QP with P ≻ 0, as a QP in y = (nu, lam) to be minimized.

    The primal value is −½qᵀP⁻¹q minus its value; its minimizer is (nu, lam).
    """
    P, q, A, b, G, h = problem.fields
    C, d = np.vstack([A, G]), np.concatenate([b, h])
    M = C @ np.linalg.solve(P, C.T)
    sign = -np.eye(len(d))[len(b) :]  # −lam ≤ 0
    slope = d + C @ np.linalg.solve(P, q)
    return QP((M + M.T) / 2, slope, G=sign, h=np.zeros(len(h)))


def proves_infeasible(data: Data, nu: Any, lam: Any) -> bool:
    """Whether lam ≥ 0, Aᵀnu + Gᵀlam = 0 and bᵀnu + hᵀlam < 0, to the last digit."""
    _, _, A, b, G, h = data
    balanced = not any(A.T @ nu + G.T @ lam)
    return bool(balanced and all(lam >= 0) and b @ nu + h @ lam < 0)


def alternative(G: Any, h: Any) -> Alternative:
    """A point of Gx ≤ h, or lam ≥ 0 with Gᵀlam = 0 and hᵀlam < 0.

    Rows in which the last variable has opposite signs are added in pairs, so
    that it cancels; a point of what is left extends, a ray lifts.
    """
    m, n = G.shape
    unit = rational(np.eye(m, dtype=int))
    if n == 0:
        broken = [row for row, side in zip(unit, h, strict=True) if side < 0]
        return Alternative(lam=broken[0]) if broken else Alternative(x=h[:0])
    last = G[:, -1]
    above, below = np.flatnonzero(last > 0), np.flatnonzero(last < 0)
    pairs = [unit[i] / last[i] - unit[j] / last[j] for i in above for j in below]
    rows = [*unit[last == 0], *pairs]
    M = np.array(rows, dtype=object).reshape(len(rows), m)
    rest = alternative((M @ G)[:, :-1], M @ h)
    if rest.x is None:
        return Alternative(lam=M.T @ rest.lam)
    bounds = (h - G[:, :-1] @ rest.x) / np.where(last == 0, 1, last)
    low, high = bounds[below], bounds[above]
    ends = [f(v) for f, v in ((max, low), (min, high)) if len(v)] or [Fraction(0)]
    return Alternative(x=np.append(rest.x, sum(ends) / len(ends)))


def infeasibility(data: Data) -> tuple[Any, Any] | None:
    """Multipliers (nu, lam) that prove that nothing satisfies Ax = b, Gx ≤ h, or None.

    An equality enters as two inequalities; nu is the difference of their multipliers.
    """
    _, _, A, b, G, h = map(rational, data)
    found = alternative(np.vstack([A, -A, G]), np.concatenate([b, -b, h])).lam
    if found is None:
        return None
    p = len(b)
    return found[:p] - found[p : 2 * p], found[2 * p :]


def optimality(data: Data, x: Any) -> Alternative:
    """Multipliers (nu, lam) that certify x, or a direction of descent.

    Farkas for Aw = 0, Gw ≤ 0 on the active rows, (Px + q)ᵀw ≤ −1: there is
    such a w, or a ray; divided by its last entry, the ray certifies x.
    """
    P, q, A, _, G, h = map(rational, data)
    x = rational(x)
    active = np.flatnonzero(h - G @ x == 0)
    rows = np.vstack([A, -A, G[active], (P @ x + q)[None]])
    side = rational(np.zeros(len(rows), dtype=int))
    side[-1] = Fraction(-1)
    found = alternative(rows, side)
    if found.lam is None:
        return found
    p, ray = len(A), found.lam / found.lam[-1]
    lam = rational(np.zeros(len(h), dtype=int))
    lam[active] = ray[2 * p : -1]
    return Alternative(lam=(ray[:p] - ray[p : 2 * p], lam))
