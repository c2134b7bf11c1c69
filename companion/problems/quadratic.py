"""Quadratic programs and their solutions.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float

from companion.problems.structure import (
    broadcast,
    check_alike,
    check_array,
    check_shape,
    common_batch,
)

RANKS = (2, 1, 2, 1, 2, 1)  # axes of each field beside those of the batch


@dataclass(frozen=True, eq=False)
class QP:
    """Minimize ½xᵀPx + qᵀx over x subject to Ax = b and Gx ≤ h.

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
        check_array("QP.P", self.P)
        check_array("QP.q", self.q)
        for matrix, vector in (("A", "b"), ("G", "h")):
            self._fill(matrix, vector)
        batch = common_batch(self.fields, RANKS)
        object.__setattr__(self, "_batch", self._check() if batch is None else batch)

    def _check(self) -> tuple[int, ...]:
        """Look at every field in turn; the batch shape, or an error that names one."""
        n = self._check_objective()
        for name, value in zip("qAbGh", self.fields[1:], strict=True):
            check_array(f"QP.{name}", value)
            check_alike(f"QP.{name}", value, "QP.P", self.P)
        for matrix, vector, rows in (("A", "b", "p"), ("G", "h", "m")):
            check_shape(f"QP.{matrix}", getattr(self, matrix), ((rows, None), ("n", n)))
            size = getattr(self, matrix).shape[-2]
            check_shape(f"QP.{vector}", getattr(self, vector), ((rows, size),))
        return broadcast(
            [
                (f"QP.{name}", tuple(v.shape[: len(v.shape) - rank]))
                for name, v, rank in zip("PqAbGh", self.fields, RANKS, strict=True)
            ]
        )

    def _check_objective(self) -> int:
        """Look at P and q; the number of variables."""
        check_shape("QP.q", self.q, (("n", None),))
        n = self.q.shape[-1]
        check_shape("QP.P", self.P, (("n", n), ("n", n)))
        return n

    def _fill(self, matrix: str, vector: str) -> None:
        given = (getattr(self, matrix) is None, getattr(self, vector) is None)
        if all(given):
            self._check_objective()
            # made of q: a sparse P has no views
            object.__setattr__(self, matrix, self.q[..., None, :][..., :0, :])
            object.__setattr__(self, vector, self.q[..., :0])
        elif any(given):
            missing, present = (matrix, vector) if given[0] else (vector, matrix)
            msg = f"QP.{missing}: expected an array because QP.{present} is given"
            raise TypeError(f"{msg}, got None")

    @property
    def fields(self) -> tuple[Any, ...]:
        """The six arrays (P, q, A, b, G, h)."""
        return self.P, self.q, self.A, self.b, self.G, self.h

    @property
    def n(self) -> int:
        """Number of variables."""
        return int(self.q.shape[-1])

    @property
    def p(self) -> int:
        """Number of equalities."""
        return int(self.b.shape[-1])

    @property
    def m(self) -> int:
        """Number of inequalities."""
        return int(self.h.shape[-1])

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch shape that the fields broadcast to."""
        return self._batch  # type: ignore[attr-defined] - set when it was built

    def map(self, f: Callable[[Any], Any]) -> QP:
        """The problem with f applied to every field."""
        return QP(*map(f, self.fields))


@dataclass(frozen=True, eq=False)
class Certificate:
    """Why there is no solution: a Farkas ray (nu, lam), or a recession direction d.

    Aᵀnu + Gᵀlam = 0, lam ≥ 0, bᵀnu + hᵀlam < 0 where the constraints contradict each
    other; Pd = 0, Ad = 0, Gd ≤ 0, qᵀd < 0 where the objective falls for ever.  NaN
    where an instance needs none.
    """

    nu: Float[Any, "*batch p"]
    lam: Float[Any, "*batch m"]
    d: Float[Any, "*batch n"]

    def map(self, f: Callable[[Any], Any]) -> Certificate:
        """The certificate with f applied to every part."""
        return Certificate(f(self.nu), f(self.lam), f(self.d))


@dataclass(frozen=True, eq=False)
class QPSolution:
    """What a solver found; slack = h − Gx.

    The multipliers are those of L = ½xᵀPx + qᵀx + nuᵀ(Ax − b) + lamᵀ(Gx − h).  `info`
    says how: the engine that was used and its iterations, where there is a choice.
    `certificate` says why there is none, if an instance has no solution.
    """

    x: Float[Any, "*batch n"]
    nu: Float[Any, "*batch p"]
    lam: Float[Any, "*batch m"]
    slack: Float[Any, "*batch m"]
    value: Any
    status: Any
    info: Any = None
    certificate: Certificate | None = None
