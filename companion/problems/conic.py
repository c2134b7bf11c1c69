"""Cone programs, their cones and their solutions.

Chapter: notation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

from jaxtyping import Float

from companion.problems.structure import (
    broadcast,
    check_alike,
    check_array,
    check_shape,
)


@dataclass(frozen=True)
class Cones:
    """A product of cones; rows stand in field order, which is SCS's.

    A PSD block of side k has k(k+1)/2 rows: the lower triangle, column by column, with
    off-diagonal entries times √2.  A power cone has its exponent α, negative for the
    dual cone.
    """

    zero: int = 0
    nonneg: int = 0
    soc: tuple[int, ...] = ()
    psd: tuple[int, ...] = ()
    exp: int = 0
    exp_dual: int = 0
    power: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("soc", "psd", "power"):  # a list would not be hashable
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("zero", "nonneg", "exp", "exp_dual"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                msg = f"Cones.{name}: expected an integer ≥ 0, got {value!r}"
                raise ValueError(msg)
        for name in ("soc", "psd"):
            sizes = getattr(self, name)
            if not all(isinstance(k, int) and k >= 1 for k in sizes):
                msg = f"Cones.{name}: expected integers ≥ 1, got {sizes!r}"
                raise ValueError(msg)
        if not all(0 < abs(alpha) < 1 for alpha in self.power):
            msg = (
                f"Cones.power: expected exponents with 0 < |α| < 1, got {self.power!r}"
            )
            raise ValueError(msg)

    @property
    def rows(self) -> int:
        """Rows of the whole product."""
        triangles = sum(k * (k + 1) // 2 for k in self.psd)
        triples = 3 * (self.exp + self.exp_dual + len(self.power))
        return self.zero + self.nonneg + sum(self.soc) + triangles + triples


class Block(NamedTuple):
    """One cone of a product: the field of `Cones` that it is in, its rows, its size.

    The parameter is the side of psd, the exponent of power, else the number of rows.
    """

    cone: str
    rows: slice
    parameter: float


@lru_cache(maxsize=256)
def blocks(K: Cones) -> tuple[Block, ...]:
    """The cones of a product in row order; zero and nonneg are one block each."""
    found, start = [], 0
    for cone, parameter, size in _cones(K):
        found.append(Block(cone, slice(start, start + size), parameter))
        start += size
    return tuple(found)


def _cones(K: Cones) -> Iterator[tuple[str, float, int]]:
    """Name, parameter and number of rows of every cone."""
    for cone in ("zero", "nonneg"):
        if size := getattr(K, cone):
            yield cone, size, size
    yield from (("soc", size, size) for size in K.soc)
    yield from (("psd", side, side * (side + 1) // 2) for side in K.psd)
    for cone in ("exp", "exp_dual"):
        yield from ((cone, 3, 3) for _ in range(getattr(K, cone)))
    yield from (("power", alpha, 3) for alpha in K.power)


@dataclass(frozen=True, eq=False)
class ConeProgram:
    """Minimize ½xᵀPx + qᵀx subject to Ax + s = b, s ∈ K; batch axes as in QP."""

    P: Float[Any, "*#batch n n"]
    q: Float[Any, "*#batch n"]
    A: Float[Any, "*#batch m n"]
    b: Float[Any, "*#batch m"]
    K: Cones

    def __post_init__(self) -> None:
        named = [
            (f"ConeProgram.{f.name}", getattr(self, f.name)) for f in fields(self)[:4]
        ]
        for name, value in named:
            check_array(name, value)
            check_alike(name, value, "ConeProgram.P", self.P)
        n, m = self.q.shape[-1], self.K.rows
        cores = ((("n", n), ("n", n)), (("n", n),), (("m", m), ("n", n)), (("m", m),))
        for (name, value), core in zip(named, cores, strict=True):
            check_shape(name, value, core)
        _ = self.batch

    @property
    def fields(self) -> tuple[Any, ...]:
        """The four arrays (P, q, A, b)."""
        return self.P, self.q, self.A, self.b

    @property
    def n(self) -> int:
        """Number of variables."""
        return int(self.q.shape[-1])

    @property
    def m(self) -> int:
        """Number of rows."""
        return self.K.rows

    def map(self, f: Callable[[Any], Any]) -> ConeProgram:
        """The problem with f applied to every field, over the same cones."""
        P, q, A, b = map(f, self.fields)
        return ConeProgram(P, q, A, b, self.K)

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch shape that the fields broadcast to."""
        ranks = {"P": 2, "q": 1, "A": 2, "b": 1}
        return broadcast(
            [
                (
                    f"ConeProgram.{k}",
                    tuple(getattr(self, k).shape[: getattr(self, k).ndim - r]),
                )
                for k, r in ranks.items()
            ]
        )


@dataclass(frozen=True, eq=False)
class ConeCertificate:
    """Why there is no solution: a Farkas ray y, or a recession direction (d, s).

    Aᵀy = 0, y ∈ K*, bᵀy < 0 where the constraints contradict each other; Pd = 0,
    Ad + s = 0, s ∈ K, qᵀd < 0 where the objective falls for ever.  NaN where an
    instance needs none.
    """

    y: Float[Any, "*batch m"]
    d: Float[Any, "*batch n"]
    s: Float[Any, "*batch m"]


@dataclass(frozen=True, eq=False)
class ConeSolution:
    """What a cone solver found: the primal x, the dual y and the slack s.

    `info` says how: iterations, and the error of the conditions that is left.
    `certificate` says why there is none, if an instance has no solution.
    """

    x: Float[Any, "*batch n"]
    y: Float[Any, "*batch m"]
    s: Float[Any, "*batch m"]
    value: Any
    status: Any
    info: Any = None
    certificate: ConeCertificate | None = None
