"""The theory in rational numbers: KKT conditions, flags, gradients, certificates.

Two routes lead to a gradient here, and the tests hold one against the other: `vjp`
solves one adjoint system and assembles six formulas, `tangent` differentiates the KKT
conditions along one perturbation of the data and knows none of the six.

Chapter: conformance.md. Theorems: qp-gradients, qp-differential, qp-active-set.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from companion.conformance.rational import (
    Matrix,
    Vector,
    add,
    add_matrices,
    adjoint,
    apply,
    dot,
    independent,
    null_space,
    outer,
    rank,
    scale,
    signs,
    solve,
)

Data = dict[str, Any]
HALF = Fraction(1, 2)


def stationarity(data: Data, x: Vector, nu: Vector, lam: Vector) -> Vector:
    """Px + q + Aᵀnu + Gᵀlam."""
    n = len(x)
    parts = apply(data["P"], x), data["q"], adjoint(data["A"], nu, n)
    return add(*parts, adjoint(data["G"], lam, n))


def slack(data: Data, x: Vector) -> Vector:
    """H − Gx."""
    return add(data["h"], scale(-1, apply(data["G"], x)))


def value(data: Data, x: Vector) -> Fraction:
    """½xᵀPx + qᵀx."""
    return HALF * dot(x, apply(data["P"], x)) + dot(data["q"], x)


def optimal(data: Data, x: Vector, nu: Vector, lam: Vector) -> bool:
    """Whether P ≽ 0 and the KKT conditions hold exactly, so that x is a minimiser."""
    s = slack(data, x)
    return (
        signs(data["P"])[0]
        and not any(stationarity(data, x, nu, lam))
        and apply(data["A"], x) == data["b"]
        and all(v >= 0 for v in [*s, *lam])
        and not any(u * v for u, v in zip(s, lam, strict=True))
    )


def flags(data: Data, x: Vector, lam: Vector) -> dict[str, bool]:
    """The hypotheses of the theory at a solution; see the schema for their words.

    x is called unique if the second-order condition holds.  The cases for which that
    is not the whole story name a second solution.
    """
    s = slack(data, x)
    touching = [row for row, t in zip(data["G"], s, strict=True) if t == 0]
    strong = [row for row, t in zip(data["G"], lam, strict=True) if t > 0]
    rows = [*data["A"], *touching]
    Z = null_space([*data["A"], *strong], len(x))
    curvature = [[dot(u, apply(data["P"], v)) for v in Z] for u in Z]
    sosc = signs(curvature)[1]
    return {
        "licq": rank(rows) == len(rows),
        "strict": len(touching) == len(strong),
        "sosc": sosc,
        "unique_x": sosc,
        "unique_dual": _unique_dual(data, s, lam),
    }


def _unique_dual(data: Data, s: Vector, lam: Vector) -> bool:
    """Whether no second pair of multipliers satisfies the KKT conditions with x."""
    at = [i for i, t in enumerate(s) if t == 0]
    rows = [*data["A"], *(data["G"][i] for i in at)]
    if not rows:
        return True
    n, p = len(rows[0]), len(data["A"])
    ways = null_space([[row[j] for row in rows] for j in range(n)], len(rows))
    if len(ways) > 1:
        msg = "expected rows with at most one relation between them"
        raise NotImplementedError(msg)
    free = [k for k, i in enumerate(at) if lam[i] == 0]
    return not any(
        all(sign * way[p + k] >= 0 for k in free) for way in ways for sign in (1, -1)
    )


def vjp(data: Data, x: Vector, nu: Vector, lam: Vector, seed: Vector) -> Data:
    """Gradients of seedᵀx in the six fields, where the KKT matrix is nonsingular."""
    n, p, m = len(x), len(nu), len(lam)
    active = [i for i in range(m) if lam[i] > 0]
    K = kkt_matrix(data, [*data["A"], *(data["G"][i] for i in active)])
    d = scale(-1, solve(K, [*seed, *[Fraction(0)] * (p + len(active))]))
    dx, dnu, dlam = d[:n], d[n : n + p], placed(d[n + p :], active, m)
    return {
        "seed": seed,
        "P": [scale(HALF, row) for row in add_matrices(outer(dx, x), outer(x, dx))],
        "q": dx,
        "A": add_matrices(outer(dnu, x), outer(nu, dx)),
        "b": scale(-1, dnu),
        "G": add_matrices(outer(dlam, x), outer(lam, dx)),
        "h": scale(-1, dlam),
    }


def cost_vjp(data: Data, x: Vector, lam: Vector, seed: Vector) -> Data:
    """Gradients of seedᵀx in P and q alone, where active rows may be dependent.

    If every active row has a positive multiplier in `lam`, the active set stays while
    the cost moves, and a basis of its rows stands for it.
    """
    rows = [*data["A"], *(data["G"][i] for i, t in enumerate(lam) if t > 0)]
    rows = [rows[i] for i in independent(rows)]
    d = scale(-1, solve(kkt_matrix(data, rows), [*seed, *[Fraction(0)] * len(rows)]))
    dx = d[: len(x)]
    half = [scale(HALF, row) for row in add_matrices(outer(dx, x), outer(x, dx))]
    return {"seed": seed, "P": half, "q": dx}


def tangent(data: Data, x: Vector, nu: Vector, lam: Vector, moved: Data) -> Vector:
    """Derivative of x along a perturbation of the data, by the KKT conditions.

    P dx + Aᵀdnu + Gᵀdlam = −(dP x + dq + dAᵀnu + dGᵀlam), A dx = db − dA x, and the
    same for the active rows.
    """
    n = len(x)
    active = [i for i, t in enumerate(lam) if t > 0]
    pull = adjoint(moved["A"], nu, n), adjoint(moved["G"], lam, n)
    first = scale(-1, add(apply(moved["P"], x), moved["q"], *pull))
    equal = add(moved["b"], scale(-1, apply(moved["A"], x)))
    bound = add(moved["h"], scale(-1, apply(moved["G"], x)))
    K = kkt_matrix(data, [*data["A"], *(data["G"][i] for i in active)])
    return solve(K, [*first, *equal, *(bound[i] for i in active)])[:n]


def placed(values: Vector, places: Sequence[int], size: int) -> Vector:
    """A vector of this size with values at places and zeros elsewhere."""
    found = dict(zip(places, values, strict=True))
    return [found.get(i, Fraction(0)) for i in range(size)]


def kkt_matrix(data: Data, rows: Matrix) -> Matrix:
    """[P Rᵀ; R 0] for the rows R."""
    k = len(rows)
    top = [[*line, *(row[j] for row in rows)] for j, line in enumerate(data["P"])]
    return [*top, *([*row, *[Fraction(0)] * k] for row in rows)]


def proves_infeasible(data: Data, nu: Vector, lam: Vector) -> bool:
    """Farkas: Aᵀnu + Gᵀlam = 0, lam ≥ 0 and bᵀnu + hᵀlam < 0."""
    n = len(data["q"])
    pull = add(adjoint(data["A"], nu, n), adjoint(data["G"], lam, n))
    gain = dot(data["b"], nu) + dot(data["h"], lam)
    return not any(pull) and all(v >= 0 for v in lam) and gain < 0


def proves_unbounded(data: Data, x: Vector, d: Vector) -> bool:
    """A feasible x, and d with Pd = 0, Ad = 0, Gd ≤ 0 and qᵀd < 0."""
    return (
        apply(data["A"], x) == data["b"]
        and all(v >= 0 for v in slack(data, x))
        and not any([*apply(data["P"], d), *apply(data["A"], d)])
        and all(v <= 0 for v in apply(data["G"], d))
        and dot(data["q"], d) < 0
    )
