"""The cases: exact data, and what is expected of a layer that is given them.

They stand as JSON in `cases/`, described by `schema.json`; a number is an integer or a
string such as "-3/8".  Every entry of the data is a dyadic rational, so that it is the
same number in double precision, and a layer that errs has erred by itself.

Chapter: conformance.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from companion.conformance.rational import Matrix, Vector

FIELDS = ("P", "q", "A", "b", "G", "h")
MATRICES = ("P", "A", "G")


@dataclass(frozen=True, eq=False)
class Case:
    """One problem with its expectations, all in fractions.

    data: the six fields.  status: "solved", "infeasible" or "unbounded".  solution: x,
    nu, lam and value.  other: a second x or (nu, lam), where one is not unique.  vjps:
    seeds with the gradients of seedᵀx in the fields in which it has one.  one_sided:
    derivatives of seedᵀx along ±direction of a field.  ray: the Farkas or recession
    direction that proves the status.  may_refuse: an infeasible problem is so
    near that a layer may decline instead of solving it.
    """

    name: str
    family: str
    about: str
    data: dict[str, Any]
    status: str
    needs: tuple[str, ...] = ()
    flags: dict[str, bool] | None = None
    solution: dict[str, Any] | None = None
    other: dict[str, Any] | None = None
    vjps: tuple[dict[str, Any], ...] = ()
    one_sided: tuple[dict[str, Any], ...] = ()
    ray: dict[str, Vector] | None = None
    may_refuse: bool = False

    @property
    def n(self) -> int:
        """Number of variables."""
        return len(self.data["q"])

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """The data in double precision, which holds them exactly."""
        return {name: self.array(name, self.data[name]) for name in FIELDS}

    def array(self, field: str, values: Matrix | Vector) -> np.ndarray:
        """Values of a field in double precision, with the field's shape."""
        shape = (-1, self.n) if field in MATRICES else (-1,)
        return np.array(values, dtype=float).reshape(shape)

    @property
    def regular(self) -> bool:
        """Whether x is differentiable in every field."""
        return bool(self.vjps) and set(FIELDS) <= self.vjps[0].keys()


def fractions(value: Any) -> Any:
    """Numbers of a JSON value as fractions, lists and objects kept."""
    if isinstance(value, list):
        return [fractions(v) for v in value]
    if isinstance(value, dict):
        return {key: fractions(v) for key, v in value.items()}
    if isinstance(value, bool):
        return value
    return Fraction(value)


def plain(value: Any) -> Any:
    """Fractions as JSON has them: integers, or strings "p/q"."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else str(value)
    return value


def read(entry: dict[str, Any]) -> Case:
    """A case from its JSON object."""
    exact = {
        key: fractions(entry[key])
        for key in ("data", "flags", "solution", "other", "ray")
        if key in entry
    }
    return Case(
        name=entry["name"],
        family=entry["family"],
        about=entry["about"],
        status=entry["status"],
        may_refuse=entry.get("may_refuse", False),
        needs=tuple(entry.get("needs", ())),
        vjps=tuple(fractions(v) for v in entry.get("vjps", ())),
        one_sided=tuple(
            {**fractions({k: v for k, v in e.items() if k != "field"}), **_field(e)}
            for e in entry.get("one_sided", ())
        ),
        **exact,
    )


def _field(entry: dict[str, Any]) -> dict[str, str]:
    return {"field": entry["field"]}


def written(case: Case) -> dict[str, Any]:
    """The JSON object of a case; what is empty is left out."""
    entry = {key: plain(value) for key, value in vars(case).items()}
    return {
        key: value for key, value in entry.items() if value not in (None, [], False)
    }


@cache
def cases() -> dict[str, Case]:
    """Every case of the suite, by name."""
    found: dict[str, Case] = {}
    folder = files("companion.conformance") / "cases"
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        for entry in json.loads(file.read_text("utf8")):
            found[entry["name"]] = read(entry)
    return found
