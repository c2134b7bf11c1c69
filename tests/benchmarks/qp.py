"""Quadratic programs: dense batches, applied layers, a grid of sizes, single problems.

Floors are those that this project set itself.  A peer whose gradients are wrong in a
row has no floor there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from companion.layers import qp
from companion.problems import QP
from tests.benchmarks import peers, problems, reference, sparse, sparse_peers
from tests.benchmarks.family import OURS, Case, Contestant, Reference

NAME, ABOUT = "qp", "Quadratic programs: min ½xᵀPx + qᵀx, Ax = b, Gx ≤ h"
SIZES, BATCHES = (10, 50, 100), (1, 32, 128, 512)
STAGES = (42, 83, 417, 1667)  # twelve variables each
STAGES_SMALL, N_SMALL = 12, 150  # of the problems solved first
TIGHT = 0.1  # a bound on the inputs that many of them reach; ½ is one that few do
MANY = 32  # instances up to which its default backend takes part in the grid
MODELLED = 100  # variables up to which cvxpylayers takes part in dense problems
ALONE = 10_000  # variables beyond which a contestant's process serves one problem
LARGEST = 1000  # variables for which dense layers get a sparse problem
OTHERS = tuple(name for name in peers.CONTESTANTS if name != OURS)
Q1 = ("B128 n100 m100 p50", (128, 100, 100, 50))


def dense_reference(fields: problems.Fields, seed: Tensor) -> Reference:
    """The reference, our active rows its first guess."""
    sol = qp.solve(QP(*fields))
    return reference.dense(fields, seed, (sol.lam > sol.slack).numpy())


def sparse_reference(data: Any, seed: Tensor) -> Reference:
    """The same for one problem with sparse matrices."""
    sol = qp.solve(QP(*data))
    return reference.on_pattern(data, seed, (sol.lam > sol.slack).numpy())


def sorting(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor) -> Tensor:
    """The simplex by its closed form."""
    del P, A, b, G, h
    falling = torch.sort(-q, descending=True).values
    levels = (falling.cumsum(-1) - 1) / torch.arange(1, q.shape[-1] + 1)
    last = (falling > levels).sum(-1, keepdim=True)
    return (-q - levels.gather(-1, last - 1)).clamp(min=0)


def simplex_reference(fields: problems.Fields, seed: Tensor) -> Reference:
    """Closed form: the seed less its mean, on the coordinates that are positive."""
    support = (sorting(*fields) > 0).double()
    mean = (seed * support).sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
    return Reference([None, -support * (seed - mean), None, None, None, None])


def optnet(name: str, group: str, size: tuple, floors: dict[str, float]) -> Case:
    """A batch from OptNet's generator; `size` is batch, n, m, p.

    A model whose parameters are matrices takes minutes to build where n is large, and
    cvxpylayers' default a minute to solve where the batch is; it is wrong there anyway.
    """
    known = peers.CONTESTANTS if size[1] <= MODELLED else peers.PLAIN
    if group == "grid" and size[0] > MANY:
        known = {k: v for k, v in known.items() if k != "cvxpylayers"}
    warm = partial(problems.optnet, min(size[0], 2), 10, 10, min(size[3], 5))
    return Case(
        name, group, partial(problems.optnet, *size), known, floors,
        dense_reference, warm,
        dict(zip(("batch", "n", "m", "p"), size, strict=True)),
    )  # fmt: skip


def shared(name: str, make: Any, floors: dict[str, float]) -> Case:
    """A batch whose matrices are shared; one peer is wrong on them as they are."""
    layers = {**peers.CONTESTANTS, "qpth, shared": peers.SHARED}
    warm = partial(make, 2)
    return Case(name, "applied", make, layers, floors, dense_reference, warm)


def simplex(batch: int, names: tuple[str, ...]) -> Case:
    """Projections onto the simplex, differentiated in the point alone."""
    layers = {name: peers.ONLY_Q[name] for name in (OURS, *names)}
    layers |= {f"cvxpylayers{end}": peers.simplex(solver)
               for end, solver in (("", "DIFFCP"), (", moreau", "MOREAU"))}  # fmt: skip
    layers["moreau"] = Contestant("moreau", peers.moreau_simplex)
    floors = dict.fromkeys(layers, 80.0)
    layers["sorting"] = Contestant("torch", partial(peers.only_q, sorting))
    if batch > 100:
        floors["sorting"] = 1.0
    else:  # what was asked is asked at the large batch, of those that can run there
        floors = dict.fromkeys(set(names) - {"moreau"}, 80.0)
    return Case(
        f"simplex n1000 B{batch}", "applied", partial(problems.simplex, batch), layers,
        floors, simplex_reference, partial(problems.simplex, 2, 1000),
    )  # fmt: skip


def one_sparse(name: str, make: Any, small: Any, floor: float, n: int) -> Case:
    """One problem with sparse matrices; a small one has to take the same engine."""
    layers = sparse_peers.SMALL if n <= LARGEST else sparse_peers.ANY_SIZE
    return Case(
        name, "sparse", lambda: sparse_peers.tensors(make()), layers,
        dict.fromkeys(layers, floor), sparse_reference,
        lambda: sparse_peers.tensors(small()), {"n": n}, alone=n > ALONE,
    )  # fmt: skip


def cases() -> list[Case]:
    """Every workload."""
    first = {"qpth": 20, "proxsuite": 10, "dqp": 10, "moreau": 8}
    first |= {"cvxpylayers": 60, "cvxpylayers, moreau": 60}
    second = {"qpth": 15, "proxsuite": 5, "dqp": 8, "moreau": 6}
    found = [
        optnet(Q1[0], "dense", Q1[1], first),
        optnet("B128 n100 m100 p0", "dense", (128, 100, 100, 0), second),
        shared("Sudoku B150", problems.sudoku,
               {"qpth": 90, "proxsuite": 30, "moreau": 25}),
        shared("denoising B32", problems.denoising, dict.fromkeys(OTHERS, 8.0)),
        simplex(128, ("moreau",)),  # of the others, each takes minutes there
        simplex(4, tuple(peers.LAYERS)[1:]),
    ]  # fmt: skip
    for batch in BATCHES:
        floors = dict.fromkeys(OTHERS, 1.5 if batch == 1 else 2.5)
        for n in SIZES:
            size = (batch, n, n, n // 2)
            if size != Q1[1]:  # the first of all has higher floors
                name = f"B{batch} n{n} m{n} p{n // 2}"
                found.append(optnet(name, "grid", size, floors))
    for n in (500, 1000):
        size, floors = (1, n, n, n // 2), dict.fromkeys(OTHERS, 3.0)
        found.append(optnet(f"B1 n{n} m{n} p{n // 2}", "single", size, floors))
    for bound, end in ((0.5, ""), (TIGHT, " tight")):
        for stages in STAGES:
            n, make = 12 * stages, partial(sparse.banded, stages, bound=bound)
            small = partial(sparse.banded, STAGES_SMALL, bound=bound)
            found.append(one_sparse(f"banded n{n}{end}", make, small, 1.3, n))
    for n in (500, 1000):
        make, small = (partial(sparse.scattered, k) for k in (n, N_SMALL))
        found.append(one_sparse(f"scattered n{n}", make, small, 3.0, n))
    return found
