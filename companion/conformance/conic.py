"""Cone programs with closed-form solutions, multipliers and derivatives.

They stand as JSON in `cones/`: min ½xᵀPx + qᵀx subject to Ax + s = b, s ∈ K, rows in
the order of the fields of `Cones`, and the gradient of seedᵀx in P (its symmetric
representative), q, A and b.  A number is an integer, a fraction such as "-3/8", or one
times the root of two, such as "1/2*sqrt2", which PSD triangles are scaled by.

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

from companion.problems import ConeProgram, Cones

ROOT = "*sqrt2"


@dataclass(frozen=True, eq=False)
class ConeCase:
    """One program with its solution (x, y, s, value) and the gradient of seedᵀx."""

    name: str
    about: str
    problem: ConeProgram
    solution: dict[str, np.ndarray]
    seed: np.ndarray
    gradient: dict[str, np.ndarray]


@cache
def cone_cases() -> tuple[ConeCase, ...]:
    """Every case."""
    text = files("companion.conformance").joinpath("cones/closed-form.json").read_text()
    return tuple(_case(entry) for entry in json.loads(text))


def _case(entry: dict[str, Any]) -> ConeCase:
    sizes: dict[str, Any] = {
        name: tuple(float(Fraction(v)) if isinstance(v, str) else v for v in value)
        if isinstance(value, list)
        else value
        for name, value in entry["cones"].items()
    }
    data = {name: numbers(v) for name, v in entry["data"].items()}
    return ConeCase(
        entry["name"],
        entry["about"],
        ConeProgram(**data, K=Cones(**sizes)),
        {name: numbers(v) for name, v in entry["solution"].items()},
        numbers(entry["seed"]),
        {name: numbers(v) for name, v in entry["gradient"].items()},
    )


def numbers(value: Any) -> np.ndarray:
    """A number, or a list of such, in double precision."""
    if isinstance(value, list):
        return np.array([numbers(v) for v in value], dtype=float)
    if isinstance(value, str) and value.endswith(ROOT):
        return np.array(float(Fraction(value.removesuffix(ROOT))) * np.sqrt(2.0))
    return np.array(float(Fraction(value)))
