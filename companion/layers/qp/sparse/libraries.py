"""Forward solves by libraries: PIQP where it is installed, then Clarabel.

Chapter: optnet.md. Theorems: qp-optimality.
Source: goulart2024clarabel.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from companion.layers.qp.sparse.data import Data, Point, stacked, upper
from companion.problems import Status

ACCURACY = 1e-9  # asked of a library; coarser, active rows are mistaken
FINE = 1e-13  # asked where the active rows could not be confirmed


class Answer(NamedTuple):
    """What a library says, to be verified; a ray where it says infeasible."""

    point: Point
    slack: np.ndarray
    status: Status
    iterations: int


@cache
def installed() -> tuple[str, ...]:
    """The libraries that can be imported, in the order in which they are tried."""
    names = ("piqp", "clarabel")
    return tuple(n for n in names if importlib.util.find_spec(n) is not None)


def call(name: str, data: Data, accuracy: float = ACCURACY) -> Answer:
    """The answer of one library."""
    run: dict[str, Callable[[Any, Data, float], Answer]] = {
        "piqp": _piqp,
        "clarabel": _clarabel,
    }
    return run[name](importlib.import_module(name), data, accuracy)


def _clarabel(library: Any, data: Data, accuracy: float) -> Answer:
    settings = library.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.presolve_enable = False  # it drops rows, and with them their multipliers
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = accuracy
    p, m = len(data.b), len(data.h)
    result = library.DefaultSolver(
        upper(data.P),
        data.q,
        stacked(data.A, data.G).tocsc(),
        np.concatenate([data.b, data.h]),
        [library.ZeroConeT(p), library.NonnegativeConeT(m)],
        settings,
    ).solve()
    z, s = np.array(result.z), np.array(result.s)
    status = _STATUSES.get(str(result.status), Status.NUMERICAL_ERROR)
    lam = z[p:]
    if status == Status.PRIMAL_INFEASIBLE:
        lam = np.maximum(lam, 0)  # the ray that is verified is this one
    point = Point(np.array(result.x), z[:p], lam)
    return Answer(point, s[p:], status, int(result.iterations))


_STATUSES = {
    "Solved": Status.SOLVED,
    "AlmostSolved": Status.SOLVED,
    "PrimalInfeasible": Status.PRIMAL_INFEASIBLE,
    "AlmostPrimalInfeasible": Status.PRIMAL_INFEASIBLE,
    "DualInfeasible": Status.DUAL_INFEASIBLE,
    "AlmostDualInfeasible": Status.DUAL_INFEASIBLE,
    "MaxIterations": Status.MAX_ITERATIONS,
}


def _piqp(library: Any, data: Data, accuracy: float) -> Answer:
    solver = library.SparseSolver()
    options = solver.settings
    options.verbose = False
    options.eps_abs = options.eps_rel = accuracy
    options.eps_duality_gap_abs = options.eps_duality_gap_rel = accuracy
    P, A, G = (M.tocsc() for M in (data.P, data.A, data.G))
    solver.setup(P, data.q, A, data.b, G, None, data.h)
    code = solver.solve()
    r = solver.result
    solved = code == library.PIQP_SOLVED
    limit = code == library.PIQP_MAX_ITER_REACHED
    failed = Status.MAX_ITERATIONS if limit else Status.NUMERICAL_ERROR
    point = Point(*(np.array(v) for v in (r.x, r.y, r.z_u)))
    status = Status.SOLVED if solved else failed
    return Answer(point, np.array(r.s_u), status, int(r.info.iter))
