"""Functions and sets with exact values, and points to try them on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import sympy as sp

Point = tuple[Fraction, ...]
Pairs = Iterable[tuple[Point, Point]]
a, b = sp.symbols("a b")
# polynomials and quotients, so that values at rational points are rational
CONVEX = (a**2 + a * b + b**2 - 3 * a, a**4 + b**2, a**2 / b, 1 / a + 1 / b)
GRID = [Fraction(k, 3) for k in (1, 2, 4, 7)]  # positive: quotients are convex there
WEIGHTS = [Fraction(k, 5) for k in range(6)]


def grid(*lines: Sequence[Fraction | int]) -> list[Point]:
    """The points whose entries are taken from these lines."""
    return [tuple(map(Fraction, point)) for point in itertools.product(*lines)]


def pairs(points: Sequence[Point]) -> Pairs:
    """All ordered pairs of points."""
    return itertools.product(points, points)


def told(point: Point) -> str:
    """The point in words."""
    return f"({', '.join(map(str, point))})"


def dot(u: Point, v: Point) -> Fraction:
    return sum((p * q for p, q in zip(u, v, strict=True)), Fraction(0))


def length(v: Point) -> Fraction:
    """‖v‖, for a vector whose length is rational."""
    squared = dot(v, v)
    root = Fraction(isqrt(squared.numerator), isqrt(squared.denominator))
    if root**2 != squared:
        msg = f"v: expected a vector of rational length, got {told(v)}"
        raise ValueError(msg)
    return root


def minus(u: Point, v: Point) -> Point:
    return tuple(p - q for p, q in zip(u, v, strict=True))


def between(x: Point, y: Point, weight: Fraction) -> Point:
    """The point (1 - t)x + ty."""
    return tuple((1 - weight) * p + weight * q for p, q in zip(x, y, strict=True))


@dataclass(frozen=True)
class Smooth:
    """A function of a point with its gradient, exactly."""

    value: Callable[[Point], Fraction]
    slope: Callable[[Point], Point]


def smooth(expression: sp.Expr, letters: Sequence[sp.Symbol] = (a, b)) -> Smooth:
    """A polynomial or quotient with integer coefficients, as exact functions."""
    value = sp.lambdify(letters, expression)
    slopes = [sp.lambdify(letters, sp.diff(expression, x)) for x in letters]
    return Smooth(
        lambda x: Fraction(value(*x)), lambda x: tuple(Fraction(s(*x)) for s in slopes)
    )


def chord_gap(
    f: Callable[[Point], Fraction], x: Point, y: Point, weight: Fraction
) -> Fraction:
    """(1 - t)f(x) + tf(y) - f((1 - t)x + ty)."""
    return (1 - weight) * f(x) + weight * f(y) - f(between(x, y, weight))


def clipped(v: Point, tops: tuple[int, int]) -> Point:
    """The nearest point of the rectangle from the origin to `tops`."""
    return tuple(
        min(max(c, Fraction(0)), Fraction(top)) for c, top in zip(v, tops, strict=True)
    )


def box(v: Point) -> Point:
    """The nearest point of [0, 1] × [0, 2]."""
    return clipped(v, (1, 2))


def halfspace(v: Point) -> Point:
    """The nearest point of {z : 3z₁ + 4z₂ ≤ 1}."""
    normal = (Fraction(3), Fraction(4))
    excess = max(dot(normal, v) - 1, Fraction(0)) / 25
    return minus(v, tuple(excess * c for c in normal))


def ball(v: Point) -> Point:
    """The nearest point of the unit disc, for v inside or of rational length."""
    if dot(v, v) <= 1:
        return v
    size = length(v)
    return tuple(c / size for c in v)


def ell(v: Point) -> Point:
    """A nearest point of the L that [0, 3] × [0, 1] and [0, 1] × [0, 3] form."""
    wide, high = (clipped(v, tops) for tops in ((3, 1), (1, 3)))
    return min(wide, high, key=lambda z: dot(minus(v, z), minus(v, z)))


PLANE = grid((-2, -1, 0, Fraction(1, 2), 1, 3), (-3, 0, Fraction(2, 3), 2, 4))
# lengths 5, 13/2, 5/2 and 1/2, so that the disc's nearest points are rational
PYTHAGOREAN = [
    tuple(map(Fraction, point))
    for point in ((3, 4), (-3, 4), (Fraction(5, 2), 6), (Fraction(3, 2), -2))
] + [(Fraction(3, 10), Fraction(2, 5)), (Fraction(0), Fraction(0))]
SETS = ((box, PLANE), (halfspace, PLANE), (ball, PYTHAGOREAN))
