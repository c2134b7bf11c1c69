"""One call of the layer: what is asked of an engine, and what it leaves behind.

Chapter: optnet.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from companion.problems import Certificate


@dataclass(frozen=True, eq=False)
class Kink:
    """A choice at a kink; a direction has six full fields with one batch axis."""

    choice: str
    direction: tuple[Tensor, ...] | None = None


@dataclass(eq=False)
class Run:
    """What a call asks of an engine, and what the engine leaves behind.

    `eps` is the rounding of the caller's dtype, in which P has to be symmetric;
    `smoothing` the product slack·lam of every row, zero for the solution itself.
    `failed` says that an instance has no solution, `complete` that the compiled engine
    found all, `weak` that a row is weakly active and somebody asked; these are facts
    even where the tensors are mapped or traced.  `adjoint` makes gradients of factors.
    """

    engine: str
    eps: float
    batch: tuple[int, ...]
    keep: bool = False
    smoothing: float = 0.0
    kink: Kink | None = None
    used: str = ""
    failed: bool = False
    complete: bool = True
    weak: bool = False
    structure: Any = None
    status: Tensor | None = None
    iterations: Tensor | None = None
    factors: tuple[Tensor, ...] = ()
    adjoint: Any = None
    certificate: Certificate | None = None
    rays: dict[int, Any] = field(default_factory=dict)

    def fresh(self) -> Run:
        """The same request, nothing left yet."""
        asked = self.engine, self.eps, self.batch, self.keep, self.smoothing, self.kink
        return Run(*asked)

    def take(self) -> tuple[Tensor, ...]:
        """The factors, for autograd to hold: here they would outlive the graph."""
        factors, self.factors = self.factors, ()
        return factors

    def map(self, size: int) -> None:
        """Give what the engine left an axis in front, of what vmap has mapped."""

        def split(v: Tensor | None, axis: int) -> Tensor | None:
            return None if v is None else v.unflatten(axis, (size, -1 if size else 0))

        self.status, self.iterations = (
            split(self.status, -1),
            split(self.iterations, -1),
        )
        if self.certificate is not None:
            self.certificate = self.certificate.map(lambda v: split(v, -2))
