"""Programs whose functions are quadratic: exact ones, and samples in floating point.

Every function here takes arrays of floats or of rational numbers alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.proofs.registry import require

Array = np.ndarray
STEPS = 2.0 ** -np.arange(7, 12)
NEWTON = 12  # quadratic convergence from a start that is 1/128 away
NOISE = 1e-13


@dataclass(frozen=True, eq=False)
class Program:
    """min f₀ over f₁, …, f_m ≤ 0, Ax = b, with f_k = ½xᵀP_k x + q_kᵀx + r_k."""

    P: Array
    q: Array
    r: Array
    A: Array
    b: Array

    def plus(self, step: Any, change: Program) -> Program:
        """The program with its data displaced by a multiple of others."""
        mine, other = vars(self).values(), vars(change).values()
        return Program(*(u + step * v for u, v in zip(mine, other, strict=True)))


@dataclass(frozen=True, eq=False)
class Point:
    """x with the multipliers of the inequalities and of the equalities."""

    x: Array
    lam: Array
    nu: Array

    @property
    def flat(self) -> Array:
        """All entries in the order x, lam, nu."""
        return np.concatenate([self.x, self.lam, self.nu])

    def shaped(self, entries: Array) -> Point:
        """The point with these entries."""
        n, m = len(self.x), len(self.lam)
        return Point(entries[:n], entries[n : n + m], entries[n + m :])


def functions(p: Program, x: Array) -> Array:
    """f₀, …, f_m at x."""
    return (p.P @ x) @ x / 2 + p.q @ x + p.r


def lagrangian(p: Program, w: Point) -> Any:
    """L(x, lam, nu), which is linear in the data of the program."""
    f = functions(p, w.x)
    return f[0] + f[1:] @ w.lam + (p.A @ w.x - p.b) @ w.nu


def residual(p: Program, w: Point) -> Array:
    """G = (∇L, D(lam)f, Ax - b), linear in the data of the program as well."""
    slopes = p.P @ w.x + p.q
    gradient = slopes[0] + slopes[1:].T @ w.lam + p.A.T @ w.nu
    rest = w.lam * functions(p, w.x)[1:], p.A @ w.x - p.b
    return np.concatenate([gradient, *rest])


def matrix(p: Program, w: Point, *, curved: bool = True) -> Array:
    """D_w g; the curvature of the constraints is left out for a mutant."""
    J, f = (p.P @ w.x + p.q)[1:], functions(p, w.x)[1:]
    H = p.P[0] + (np.tensordot(w.lam, p.P[1:], 1) if curved else 0)
    m, k = len(f), len(p.b)
    return np.vstack(
        [
            np.hstack([H, J.T, p.A.T]),
            np.hstack([w.lam[:, None] * J, np.diag(f), np.zeros((m, k), int)]),
            np.hstack([p.A, np.zeros((k, m + k), int)]),
        ]
    )


def tangent(p: Program, w: Point, change: Program, **mutation: bool) -> Array:
    """-(D_w g)⁻¹ D_theta g along a change of the data, exact for exact data."""
    K, r = matrix(p, w, **mutation), residual(change, w)
    if K.dtype != object:
        return -np.linalg.solve(K, r)
    return np.array(-sp.Matrix(K).LUsolve(sp.Matrix(r))).ravel()


def newton(p: Program, w: Point) -> Point:
    """The root of g near w."""
    for _ in range(NEWTON):
        w = w.shaped(w.flat - np.linalg.solve(matrix(p, w), residual(p, w)))
    return w


def close(P: Array, q: Array, A: Array, w: Point, slack: Array) -> Program:
    """The program whose KKT point is w; q[0] is replaced, r and b are found."""
    r = np.concatenate([slack[:1] * 0, -slack - (P[1:] @ w.x) @ w.x / 2 - q[1:] @ w.x])
    slopes = P[1:] @ w.x + q[1:]
    first = -(P[0] @ w.x + slopes.T @ w.lam + A.T @ w.nu)
    return Program(P, np.vstack([first, q[1:]]), r, A, A @ w.x)


def integers(rng: np.random.Generator, *shape: int) -> Array:
    """Small random integers that sympy divides exactly."""
    drawn = rng.integers(-2, 3, size=shape)
    return np.vectorize(sp.Integer, otypes=[object])(drawn)


def change(rng: np.random.Generator, p: Program, *, exact: bool = False) -> Program:
    """A random change of all the data, with symmetric matrices."""
    draw = integers if exact else lambda g, *shape: g.standard_normal(shape)
    P, *rest = (draw(rng, *field.shape) for field in vars(p).values())
    return Program(P + P.swapaxes(1, 2), *rest)


def convex(rng: np.random.Generator, n: int, *, exact: bool) -> tuple[Program, Point]:
    """A convex program: an active and an inactive inequality, n - 2 equalities."""
    draw = integers if exact else lambda g, *shape: g.standard_normal(shape)
    root = draw(rng, 3, n, n)
    P = root @ root.swapaxes(1, 2) + np.eye(n, dtype=int)
    one = sp.Integer(1) if exact else 1.0
    w = Point(draw(rng, n), np.array([2 * one, 0 * one]), draw(rng, n - 2))
    A = draw(rng, n - 2, n)
    p = close(P, draw(rng, 3, n), A, w, np.array([0 * one, 3 * one]))
    return p, w


def saddle_shaped(rng: np.random.Generator, n: int) -> tuple[Program, Point]:
    """A strict local minimizer where no function of the program is convex."""
    w = Point(rng.standard_normal(n), np.array([1.5, 0.0]), rng.standard_normal(n - 2))
    P, q, A = (rng.standard_normal(s) for s in ((3, n, n), (3, n), (n - 2, n)))
    P = P + P.swapaxes(1, 2)
    normals = np.vstack([P[1] @ w.x + q[1], A])
    # positive along the constraints, negative across them
    Z = np.linalg.svd(normals)[2][len(normals) :].T
    H = Z @ Z.T - 2 * (np.eye(n) - Z @ Z.T)
    P[0] = H - np.tensordot(w.lam, P[1:], 1)
    return close(P, q, A, w, np.array([0.0, 1.0])), w


def least_curvature(p: Program, w: Point) -> float:
    """The least eigenvalue of ∇²L on the directions that keep the active rows."""
    n = len(w.x)
    active = w.lam > -functions(p, w.x)[1:]
    normals = np.vstack([(p.P[1:] @ w.x + p.q[1:])[active], p.A])
    Z = np.linalg.svd(normals)[2][len(normals) :].T
    H = matrix(p, w)[:n, :n]
    return float(np.linalg.eigvalsh(Z.T @ H @ Z)[0])


def assert_branch_moves(p: Program, w: Point, **mutation: bool) -> None:
    """Second order of (x, lam, nu) along a random change, both ways, by Newton.

    Every point found is a KKT point with curvature: a strict (local) minimizer.
    """
    delta = change(np.random.default_rng(1), p)
    speed = tangent(p, w, delta, **mutation)
    scale = 0.25 / (1 + np.abs(tangent(p, w, delta)).max())
    require(np.abs(residual(p, w)).max() < 1e-12, "w is a KKT point")

    def branch(step: Array) -> Array:
        moved = p.plus(step[0] * scale, delta)
        found = newton(moved, w)
        assert np.abs(residual(moved, found)).max() < 1e-11, "Newton's method failed"
        assert min(*found.lam, *-functions(moved, found.x)[1:]) > -1e-12, "signs"
        assert least_curvature(moved, found) > 0, "not a minimizer"
        return found.flat

    for sign in (1.0, -1.0):
        report = gradcheck.taylor(
            branch,
            np.zeros(1),
            np.array([sign]),
            sign * scale * speed,
            steps=STEPS,
            noise=NOISE,
        )
        assert report.passes, f"the tangent of the branch: {report}"


def assert_tangent(p: Program, w: Point, **mutation: bool) -> None:
    """Exactly: g vanishes to first order along the claimed tangent."""
    t = sp.Symbol("t")
    delta = change(np.random.default_rng(2), p, exact=True)
    moved = w.shaped(w.flat + t * tangent(p, w, delta, **mutation))
    for entry in residual(p.plus(t, delta), moved):
        first = sp.Poly(sp.expand(entry), t).coeff_monomial(t)
        assert first == 0, f"g has the first-order term {first}"
