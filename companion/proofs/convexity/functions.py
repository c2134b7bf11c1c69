"""Convex functions: below their chords and above their tangents.

Chapter: convexity.md.  Theorems: first-order-convexity, second-order-convexity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.proofs.convexity import instances
from companion.proofs.convexity.instances import CONVEX, GRID, Pairs, Point
from companion.proofs.convexity.signed import HALF, T, W, gap, printed, shown, square, t
from companion.proofs.inequalities import Semidefinite
from companion.proofs.registry import Evidence, Step, require, theorem

fx, fy, fz = W("fx fy fz")
x, y, z, g, d = W("x y z g d")
BETWEEN = W.rule("z = (1-t)x + ty", z, [(1 - t) * x, t * y])
CHORD = [(1 - t) * fx, t * fy, -fz]

# -------------------------------------------------------- first-order-convexity
first_order = theorem(
    "first-order-convexity",
    claim=(
        "At z = (1-t)x + ty the chord gap (1-t)f(x) + tf(y) - f(z) is 1-t times the "
        "gap of the tangent at z, taken at x, plus t times the same at y; and the gap "
        "of the tangent at x, taken at y, is the chord gap divided by t plus the "
        "remainder of the derivative, which vanishes with t."
    ),
    source="boyd2004convex",
)


@first_order.derivation
def chord_and_tangent() -> Iterator[Step]:
    tangents = [
        gap([fx, -fz, -T(g) * (x - z)], "the tangent at z lies below f", 1 - t),
        gap([fy, -fz, -T(g) * (y - z)], "the tangent at z lies below f", t),
    ]
    yield from shown("(1-t)f(x) + tf(y) - f(z)", CHORD, tangents, BETWEEN)
    (e,) = W("e")
    expansion = W.rule("differentiable at x", fz, [fx, t * T(d) * (y - x), t * e])
    tangent = [fy, -fx, -T(d) * (y - x)]
    chord = gap(CHORD, "f lies below its chord", 1 / t)
    assert W.equal(tangent, [chord.term.word, e], expansion, trace=True)
    yield Step(
        printed(tangent),
        f"{chord.latex} + {printed([e])}",
        "f(z) = f(x) + t∇f(x)ᵀ(y-x) + t r(t), where r(t) vanishes with t. "
        f"The first term is nonnegative: {chord.term.hypothesis}",
    )


def assert_above_tangents(f: instances.Smooth, pairs: Pairs) -> None:
    """f(y) ≥ f(x) + ∇f(x)ᵀ(y - x) at every pair, exactly."""
    for at, other in pairs:
        rise = instances.dot(f.slope(at), instances.minus(other, at))
        excess = f.value(other) - f.value(at) - rise
        assert excess >= 0, f"{-excess} below the tangent at {instances.told(at)}"


@first_order.check(Evidence.EXACT)
def rational_functions_lie_above_their_tangents() -> None:
    points = instances.grid(GRID, GRID)
    for expression in CONVEX:
        assert_above_tangents(instances.smooth(expression), instances.pairs(points))


def log_sum_exp(v: np.ndarray) -> float:
    return float(np.log(np.exp(v).sum()))


def softmax(v: np.ndarray) -> np.ndarray:
    return np.exp(v) / np.exp(v).sum()


def assert_log_sum_exp(slope: Callable[[np.ndarray], np.ndarray] = softmax) -> None:
    """The gradient by Taylor order, then the tangent inequality, at random points."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        at, other = rng.standard_normal((2, 5))
        step = other - at
        report = gradcheck.taylor(log_sum_exp, at, step, slope(at) @ step)
        assert report.passes, f"order {report.order:.2f}"
        assert log_sum_exp(other) >= log_sum_exp(at) + slope(at) @ step - 1e-12


@first_order.check(Evidence.NUMERIC)
def log_sum_exp_lies_above_its_tangents() -> None:
    assert_log_sum_exp()


@first_order.control(mutant="the gradient taken at y in place of x")
def gradient_at_the_other_end() -> None:
    f = instances.smooth(CONVEX[0])
    points = instances.pairs(instances.grid(GRID, GRID))
    for at, other in points:
        swapped = instances.Smooth(f.value, lambda _, end=other: f.slope(end))
        assert_above_tangents(swapped, [(at, other)])


@first_order.control(mutant="the exponentials without their normalization")
def gradient_without_denominator() -> None:
    assert_log_sum_exp(np.exp)


@first_order.control(dropped="convexity: f(a) = a³")
def cubic() -> None:
    f = instances.smooth(instances.a**3, [instances.a])
    assert_above_tangents(f, instances.pairs(instances.grid((-2, -1, 0, 1))))


# ------------------------------------------------------- second-order-convexity
second_order = theorem(
    "second-order-convexity",
    claim=(
        "For f = ½xᵀPx + cᵀx the gap of the tangent is ½(y-x)ᵀP(y-x).  For every "
        "twice differentiable φ on a line, φ(1) - φ(0) - φ'(0) is the integral of "
        "(1-t)φ''(t) over [0, 1], because (1-t)φ'(t) + φ(t) has that derivative; "
        "and 2(φ(s) - φ(0) - sφ'(0))/s² tends to φ''(0)."
    ),
    source="boyd2004convex",
    uses=("first-order-convexity",),
)


