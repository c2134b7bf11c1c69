"""A cone in space whose boundary is made of rays: one formula for the derivative.

Chapter: cones.md.  Theorems: ray-derivative.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp

from companion import sampling
from companion.layers.cones import boundary as layer
from companion.proofs.cones.identities import projection_derivative
from companion.proofs.cones.regions import (
    assert_order,
    derivative,
    drawn,
    layer_derivative,
    project,
)
from companion.proofs.registry import Evidence, require, theorem
from companion.reference.cones import boundary, exponential

Array = np.ndarray
Curve = Callable[[sp.Symbol], tuple[sp.Matrix, sp.Matrix]]

# --------------------------------------------------------------- ray-derivative
ray_derivative = theorem(
    "ray-derivative",
    claim=(
        "Let v = aP(θ) + bD(θ) in ℝ³ with P·D = P′·D = P·D′ = 0 and n = P × D.  The "
        "matrix that takes P, D and aP′ + bD′ to P, 0 and aP′ has the eigenvectors P, "
        "D and n, with eigenvalues 1, 0 and an·P′/(an·P′ + bn·D′)."
    ),
    source="busseti2019solution",
    implements=(boundary.frame, layer.frame),
    uses=(projection_derivative.label,),
)


def assert_eigenvectors(tangent: sp.Expr | int = 0, flip: int = 1) -> None:
    """The claim in the frame of P, D and n; `tangent` stands for P′·D.

    `flip` = -1 exchanges the parts of the share.
    """
    A, B, a, b = sp.symbols("A B a b", positive=True)
    P, D = sp.Matrix([A, 0, 0]), sp.Matrix([0, B, 0])
    dP = sp.Matrix([sp.Symbol("p1"), tangent, sp.Symbol("p3")])
    dD = sp.Matrix([0, sp.Symbol("d2"), sp.Symbol("d3")])
    n = P.cross(D)
    inside, outside = a * n.dot(dP), b * n.dot(dD)
    share = (inside if flip > 0 else outside) / (inside + outside)
    claimed = sp.diag(1, 0, share)
    for before, after in ((P, P), (D, 0 * D), (a * dP + b * dD, a * dP)):
        gap = sp.simplify(claimed * before - after)
        assert gap == sp.zeros(3, 1), f"off by {list(gap)}"


@ray_derivative.check(Evidence.SYMBOLIC)
def eigenvectors_of_the_derivative() -> None:
    assert_eigenvectors()


@ray_derivative.check(Evidence.NUMERIC)
def both_ray_cones_have_the_order_of_a_derivative() -> None:
    for cone in ("exp", "power"):
        points = drawn(cone, "between", 3)
        assert_order(project(cone), derivative(cone), points)
        assert_order(project(cone), layer_derivative(cone), points[:1])


@ray_derivative.control(mutant="the share of the part that is lost")
def shares_exchanged() -> None:
    assert_eigenvectors(flip=-1)


@ray_derivative.control(dropped="P′·D = 0: D is not normal to the boundary")
def oblique_direction() -> None:
    assert_eigenvectors(tangent=sp.Symbol("p2"))


def curve_by_formula(rho: float) -> tuple[Array, ...]:
    """The exponential cone's curve, unscaled."""
    up, down = np.exp(rho), np.exp(-rho)
    return (
        np.array([rho, 1, up]),
        np.array([1, 0, up]),
        np.array([1, 1 - rho, -down]),
        np.array([0, -1, down]),
    )


@ray_derivative.check(Evidence.NUMERIC)
def scaling_the_curve_changes_nothing() -> None:
    (v,) = sampling.points("exp", "between", range(1))
    rho = exponential.ratio(*v)
    for one, other in zip(
        boundary.frame(v, *exponential.curve(rho)),
        boundary.frame(v, *curve_by_formula(rho)),
        strict=True,
    ):
        assert np.abs(one - other).max() < 1e-14
    require(rho != 0, "the curve was scaled")
