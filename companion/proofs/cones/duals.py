"""The dual cones in closed form: no negative product, and a witness beyond.

Chapter: cones.md.  Theorems: dual-cones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.proofs.convexity.moreau import moreau
from companion.proofs.inequalities import nonnegative, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference.cones import exponential, power

Array = np.ndarray
ALPHA = 0.3

# ------------------------------------------------------------------ dual-cones
dual_cones = theorem(
    "dual-cones",
    claim=(
        "For (t, ρa) and (s, σb) with unit vectors a and b, ts + ρσaᵀb = "
        "(t-ρ)s + ρ(s-σ) + ½ρσ‖a+b‖²; tr(XY) = ‖RᵀS‖² for X = RRᵀ and Y = SSᵀ; for "
        "the exponential cone the product is -uy(e^(k-1) - k), k = x/y + v/u, plus "
        "slacks times positive numbers; for the power cone it is at least the gap of "
        "the weighted means of xu/α and yv/(1-α).  Beyond each dual a stated point of "
        "the cone has a negative product."
    ),
    source="boyd2004convex",
    implements=(exponential.project_dual, power.project_dual),
    uses=(moreau.label,),
)

W = alphabet(constant="a b R S", a="n 1", b="n 1", R="n k", S="n k")


@dual_cones.derivation
def second_order_cone_is_its_own_dual() -> Iterator[Step]:
    a, b = W("a b")
    T = W.T
    rho, sigma, up, on = sp.symbols("rho sigma t_rho s_sigma", nonnegative=True)
    t, s = rho + up, sigma + on
    units = (W.rule(f"|{x}| = 1", T(x) * x, 1) for x in (a, b))
    rest = sp.expand(t * s - up * s - rho * on) + rho * sigma * T(a) * b
    half = square(W, a + b, times=rho * sigma / 2)
    name = r"ts+\rho\sigma a^{\mathsf T}b-(t-\rho)s-\rho(s-\sigma)"
    identity, _sign = nonnegative(W, rest, [half], *units, name=name)
    right = r"\tfrac12\rho\sigma\|a+b\|^2"
    yield Step(identity.lhs, right, "a and b have length one. A square")
    R, S = W("R S")
    assert W.trace(R * T(R) * S * T(S)) == W.trace(T(T(R) * S) * (T(R) * S))
    yield Step(
        r"\operatorname{tr}(RR^{\mathsf T}SS^{\mathsf T})",
        r"\|R^{\mathsf T}S\|^2",
        "turn the trace. Positive semidefinite matrices: a square again",
    )


def exponential_product(k_minus: int = 1) -> sp.Expr:
    """The product at the boundary of both, less -uy(e^(k-1) - k)."""
    x, v = sp.symbols("x v", real=True)
    y, size = sp.symbols("y size", positive=True)  # size = -u
    z, w = y * sp.exp(x / y), size * sp.exp(-v / size - k_minus)
    k = x / y - v / size
    return sp.simplify(-size * x + y * v + z * w - size * y * (sp.exp(k - 1) - k))


@dual_cones.check(Evidence.SYMBOLIC)
def exponential_product_is_a_gap_of_the_exponential() -> None:
    assert exponential_product() == 0
    k = sp.Symbol("k", real=True)
    lift = sp.exp(k - 1) - k  # least at k = 1, where it is 0, since it is convex
    assert sp.diff(lift, k).subs(k, 1) == 0
    assert lift.subs(k, 1) == 0
    assert sp.diff(lift, k, 2).is_positive


@dual_cones.check(Evidence.SYMBOLIC)
def witnesses_have_negative_products() -> None:
    v = sp.Symbol("v", real=True)
    u, w, delta = sp.symbols("size w delta", positive=True)  # u of the text is -size
    edge = u * sp.exp(-v / u - 1)
    x, y, z = 1 + v / u, sp.S.One, sp.exp(1 + v / u)  # on the boundary: k = 1
    assert sp.simplify(-u * x + y * v + z * (edge - delta) + z * delta) == 0
    a, U, V = sp.symbols("alpha U V", positive=True)
    b = 1 - a
    x, y = a / U, b / V
    size = sp.exp(a * sp.log(x) + b * sp.log(y))  # z = -size, on the boundary
    edge = sp.exp(a * sp.log(U / a) + b * sp.log(V / b))
    beyond = x * U + y * V - size * (edge + w)
    assert sp.simplify(sp.expand_log(beyond + size * w, force=True)) == 0


def in_exponential_dual(y: Array, factor: float = math.e) -> bool:
    u, v, w = y.tolist()
    if u == 0:
        return v >= 0 and w >= 0
    return u < 0 and -u * math.exp(v / u) <= factor * w


def in_power_dual(y: Array) -> bool:
    u, v, w = y.tolist()
    if min(u, v) < 0:
        return False
    return (u / ALPHA) ** ALPHA * (v / (1 - ALPHA)) ** (1 - ALPHA) >= abs(w)


def in_power(y: Array) -> bool:
    u, v, w = y.tolist()
    return min(u, v) >= 0 and u**ALPHA * v ** (1 - ALPHA) >= abs(w)


Member = Callable[[Array], bool]


def assert_dual(member: Member, project: Callable[[Array], Array]) -> None:
    """Y is a member exactly where Π(-y) = 0: no point of the cone is against it."""
    rng = np.random.default_rng(11)
    for y in rng.normal(size=(400, 3)):
        nearest = project(-y)
        against = float(-nearest @ y)  # = ‖Π(-y)‖²
        assert member(y) == (against == 0), (
            f"{y.round(3)}: member {member(y)}, the product with "
            f"{nearest.round(3)} is {-against:.3f}"
        )


@dual_cones.check(Evidence.NUMERIC)
def members_of_the_duals_have_no_point_against_them() -> None:
    assert_dual(in_exponential_dual, exponential.project)
    assert_dual(in_power_dual, lambda v: power.project(v, ALPHA))


@dual_cones.control(mutant="1 for e: {u < 0, -u exp(v/u) ≤ w}")
def without_e() -> None:
    assert_dual(lambda y: in_exponential_dual(y, 1.0), exponential.project)


@dual_cones.control(mutant="the power cone its own dual")
def power_cone_called_self_dual() -> None:
    assert_dual(in_power, lambda v: power.project(v, ALPHA))


@dual_cones.control(dropped="u < 0: the formula at u = 1, where it holds for all w > 0")
def formula_at_positive_u() -> None:
    y, at = np.array([1.0, 0.0, 1.0]), np.array([-3.0, 1.0, 1.0])
    require(exponential.region(at) == "inside", "(-3, 1, 1) is in the cone")
    require(-y[0] * math.exp(y[1] / y[0]) <= math.e * y[2], "the formula")
    assert_no_product(y, at)


def assert_no_product(y: Array, at: Array) -> None:
    assert y @ at >= 0, f"the product is {y @ at:g}"
