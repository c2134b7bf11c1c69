"""The nouns of the book: problems, solutions, statuses, and what is known of derivatives.

They hold NumPy arrays or torch tensors alike, check structure (types, shapes, batch axes)
when they are built, and never read the numbers, so that they can be traced.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

from jaxtyping import Float

STRICT_MARGIN = 1e-6  # least max(multiplier, slack) of a row, rows of norm one
LICQ_MARGIN = 1e-7  # least singular value of the touching rows, rows of norm one
CURVATURE_MARGIN = 1e-9  # least curvature on the null space of the active rows


class Status(IntEnum):
    """How the solution of one instance ended."""

    SOLVED = 0
    PRIMAL_INFEASIBLE = 1
    DUAL_INFEASIBLE = 2
    MAX_ITERATIONS = 3
    NUMERICAL_ERROR = 4


class SolveError(RuntimeError):
    """Raised by a layer when instances did not solve; `status` has every outcome."""

    def __init__(self, status: Any) -> None:
        self.status = status
        flat = [int(code) for code in status.reshape(-1)]
        counts = {s: flat.count(s) for s in Status if s is not Status.SOLVED}
        failed = [i for i, code in enumerate(flat) if code != Status.SOLVED]
        kinds = ", ".join(f"{k} {s.name}" for s, k in counts.items() if k)
        first = ", ".join(str(_unravel(i, status.shape)) for i in failed[:5])
        more = ", …" if len(failed) > 5 else ""
        super().__init__(
            f"{len(failed)} of {len(flat)} instances did not solve: {kinds}; "
            f"first at {first}{more}. "
            'Use solve() to see every status, or on_failure="nan".'
        )


def _unravel(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        index.append(i % size)
        i //= size
    return tuple(reversed(index))


def _describe(value: Any) -> str:
    return f"{tuple(value.shape)}"


def _check_array(name: str, value: Any) -> None:
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        msg = f"{name}: expected a NumPy array or torch tensor, got {type(value).__name__}"
        raise TypeError(msg)
    if "float" not in str(value.dtype):
        msg = f"{name}: expected a floating dtype, got {value.dtype}"
        raise TypeError(msg)


def _check_alike(name: str, value: Any, first: str, other: Any) -> None:
    kinds = (type(other).__module__.split(".")[0], type(value).__module__.split(".")[0])
    if kinds[0] != kinds[1]:
        msg = f"{name}: expected an array of {kinds[0]} as {first} is, got one of {kinds[1]}"
        raise TypeError(msg)
    for what in ("dtype", "device"):
        want, got = getattr(other, what, None), getattr(value, what, None)
        if want != got:
            msg = f"{name}: expected {what} {want} as {first} has, got {got}"
            raise TypeError(msg)


def _check_shape(
    name: str, value: Any, core: tuple[tuple[str, int | None], ...]
) -> None:
    """Compare the trailing axes with (letter, size); a size of None is free."""
    shape = tuple(value.shape)
    tail = shape[len(shape) - len(core) :]
    fits = len(shape) >= len(core) and all(
        size in (None, got) for (_, size), got in zip(core, tail, strict=True)
    )
    if not fits:
        letters = ", ".join(letter for letter, _ in core)
        known = ", ".join(
            f"{letter} = {size}"
            for letter, size in dict(core).items()
            if size is not None
        )
        msg = f"{name}: expected shape (*batch, {letters}) with {known}, got {shape}"
        raise ValueError(msg)


def _broadcast(parts: list[tuple[str, tuple[int, ...]]]) -> tuple[int, ...]:
    """Common batch shape of named shapes; names the first one that does not fit."""
    total: tuple[int, ...] = ()
    for name, shape in parts:
        rank = max(len(total), len(shape))
        a = (1,) * (rank - len(total)) + total
        b = (1,) * (rank - len(shape)) + shape
        if any(i != j and 1 not in (i, j) for i, j in zip(a, b, strict=True)):
            msg = (
                f"{name}: expected batch axes that broadcast with {total} of the fields "
                f"before it, got {shape}"
            )
            raise ValueError(msg)
        total = tuple(j if i == 1 else i for i, j in zip(a, b, strict=True))
    return total


@dataclass(frozen=True, eq=False)
class QP:
    """Minimise ½xᵀPx + qᵀx over x subject to Ax = b and Gx ≤ h.

    Leading batch axes broadcast against each other.  Absent constraints are zero-row
    arrays; None stands for them.  All fields are of one library, dtype and device.

    Raises
    ------
    TypeError
        For a field that is no array, has no floating dtype, or differs in kind from P.
    ValueError
        For shapes or batch axes that do not fit, naming field, expected and got.
    """

    P: Float[Any, "*#batch n n"]
    q: Float[Any, "*#batch n"]
    A: Float[Any, "*#batch p n"] = None
    b: Float[Any, "*#batch p"] = None
    G: Float[Any, "*#batch m n"] = None
    h: Float[Any, "*#batch m"] = None

    def __post_init__(self) -> None:
        _check_array("QP.P", self.P)
        _check_array("QP.q", self.q)
        _check_shape("QP.q", self.q, (("n", None),))
        n = self.q.shape[-1]
        _check_shape("QP.P", self.P, (("n", n), ("n", n)))
        for matrix, vector in (("A", "b"), ("G", "h")):
            self._fill(matrix, vector)
        for name, value in zip("qAbGh", self.fields[1:], strict=True):
            _check_array(f"QP.{name}", value)
            _check_alike(f"QP.{name}", value, "QP.P", self.P)
        for matrix, vector, rows in (("A", "b", "p"), ("G", "h", "m")):
            _check_shape(
                f"QP.{matrix}", getattr(self, matrix), ((rows, None), ("n", n))
            )
            size = getattr(self, matrix).shape[-2]
            _check_shape(f"QP.{vector}", getattr(self, vector), ((rows, size),))
        _ = self.batch

    def _fill(self, matrix: str, vector: str) -> None:
        given = (getattr(self, matrix) is None, getattr(self, vector) is None)
        if all(given):
            object.__setattr__(self, matrix, self.P[..., :0, :])
            object.__setattr__(self, vector, self.q[..., :0])
        elif any(given):
            missing, present = (matrix, vector) if given[0] else (vector, matrix)
            msg = f"QP.{missing}: expected an array because QP.{present} is given, got None"
            raise TypeError(msg)

    @property
    def fields(self) -> tuple[Any, ...]:
        """The six arrays (P, q, A, b, G, h)."""
        return self.P, self.q, self.A, self.b, self.G, self.h

    @property
    def n(self) -> int:
        return int(self.q.shape[-1])

    @property
    def p(self) -> int:
        return int(self.b.shape[-1])

    @property
    def m(self) -> int:
        return int(self.h.shape[-1])

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch shape that the fields broadcast to."""
        ranks = (2, 1, 2, 1, 2, 1)
        return _broadcast(
            [
                (f"QP.{name}", tuple(v.shape[: len(v.shape) - rank]))
                for name, v, rank in zip("PqAbGh", self.fields, ranks, strict=True)
            ]
        )

    def map(self, f: Callable[[Any], Any]) -> QP:
        """The problem with f applied to every field."""
        return QP(*map(f, self.fields))


