"""Smooth problems with known derivatives, exact and in floating point, by regime.

The family f(x, θ) = ½xᵀPx + Σ log cosh(c_iᵀx + d_iᵀθ) is convex in x, has a Hessian
that varies, and all its derivatives are short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.reference import argmin
from companion.reference.argmin import Equation

Matrix = sp.Matrix
REGIMES = {  # the curvature of P, and the length of θ
    "well conditioned": (1.0, 1.0),
    "ill conditioned": (1e-3, 1.0),
    "saturated": (0.3, 4.0),
}
NOISE = 1e-11  # relative accuracy of a root found by Newton's method
REACH = 0.3  # length of a displacement of θ
STEPS = 2.0 ** -np.arange(6, 12)  # shorter ones drown in the rounding of a root
Array = np.ndarray


@dataclass(frozen=True)
class LogCosh:
    """f(x, θ) = ½xᵀPx + Σ log cosh(c_iᵀx + d_iᵀθ)."""

    P: Array
    C: Array
    D: Array

    def value(self, x: Array, theta: Array) -> float:
        """F itself."""
        z = self.C @ x + self.D @ theta
        return float(x @ self.P @ x / 2 + np.log(np.cosh(z)).sum())

    def gradient(self, x: Array, theta: Array) -> Array:
        """f_x."""
        return self.P @ x + self.C.T @ np.tanh(self.C @ x + self.D @ theta)

    def in_theta(self, x: Array, theta: Array) -> Array:
        """f_θ."""
        return self.D.T @ np.tanh(self.C @ x + self.D @ theta)

    def curvature(self, x: Array, theta: Array) -> Array:
        """The second derivative of log cosh at each argument."""
        return 1 / np.cosh(self.C @ x + self.D @ theta) ** 2

    def hessian(self, x: Array, theta: Array) -> Array:
        """H = f_xx."""
        return self.P + self.C.T @ (self.curvature(x, theta)[:, None] * self.C)

    def mixed(self, x: Array, theta: Array) -> Array:
        """B = f_xθ."""
        return self.C.T @ (self.curvature(x, theta)[:, None] * self.D)

    def twice_theta(self, x: Array, theta: Array) -> Array:
        """f_θθ."""
        return self.D.T @ (self.curvature(x, theta)[:, None] * self.D)

    @property
    def equation(self) -> Equation:
        """The stationarity of f in x."""
        return Equation(self.gradient, self.hessian, self.mixed)

    def minimizer(self, theta: Array) -> Array:
        """The least point of f(., θ), by Newton's method from zero."""
        return argmin.newton(self.equation, np.zeros(len(self.P)), theta).x


def smooth(regime: str, seed: int = 0) -> tuple[LogCosh, Array]:
    """A function of the family with four variables, and three parameters."""
    least, length = REGIMES[regime]
    rng = np.random.default_rng(seed)
    root, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    P = root @ np.diag([least, 1.0, 1.5, 2.0]) @ root.T
    C, D = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    theta = rng.standard_normal(3)
    return LogCosh(P, C, D), length * theta / np.linalg.norm(theta)


def draws() -> list[tuple[LogCosh, Array]]:
    """Two functions of each regime."""
    return [smooth(regime, seed) for regime in REGIMES for seed in (0, 1)]


def assert_derivative(
    s: Callable[[Array], Array | float], theta: Array, J: Array
) -> None:
    """J is the derivative of s at θ, by the order of the Taylor remainder."""
    for seed in (1, 2):
        v = np.random.default_rng(seed).standard_normal(len(theta))
        v *= REACH / np.linalg.norm(v)
        report = gradcheck.taylor(s, theta, v, J @ v, steps=STEPS, noise=NOISE)
        assert report.passes, f"{report}"


def assert_close(got: Array, want: Array, tolerance: float = 1e-9) -> None:
    """Two arrays agree relative to the size of the second."""
    error = float(np.abs(got - want).max())
    assert error <= tolerance * (1 + float(np.abs(want).max())), f"off by {error:.2e}"


Roots = Callable[[sp.Rational], Sequence[sp.Expr]]


def assert_graph(roots: Roots, steps: Sequence[sp.Rational], bend: int = 8) -> None:
    """Near θ = 0 the roots are the graph of one function with a derivative.

    One root for each θ = ±h, and difference quotients on both sides that differ by at
    most bend·h, where h is the longer step; all in exact arithmetic.
    """
    (start,) = roots(sp.S.Zero)
    quotients = []
    for h in steps:
        for theta in (h, -h):
            found = roots(theta)
            assert len(found) == 1, f"{len(found)} roots at θ = {theta}"
            quotients.append((h, (found[0] - start) / theta))
    longest, first = quotients[0]
    for h, quotient in quotients:
        change = abs(quotient - first)
        assert change <= bend * longest, f"quotient {quotient} at step {h}, not {first}"
