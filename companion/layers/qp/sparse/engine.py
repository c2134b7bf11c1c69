"""A sparse QP solved by a library, its active rows verified, its status earned.

The library's point only suggests which rows are active: a sparse LU of the KKT system
on them gives the exact solution, whose signs confirm the rows or correct them, and the
same factors serve the adjoint.  A status is given for a residual or for a certificate
that has been computed here, never for a claim.

Chapter: optnet.md. Theorems: qp-active-set, qp-optimality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from companion.layers.qp.interior_point import TOLERANCE
from companion.layers.qp.sparse import compiled, libraries
from companion.layers.qp.sparse.border import WRONG, settle
from companion.layers.qp.sparse.certificate import (
    exact_ray,
    relaxed,
    straight_direction,
    straight_ray,
)
from companion.layers.qp.sparse.data import (
    Data,
    Point,
    active_rows,
    error,
    farkas,
    finite,
    recession,
    unscaled,
)
from companion.layers.qp.sparse.factor import Factor, System
from companion.problems import Status

CORRECTIONS = 20  # of the active rows, each one factorisation
WARM = 5  # of them that a warm start is given before anything else is tried
EXACT = 1e-12  # KKT residual of a solution that its active rows reproduce


@dataclass(eq=False)
class Found:
    """An outcome; `ray` is the certificate (x, nu, lam) where there is no solution."""

    point: Point
    status: Status
    active: np.ndarray
    iterations: int = 0
    library: str = ""
    factor: Any = None
    ray: Point | None = None
    residual: float = 0.0

    @property
    def confirmed(self) -> bool:
        """Whether its active rows reproduce it, or its certificate holds."""
        return self.residual < EXACT


def solve(data: Data, guess: np.ndarray | None = None) -> Found:
    """Solution, or a verified certificate, or the reason why there is neither.

    `guess` are multipliers of G, whose positive ones say which rows to try first.
    """
    if not finite(data):
        return _failed(data)
    found = _compiled(data, None if guess is None else guess > 0)
    if found is not None:
        return found
    system = System(data)
    if guess is not None:
        found = identify(system, guess > 0, None, WARM)
        if found is not None and found.confirmed:
            return found
    factor = settle(system)
    if factor is not None:
        point = _on(system, factor, None)
        found = _on_rows(system, point, error(data, point), factor)
        if found.confirmed:
            return found
    return _by_libraries(system) or _certified(system)


def _compiled(data: Data, guess: np.ndarray | None) -> Found | None:
    """The solution by the compiled active set, if it is confirmed."""
    answer = compiled.settle(data, guess)
    if answer is None and guess is not None:
        answer = compiled.settle(data, None)
    if answer is None:
        return None
    point, factors, residual, steps = answer
    found = Found(point, Status.SOLVED, factors.active, steps, factor=factors)
    found.residual = residual
    return found if found.confirmed else None


def _by_libraries(system: System) -> Found | None:
    """The first answer that is confirmed; else the best that passes, if there is one.

    An answer is confirmed by an exact solution on its active rows, or a certificate.
    If the first accuracy does not lead there a finer one does, on rows of norm one.
    """
    names = libraries.installed()
    tries = [(name, libraries.ACCURACY) for name in names]
    tries.append((names[-1], libraries.FINE))
    best, iterations = None, 0
    for name, accuracy in tries:
        fine = accuracy < libraries.ACCURACY
        answer = libraries.call(name, system.scaled if fine else system.data, accuracy)
        if fine:
            point, slack = unscaled(answer.point, system.scale), answer.slack
            answer = answer._replace(point=point, slack=slack * system.scale.G)
        iterations += answer.iterations
        found = _judged(system, answer)
        if found is not None and (
            best is None or found.confirmed or best.residual > found.residual
        ):
            best, best.library = found, name
            if found.confirmed:
                break
    if best is not None:
        best.iterations = iterations
    return best


def _judged(system: System, answer: libraries.Answer) -> Found | None:
    """What can be verified of an answer; None if nothing can."""
    z, data = answer.point, system.data
    idle = np.zeros(len(data.h), bool)
    if not all(np.isfinite(v).all() for v in z):
        return None
    if answer.status in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE):
        ray = _proved(system, z, answer.status)
        return None if ray is None else Found(z, answer.status, idle, ray=ray)
    size = system.scale.G
    active = z.lam * size / system.scale.cost > answer.slack / size
    return identify(system, active, z, CORRECTIONS)


def _proved(system: System, z: Point, status: Status) -> Point | None:
    """The library's ray, or one nearby, that holds to rounding; or None."""
    d, scale = system.scaled, system.scale
    if status == Status.DUAL_INFEASIBLE:
        tries = (lambda: z.x, lambda: straight_direction(d, z.x))
        held = (x for x in (make() for make in tries) if recession(d, x))
        return next((z._replace(x=x) for x in held), None)
    own = z._replace(nu=z.nu * scale.A, lam=z.lam * scale.G)
    tries = (lambda: own, lambda: straight_ray(d, own.nu, own.lam))
    held = (y for y in (make() for make in tries) if farkas(d, y.nu, y.lam))
    return next((Point(z.x, y.nu / scale.A, y.lam / scale.G) for y in held), None)


