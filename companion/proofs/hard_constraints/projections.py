"""Rectifiers and sparsemax: projections, written as functions of their input.

Chapter: hard-constraints.md.  Theorems: relu-projection, simplex-projection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.gradcheck import taylor
from companion.proofs.inequalities import Nonnegative, nonnegative, product, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, Rule, alphabet, chain
from companion.reference import activations

Matrix = sp.Matrix
HALF = sp.Rational(1, 2)
NOISE = 1e-14  # of an activation in floating point

# z any point, y the projection of x, l the multipliers; e the ones, k their number.
W = alphabet(
    latex={"l": r"\lambda", "e": r"\mathbf 1", "D": "D(s)", "t": r"\tau"},
    constant="e D s",
    x="n one",
    y="n one",
    z="n one",
    l="n one",
    e="n one",
    s="n one",
    D="n n symmetric",
    t="one one symmetric",
)
T = W.T
x, y, z, l, e, s, D, t, dx, dy, dt = W("x y z l e s D t dx dy dt")
SLACK = W.rule("λᵀy = 0", T(l) * y, sp.S.Zero)


def excess(rules: tuple[Rule, ...], name: str) -> Iterator[Step]:
    """½‖z - x‖² - ½‖y - x‖² = ½‖z - y‖² + λᵀz, and the sign of both terms."""
    gap = [HALF * T(z - x) * (z - x), -HALF * T(y - x) * (y - x)]
    terms = (
        square(W, z - y, times=HALF),
        product(W, Nonnegative(l, "λ ≥ 0"), Nonnegative(z, "z ≥ 0")),
    )
    assert list(nonnegative(W, gap, terms, *rules))
    distances = r"\tfrac12\|z-x\|^2 - \tfrac12\|y-x\|^2"
    yield Step(distances, r"\tfrac12\|z-y\|^2 + \lambda^{\mathsf T}z", name)


Map = Callable[[np.ndarray], np.ndarray]


def assert_jacobian(f: Map, jacobian: Map, point: np.ndarray) -> None:
    """Order 2 of the Taylor remainder, or none but rounding, both ways."""
    rng = np.random.default_rng(5)
    for _ in range(4):
        move = 0.3 * rng.standard_normal(point.size)
        for v in (move, -move):
            report = taylor(f, point, v, jacobian(point) @ v, noise=NOISE)
            assert report.passes, f"not the derivative at {point}: {report}"


def distance(point: Matrix, other: Matrix) -> sp.Expr:
    """½‖point - other‖²."""
    return (point - other).dot(point - other) / 2


def assert_nearest(
    point: Matrix, nearest: Matrix, force: Matrix, others: list[Matrix]
) -> None:
    """The gap to each other point is ½‖z-y‖² + λᵀz, and neither term is negative."""
    for other in others:
        gap = distance(other, point) - distance(nearest, point)
        bend, push = distance(other, nearest), force.dot(other)
        assert gap == bend + push, f"the gap {gap} is not {bend} + {push}"
        assert push >= 0, f"{list(other)} gains {-push} against the multipliers"


# -------------------------------------------------------------- relu-projection
relu_projection = theorem(
    "relu-projection",
    claim=(
        "y = max(x, 0) with λ = max(-x, 0) has ½‖z-x‖² - ½‖y-x‖² = ½‖z-y‖² + λᵀz for "
        "every z; both terms are nonnegative for z ≥ 0, so y is the only nearest point "
        "of {z ≥ 0}.  Where no x_i is zero its Jacobian is the diagonal matrix of the "
        "indicators of x_i > 0; where x_i = 0 the slopes to either side are 0 and 1."
    ),
    source="amos2019thesis",
    implements=(activations.relu, activations.relu_jacobian),
)


@relu_projection.derivation
def relu_excess() -> Iterator[Step]:
    yield from excess(
        (W.rule("x", x, y - l), SLACK), "expansion, with x = y − λ and λᵀy = 0"
    )


POINTS = (Matrix([2, -1, sp.Rational(1, 3)]), Matrix([0, -5, 4]), Matrix([-1, -2, -3]))
ORTHANT = [Matrix(v) for v in ((0, 0, 0), (1, 2, 3), (5, 0, 1), (0, 7, 0))]


def positive(v: Matrix) -> Matrix:
    """The positive part, entry by entry."""
    return v.applyfunc(lambda c: max(c, sp.S.Zero))


@relu_projection.check(Evidence.EXACT)
def relu_in_rational_numbers() -> None:
    for point in POINTS:
        assert_nearest(point, positive(point), positive(-point), ORTHANT)


REGULAR = tuple(
    np.array(v) for v in ((2.0, -1.0, 0.4), (0.3, 0.6, 5.0), (-1.0, -2.0, -0.7))
)


@relu_projection.check(Evidence.NUMERIC)
def relu_jacobian_has_no_remainder() -> None:
    for point in REGULAR:
        assert_jacobian(activations.relu, activations.relu_jacobian, point)
    kink, step = np.zeros(1), np.full(1, 0.5)
    slopes = [float(activations.relu(kink + u)[0] / u[0]) for u in (step, -step)]
    assert slopes == [1.0, 0.0]


@relu_projection.control(mutant="λ = x, a multiplier of the wrong sign")
def multiplier_of_wrong_sign() -> None:
    assert_nearest(POINTS[0], positive(POINTS[0]), POINTS[0], ORTHANT)


@relu_projection.control(mutant="the slope ½ at zero is a derivative")
def half_at_the_kink() -> None:
    def half(kink: np.ndarray) -> np.ndarray:
        return np.eye(kink.size) / 2

    assert_jacobian(activations.relu, half, np.zeros(1))


@relu_projection.control(dropped="z ≥ 0: a point with a negative entry")
def outside_the_orthant() -> None:
    point, outside = POINTS[0], Matrix([2, -1, 0])
    require(all(c >= 0 for c in positive(-point)), "λ ≥ 0")
    assert_nearest(point, positive(point), positive(-point), [outside])


# ----------------------------------------------------------- simplex-projection
simplex_projection = theorem(
    "simplex-projection",
    claim=(
        "If Σ max(x_i-τ, 0) = 1, y = max(x-τ, 0) is the only nearest point of "
        "{z ≥ 0, Σz = 1}: there ½‖z-x‖² - ½‖y-x‖² = ½‖z-y‖² + λᵀz with "
        "λ = max(τ-x, 0).  There is one such τ, (x_(1) + … + x_(k) - 1)/k with the "
        "largest k for which the k-th largest entry exceeds it.  Where no x_i equals "
        "τ the Jacobian is diag(s) - ssᵀ/k, s marking the support."
    ),
    source="martins2016softmax",
    implements=(
        activations.threshold,
        activations.sparsemax,
        activations.sparsemax_jacobian,
    ),
    uses=("relu-projection",),
)


@simplex_projection.derivation
def sparsemax_excess_and_differential() -> Iterator[Step]:
    sums = (W.rule("Σz = 1", T(e) * z, 1), W.rule("Σy = 1", T(e) * y, 1))
    shifted = W.rule("x = y − λ + τ1", x, y - l + e * t)
    yield from excess(
        (shifted, SLACK, *sums),
        "expansion, with x = y − λ + τ1, λᵀy = 0 and Σz = Σy = 1",
    )
    k = sp.Symbol("k", positive=True)
    marks = (
        W.rule("D(s)1 = s", D * e, s),
        W.rule("sᵀ1 = k", T(s) * e, k),
    )
    fixed = W.rule("the support is fixed", dy, D * dx - D * e * dt)
    balance = [T(s) * dx, -k * dt]
    assert W.equal(T(e) * dy, balance, fixed, *marks)
    yield Step(
        r"0 = \mathbf 1^{\mathsf T}\,\mathrm{d}y", W.latex(balance), "Σy stays 1"
    )
    solved = W.rule("Σy stays 1", dt, T(s) * dx / k)
    assert W.equal(balance, 0, solved)
    links = (
        Link([D * dx, -s * dt], "the support is fixed", (fixed, *marks)),
        Link([D * dx, -s * T(s) * dx / k], "solve for dτ", (solved,)),
    )
    yield from chain(W, dy, *links)


def exact_threshold(point: Matrix) -> sp.Expr:
    """τ by the stated rule, in rational numbers."""
    largest = sorted(point, reverse=True)
    means = [
        (sum(largest[: k + 1]) - 1) / sp.Integer(k + 1) for k in range(len(largest))
    ]
    return [m for m, c in zip(means, largest, strict=True) if c > m][-1]


SIMPLEX = [
    Matrix(v) / sp.Integer(12) for v in ((4, 4, 4), (12, 0, 0), (0, 5, 7), (1, 10, 1))
]
TRIPLES = (
    Matrix([sp.Rational(1, 2), sp.Rational(1, 3), 0]),
    Matrix([2, sp.Rational(3, 2), -1]),
    Matrix([5, 0, 1]),
    Matrix([1, 0, -2]),
)


def assert_simplex_nearest(
    point: Matrix, others: list[Matrix], tau: sp.Expr | None = None
) -> None:
    """With the threshold tau, or the stated one: a nearest point with unit sum."""
    tau = exact_threshold(point) if tau is None else tau
    shifted = point - tau * sp.ones(point.rows, 1)
    nearest = positive(shifted)
    total = nearest.dot(sp.ones(point.rows, 1))
    assert total == 1, f"the entries add up to {total}"
    assert_nearest(point, nearest, positive(-shifted), others)


@simplex_projection.check(Evidence.EXACT)
def sparsemax_in_rational_numbers() -> None:
    for point in TRIPLES:
        assert_simplex_nearest(point, SIMPLEX)


SUPPORTS = tuple(
    np.array(v) for v in ((0.5, 0.3, 0.1), (2.0, 1.7, -1.0), (5.0, 0.0, 1.0))
)


@simplex_projection.check(Evidence.NUMERIC)
def sparsemax_jacobian_on_every_kind_of_support() -> None:
    sizes = [int((activations.sparsemax(v) > 0).sum()) for v in SUPPORTS]
    assert sizes == [3, 2, 1]
    for point in SUPPORTS:
        assert_jacobian(activations.sparsemax, activations.sparsemax_jacobian, point)
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        y = activations.sparsemax(2 * rng.standard_normal(size))
        assert abs(y.sum() - 1) < 1e-12
        assert y.min() >= 0


@simplex_projection.control(mutant="the Jacobian diag(s), without the moving threshold")
def threshold_held_fixed() -> None:
    assert_jacobian(
        activations.sparsemax,
        lambda v: np.diag((activations.sparsemax(v) > 0).astype(float)),
        SUPPORTS[0],
    )


@simplex_projection.control(mutant="k = 1 whatever the entries")
def one_entry_only() -> None:
    assert_simplex_nearest(TRIPLES[0], SIMPLEX, TRIPLES[0][0] - 1)


@simplex_projection.control(dropped="Σz = 1: the origin")
def off_the_plane() -> None:
    origin = sp.zeros(3, 1)
    require(all(c >= 0 for c in origin), "z ≥ 0")
    assert_simplex_nearest(TRIPLES[0], [origin])


@simplex_projection.control(dropped="x_i ≠ τ: an entry joins the support")
def entry_on_the_threshold() -> None:
    point = np.array([1.0, 0.0, -2.0])
    require(activations.threshold(point) == 0.0, "τ = x₂ = 0")
    assert_jacobian(activations.sparsemax, activations.sparsemax_jacobian, point)
