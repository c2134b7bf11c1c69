"""Rules that build convex functions from convex functions.

Chapter: convexity.md.  Theorems: convex-composition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.convexity import instances
from companion.proofs.convexity.functions import (
    BETWEEN,
    CHORD,
    fx,
    fy,
    fz,
    log_sum_exp,
    x,
    y,
    z,
)
from companion.proofs.convexity.instances import Fraction
from companion.proofs.convexity.signed import W, gap, shown, t
from companion.proofs.registry import Evidence, Step, theorem

# ----------------------------------------------------------- convex-composition
composition = theorem(
    "convex-composition",
    claim=(
        "At z = (1-t)x + ty, the chord gap of φ∘ψ is that of φ at the values of ψ "
        "plus φ(δ) - φ(ψ(z)) with δ = (1-t)ψ(x) + tψ(y), where δ = ψ(z) if ψ is "
        "affine.  The chord gap of a weighted sum is the weighted sum of the gaps.  "
        "That of a maximum M equal to f at z is that of f plus "
        "(1-t)(M(x) - f(x)) + t(M(y) - f(y))."
    ),
    source="grant2006disciplined",
)


@composition.derivation
def composed_gap() -> Iterator[Step]:
    ha, hb, hc, hm = W("ha hb hc hm")
    chord = [(1 - t) * ha, t * hb, -hc]
    terms = [
        gap([(1 - t) * ha, t * hb, -hm], "φ is convex"),
        gap([hm, -hc], "φ is nondecreasing and γ ≤ δ, as ψ is convex"),
    ]
    yield from shown(
        r"(1-t)\varphi(\alpha) + t\varphi(\beta) - \varphi(\gamma)", chord, terms
    )


@composition.check(Evidence.SYMBOLIC_ANY_SIZE)
def affine_maps_sums_and_maxima() -> None:
    # δ and γ agree for an affine ψ, so that φ(δ) = φ(γ): G z + k at the three points
    J, lam = W("J lam")
    mean = [(1 - t) * (J * x + lam), t * (J * y + lam)]
    assert W.equal(J * z + lam, mean, BETWEEN)
    # a sum of f, with weight s, and of another function, with values a, b, c
    a, b, c = W("a b c")
    s = sp.Symbol("s", positive=True)
    together = [(1 - t) * (s * fx + a), t * (s * fy + b), -s * fz, -c]
    parts = [
        gap(CHORD, "f is convex", s),
        gap([(1 - t) * a, t * b, -c], "the other function is convex"),
    ]
    assert list(shown("", together, parts))
    # the maximum M, with values a and b at x and y, equal to f(z) at z
    maximum = [(1 - t) * a, t * b, -fz]
    parts = [
        gap([a, -fx], "M ≥ f", 1 - t), gap([b, -fy], "M ≥ f", t),
        gap(CHORD, "f is convex"),
    ]  # fmt: skip
    assert list(shown("", maximum, parts))


Scalar = Callable[[Fraction], Fraction]


def assert_below_chords(f: Scalar) -> None:
    """No chord gap of a function on the line is negative, on a grid of pairs."""
    points = instances.grid([Fraction(k, 2) for k in range(-5, 6)])
    for at, other in instances.pairs(points):
        for weight in instances.WEIGHTS:
            here = instances.chord_gap(lambda v: f(v[0]), at, other, weight)
            assert here >= 0, f"chord from {at[0]} to {other[0]}: {-here} too low"


def outer(phi: Scalar, inner: Scalar = lambda s: s * s - 1) -> Scalar:
    """The composition φ∘ψ, with ψ(s) = s² - 1 unless another is given."""
    return lambda s: phi(inner(s))


@composition.check(Evidence.EXACT)
def compositions_lie_below_their_chords() -> None:
    assert_below_chords(outer(lambda r: max(r, Fraction(0)) ** 2))
    assert_below_chords(outer(lambda r: r * r, lambda s: 3 * s - 1))  # affine inside
    assert_below_chords(lambda s: 2 * abs(s - 1) + s * s)
    assert_below_chords(lambda s: max(s * s - 1, -2 * s, 3 * s - 4))


@composition.check(Evidence.NUMERIC)
def random_expressions_lie_below_their_chords() -> None:
    """log-sum-exp of affine maps, plus exp of a norm, plus a maximum of squares."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        A, B = rng.standard_normal((2, 4, 3))
        c = rng.standard_normal(4)

        def f(v: np.ndarray, A: np.ndarray = A, B: np.ndarray = B, c=c) -> float:
            return log_sum_exp(A @ v + c) + np.exp(np.linalg.norm(B @ v)) + np.max(
                np.maximum(A @ v, 0) ** 2
            )  # fmt: skip

        at, other = rng.standard_normal((2, 3))
        weight = rng.uniform()
        chord = (1 - weight) * f(at) + weight * f(other)
        assert chord >= f((1 - weight) * at + weight * other) - 1e-12 * chord


@composition.control(mutant="a minimum of convex functions in place of a maximum")
def minimum() -> None:
    assert_below_chords(lambda s: min((s - 1) ** 2, (s + 1) ** 2))


@composition.control(mutant="a negative weight in the sum")
def difference() -> None:
    assert_below_chords(lambda s: s * s - 2 * abs(s))


@composition.control(dropped="φ nondecreasing: the square of s² - 1")
def square_of_a_convex_function() -> None:
    assert_below_chords(lambda s: s * s)  # φ is convex
    assert_below_chords(lambda s: s * s - 1)  # and so is ψ
    assert_below_chords(outer(lambda r: r * r))


@composition.control(dropped="φ convex: the cut min(r, 1), nondecreasing")
def capped() -> None:
    assert_below_chords(outer(lambda r: min(r, Fraction(1))))