def identify(
    system: System, active: np.ndarray, z: Point | None, corrections: int
) -> Found | None:
    """Solve on the active rows and correct them until every sign is right.

    Rows with a negative multiplier leave, rows that are violated enter (a primal-dual
    active-set step), unless the system is singular, where multipliers are not unique.
    The point of least residual is kept, z among them; None if it solves nothing.
    """
    best, least = z, np.inf if z is None else error(system.data, z)
    factor, seen = None, set()
    for _ in range(corrections + 1):
        seen.add(active.tobytes())
        trial = system.factor(active)
        point = _on(system, trial, z)
        now = error(system.data, point)
        if now < least:
            best, least, factor = point, now, trial
        active = _corrected(system, point, active)
        if active.tobytes() in seen:
            break
    if best is None or not least < TOLERANCE:
        return None
    return _on_rows(system, best, least, factor)


def _on_rows(system: System, z: Point, residual: float, factor: Factor | None) -> Found:
    """A solution with the factors on its active rows, made anew if they are others."""
    rows = active_rows(system.data, system.scale, z)
    if factor is None or not np.array_equal(rows, factor.active):
        factor = system.factor(rows)
    return Found(z, Status.SOLVED, rows, factor=factor, residual=residual)


def _on(system: System, factor: Factor, near: Point | None) -> Point:
    """The solution of the problem whose rows are those of the factor, as equalities.

    Where it is not unique, the one nearest to a given point: an interior point's is
    in the middle of the multipliers, which are then positive.
    """
    d, p = system.data, system.p
    x, y = np.zeros(system.n), np.zeros(p + len(d.h))
    r1, r2 = -d.q, np.concatenate([d.b, d.h])
    if near is not None and not factor.regular:
        x = near.x
        y = np.concatenate([near.nu, np.where(factor.active, near.lam, 0)])
        r1 = r1 - d.P @ x - d.A.T @ y[:p] - d.G.T @ y[p:]
        r2 = r2 - np.concatenate([d.A @ x, d.G @ x])
    dx, dy = factor.solve(r1, r2)
    return Point(x + dx, y[:p] + dy[:p], y[p:] + dy[p:])


def _corrected(system: System, z: Point, active: np.ndarray) -> np.ndarray:
    """The active rows without those that pull, and with those that are violated."""
    size, cost = system.scale.G, system.scale.cost
    slack = system.scaled.h - system.scaled.G @ z.x
    pulls = z.lam * size / cost < -WRONG
    return (active & ~pulls) | (~active & (slack < -WRONG))


def _certified(system: System) -> Found:
    """Infeasible by the elastic program, or a failure."""
    found, ray = _failed(system.data), _elastic(system)
    if ray is not None:
        found.status, found.ray = Status.PRIMAL_INFEASIBLE, ray
    return found


def _failed(data: Data) -> Found:
    nothing = Point(*(np.full(len(v), np.nan) for v in data[1::2]))
    return Found(nothing, Status.NUMERICAL_ERROR, np.zeros(len(nothing.lam), bool))


def _elastic(system: System) -> Point | None:
    """A Farkas ray from the elastic program, verified; None if there is none."""
    d, scale, m = system.scaled, system.scale, len(system.data.h)
    found = _by_libraries(System(relaxed(d)))
    if found is None or found.status != Status.SOLVED:
        return None
    x, nu, lam = found.point.x[: system.n], found.point.nu, found.point.lam[:m]
    lam = np.maximum(lam, 0)  # the ray that is verified is this one
    sure = farkas(d, nu, lam)
    nu, lam = nu / scale.A, lam / scale.G
    if not sure:
        ray = exact_ray(system.data, nu, lam)  # scaled rows have been rounded
        if ray is None:
            return None
        nu, lam = ray[: system.p], ray[system.p :]
    return Point(x, nu, lam)
