"""Layers for cone programs; gradients in q, in A on its pattern, and in b."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from companion.problems import ConeProgram, Cones
from tests.benchmarks.cone_problems import Programs
from tests.benchmarks.family import OURS, Contestant, Gradients, Task


def ours(data: Programs) -> Task:
    """Our layer, P zero."""
    cone_program = importlib.import_module("companion.layers.cone_program")
    P = torch.zeros(data.q.shape[1], data.q.shape[1], dtype=data.q.dtype)

    def forward(q: Tensor, A: Tensor, b: Tensor) -> Tensor:
        return cone_program.layer(ConeProgram(P, q, A, b, data.K))

    def gradients(grads: Sequence[Tensor | None]) -> Gradients:
        dq, dA, db = grads
        return [dq, None if dA is None else dA[:, *data.places], db]

    return Task([data.q, data.A, data.b], forward, gradients)


class Conic(torch.autograd.Function):
    """Solutions x by diffcp, whose adjoint maps are what backward applies."""

    @staticmethod
    def forward(ctx, data, options, q, values, b):
        module = importlib.import_module("diffcp")
        shape, places = data.mask.shape, data.places
        matrices = [
            sparse.csc_matrix((v, places), shape) for v in values.detach().numpy()
        ]
        size = len(q)
        found = module.solve_and_derivative_batch(
            matrices, list(b.detach().numpy()), list(q.detach().numpy()),
            [_diffcp_cones(data.K)] * size, n_jobs_forward=1, n_jobs_backward=1,
            **options,
        )  # fmt: skip
        xs, _, _, _, ctx.adjoint = found
        ctx.places, ctx.rows = places, shape[0]
        return torch.from_numpy(np.array(xs))

    @staticmethod
    def backward(ctx, *grads):
        (gx,) = grads
        none = [np.zeros(ctx.rows)] * len(gx)
        dA, db, dq = ctx.adjoint(list(gx.numpy()), none, none)
        values = np.array([np.asarray(M.tocsr()[ctx.places]).ravel() for M in dA])
        vectors = (torch.from_numpy(np.array(v)) for v in (dq, values, db))
        return None, None, *vectors


def _diffcp_cones(K: Cones) -> dict[str, Any]:
    named = {
        "z": K.zero,
        "l": K.nonneg,
        "q": list(K.soc),
        "s": list(K.psd),
        "ep": K.exp,
    }
    return {name: value for name, value in named.items() if value}


def diffcp(options: dict[str, Any], data: Programs) -> Task:
    """The package behind cvxpylayers' default, without a model around it."""

    def forward(q: Tensor, values: Tensor, b: Tensor) -> Tensor:
        return Conic.apply(data, options, q, values, b)

    return Task([data.q, data.values, data.b], forward)


def upper_order(K: Cones) -> np.ndarray:
    """Our rows in the order of upper triangles, column by column."""
    order = np.arange(K.rows)
    place = K.zero + K.nonneg + sum(K.soc)
    for side in K.psd:
        columns, rows = np.triu_indices(side)  # of the lower triangle
        by_rows = np.lexsort((columns, rows))
        order[place : place + len(rows)] = place + by_rows
        place += len(rows)
    return order


def moreau(options: dict[str, float], data: Programs) -> Task:
    """The interior point of moreau; triangles are the upper ones there."""
    module, K = importlib.import_module("moreau"), data.K
    solver = importlib.import_module("moreau.torch").Solver
    order = upper_order(K)
    mask = data.mask[order]
    m, n = mask.shape
    place = np.zeros((m, n), int)
    place[data.places] = np.arange(len(data.places[0]))
    entries = torch.from_numpy(place[order][mask])
    rows = torch.from_numpy(order)
    offsets = np.concatenate([[0], mask.sum(1).cumsum()])
    cones = module.Cones(
        num_zero_cones=K.zero, num_nonneg_cones=K.nonneg, so_cone_dims=list(K.soc),
        psd_dims=list(K.psd), num_exp_cones=K.exp,
    )  # fmt: skip
    settings = module.Settings(
        batch_size=len(data.q), ipm_settings=module.IPMSettings(**options)
    )
    work = solver(
        n=n, m=m, cones=cones, settings=settings,
        P_row_offsets=torch.zeros(n + 1, dtype=torch.int32),
        P_col_indices=torch.zeros(0, dtype=torch.int32),
        A_row_offsets=torch.from_numpy(offsets).int(),
        A_col_indices=torch.from_numpy(np.nonzero(mask)[1]).int(),
    )  # fmt: skip
    none = torch.zeros(len(data.q), 0, dtype=data.q.dtype)

    def forward(q: Tensor, values: Tensor, b: Tensor) -> Tensor:
        return work.solve(none, values[:, entries], q, b[:, rows]).x

    return Task([data.q, data.values, data.b], forward)


