"""The layers that can be tested: ours, and those of others where they are installed.

An adapter takes (P, q, A, b, G, h) as torch tensors, with or without a leading batch
axis, and gives a dictionary: x, and where the layer has them nu, lam and status.  Each
is written to be pasted, so it imports what it needs and uses nothing from here.

Chapter: conformance.md.
"""

# pyright: reportMissingImports=false
# peers are optional

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import companion
from companion.conformance.cases import FIELDS
from companion.conformance.layers import Answer, Fields, Layer
from companion.conformance.source import text

Adapter = Callable[..., dict[str, Any]]


def ours(P, q, A, b, G, h, engine="auto", smoothing=0.0):  # noqa: PLR0913 - and how
    """An engine of this book."""
    from companion.layers import qp
    from companion.problems import QP

    problem = QP(P, q, A, b, G, h)
    sol = qp.solve(problem, engine=engine, smoothing=smoothing)
    kinds = ["solved", "infeasible", "unbounded", "failed", "failed"]
    return {
        "x": sol.x,
        "nu": sol.nu,
        "lam": sol.lam,
        "status": [kinds[int(s)] for s in sol.status.reshape(-1)],
        "differentiable": None
        if smoothing
        else qp.regularity(problem, sol).differentiable,
    }


def qpth(P, q, A, b, G, h):
    """OptNet's package; an absent constraint is an empty tensor there."""
    from qpth.qp import QPFunction
    from torch import Tensor

    A, b = (A, b) if b.shape[-1] else (Tensor(), Tensor())
    G, h = (G, h) if h.shape[-1] else (Tensor(), Tensor())
    x = QPFunction(verbose=-1)(P, q, G, h, A, b)
    return {"x": x}


def proxsuite(P, q, A, b, G, h):
    """ProxQP's layer, whose inequalities have two sides; its backward made precise."""
    import torch
    from proxsuite.torch.qplayer import QPFunction

    if all(v.dim() == k for v, k in ((P, 2), (q, 1), (A, 2), (b, 1), (G, 2), (h, 1))):
        P, q, A, b, G, h = (v.unsqueeze(0) for v in (P, q, A, b, G, h))
    low = torch.full_like(h, -1e20)
    solve = QPFunction(rho_backward=1e-9, mu_backward=1e-9)
    x, nu, lam = solve(P, q, A, b, G, low, h)
    return {"x": x, "nu": nu, "lam": lam}


def dqp(P, q, A, b, G, h):
    """The layer of dQP on DAQP; it wants every field batched, or none."""
    from dqp import dQP

    fields = ((P, 3), (q, 2), (A, 3), (b, 2), (G, 3), (h, 2))
    sizes = [v.shape[0] for v, k in fields if v.dim() == k]
    if sizes:
        P, A, G = (v.expand(sizes[0], *v.shape[-2:]) for v in (P, A, G))
        q, b, h = (v.expand(sizes[0], v.shape[-1]) for v in (q, b, h))
    rows = (A, b) if b.shape[-1] else ()
    layer = dQP.dQP_layer(dQP.build_settings(qp_solver="daqp", eps_abs=1e-9))
    x, _, lam, _, _ = layer(P, q, G, h, *rows)
    return {"x": x, "lam": lam}


def moreau(P, q, A, b, G, h, smoothing=0.0):  # noqa: PLR0913 - the fields, and how
    """The cone solver's layer: one matrix, equalities first, patterns given as CSR."""
    import math

    import torch
    from moreau import ActiveSetSettings, Cones, Settings
    from moreau.torch import Solver

    n, p, m = q.shape[-1], b.shape[-1], h.shape[-1]
    lead = torch.broadcast_shapes(A.shape[:-2], G.shape[:-2])
    rows = torch.cat([A.expand(*lead, p, n), G.expand(*lead, m, n)], -2)
    lead = torch.broadcast_shapes(b.shape[:-1], h.shape[:-1])
    limits = torch.cat([b.expand(*lead, p), h.expand(*lead, m)], -1)
    lead = torch.broadcast_shapes(
        P.shape[:-2], q.shape[:-1], rows.shape[:-2], limits.shape[:-1]
    )
    q, limits = q.expand(*lead, n), limits.expand(*lead, p + m)
    if P.dim() != rows.dim():  # both are shared, or neither
        P, rows = P.expand(*lead, n, n), rows.expand(*lead, p + m, n)
    smooth = {"diff_method": "smoothed", "diff_smoothing_mu": smoothing}
    settings = Settings(
        device="cpu",
        batch_size=math.prod(lead),
        active_set_settings=ActiveSetSettings(**(smooth if smoothing else {})),
    )
    solver = Solver(
        n,
        p + m,
        torch.arange(n + 1) * n,
        torch.arange(n).repeat(n),
        torch.arange(p + m + 1) * n,
        torch.arange(n).repeat(p + m),
        Cones(num_zero_cones=p, num_nonneg_cones=m),
        settings,
    )
    sol = solver.solve(P.flatten(-2), rows.flatten(-2), q, limits)
    names = solver.info.status
    names = [str(s) for s in (names if isinstance(names, list) else [names])]
    words = {"PrimalInfeasible": "infeasible", "DualInfeasible": "unbounded"}
    words["Solved"] = "solved"
    status = [words.get(name, "failed") for name in names]
    return {"x": sol.x, "nu": sol.z[..., :p], "lam": sol.z[..., p:], "status": status}


