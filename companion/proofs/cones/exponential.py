"""The exponential cone: one increasing function, one ray, one share.

Chapter: cones.md.  Theorems: exponential-projection, exponential-derivative.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from companion import sampling
from companion.layers.cones import exponential as layer
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
from companion.reference.cones import boundary, exponential

Array = np.ndarray
rho, a, b = sp.symbols("rho a b", real=True)
P = sp.Matrix([rho, 1, sp.exp(rho)])
D = sp.Matrix([1, 1 - rho, -sp.exp(-rho)])
n = P.cross(D)
q = rho * (rho - 1) + 1

# ------------------------------------------------------- exponential-projection
exponential_projection = theorem(
    "exponential-projection",
    claim=(
        "P = (ρ, 1, e^ρ) and D = (1, 1-ρ, -e^-ρ) have P·D = P′·D = P·D′ = 0.  If "
        "a = ((ρ-1)x+y)/q and b = (x-ρy)/q, q = ρ²-ρ+1, then aP + bD has x and y in "
        "front, and its last entry ae^ρ - be^-ρ has the derivative "
        "(ae^ρ‖D‖² + be^-ρ‖P‖²)/q in ρ.  -D is on the boundary of the dual cone."
    ),
    source="friberg2021projection",
    implements=(exponential.project, exponential.ratio, layer.project),
    uses=(dual_cones.label, moreau.label),
)


def assert_curve(normal: sp.Matrix) -> None:
    """The normal is orthogonal to P and P′, its derivative to P; -D is in the dual."""
    for left, right in (
        (P, normal),
        (P.diff(rho), normal),
        (P, normal.diff(rho)),
    ):
        product = sp.simplify(left.dot(right))
        assert product == 0, f"a product is {product}"
    u, v, w = -normal
    assert sp.simplify(-u * sp.exp(v / u - 1) - w) == 0, "-D is not on the boundary"


@exponential_projection.check(Evidence.SYMBOLIC)
def rays_and_their_normals() -> None:
    assert_curve(D)


@exponential_projection.check(Evidence.SYMBOLIC)
def last_entry_increases() -> None:
    x, y = sp.symbols("x y", real=True)
    first, second = ((rho - 1) * x + y) / q, (x - rho * y) / q
    point = first * P + second * D
    assert sp.simplify(point[:2, 0] - sp.Matrix([x, y])) == sp.zeros(2, 1)
    slope = first * sp.exp(rho) * D.dot(D) + second * sp.exp(-rho) * P.dot(P)
    assert sp.simplify(sp.diff(point[2], rho) - slope / q) == 0
    assert q.as_poly(rho).discriminant() < 0


@exponential_projection.check(Evidence.NUMERIC)
def reference_is_nearest_in_every_region() -> None:
    for region in sampling.REGIONS["exp"]:
        if region != "steep":  # whose membership has 100 times the rounding
            assert_nearest("exp", project("exp"), drawn("exp", region))


@exponential_projection.control(mutant="(1, 1+ρ, -e^-ρ) for the normal")
def normal_of_the_other_sign() -> None:
    assert_curve(sp.Matrix([1, 1 + rho, -sp.exp(-rho)]))


SEEN = (-1.0, 1.0, -0.2)  # the function has two zeros here, one in the interval


def parts(at: float, v: tuple[float, ...] = SEEN) -> tuple[float, float, float]:
    """a, b and the last entry of aP + bD less z."""
    x, y, z = v
    below = at * (at - 1) + 1
    first, second = ((at - 1) * x + y) / below, (x - at * y) / below
    return first, second, first * np.exp(at) - second * np.exp(-at) - z


def zero(low: float, high: float) -> float:
    """A zero of the last entry, by bisection."""
    sign = np.sign(parts(high)[2])
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if parts(middle)[2] * sign > 0 else (middle, high)
    return low


def ray_point(at: float) -> Array:
    """The point aP for the zero at this ratio."""
    return parts(at)[0] * np.array([at, 1, np.exp(at)])


@exponential_projection.check(Evidence.NUMERIC)
def zero_between_the_bounds() -> None:
    root = zero(-10.0, -1.0)
    assert_nearest("exp", lambda _: ray_point(root), [np.array(SEEN)])


@exponential_projection.control(dropped="a, b ≥ 0: the zero beyond the bounds")
def zero_beyond_the_bounds() -> None:
    root = zero(2.0, 3.0)
    require(abs(parts(root)[2]) < 1e-12, "aP + bD = v")
    assert_nearest("exp", lambda _: ray_point(root), [np.array(SEEN)])


# ------------------------------------------------------- exponential-derivative
exponential_derivative = theorem(
    "exponential-derivative",
    claim=(
        "n·P′ = -e^ρ‖D‖² and n·D′ = -e^-ρ‖P‖², so the share of n is "
        "ae^ρ‖D‖²/(ae^ρ‖D‖² + be^-ρ‖P‖²); and the matrix with eigenvalues 1, 0 and "
        "that share along P, D and n is the leading block of the inverse of the "
        "bordered Hessian of the projection problem."
    ),
    source="busseti2019solution",
    implements=(exponential.derivative, boundary.frame, layer.jvp, layer.derivative),
    uses=(exponential_projection.label, ray_derivative.label),
)


@exponential_derivative.check(Evidence.SYMBOLIC)
def speeds_across_the_ray() -> None:
    assert sp.simplify(n.dot(P.diff(rho)) + sp.exp(rho) * D.dot(D)) == 0
    assert sp.simplify(n.dot(D.diff(rho)) + sp.exp(-rho) * P.dot(P)) == 0


@exponential_derivative.check(Evidence.SYMBOLIC)
def bordered_hessian() -> None:
    """(I + μH)J + g·row = I and gᵀJ = 0 for the J of the claim, times P, D, n."""
    up = sp.exp(rho)
    mu, slope = b / up, sp.Matrix([up, (1 - rho) * up, -1])
    w = sp.Matrix([1, -rho, 0])
    hessian = up / a * w * w.T
    inside, outside = a * up * D.dot(D), b / up * P.dot(P)
    share = inside / (inside + outside)
    assert sp.simplify(slope - up * D) == sp.zeros(3, 1)
    for before, after in ((P, P), (D, 0 * D), (n, share * n)):
        assert sp.simplify(slope.dot(after)) == 0
        rest = before - after - mu * hessian * after
        assert sp.simplify(rest.cross(slope)) == sp.zeros(3, 1)


@exponential_derivative.check(Evidence.NUMERIC)
def reference_and_layer_have_the_order_of_a_derivative() -> None:
    for region in smooth("exp"):
        reach = 0.02 if region == "steep" else 0.3
        points = drawn("exp", region)
        assert_order(project("exp"), derivative("exp"), points, reach)
        assert_order(project("exp"), layer_derivative("exp"), points[:1], reach)


def everywhere_a_ray(v: Array) -> Array:
    """The formula between the cones, at any point: the face is forgotten."""
    p, across, share = boundary.frame(v, *exponential.curve(v[0] / v[1]))
    return np.outer(p, p) + share * np.outer(across, across)


@exponential_derivative.control(mutant="the face forgotten: a ray for x, y < 0")
def face_forgotten() -> None:
    assert_order(project("exp"), everywhere_a_ray, drawn("exp", "ray"))


@exponential_derivative.control(mutant="e^-ρ for e^ρ in the share")
def share_with_another_weight() -> None:
    def other(v: Array) -> Array:
        at = exponential.ratio(*v)
        D_, dD = exponential.curve(at)[2:]
        scaled = (*exponential.curve(at)[:2], D_, np.exp(2 * at) * dD)
        p, across, share = boundary.frame(v, *scaled)
        return np.outer(p, p) + share * np.outer(across, across)

    assert_order(project("exp"), other, drawn("exp", "between"))


@exponential_derivative.control(dropped="z ≠ 0 at the face: v = (-1, -1, 0)")
def corner_of_the_face() -> None:
    v = np.array([-1.0, -1.0, 0.0])
    require(exponential.region(v) == "face", "x < 0 and y < 0")
    assert_order(project("exp"), derivative("exp"), [v])
