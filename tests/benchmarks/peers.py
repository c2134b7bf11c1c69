"""Peers as functions of (P, q, A, b, G, h), at the best settings that they document.

Each is imported when it is first called, in a process of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from companion.layers import qp
from companion.problems import QP
from tests.benchmarks.family import OURS, Contestant, Gradients, Task
from tests.benchmarks.problems import Fields
from tests.benchmarks.reference import lined

Layer = Callable[..., Tensor]
FAR = 1e20  # where there is no lower bound


def companion(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """Ours."""
    return qp.layer(QP(P, q, A, b, G, h))


def batched(q: Tensor, *fields: Tensor) -> list[Tensor]:
    """Fields with the batch axis of q, for peers that do not broadcast or sum right."""
    ranks = (2, 2, 1, 2, 1)
    return [
        v if v.dim() > r else v.expand(len(q), *v.shape)
        for v, r in zip(fields, ranks, strict=True)
    ]


def qpth_shared(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """OptNet's own package, given shared matrices as they are."""
    none = torch.empty(0, dtype=q.dtype)
    solve = importlib.import_module("qpth.qp").QPFunction(verbose=-1)
    return solve(P, q, G, h, *((A, b) if b.shape[-1] else (none, none)))


def qpth(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """OptNet's own package; it averages shared gradients, hence expanded fields."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    return qpth_shared(P, q, A, b, G, h)


def proxsuite(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """QPLayer of proxsuite; it wants lower bounds too."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    layer = importlib.import_module("proxsuite.torch.qplayer").QPFunction
    return layer(structural_feasibility=True)(P, q, A, b, G, h * 0 - FAR, h)[0]


@cache
def dqp_layer(kind: str, solver: str) -> Any:
    """The layer of libdqp on a solver of its choice."""
    module = importlib.import_module("dqp.dQP")
    solve = {"dense": "scipy LU", "sparse": "scipy SPLU"}[kind]
    precise = {} if solver == "daqp" else {"eps_abs": 1e-9, "eps_active": 1e-7}
    settings = module.build_settings(
        solve_type=kind, qp_solver=solver, lin_solver=solve, **precise
    )
    return module.dQP_layer(settings=settings)


def dqp(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """DQP around DAQP; a batch of one has to come without its axis."""
    P, A, b, G, h = batched(q, P, A, b, G, h)
    layer, rows = dqp_layer("dense", "daqp"), (A, b) if b.shape[-1] else ()
    if len(q) > 1:
        return layer(P, q, G, h, *rows)[0]
    return layer(*(v[0] for v in (P, q, G, h, *rows)))[0][None]


@cache
def moreau_solver(n: int, p: int, m: int, batch: int) -> Any:
    """A solver for dense data; its active set needs limits of its own."""
    module = importlib.import_module("moreau")
    solver = importlib.import_module("moreau.torch").Solver
    full = [torch.arange(0, n * k + 1, n, dtype=torch.int32) for k in (n, p + m)]
    columns = [torch.arange(n, dtype=torch.int32).repeat(k) for k in (n, p + m)]
    limits = module.ActiveSetSettings()
    return solver(
        n=n, m=p + m, cones=module.Cones(num_zero_cones=p, num_nonneg_cones=m),
        settings=module.Settings(batch_size=batch, active_set_settings=limits),
        P_row_offsets=full[0], P_col_indices=columns[0],
        A_row_offsets=full[1], A_col_indices=columns[1],
    )  # fmt: skip


def moreau(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor):
    """moreau, with P and the rows as dense patterns, shared where all are."""
    if any(v.dim() > 2 for v in (P, A, G)):
        P, A, _, G, _ = batched(q, P, A, b, G, h)
    b, h = (v.expand(len(q), v.shape[-1]) for v in (b, h))
    n, p, m = q.shape[-1], b.shape[-1], h.shape[-1]
    rows, sides = torch.cat([A, G], -2), torch.cat([b, h], -1)
    solver = moreau_solver(n, p, m, len(q))
    return solver.solve(P.flatten(-2), rows.flatten(-2), q, sides).x


@cache
def cvxpy_layer(n: int, p: int, m: int, backend: str) -> Any:
    """A CVXPY model of the QP in a layer, P as itself or through its factor."""
    cp = importlib.import_module("cvxpy")
    x, q = cp.Variable(n), cp.Parameter(n)
    if backend == "MOREAU":  # the other backend does not take this form
        P = cp.Parameter((n, n), PSD=True)
        cost = 0.5 * cp.quad_form(x, P)
    else:
        P = cp.Parameter((n, n))
        cost = 0.5 * cp.sum_squares(P @ x)
    parameters, rows = [P, q], []
    if p:
        A, b = cp.Parameter((p, n)), cp.Parameter(p)
        parameters, rows = [*parameters, A, b], [*rows, A @ x == b]
    if m:
        G, h = cp.Parameter((m, n)), cp.Parameter(m)
        parameters, rows = [*parameters, G, h], [*rows, G @ x <= h]
    problem = cp.Problem(cp.Minimize(cost + q @ x), rows)
    layer = importlib.import_module("cvxpylayers.torch").CvxpyLayer
    return layer(problem, parameters, [x], solver=backend)


def cvxpylayers(backend: str, *fields: Tensor) -> Tensor:
    """Layers of cvxpylayers on one of its backends, with that backend's defaults."""
    P, q, A, b, G, h = fields
    layer = cvxpy_layer(q.shape[-1], b.shape[-1], h.shape[-1], backend)
    P = P if backend == "MOREAU" else torch.linalg.cholesky(P).mT
    given = [*((A, b) if b.shape[-1] else ()), *((G, h) if h.shape[-1] else ())]
    return layer(P, q, *given)[0]


def dense(layer: Layer, data: Fields) -> Task:
    """The fields as they are; built objects are cached, so a first call builds them."""
    return Task(list(data), layer, lambda grads: lined(list(grads)))


def only_q(layer: Layer, data: Fields) -> Task:
    """The same with a gradient in q alone."""

    def gradients(grads: Any) -> Gradients:
        return lined(list(grads))

    return Task(list(data), layer, gradients, untouched=(0, 2, 3, 4, 5))


def cvxpy_dense(backend: str, data: Fields) -> Task:
    """A model compiled before the clock runs."""
    _, q, _, b, _, h = data
    cvxpy_layer(q.shape[-1], b.shape[-1], h.shape[-1], backend)
    return dense(partial(cvxpylayers, backend), data)


def cvxpy_simplex(backend: str, data: Fields) -> Task:
    """The projection onto the simplex as one would write it, q its only parameter."""
    cp = importlib.import_module("cvxpy")
    n = data[1].shape[-1]
    x, q = cp.Variable(n), cp.Parameter(n)
    cost = 0.5 * cp.sum_squares(x) + q @ x
    problem = cp.Problem(cp.Minimize(cost), [cp.sum(x) == 1, x >= 0])
    module = importlib.import_module("cvxpylayers.torch")
    layer = module.CvxpyLayer(problem, [q], [x], solver=backend)

    def gradients(grads: Any) -> Gradients:
        return [None, grads[0], None, None, None, None]

    return Task([data[1]], lambda q: layer(q)[0], gradients)


def simplex(backend: str) -> Contestant:
    """Layers of cvxpylayers on one of its backends, projecting onto the simplex."""
    return Contestant("cvxpylayers", partial(cvxpy_simplex, backend))


def moreau_simplex(data: Fields) -> Task:
    """The same for moreau, which takes bounds on x as a cone of its own."""
    module = importlib.import_module("moreau")
    solver = importlib.import_module("moreau.torch").Solver
    _, q, A, b, _, _ = data
    n, batch = q.shape[-1], len(q)
    bounds = module.DirectConeSpec(kind="nonneg", indices=list(range(n)))
    work = solver(
        n=n, m=1, cones=module.Cones(num_zero_cones=1, dir_cones=[bounds]),
        settings=module.Settings(batch_size=batch),
        P_row_offsets=torch.arange(n + 1, dtype=torch.int32),
        P_col_indices=torch.arange(n, dtype=torch.int32),
        A_row_offsets=torch.tensor([0, n], dtype=torch.int32),
        A_col_indices=torch.arange(n, dtype=torch.int32),
    )  # fmt: skip
    values, rows, side = torch.ones(n).double(), A.flatten(), b.expand(batch, 1)

    def gradients(grads: Any) -> Gradients:
        return [None, grads[0], None, None, None, None]

    return Task([q], lambda q: work.solve(values, rows, q, side).x, gradients)


LAYERS: dict[str, tuple[str, Layer]] = {  # name: module to look for, layer
    OURS: ("companion", companion),
    "qpth": ("qpth", qpth),
    "proxsuite": ("proxsuite", proxsuite),
    "dqp": ("dqp", dqp),
    "moreau": ("moreau", moreau),
}
PLAIN = {name: Contestant(m, partial(dense, f)) for name, (m, f) in LAYERS.items()}
CONTESTANTS = {
    **PLAIN,
    "cvxpylayers": Contestant("cvxpylayers", partial(cvxpy_dense, "DIFFCP")),
    "cvxpylayers, moreau": Contestant("cvxpylayers", partial(cvxpy_dense, "MOREAU")),
}
ONLY_Q = {name: Contestant(m, partial(only_q, f)) for name, (m, f) in LAYERS.items()}
SHARED = Contestant("qpth", partial(dense, qpth_shared))
