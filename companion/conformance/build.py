"""From a few chosen numbers to a case with all that is expected, in exact arithmetic.

`backwards` chooses the solution and makes the data fit it; `forwards` takes the data
and finds the solution among all active sets.

Chapter: conformance.md.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

from companion.conformance import exact
from companion.conformance.cases import Case
from companion.conformance.rational import (
    Matrix,
    Vector,
    add,
    adjoint,
    apply,
    dot,
    independent,
    matrix,
    rank,
    scale,
    solve,
    vector,
)

STEP = Fraction(1, 2**20)  # so short that no active set changes twice within it
Numbers = list[Any]


def problem(P: Numbers, q: Numbers, **rows: Numbers) -> exact.Data:
    """The six fields as fractions; absent rows are none."""
    given = {name: rows.get(name, []) for name in "AbGh"}
    data = {name: vector(given[name]) for name in "bh"}
    data |= {name: matrix(given[name]) for name in "AG"} | {"P": matrix(P)}
    return {name: data[name] if name in data else vector(q) for name in "PqAbGh"}


def eye(n: int, t: int = 1) -> list[list[int]]:
    """T times the identity."""
    return [[t * (i == j) for j in range(n)] for i in range(n)]


def needs(data: exact.Data) -> tuple[str, ...]:
    """What a layer must accept to be given the problem."""
    semidefinite, definite = exact.signs(data["P"])
    assert semidefinite
    found = [] if definite else ["semidefinite P"]
    found += ["no inequalities"] if not data["h"] and data["b"] else []
    found += ["dependent equalities"] if rank(data["A"]) < len(data["A"]) else []
    return (*found, *(["no constraints"] if not data["h"] + data["b"] else []))


def case(
    name: str,
    about: str,
    data: exact.Data,
    dual: tuple[Vector, Vector, Vector],
    **more: Any,
) -> Case:
    """A case with status "solved": flags are computed, gradients where they exist.

    `dual` is (x, nu, lam).  Of `more`, `seeds` gives the gradients in every field if
    the flags allow it, and in P and q if `cost` says that the active set stays; `along`
    lists (seed, field, direction) for derivatives from both sides.
    """
    x, nu, lam = dual
    assert exact.optimal(data, x, nu, lam), name
    flags = exact.flags(data, x, lam)
    seeds = [vector(seed) for seed in more.get("seeds", ())]
    vjps: list[exact.Data] = []
    if flags["licq"] and flags["strict"] and flags["sosc"]:
        vjps = [exact.vjp(data, x, nu, lam, seed) for seed in seeds]
    elif more.get("cost"):
        vjps = [exact.cost_vjp(data, x, lam, seed) for seed in seeds]
    return Case(
        name=name,
        family=more.get("family", "regular"),
        about=about,
        data=data,
        status="solved",
        needs=needs(data),
        flags=flags,
        solution={"x": x, "nu": nu, "lam": lam, "value": exact.value(data, x)},
        other=more.get("other"),
        vjps=tuple(vjps),
        may_refuse=more.get("may_refuse", False),
        one_sided=tuple(one_sided(data, x, *way) for way in more.get("along", ())),
    )


def backwards(name: str, about: str, parts: dict[str, Numbers], **more: Any) -> Case:
    """The case whose solution is given: b = Ax, h = Gx + slack, q from stationarity."""
    P, A, G = (matrix(parts.get(k, [])) for k in "PAG")
    x, nu, lam, s = (vector(parts.get(k, [])) for k in ("x", "nu", "lam", "slack"))
    n = len(x)
    pull = apply(P, x), adjoint(A, nu, n), adjoint(G, lam, n)
    data = problem(
        P,
        scale(-1, add(*pull)),
        A=A,
        b=apply(A, x),
        G=G,
        h=add(apply(G, x), s),
    )
    return case(name, about, data, (x, nu, lam), **more)


def forwards(name: str, about: str, data: exact.Data, **more: Any) -> Case:
    """The case whose data are given."""
    return case(name, about, data, found(data), **more)


def found(data: exact.Data) -> tuple[Vector, Vector, Vector]:
    """(x, nu, lam), from the first set of active rows that satisfies the conditions."""
    kept = independent(data["A"])  # a redundant equality has multiplier zero
    p, m, n = len(kept), len(data["h"]), len(data["q"])
    for size in range(min(m, n) + 1):
        for active in combinations(range(m), size):
            rows: Matrix = [data["A"][i] for i in kept]
            rows += [data["G"][i] for i in active]
            levels = [data["b"][i] for i in kept] + [data["h"][i] for i in active]
            try:
                d = solve(
                    exact.kkt_matrix(data, rows), [*scale(-1, data["q"]), *levels]
                )
            except ZeroDivisionError:
                continue
            nu = exact.placed(d[n : n + p], kept, len(data["b"]))
            lam = exact.placed(d[n + p :], active, m)
            if exact.optimal(data, d[:n], nu, lam):
                return d[:n], nu, lam
    msg = "expected a problem with a solution at which some active rows are independent"
    raise ValueError(msg)


def one_sided(
    data: exact.Data, x: Vector, seed: Numbers, field: str, direction: Numbers
) -> dict[str, Any]:
    """Derivatives of seedᵀx along +direction and along −direction of q, b or h.

    x is piecewise affine in these, so a short difference quotient is the derivative.
    """
    s, way = vector(seed), vector(direction)
    sides = {}
    for side, sign in (("plus", 1), ("minus", -1)):
        moved = {**data, field: add(data[field], scale(sign * STEP, way))}
        step = add(found(moved)[0], scale(-1, x))
        sides[side] = dot(s, step) / (sign * STEP)
    return {"seed": s, "field": field, "direction": way, **sides}


def failing(name: str, about: str, data: exact.Data, ray: dict[str, Numbers]) -> Case:
    """An infeasible case with its Farkas ray (nu, lam), or an unbounded one with its d.

    An unbounded case gives a feasible x beside the direction.
    """
    exactly = {key: vector(values) for key, values in ray.items()}
    bounded = "d" not in ray
    proves = exact.proves_infeasible if bounded else exact.proves_unbounded
    assert proves(data, *exactly.values()), name
    status = "infeasible" if bounded else "unbounded"
    return Case(name, status, about, data, status, needs(data), ray=exactly)