class Solution(torch.autograd.Function):
    """x by a solver that has no gradients."""

    @staticmethod
    def forward(_ctx, solve, *data):
        """Every instance, one after another."""
        rows = zip(*data, strict=True)
        return torch.from_numpy(np.array([solve(*row) for row in rows]))

    @staticmethod
    def backward(_ctx, *_grads):
        """None."""
        return (None,) * 4


def clarabel(data: Programs) -> Task:
    """The solver alone, set as it comes: its set-up and its solve, no layer."""
    module, K = importlib.import_module("clarabel"), data.K
    settings = module.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    order = upper_order(K)
    mask = data.mask[order]
    place = np.zeros(mask.shape, int)
    place[data.places] = np.arange(len(data.places[0]))
    # the order of the entries by columns, and their rows
    columns, rows = np.nonzero(mask.T)
    entries = place[order][rows, columns]
    starts = np.concatenate([[0], mask.sum(0).cumsum()])
    n = mask.shape[1]
    none = sparse.csc_matrix((n, n))
    cones = [module.ZeroConeT(K.zero)] if K.zero else []
    cones += [module.NonnegativeConeT(K.nonneg)] if K.nonneg else []
    cones += [module.SecondOrderConeT(k) for k in K.soc]
    cones += [module.PSDTriangleConeT(k) for k in K.psd]
    cones += [module.ExponentialConeT()] * K.exp

    def solve(q: Tensor, values: Tensor, b: Tensor) -> list[float]:
        parts = (values.numpy()[entries], rows, starts)
        A = sparse.csc_matrix(parts, mask.shape)
        program = (none, q.numpy(), A, b.numpy()[order], cones, settings)
        return module.DefaultSolver(*program).solve().x

    def forward(q: Tensor, values: Tensor, b: Tensor) -> Tensor:
        return Solution.apply(solve, q, values, b)

    return Task([data.q, data.values, data.b], forward)


class Adjoint(torch.autograd.Function):
    """A solution that is there, with the gradients of the layer that found it."""

    @staticmethod
    def forward(ctx, x, known, *_leaves):
        """Nothing is solved."""
        ctx.x, ctx.known = x, known
        return x.detach().clone()

    @staticmethod
    def backward(ctx, *grads):
        """What the layer's own backward pass finds."""
        found = torch.autograd.grad(ctx.x, ctx.known, grads, retain_graph=True)
        return None, None, *found


def adjoint(prepare: Callable[[Programs], Task], data: Programs) -> Task:
    """The backward pass of a contestant alone, from its own solution."""
    task = prepare(data)
    known = [v.clone().requires_grad_() for v in task.leaves]
    x = task.forward(*known)

    def forward(*leaves: Tensor) -> Tensor:
        return Adjoint.apply(x, known, *leaves)

    return Task(task.leaves, forward, task.gradients)


DENSE = {"mode": "dense", "eps_abs": 1e-8, "eps_rel": 1e-8}
PRECISE = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
CLARABEL = {"mode": "dense", "solve_method": "Clarabel"}
CONTESTANTS = {
    OURS: Contestant("companion.layers.cone_program", ours),
    "diffcp": Contestant("diffcp", partial(diffcp, {})),
    "diffcp, dense": Contestant("diffcp", partial(diffcp, DENSE)),
    "diffcp, clarabel": Contestant("diffcp", partial(diffcp, CLARABEL)),
    "moreau": Contestant("moreau", partial(moreau, {})),
    "moreau, 1e-10": Contestant("moreau", partial(moreau, PRECISE)),
}
SOLVER = "clarabel, no gradient"
ADJOINTS = {
    name: Contestant(one.module, partial(adjoint, one.prepare))
    for name, one in CONTESTANTS.items()
}
WITH_SOLVER = {**CONTESTANTS, SOLVER: Contestant("clarabel", clarabel)}