def cvxpylayers(P, q, A, b, G, h):
    """A CVXPY problem; P enters through its root, which the grammar asks for."""
    import cvxpy as cp
    import torch
    from cvxpylayers.torch import CvxpyLayer

    x = cp.Variable(q.shape[-1])
    values, rows = [q], []
    c = cp.Parameter(q.shape[-1])
    cost, fields = c @ x, [c]
    if P.any():
        values.append(torch.linalg.cholesky(P).mT)
        fields.append(cp.Parameter(P.shape[-2:]))
        cost = cost + 0.5 * cp.sum_squares(fields[-1] @ x)
    for matrix, limit, equal in ((A, b, True), (G, h, False)):
        if limit.shape[-1]:
            M, v = cp.Parameter(matrix.shape[-2:]), cp.Parameter(limit.shape[-1])
            rows.append(M @ x == v if equal else M @ x <= v)
            values, fields = [*values, matrix, limit], [*fields, M, v]
    layer = CvxpyLayer(cp.Problem(cp.Minimize(cost), rows), fields, [x])
    precise = {"eps": 1e-10, "max_iters": 100_000}
    return {"x": layer(*values, solver_args=precise)[0]}


OURS = ("active_set", "interior_point")
SMOOTHED = ("interior_point", "moreau")  # those that take `smoothing`
DEFINITE = "it asks for a positive definite P"
BACKWARD = "it smooths the derivative alone"
ROOT = "a parametric P enters through its Cholesky factor"
# adapter, distributions whose versions are recorded, and what it does not claim
KNOWN: dict[str, tuple[Adapter, tuple[str, ...], dict[str, str]]] = {
    **{name: (partial(ours, engine=name), (), {}) for name in OURS},
    "qpth": (qpth, ("qpth",), {"semidefinite P": DEFINITE}),
    "proxsuite": (proxsuite, ("proxsuite",), {}),
    "dqp": (dqp, ("libdqp", "qpsolvers", "daqp"), {"semidefinite P": DEFINITE}),
    "moreau": (moreau, ("moreau",), {"smoothed on the central path": BACKWARD}),
    "cvxpylayers": (
        cvxpylayers,
        ("cvxpylayers", "cvxpy", "diffcp", "scs"),
        {"semidefinite P": ROOT},
    ),
}


def layer(name: str) -> Layer:
    """The layer of this name; ModuleNotFoundError if it is not installed."""
    adapter, parts, lacks = KNOWN[name]
    versions = {part: importlib.metadata.version(part) for part in parts}
    first = next(iter(versions.values()), companion.__version__)
    call = partial(answer, adapter)
    smoothed = partial(smooth, adapter) if name in SMOOTHED else None
    source = text(name, adapter)
    return Layer(name, call, first, lacks, source, versions, smoothed)


def smooth(
    adapter: Adapter, fields: Fields, seed: np.ndarray | None, mu: float
) -> Answer:
    """The layer's answer to the problem that is smoothed by mu."""
    return answer(partial(adapter, smoothing=mu), fields, seed)


def answer(adapter: Adapter, fields: Fields, seed: np.ndarray | None) -> Answer:
    """Solve and, if there is a seed, differentiate sum(seed * x).

    What a peer prints or warns of is not shown: the outcome is what counts here.  A
    gradient that autograd does not find is zero.
    """
    leaves = [torch.from_numpy(np.ascontiguousarray(fields[name])) for name in FIELDS]
    with quiet():
        for leaf in leaves:
            leaf.requires_grad_(seed is not None)
        found = adapter(*leaves)
        x = found["x"]
        grads: dict[str, np.ndarray] = {}
        if seed is not None:
            weight = torch.from_numpy(np.array(seed)).to(x.dtype).reshape(x.shape)
            slopes = torch.autograd.grad(x, leaves, weight, allow_unused=True)
            pairs = zip(FIELDS, slopes, leaves, strict=True)
            grads = {
                name: array(torch.zeros_like(leaf) if slope is None else slope)
                for name, slope, leaf in pairs
            }
    verdict = found.get("differentiable")
    return Answer(
        x=array(x),
        grads=grads,
        nu=array(found["nu"]) if "nu" in found else None,
        lam=array(found["lam"]) if "lam" in found else None,
        status=found.get("status"),
        differentiable=None if verdict is None else verdict.reshape(-1).tolist(),
    )


def array(value: Tensor) -> np.ndarray:
    """A tensor as an array."""
    return value.detach().cpu().numpy()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and nothing printed by Python code."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
