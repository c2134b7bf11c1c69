"""Layers for one QP with sparse matrices; gradients are values on the patterns.

Where a layer takes dense matrices only, it gets them, and its gradients are read on the
patterns; where it differentiates vectors only, the matrices are constants.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.layers import qp
from companion.problems import QP
from tests.benchmarks import peers
from tests.benchmarks.family import OURS, Contestant, Gradients, Task
from tests.benchmarks.reference import places, scipy_of
from tests.real import csr

Problem = tuple[Tensor, ...]  # P, q, A, b, G, h, matrices in compressed rows


def symmetric(P: Tensor, values: Tensor | None) -> Tensor | None:
    """Values on the pattern of P, averaged with those of the transpose."""
    if values is None:
        return None
    order = scipy_of(P).copy()
    order.data = np.arange(1, order.nnz + 1)
    other = order.T.tocsr()
    other.sort_indices()
    return (values + values[torch.from_numpy(other.data - 1)]) / 2


def listed(data: Problem, grads: Sequence[Tensor | None]) -> Gradients:
    """Gradients with an axis for the batch of one, symmetric in P."""
    first = symmetric(data[0], grads[0])
    return [None if v is None else v[None] for v in (first, *grads[1:])]


def values_of(v: Tensor | None) -> Tensor | None:
    """Values of a matrix in compressed rows; a vector is itself."""
    return v if v is None or v.layout == torch.strided else v.values()


def ours(data: Problem) -> Task:
    """Our layer takes compressed rows, and returns gradients in them."""

    def gradients(grads: Sequence[Tensor | None]) -> Gradients:
        return listed(data, [values_of(v) for v in grads])

    return Task(list(data), lambda *v: qp.layer(QP(*v)), gradients)


def as_dense(layer: peers.Layer, data: Problem) -> Task:
    """A layer that takes dense matrices, a batch of one."""
    whole = [v.to_dense()[None] for v in data]

    def gradients(grads: Sequence[Tensor | None]) -> Gradients:
        found: list[Tensor | None] = []
        for v, g in zip(data, grads, strict=True):
            if g is None or v.layout == torch.strided:
                found.append(None if g is None else g[0])
                continue
            found.append(g[0][places(scipy_of(v))])
        return listed(data, found)

    return Task(whole, lambda *v: layer(*v)[0], gradients)


def dqp(solver: str, untouched: tuple[int, ...], data: Problem) -> Task:
    """DQP around an interior point, in compressed columns.

    Its gradients in A and G come back in another order than their entries, so that it
    also takes part with these two fixed.
    """
    layer = peers.dqp_layer("sparse", solver)
    leaves = [v if v.layout == torch.strided else v.to_sparse_csc() for v in data]

    def forward(P, q, A, b, G, h):
        return layer(P, q, G, h, A, b)[0]

    def gradients(grads: Sequence[Tensor | None]) -> Gradients:
        found = [
            None if g is None else g if v.layout == torch.strided else _rows(v, g)
            for v, g in zip(data, grads, strict=True)
        ]
        return listed(data, found)

    return Task(leaves, forward, gradients, untouched)


def _rows(v: Tensor, g: Tensor) -> Tensor:
    """A sparse gradient's values on the pattern of v, by rows."""
    rows, columns = places(scipy_of(v))
    found = scipy_of(g if g.layout == torch.sparse_csr else g.to_sparse_csr())
    return torch.from_numpy(np.asarray(found[rows, columns]).ravel().astype(float))


def moreau(data: Problem) -> Task:
    """The interior point of moreau; the rows are those of A, then those of G.

    It is the package's own choice too where there are more than 500 variables, and
    smaller tolerances leave its gradients as they are.
    """
    P, q, A, b, G, h = data
    module = importlib.import_module("moreau")
    solver = importlib.import_module("moreau.torch").Solver
    p, m = len(b), len(h)
    A_entries = A.values().numel()
    offsets = torch.cat([A.crow_indices(), G.crow_indices()[1:] + A_entries])
    work = solver(
        n=len(q), m=p + m, cones=module.Cones(num_zero_cones=p, num_nonneg_cones=m),
        settings=module.Settings(batch_size=1, solver="ipm"),
        P_row_offsets=P.crow_indices().int(), P_col_indices=P.col_indices().int(),
        A_row_offsets=offsets.int(),
        A_col_indices=torch.cat([A.col_indices(), G.col_indices()]).int(),
    )  # fmt: skip

    def forward(P, q, A, b, G, h):
        rows, sides = torch.cat([A, G]), torch.cat([b, h])
        return work.solve(P[None], rows[None], q[None], sides[None]).x[0]

    leaves = [values_of(v) for v in data]
    return Task(leaves, forward, partial(listed, data))  # type: ignore[arg-type]


def cvxpylayers(data: Problem) -> Task:
    """A model with constant matrices: only q, b and h are differentiated."""
    cp = importlib.import_module("cvxpy")
    P, q, A, b, G, h = data
    x, *vectors = cp.Variable(len(q)), *(cp.Parameter(len(v)) for v in (q, b, h))
    cost = 0.5 * cp.quad_form(x, cp.psd_wrap(scipy_of(P))) + vectors[0] @ x
    rows = [scipy_of(A) @ x == vectors[1], scipy_of(G) @ x <= vectors[2]]
    module = importlib.import_module("cvxpylayers.torch")
    layer = module.CvxpyLayer(cp.Problem(cp.Minimize(cost), rows), vectors, [x])

    def gradients(grads: Sequence[Tensor | None]) -> Gradients:
        dq, db, dh = (None if v is None else v[None] for v in grads)
        return [None, dq, None, db, None, dh]

    return Task([q, b, h], lambda q, b, h: layer(q, b, h)[0], gradients)


def tensors(problem: tuple) -> Problem:
    """A problem of SciPy's matrices in torch."""
    return tuple(
        csr(v) if i % 2 == 0 else torch.from_numpy(v) for i, v in enumerate(problem)
    )


DENSE: dict[str, Callable[..., Any]] = {
    "qpth": peers.qpth,
    "proxsuite": peers.proxsuite,
}
FIXED = (2, 4)  # A and G
ANY_SIZE = {
    OURS: Contestant("companion", ours),
    "dqp, piqp": Contestant("dqp", partial(dqp, "piqp", ())),
    "dqp, piqp, A and G fixed": Contestant("dqp", partial(dqp, "piqp", FIXED)),
    "dqp, clarabel, A and G fixed": Contestant("dqp", partial(dqp, "clarabel", FIXED)),
    "moreau, ipm": Contestant("moreau", moreau),
    "cvxpylayers": Contestant("cvxpylayers", cvxpylayers),
}
SMALL = {
    **ANY_SIZE,
    **{name: Contestant(name, partial(as_dense, f)) for name, f in DENSE.items()},
}