@second_order.derivation
def quadratic_remainder() -> Iterator[Step]:
    P, c = W("P c0")
    value = {v: HALF * T(v) * P * v + T(c) * v for v in (x, y)}
    difference = [value[y], -value[x], -T(P * x + c) * (y - x)]
    curved = square([y, -x], HALF, Semidefinite(P, "P is positive semidefinite"))
    yield from shown(
        r"f(y) - f(x) - (Px+c)^{\mathsf T}(y-x)", difference, [curved]
    )  # fmt: skip


@second_order.check(Evidence.SYMBOLIC)
def remainder_of_every_function_on_a_line() -> None:
    """Integration by parts for an undefined φ, and φ'' by the chain rule in two."""
    s = sp.Symbol("s", real=True)
    phi = sp.Function("phi")
    primitive = (1 - s) * phi(s).diff(s) + phi(s)
    assert sp.simplify(primitive.diff(s) - (1 - s) * phi(s).diff(s, 2)) == 0
    ends = primitive.subs(s, 1).doit() - primitive.subs(s, 0).doit()
    tangent = phi(1) - phi(0) - phi(s).diff(s).subs(s, 0)
    assert sp.simplify(ends - tangent) == 0
    # φ''(0) is the limit of 2(φ(s) - φ(0) - sφ'(0))/s², by l'Hôpital's rule
    excess = phi(s) - phi(0) - s * phi(s).diff(s).subs(s, 0)
    assert excess.subs(s, 0) == 0
    assert sp.simplify(excess.diff(s).subs(s, 0).doit()) == 0
    assert (
        sp.simplify((2 * excess).diff(s, 2) / (s**2).diff(s, 2) - phi(s).diff(s, 2))
        == 0
    )
    step = sp.symbols("d0 d1")
    for expression in CONVEX:
        moved = [
            p + s * q for p, q in zip((instances.a, instances.b), step, strict=True)
        ]
        at = dict(zip((instances.a, instances.b), moved, strict=True))
        line = expression.subs(at, simultaneous=True).diff(s, 2)
        H = sp.hessian(expression, (instances.a, instances.b)).subs(at)
        d_ = sp.Matrix(step)
        assert sp.simplify(line - (d_.T * H * d_)[0]) == 0


def assert_convex_by_curvature(
    expression: sp.Expr, letters: list[sp.Symbol], points: list[Point]
) -> None:
    """Hessians positive semidefinite at the points, then tangents below, exactly."""
    H = sp.hessian(expression, letters)
    for point in points:
        here = H.subs(dict(zip(letters, map(sp.Rational, point), strict=True)))
        minors = [here[i, i] for i in range(len(letters))] + [here.det()]
        require(min(minors) >= 0, f"the Hessian at {point} is semidefinite")
    assert_above_tangents(
        instances.smooth(expression, letters), instances.pairs(points)
    )


@second_order.check(Evidence.EXACT)
def positive_curvature_puts_tangents_below() -> None:
    for expression in CONVEX:
        letters = [instances.a, instances.b]
        assert_convex_by_curvature(expression, letters, instances.grid(GRID, GRID))


def assert_quadratic_remainder(half: float = 0.5, least: float = 0.0) -> None:
    """The remainder of random quadratics, with eigenvalues from `least` to 1."""
    rng = np.random.default_rng(1)
    for n in (1, 3, 6):
        basis, _ = np.linalg.qr(rng.standard_normal((n, n)))
        P = basis @ np.diag(np.linspace(least, 1, n)) @ basis.T
        c, at, other = rng.standard_normal((3, n))

        def f(v: np.ndarray, P: np.ndarray = P, c: np.ndarray = c) -> float:
            return float(0.5 * v @ P @ v + c @ v)

        excess = f(other) - f(at) - (P @ at + c) @ (other - at)
        claimed = half * (other - at) @ P @ (other - at)
        assert abs(excess - claimed) < 1e-12, f"{excess:.3f}, not {claimed:.3f}"
        assert excess > -1e-12, f"{-excess:.2f} below the tangent"


@second_order.check(Evidence.NUMERIC)
def random_quadratics_have_their_remainder() -> None:
    assert_quadratic_remainder()


@second_order.control(mutant="the ½ of the remainder forgotten")
def remainder_without_half() -> None:
    assert_quadratic_remainder(half=1.0)


@second_order.control(dropped="P positive semidefinite: an eigenvalue -1")
def saddle() -> None:
    assert_quadratic_remainder(least=-1.0)


@second_order.control(dropped="a convex domain: f(a) = 1/a² on both sides of zero")
def two_branches() -> None:
    points = instances.grid((-2, -1, 1, 2))
    assert_convex_by_curvature(1 / instances.a**2, [instances.a], points)
