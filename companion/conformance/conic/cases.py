"""Cone programs whose solutions, multipliers and derivatives are known.

They stand as JSON in `cones/`, described by `cone-schema.json`: min ½xᵀPx + qᵀx subject
to Ax + s = b, s ∈ K, rows in the order of the fields of `Cones`, and gradients of
seedᵀx in P (its symmetric representative), q, A and b.  A number is an integer, a
fraction such as "-3/8", or one times the root of two, such as "1/2*sqrt2", which PSD
triangles are scaled by.  `drawn` adds instances from `companion.sampling`.

Chapter: conformance.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from companion.problems import ConeProgram, Cones
from companion.reference import cone_program as reference
from companion.sampling.programs import cone_program

ROOT = "*sqrt2"
FIELDS = ("P", "q", "A", "b")
DRAWN = {  # over which cones instances are drawn, each with its own seed
    "orthants": Cones(zero=1, nonneg=4),
    "second-order": Cones(zero=1, soc=(3, 4, 2)),
    "semidefinite": Cones(nonneg=1, psd=(2, 3, 4)),
    "exponential": Cones(zero=1, exp=2, exp_dual=1),
    "power": Cones(nonneg=1, power=(0.3, -0.6)),
    "all": Cones(1, 2, (3,), (3,), 1, 1, (0.4, -0.7)),
}
REGIMES = {  # of the sampler, and the family that a case is counted in
    "strictly_complementary": "drawn",
    "linear": "drawn",
    "kink": "kink",
    "repeated_row": "dependent rows",
}


@dataclass(frozen=True, eq=False)
class ConeCase:
    """One program with what is expected of a layer that is given it.

    status: "solved", "infeasible" or "unbounded".  solution: x, y, s and value; y is
    not unique in the family "dependent rows".  vjps: seeds with the gradients of seedᵀx
    in the four fields, where they exist.  one_sided and ray: as in `Case`, the ray
    being y, or a feasible x with a direction d.
    """

    name: str
    family: str
    about: str
    problem: ConeProgram
    status: str = "solved"
    solution: dict[str, np.ndarray] | None = None
    vjps: tuple[dict[str, np.ndarray], ...] = ()
    one_sided: tuple[dict[str, Any], ...] = ()
    ray: dict[str, np.ndarray] | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """What a layer must accept to be given the case."""
        K = self.problem.K
        felt = {
            "quadratic cost": self.problem.P.any(),
            "psd": K.psd,
            "exp": K.exp,
            "exp_dual": K.exp_dual,
            "power": any(alpha > 0 for alpha in K.power),
            "power_dual": any(alpha < 0 for alpha in K.power),
        }
        return tuple(name for name, yes in felt.items() if yes)


@cache
def cone_cases() -> dict[str, ConeCase]:
    """Every case, by name: those of the files, then those drawn."""
    folder = files("companion.conformance") / "cones"
    entries = [
        entry
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        for entry in json.loads(file.read_text("utf8"))
    ]
    return {case.name: case for case in (*map(_case, entries), *drawn())}


def drawn() -> Iterator[ConeCase]:
    """Instances with known solutions, gradients by the reference's dense adjoint."""
    for start, (kind, K) in enumerate(DRAWN.items()):
        for regime, family in REGIMES.items():
            if regime == "repeated_row" and K.zero + K.nonneg < 2:
                continue
            rng = np.random.default_rng(start)
            problem, sol = cone_program(rng, K, regime)
            seeds = rng.normal(size=(2, problem.n)) if family == "drawn" else ()
            words = regime.replace("_", " ")
            yield ConeCase(
                f"drawn-{kind}-{regime.replace('_', '-')}",
                family,
                f"A seeded instance over {kind} cones: {words}.",
                problem,
                solution={k: getattr(sol, k) for k in ("x", "y", "s", "value")},
                vjps=tuple(_expected(problem, sol, seed) for seed in seeds),
            )


def _expected(problem: ConeProgram, sol: Any, seed: np.ndarray) -> dict[str, Any]:
    fields = reference.adjoint(problem, sol, seed).fields
    return {"seed": seed, **dict(zip(FIELDS, fields, strict=True))}


def _case(entry: dict[str, Any]) -> ConeCase:
    sizes: dict[str, Any] = {
        name: tuple(float(Fraction(v)) if isinstance(v, str) else v for v in value)
        if isinstance(value, list)
        else value
        for name, value in entry["cones"].items()
    }
    data = arrays(entry["data"])
    return ConeCase(
        entry["name"],
        entry["family"],
        entry["about"],
        ConeProgram(**data, K=Cones(**sizes)),
        entry["status"],
        arrays(entry["solution"]) if "solution" in entry else None,
        tuple(map(arrays, entry.get("vjps", ()))),
        tuple(
            {**arrays({k: v for k, v in way.items() if k != "field"}), **_field(way)}
            for way in entry.get("one_sided", ())
        ),
        arrays(entry["ray"]) if "ray" in entry else None,
    )


def _field(way: dict[str, Any]) -> dict[str, str]:
    return {"field": way["field"]}


def arrays(fields: dict[str, Any]) -> dict[str, Any]:
    """Every field in double precision."""
    return {name: numbers(value) for name, value in fields.items()}


def numbers(value: Any) -> np.ndarray:
    """A number, or a list of such, in double precision."""
    if isinstance(value, list):
        return np.array([numbers(v) for v in value], dtype=float)
    if isinstance(value, str) and value.endswith(ROOT):
        return np.array(float(Fraction(value.removesuffix(ROOT))) * np.sqrt(2.0))
    return np.array(float(Fraction(value)))
