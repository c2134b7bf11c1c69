"""Six ways to differentiate one quadratic program, behind one argument.

`layer(problem, route=...)` takes a name of ROUTES, or the settings of a route:
`routes.Perturbed(temperature=0.1)`.  Every route returns (x, nu, lam) and passes
gradients to all six fields; they differ in what they need, in what they cost and in
how wrong they are.

Chapter: differentiation-routes.md. Theorems: full-and-reduced-agree,
unrolled-projected, alternating-derivative, perturbation-limit, smoothed-adjoint.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from companion.layers.qp import adjoint
from companion.layers.qp.engines import Run
from companion.layers.qp.routes import (
    alternating,
    full_kkt,
    perturbed,
    smoothed,
    unrolled,
)
from companion.layers.qp.routes.alternating import Alternating
from companion.layers.qp.routes.full_kkt import FullKKT
from companion.layers.qp.routes.perturbed import Perturbed
from companion.layers.qp.routes.route import Data, DerivativeError, Implicit, Trace
from companion.layers.qp.routes.smoothed import Smoothed
from companion.layers.qp.routes.unrolled import Unrolled
from companion.problems import Status

__all__ = [
    "ROUTES",
    "Alternating",
    "DerivativeError",
    "FullKKT",
    "Perturbed",
    "Smoothed",
    "Unrolled",
    "differentiate",
]

ROUTES = {
    "active_set": None,
    "full_kkt": FullKKT(),
    "unrolled": Unrolled(),
    "alternating": Alternating(),
    "perturbed": Perturbed(),
    "smoothed": Smoothed(),
}
MODULES = {
    FullKKT: full_kkt,
    Alternating: alternating,
    Perturbed: perturbed,
    Smoothed: smoothed,
}
Outputs = tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]


def differentiate(
    route: Any, run: Run, guess: Tensor | None, data: tuple[Tensor, ...]
) -> Outputs:
    """(x, nu, lam, status, info) of a batch, to be differentiated by the route.

    Raises
    ------
    ValueError
        For a route that is not known, or whose needs the data do not meet.
    """
    settings = ROUTES.get(route, route) if isinstance(route, str) else route
    if settings is None:
        x, y, status, *_ = adjoint.solution(run, guess, data)
        p = data[3].shape[-1]
        info = {"engine": run.used, "iterations": run.iterations}
        return x, y[..., :p], y[..., p:], status, info
    # expanded outside of the autograd function: autograd sums what the batch shares
    size = max(map(len, data))
    full = Data(*(v.expand(size, *v.shape[1:]) for v in data))
    trace = Trace(run, settings, {"route": settings})
    if isinstance(settings, Unrolled):
        x, nu, lam, status = unrolled.solve(settings, trace, full)
    elif type(settings) in MODULES:
        module = MODULES[type(settings)]
        x, nu, lam, status = Implicit.apply(module, trace, *full)
    else:
        msg = f"route: expected one of {', '.join(ROUTES)} or settings, got {route!r}"
        raise ValueError(msg)
    run.status, run.failed = status, bool((status != Status.SOLVED).any())
    return x, nu, lam, status, trace.info
