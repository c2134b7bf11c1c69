"""The power cone: a sum of two asinh that crosses zero once.

Chapter: cones.md.  Theorems: power-projection, power-derivative.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from companion import sampling
from companion.layers.cones import power as layer
from companion.proofs.cones.duals import dual_cones
from companion.proofs.cones.rays import ray_derivative
from companion.proofs.cones.regions import (
    assert_nearest,
    assert_order,
    derivative,
    drawn,
    layer_derivative,
    project,
    smooth,
)
from companion.proofs.convexity.moreau import moreau
from companion.proofs.registry import Evidence, require, theorem
from companion.reference.cones import boundary, power

Array = np.ndarray
ALPHA = 0.3
t = sp.Symbol("t", real=True)
alpha, r, mu, xi, eta = sp.symbols("alpha r mu xi eta", positive=True)
beta = 1 - alpha

# ------------------------------------------------------------- power-projection
power_projection = theorem(
    "power-projection",
    claim=(
        "With c = αrμ, √c exp(asinh(x/(2√c))) is the root p > 0 of p² - xp = c; with "
        "t = ½log(r/μ) and r + μ = |z|, 2√c is √α|z|/cosh t.  Φ(t) = κ - t + "
        "α asinh(x cosh t/(√α|z|)) + (1-α) asinh(y cosh t/(√(1-α)|z|)) has -Φ′ = "
        "α(1 - tanh t tanh A) + (1-α)(1 - tanh t tanh B) with A and B the two asinh."
    ),
    source="hien2015differential",
    implements=(power.project, power.angle, power.logarithm, layer.project),
    uses=(dual_cones.label, moreau.label),
)


@power_projection.check(Evidence.SYMBOLIC)
def coordinates_of_the_projection_in_closed_form() -> None:
    c = sp.Symbol("c", positive=True)
    x = sp.Symbol("x", real=True)
    half = x / (2 * sp.sqrt(c))
    p = sp.sqrt(c) * (half + sp.sqrt(half**2 + 1))  # exp(asinh(s)) = s + √(s² + 1)
    assert sp.simplify(p**2 - x * p - c) == 0
    assert sp.simplify(sp.exp(sp.asinh(half)).rewrite(sp.log) * sp.sqrt(c) - p) == 0
    size = sp.Symbol("size", positive=True)
    large, small = (size * sp.exp(s * t) / (2 * sp.cosh(t)) for s in (1, -1))
    assert sp.simplify((large + small - size).rewrite(sp.exp)) == 0
    assert sp.simplify(large * small - (size / (2 * sp.cosh(t))) ** 2) == 0
    # x = p - c/p: the point is the ray plus the normal, with ξ = p/r
    p = r * xi
    assert sp.simplify(r * xi - mu * alpha / xi - (p - alpha * r * mu / p)) == 0


@power_projection.check(Evidence.SYMBOLIC)
def falling_function() -> None:
    """Each asinh grows at tanh t times its own tanh; -1 = -α - (1-α) does the rest."""
    X, s = sp.symbols("X s", real=True)
    A = sp.asinh(X * sp.cosh(t))
    tanh = s / sp.sqrt(s**2 + 1)  # of asinh s
    assert sp.simplify(sp.tanh(sp.asinh(s)) - tanh) == 0
    slope = sp.tanh(t) * tanh.subs(s, X * sp.cosh(t))
    assert sp.simplify(sp.diff(A, t) - slope) == 0
    first, second = sp.symbols("first second", real=True)  # tanh t times both tanh
    phi = -1 + alpha * first + beta * second
    assert sp.expand(phi + alpha * (1 - first) + beta * (1 - second)) == 0


def sign_at(v: Array, end: float) -> float:
    """The sign of Φ far out: both ends must differ for a zero to exist."""
    return -float(np.sign(power.mismatch(end, v, ALPHA)[0]))


def assert_one_zero(points: list[Array]) -> None:
    """Φ falls from above 0 to below it."""
    for v in points:
        signs = sign_at(v, -60.0), sign_at(v, 60.0)
        assert signs == (1.0, -1.0), f"Φ has the signs {signs} at {v.round(3)}"
        slopes = [power.mismatch(s, v, ALPHA)[1] for s in np.linspace(-3, 3, 13)]
        assert min(slopes) > 0, "Φ does not fall"


@power_projection.check(Evidence.NUMERIC)
def zero_exists_between_the_cones() -> None:
    assert_one_zero(drawn("power", "between", 20))


@power_projection.check(Evidence.NUMERIC)
def reference_is_nearest_in_every_region() -> None:
    for region in sampling.REGIONS["power"]:
        assert_nearest("power", project("power"), drawn("power", region))


@power_projection.control(mutant="a sum for the product in the test of the polar cone")
def sum_for_a_product() -> None:
    def wrong(v: Array) -> Array:
        x, y, z = v
        first, second = max(-x, 0) / ALPHA, max(-y, 0) / (1 - ALPHA)
        if max(x, y) <= 0 and first**ALPHA + second ** (1 - ALPHA) >= abs(z):
            return np.zeros(3)
        return power.project(v, ALPHA)

    points = [np.array([-1.0, -1.0, z]) for z in (1.5, 2.0, 2.2)]
    assert_nearest("power", wrong, points)


@power_projection.control(dropped="v outside the cone: no zero inside")
def inside_the_cone() -> None:
    points = drawn("power", "inside", 3)
    require(all(v[2] != 0 for v in points), "z ≠ 0")
    assert_one_zero(points)


# ------------------------------------------------------------- power-derivative
power_derivative = theorem(
    "power-derivative",
    claim=(
        "P = (ξ, η, 1) and D = (-α/ξ, -(1-α)/η, 1) with ξ = e^(1-α)τ, η = e^-ατ have "
        "P·D = P′·D = P·D′ = 0, n·P′ = ξη‖D‖² and n·D′ = α(1-α)‖P‖²/(ξη): the share "
        "of n is r(ξη)²‖D‖²/(r(ξη)²‖D‖² + μα(1-α)‖P‖²).  In the plane z = 0 with "
        "x > 0 > y, ∂Π₃/∂z is 1, 0 or x/(x - 2y) for α above, below or at ½."
    ),
    source="hien2015differential",
    implements=(power.derivative, power.flat, boundary.frame, layer.jvp),
    uses=(power_projection.label, ray_derivative.label),
)


def curve() -> tuple[sp.Matrix, sp.Matrix, sp.Matrix, sp.Matrix]:
    """P, P′, D and D′, where ξ′ = (1-α)ξ and η′ = -αη."""
    P = sp.Matrix([xi, eta, 1])
    D = sp.Matrix([-alpha / xi, -beta / eta, 1])
    moves = [w.diff(xi) * beta * xi - w.diff(eta) * alpha * eta for w in (P, D)]
    return P, moves[0], D, moves[1]


@power_derivative.check(Evidence.SYMBOLIC)
def rays_normals_and_speeds() -> None:
    P, dP, D, dD = curve()
    n = P.cross(D)
    for left, right in ((P, D), (dP, D), (P, dD)):
        assert sp.simplify(left.dot(right)) == 0
    assert sp.simplify(n.dot(dP) - xi * eta * D.dot(D)) == 0
    assert sp.simplify(n.dot(dD) - alpha * beta * P.dot(P) / (xi * eta)) == 0


@power_derivative.check(Evidence.SYMBOLIC)
def bordered_hessian() -> None:
    """The matrix of the claim solves the bordered system, for every α."""
    P, _, D, _ = curve()
    n = P.cross(D)
    w = sp.Matrix([1 / xi, -1 / eta, 0])
    hessian = alpha * beta * w * w.T / r
    keeps = r * (xi * eta) ** 2 * D.dot(D)
    share = keeps / (keeps + mu * alpha * beta * P.dot(P))
    for before, after in ((P, P), (D, 0 * D), (n, share * n)):
        assert sp.simplify(D.dot(after)) == 0
        rest = before - after - mu * hessian * after
        assert sp.simplify(rest.cross(D)) == sp.zeros(3, 1)


@power_derivative.check(Evidence.SYMBOLIC)
def the_plane_at_one_half() -> None:
    """As z → 0 at α = ½: r(|y| + ...) balances, and r/z tends to x/(x + 2|y|)."""
    x, size, k = sp.symbols("x size k", positive=True)  # |y| = size, r = kz
    # r² = p_x p_y with p_x = x and p_y = ½ r μ/|y| to first order, μ = (1 - k)z
    balance = k**2 - x * k * (1 - k) / (2 * size)
    assert sp.solve(balance, k) == [x / (2 * size + x)]


@power_derivative.check(Evidence.NUMERIC)
def reference_and_layer_have_the_order_of_a_derivative() -> None:
    for region in smooth("power"):
        points = drawn("power", region)
        if region != "plane":
            assert_order(project("power"), derivative("power"), points)
        assert_order(project("power"), layer_derivative("power"), points[:1], 0.05)


@power_derivative.control(
    mutant="(1-α)² for α(1-α) beside the diagonal, as printed code"
)
def square_for_a_product() -> None:
    def wrong(v: Array) -> Array:
        matrix = np.array(derivative("power")(v))
        matrix[[0, 1], [1, 0]] *= (1 - ALPHA) / ALPHA
        return matrix

    assert_order(project("power"), wrong, drawn("power", "between"))


@power_derivative.control(dropped="v off the boundary: x^α y^(1-α) = |z|")
def on_the_boundary() -> None:
    points = drawn("power", "boundary")
    require(all(v[0] == v[1] == abs(v[2]) for v in points), "x = y = |z|")
    assert_order(project("power"), derivative("power"), points)
