"""From exact programs to the JSON of the cases.

Chapter: conformance.md.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from companion.conformance.cases import plain
from companion.conformance.conic.exact import (
    Draft,
    Numbers,
    Piece,
    value,
    vjp,
    weighted,
)
from companion.conformance.rational import Vector, add, apply, matrix, scale, vector

Entry = dict[str, Any]
ROWS = ("A", "b", "y", "s")  # fields whose rows off a diagonal are multiplied by √2
COUNTED = ("zero", "nonneg", "exp", "exp_dual")


def entry(name: str, about: str, draft: Draft, **more: Any) -> Entry:
    """The JSON object of a solved case; `more` has seeds, along and a family."""
    s, y, twice = (draft.joined(k) for k in ("s", "y", "twice"))
    q = scale(-1, add(apply(draft.P, draft.x), weighted(draft, y)))
    data = {"P": draft.P, "q": q, "A": draft.A, "b": add(apply(draft.A, draft.x), s)}
    smooth = all(piece.D is not None for piece in draft.pieces)
    vjps = [vjp(draft, vector(seed)) for seed in more["seeds"]] if smooth else []
    solution = {"x": draft.x, "y": y, "s": s, "value": value(draft, q)}
    found = {
        "name": name,
        "family": more.get("family", "closed form"),
        "about": about,
        "cones": cones(draft.pieces),
        "data": rooted(data, twice),
        "status": "solved",
        "solution": rooted(solution, twice),
        "vjps": [rooted(v, twice) for v in vjps],
        "one_sided": [_sides(*way) for way in more.get("along", ())],
    }
    return {key: value for key, value in found.items() if value}


def _sides(
    seed: Numbers, field: str, direction: Numbers, plus: Any, minus: Any
) -> Entry:
    sides = {"plus": plus, "minus": minus}
    return {"seed": seed, "field": field, "direction": direction, **sides}


def failing(  # noqa: PLR0913 - a program, and why it fails
    name: str, about: str, K: dict[str, Any], q: Numbers, A: Numbers, b: Numbers,
    ray: dict[str, Numbers],
) -> Entry:  # fmt: skip
    """The JSON object of a case without solution, with P = 0."""
    twice = doubled(K)
    data = {"P": [[0] * len(q) for _ in q], "q": vector(q),
            "A": matrix(A), "b": vector(b)}  # fmt: skip
    status = "infeasible" if "y" in ray else "unbounded"
    exact = {key: vector(v) for key, v in ray.items()}
    return {
        "name": name,
        "family": status,
        "about": about,
        "cones": K,
        "data": rooted(data, twice),
        "status": status,
        "ray": rooted(exact, twice),
    }


def doubled(K: dict[str, Any]) -> Vector:
    """2 for each row that stands for two entries of a matrix, else 1."""
    before = sum(K.get(k, 0) for k in ("zero", "nonneg")) + sum(K.get("soc", ()))
    sides = K.get("psd", ())
    after = 3 * (K.get("exp", 0) + K.get("exp_dual", 0) + len(K.get("power", ())))
    inner = [1 if i == j else 2 for k in sides for j in range(k) for i in range(j, k)]
    return [Fraction(v) for v in [*[1] * before, *inner, *[1] * after]]


def cones(pieces: list[Piece]) -> dict[str, Any]:
    """The fields of `Cones` for pieces in its order."""
    found: dict[str, Any] = {}
    for piece in pieces:
        if piece.cone in COUNTED:
            found[piece.cone] = found.get(piece.cone, 0) + 1
        else:
            found.setdefault(piece.cone, []).append(plain(piece.size))
    return found


def rooted(fields: dict[str, Any], twice: Vector) -> dict[str, Any]:
    """Fields as JSON has them, rows off a diagonal times √2."""
    found = {key: plain(value) for key, value in fields.items()}
    for key in ROWS:
        if key in found:
            pairs = zip(found[key], twice, strict=True)
            found[key] = [_times_root(v) if w == 2 else v for v, w in pairs]
    return found


def _times_root(values: Any) -> Any:
    if isinstance(values, list):
        return [_times_root(v) for v in values]
    return f"{values}*sqrt2" if values else 0
