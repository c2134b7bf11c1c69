"""The second-order cone: the plane through the axis, and what lies across it.

Chapter: cones.md.  Theorems: soc-projection, soc-derivative.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion import sampling
from companion.layers.cones import soc as layer
from companion.proofs.cones.duals import dual_cones
from companion.proofs.cones.identities import projection_derivative
from companion.proofs.cones.regions import (
    assert_nearest,
    assert_order,
    derivative,
    drawn,
    layer_derivative,
    project,
    smooth,
)
from companion.proofs.convexity.moreau import (
    assert_splits,
    in_second_order,
    moreau,
    second_order,
)
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference.cones import soc

Array = np.ndarray
W = alphabet(constant="u w k", u="n 1", w="n 1", latex={"k": r"\mathrm dw"}, k="n 1")
T = W.T
u, w, dw = W("u w k")
t, r, h, dt = sp.symbols("t r h dt", real=True)  # h = 1/r
UNIT = W.rule("uᵀu = 1", T(u) * u, 1)

# --------------------------------------------------------------- soc-projection
soc_projection = theorem(
    "soc-projection",
    claim=(
        "With ‖u‖ = 1, w = ru and p = ½(t+r)(1, u): (t, w) - p = ½(r-t)(-1, u), and "
        "pᵀ((t, w) - p) = 0."
    ),
    source="busseti2019solution",
    implements=(soc.project, layer.project),
    uses=(dual_cones.label, moreau.label),
)


@soc_projection.derivation
def two_rays_at_a_right_angle() -> Iterator[Step]:
    p, d = (t + r) / 2, (r - t) / 2
    assert sp.expand(t - p + d) == 0
    assert W.equal(r * u - p * u, d * u)
    yield Step(r"(t,w)-p", r"\tfrac12(r-t)\,(-1,u)", "w = ru, entry by entry")
    product = p * d * (T(u) * u - 1)
    assert W.equal(product, 0, UNIT)
    yield Step(
        r"p^{\mathsf T}\bigl((t,w)-p\bigr)",
        r"\tfrac14(r+t)(r-t)\,(u^{\mathsf T}u-1)=0",
        "u has length one; where |t| < r both rays run outwards",
    )


@soc_projection.check(Evidence.EXACT)
def rational_points_split() -> None:
    assert_splits(second_order, in_second_order)


def by_formula(v: Array, sign: int = 1) -> Array:
    """½(1 + t/r)(r, w) wherever v is."""
    t, length = v[0], np.linalg.norm(v[1:])
    return (1 + sign * t / length) / 2 * np.r_[length, v[1:]]


@soc_projection.check(Evidence.NUMERIC)
def reference_is_nearest_in_every_region() -> None:
    for region in sampling.REGIONS["soc"]:
        assert_nearest("soc", project("soc"), drawn("soc", region))


@soc_projection.control(mutant="1 - t/r for 1 + t/r")
def other_sign() -> None:
    assert_nearest("soc", lambda v: by_formula(v, -1), drawn("soc", "between"))


@soc_projection.control(dropped="t < r: the formula used inside the cone")
def formula_inside() -> None:
    v = np.array([2.0, 1.0, 0.0, 0.0])
    require(v[0] > -np.linalg.norm(v[1:]), "above the polar cone")
    assert_nearest("soc", by_formula, [v])


# --------------------------------------------------------------- soc-derivative
soc_derivative = theorem(
    "soc-derivative",
    claim=(
        "Where |t| < r, the differential of ½(r+t) is ½(dt + uᵀdw) and that of "
        "½(1+t/r)w is ½(u dt + (1+t/r)dw - (t/r)u uᵀdw).  The matrix keeps (1, u), "
        "loses (-1, u), and multiplies (0, z) with zᵀu = 0 by ½(1+t/r)."
    ),
    source="busseti2019solution",
    implements=(soc.derivative, layer.jvp, layer.derivative),
    uses=(soc_projection.label, projection_derivative.label),
)


@soc_derivative.derivation
def differentiate_the_length() -> Iterator[Step]:
    dr = h * T(w) * dw  # from r² = wᵀw
    scale = (1 + t * h) / 2
    moved = scale * dw + w * (h * dt / 2 - t * h**2 * dr / 2)
    swap = W.rule("w = ru", w, u / h)
    claimed = (u * dt + (1 + t * h) * dw - t * h * u * T(u) * dw) / 2
    assert W.equal((dt + dr) / 2, (dt + T(u) * dw) / 2, swap)
    yield Step(
        r"\mathrm d\,\tfrac12(r+t)",
        r"\tfrac12(\mathrm dt+u^{\mathsf T}\mathrm dw)",
        "r dr = wᵀdw and w = ru",
    )
    assert W.equal(moved, claimed, swap)
    yield Step(
        r"\mathrm d\,\tfrac12(1+\tfrac tr)w",
        r"\tfrac12\bigl(u\,\mathrm dt+(1+\tfrac tr)\mathrm dw"
        r"-\tfrac tr u\,u^{\mathsf T}\mathrm dw\bigr)",
        "the same, and d(1/r) = -dr/r²",
    )


def image(top: sp.Expr, z: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The matrix of the claim times (top, z), with k = t/r."""
    k = t * h
    across = (1 + k) * z - k * u * T(u) * z
    return (top + T(u) * z) / 2, (u * top + across) / 2


@soc_derivative.check(Evidence.SYMBOLIC_ANY_SIZE)
def kept_lost_and_shrunk_directions() -> None:
    across = W.rule("uᵀz = 0", T(u) * dw, sp.S.Zero)
    for (top, z), factor in (
        ((sp.S.One, u), 1),
        ((-sp.S.One, u), 0),
        ((sp.S.Zero, dw), (1 + t * h) / 2),
    ):
        first, rest = image(top, z)
        assert W.equal(first, factor * top, UNIT, across)
        assert W.equal(rest, factor * z, UNIT, across)


@soc_derivative.check(Evidence.NUMERIC)
def reference_and_layer_have_the_order_of_a_derivative() -> None:
    for region in smooth("soc"):
        assert_order(project("soc"), derivative("soc"), drawn("soc", region))
    points = drawn("soc", "between")
    assert_order(project("soc"), layer_derivative("soc"), points)


def without_rank_one(v: Array) -> Array:
    k, unit = v[0] / np.linalg.norm(v[1:]), v[1:] / np.linalg.norm(v[1:])
    D = derivative("soc")(v)
    D[1:, 1:] += k * np.outer(unit, unit) / 2
    return D


@soc_derivative.control(mutant="the rank-one term forgotten")
def rank_one_term_forgotten() -> None:
    assert_order(project("soc"), without_rank_one, drawn("soc", "between"))


@soc_derivative.control(dropped="r ≠ |t|: the boundary of the cone")
def on_the_boundary() -> None:
    points = drawn("soc", "boundary")
    require(all(v[0] == np.linalg.norm(v[1:]) for v in points), "r = t")
    assert_order(project("soc"), derivative("soc"), points)