@dataclass(frozen=True, eq=False)
class QPSolution:
    """What a solver found: L = ½xᵀPx + qᵀx + nuᵀ(Ax − b) + lamᵀ(Gx − h), slack = h − Gx."""

    x: Float[Any, "*batch n"]
    nu: Float[Any, "*batch p"]
    lam: Float[Any, "*batch m"]
    slack: Float[Any, "*batch m"]
    value: Any
    status: Any


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


@dataclass(frozen=True, eq=False)
class ConeProgram:
    """Minimise ½xᵀPx + qᵀx subject to Ax + s = b, s ∈ K; batch axes as in QP."""

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
            _check_array(name, value)
            _check_alike(name, value, "ConeProgram.P", self.P)
        n, m = self.q.shape[-1], self.K.rows
        cores = ((("n", n), ("n", n)), (("n", n),), (("m", m), ("n", n)), (("m", m),))
        for (name, value), core in zip(named, cores, strict=True):
            _check_shape(name, value, core)
        _ = self.batch

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch shape that the fields broadcast to."""
        ranks = {"P": 2, "q": 1, "A": 2, "b": 1}
        return _broadcast(
            [
                (
                    f"ConeProgram.{k}",
                    tuple(getattr(self, k).shape[: getattr(self, k).ndim - r]),
                )
                for k, r in ranks.items()
            ]
        )


@dataclass(frozen=True, eq=False)
class ConeSolution:
    """What a cone solver found: the primal x, the dual y and the slack s."""

    x: Float[Any, "*batch n"]
    y: Float[Any, "*batch m"]
    s: Float[Any, "*batch m"]
    value: Any
    status: Any


@dataclass(frozen=True, eq=False)
class Regularity:
    """How far each instance is from losing its derivative.

    strict_complementarity: least max(multiplier, slack) over the rows; licq: least
    singular value of the rows that touch; curvature: least eigenvalue of P on the null
    space of the active rows; condition: of the KKT matrix.  Rows have norm one.
    """

    strict_complementarity: Any
    licq: Any
    curvature: Any
    condition: Any

    @property
    def differentiable(self) -> Any:
        """Whether all three margins are met (theorem kkt-nonsingular)."""
        return (
            (self.strict_complementarity > STRICT_MARGIN)
            & (self.licq > LICQ_MARGIN)
            & (self.curvature > CURVATURE_MARGIN)
        )
