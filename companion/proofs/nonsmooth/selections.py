"""Elements that a layer may select at a kink, and what selecting costs.

Chapter: nonsmooth.md.  Theorems: clarke-jacobian.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.nonsmooth import exact
from companion.proofs.nonsmooth.onesided import critical
from companion.proofs.qp import instances
from companion.proofs.qp.instances import Instance, Matrix
from companion.proofs.registry import Evidence, require, theorem
from companion.reference import kkt

clarke_jacobian = theorem(
    "clarke-jacobian",
    claim=(
        "The limits of Jacobians of the projection onto x ≥ 0 at a point with k zeros "
        "are the 2^k diagonal matrices with 1 at positive, 0 at negative entries and 0 "
        "or 1 at each zero; their convex hull has every number in [0, 1] there.  With "
        "a value s for the derivative of max(x, 0) at 0 the chain rule gives 2s for "
        "max(x, 0) - max(-x, 0) = x and s² + s for max(max(x, 0), 0) - max(-x, 0) = "
        "x: no s makes both 1."
    ),
    source="clarke1983optimization",
    implements=(kkt.directional_derivative,),
    uses=("directional-derivative",),
)


def assert_hull(weights: dict[tuple[int, ...], sp.Expr], theta: list[sp.Symbol]):
    """The weights sum to one, and average the corners to diag(theta)."""
    assert sp.expand(sum(weights.values())) == 1, "the weights do not sum to one"
    mean = sum((w * sp.diag(*c) for c, w in weights.items()), sp.zeros(len(theta)))
    error = (mean - sp.diag(*theta)).applyfunc(sp.expand)
    assert error.is_zero_matrix, f"the average is off by {list(error)}"


def corner_weights(theta: list[sp.Symbol]) -> dict[tuple[int, ...], sp.Expr]:
    """Products of theta_i and 1 - theta_i: nonnegative where 0 ≤ theta ≤ 1."""
    return {
        c: sp.Mul(*(t if one else 1 - t for t, one in zip(theta, c, strict=True)))
        for c in product((0, 1), repeat=len(theta))
    }


@clarke_jacobian.check(Evidence.SYMBOLIC)
def every_diagonal_is_an_average_of_corners() -> None:
    for k in (1, 2, 3):
        theta = list(sp.symbols(f"theta:{k}", nonnegative=True))
        assert_hull(corner_weights(theta), theta)


def projection(y: Matrix) -> Instance:
    """The program of the point of x ≥ 0 nearest to y, with its solution."""
    n = y.rows
    return exact.solve(
        sp.eye(n), -y, sp.zeros(0, n), sp.zeros(0, 1), -sp.eye(n), sp.zeros(n, 1)
    )


def assert_jacobian(y: Matrix, J: Matrix, radius: sp.Expr) -> None:
    """Near y the projection is exactly x + J e."""
    x = projection(y).x
    for k in range(y.rows):
        for t in (radius, -radius):
            e = sp.zeros(y.rows, 1)
            e[k] = t
            moved = projection(y + e).x - x
            assert moved == J * e, f"entry {k}: x moves by {list(moved)}, not {t}"


@clarke_jacobian.check(Evidence.EXACT)
def every_corner_is_a_jacobian_arbitrarily_near() -> None:
    for scale in (10, 10**6):
        for signs in product((0, 1), repeat=3):
            y = Matrix([sp.Rational(2 * one - 1, scale) for one in signs])
            assert_jacobian(y, sp.diag(*signs), sp.Rational(1, 2 * scale))


@clarke_jacobian.check(Evidence.EXACT)
def every_one_sided_slope_is_a_corner_times_the_direction() -> None:
    i = projection(sp.zeros(2, 1))
    for e in ((1, 2), (-1, 3), (2, -1), (-2, -3), (0, 1)):
        d = critical(i, exact.along(i, q=-exact.column(*e)))
        assert d == sp.diag(*(int(c > 0) for c in e)) * exact.column(*e)


def relu(value: sp.Expr, slope: sp.Expr, s: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The value and the chain rule's slope of max(v, 0), with s at zero."""
    kept = 1 if value > 0 else (s if value == 0 else 0)
    return max(value, sp.S.Zero), kept * slope


def identities(x: sp.Expr, s: sp.Expr) -> list[tuple[sp.Expr, sp.Expr]]:
    """Values and slopes of two expressions that equal x for every x."""
    minus = relu(-x, -sp.S.One, s)
    once, again = relu(x, sp.S.One, s), relu(*relu(x, sp.S.One, s), s)
    return [(v[0] - minus[0], sp.expand(v[1] - minus[1])) for v in (once, again)]


def assert_chain_rule(x: sp.Expr, s: sp.Expr) -> None:
    """Both expressions have the value x and, by the chain rule, the slope 1."""
    for value, slope in identities(x, s):
        require(value == x, "the expression equals x")
        assert slope == 1, f"the slope of x at {x} comes out as {slope}"


@clarke_jacobian.check(Evidence.SYMBOLIC)
def no_value_at_the_kink_serves_both() -> None:
    s = sp.Symbol("s")
    slopes = [slope for _, slope in identities(sp.S.Zero, s)]
    assert [sp.expand(v) for v in slopes] == [2 * s, s**2 + s]
    assert sp.groebner([v - 1 for v in slopes], s).exprs == [1]
    for x in (sp.Rational(-1, 7), sp.Rational(3, 2)):
        assert_chain_rule(x, s)


@clarke_jacobian.check(Evidence.NUMERIC)
def layer_has_the_corner_of_its_orthant() -> None:
    eye, none = np.eye(3), np.zeros(3)

    def f(y: np.ndarray) -> np.ndarray:
        return layers.layer(QP(eye, -y, G=-eye, h=none).map(torch.tensor)).numpy()

    v = np.array([0.3, -0.5, 0.2])
    for signs in product((0.0, 1.0), repeat=3):
        y = 2 * np.array(signs) - 1
        report = gradcheck.taylor(f, y, v, np.array(signs) * v, noise=1e-9)
        assert report.passes, str(report)


@clarke_jacobian.control(mutant="weights 1/2^k for every diagonal")
def equal_weights() -> None:
    theta = list(sp.symbols("theta:2", nonnegative=True))
    assert_hull(dict.fromkeys(corner_weights(theta), sp.Rational(1, 4)), theta)


@clarke_jacobian.control(mutant="s = ½ at the kink obeys the chain rule")
def half_at_the_kink() -> None:
    assert_chain_rule(sp.S.Zero, sp.Rational(1, 2))


@clarke_jacobian.control(
    mutant="s = 0 at the kink, as automatic differentiation has it"
)
def zero_at_the_kink() -> None:
    assert_chain_rule(sp.S.Zero, sp.S.Zero)


@clarke_jacobian.control(dropped="a point without zeros: the element ½ at the kink")
def half_is_no_jacobian() -> None:
    y = sp.zeros(1, 1)
    require(instances.satisfies_kkt(projection(y)), "KKT")
    assert_jacobian(y, Matrix([[sp.Rational(1, 2)]]), sp.Rational(1, 10))
