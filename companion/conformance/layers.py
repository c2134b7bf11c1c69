"""What the suite asks of a layer and what it gets back, in arrays.

Chapter: conformance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Fields = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Answer:
    """The solution of a problem or a batch, and the gradients of sum(seed * x).

    x has the batch axes that the layer gave it.  status holds "solved", "infeasible",
    "unbounded" or "failed" for every instance, differentiable whether the layer vouches
    for the derivative there; None where a layer does not say, as with multipliers: nu
    and lam of a quadratic program, y and s of a cone program.
    """

    x: np.ndarray
    grads: dict[str, np.ndarray] = field(default_factory=dict)
    nu: np.ndarray | None = None
    lam: np.ndarray | None = None
    y: np.ndarray | None = None
    s: np.ndarray | None = None
    status: list[str] | None = None
    differentiable: list[bool] | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer under test: `call(fields, seed)` solves, and differentiates if asked.

    A layer for cones is called with a `ConeProgram` in place of the fields.  lacks:
    what it does not claim to accept, each with the reason.  source: the text of the
    function that adapts it, for reproductions.  smoothed: `smoothed(fields, seed, mu)`,
    if the layer offers to solve and differentiate a problem that is smoothed by mu.
    """

    name: str
    call: Callable[[Any, np.ndarray | None], Answer]
    version: str = ""
    lacks: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    smoothed: Callable[[Fields, np.ndarray | None, float], Answer] | None = None
