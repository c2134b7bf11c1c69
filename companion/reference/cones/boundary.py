"""What the exponential and the power cone share: a boundary ruled by rays.

The boundary is the rays of P(θ), and D(θ) is the outer normal along the ray, so that
P·D = 0, P′·D = 0 and P·D′ = 0.  A point v between the cone and its polar is
v = aP(θ) + bD(θ) with a, b ≥ 0; its projection is aP(θ).

Chapter: cones.md.  Theorems: exponential-derivative, power-derivative.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
ITERATIONS = 200  # bisection alone needs fewer for the brackets that occur
FLAT = 1e-150  # a slope that Newton's method does not divide by
LEAP = 8.0  # of a bisection; brackets are logarithms, and mostly empty
LAST = 1e-9  # of a Newton step: the next one is below rounding


def frame(v: Array, P: Array, dP: Array, D: Array, dD: Array) -> tuple:
    """Unit vectors p along the ray, n across it, and DΠ's share of n.

    DΠ(v) = ppᵀ + share·nnᵀ and Π(v) = (p·v)p.  Factors of (P, P′) or of
    (D, D′) do not change the result: scale them against overflow.
    """
    n = np.cross(P, D)
    inside = (P @ v) / (P @ P) * (n @ dP)
    outside = (D @ v) / (D @ D) * (n @ dD)
    share = inside / (inside + outside)
    return P / np.linalg.norm(P), n / np.linalg.norm(n), share


def increasing_root(f: Callable, low: float, high: float, start: float) -> float:
    """The zero of an increasing f, which returns its value and its slope.

    Newton's method, and bisection where its step leaves the bracket or is longer than
    the last one.  Where f has one sign, the end of the bracket.
    """
    s, last = min(max(start, low), high), high - low
    for _ in range(ITERATIONS):
        value, slope = f(s)
        low, high = (low, s) if value > 0 else (s, high)
        step = -value / slope if slope > FLAT else np.inf
        newton = low <= s + step <= high and abs(step) <= last
        middle = low + (high - low) / 2
        target = s + step if newton else min(max(middle, s - LEAP), s + LEAP)
        s, last = target, abs(target - s)
        if last <= (LAST if newton else 1e-16) * (1 + abs(s)):
            break
    return s


def asinh_exp(w: float) -> float:
    """asinh(eʷ), also where eʷ overflows."""
    return float(np.arcsinh(np.exp(min(w, 300.0)))) + max(w - 300.0, 0.0)


def unit(v: Array) -> tuple[Array, int]:
    """The point over a power of 2, with largest entry in [½, 1), and the exponent."""
    exponent = int(np.frexp(np.abs(v).max())[1])
    return np.ldexp(v, -exponent), exponent
