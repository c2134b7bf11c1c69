"""Seconds of one sparse QP, forward and with every gradient, and the gradients' error.

``python -m tests.benchmarks.sparse --rounds 5``: process time on one thread, medians.
The reference for gradients is a dense engine, up to 1000 variables.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from scipy import sparse

from companion.layers import qp
from companion.problems import QP
from tests.real import as_sparse

STATES, INPUTS = 8, 4


def banded(stages: int, seed: int = 0) -> tuple:
    """A controller: x' = Fx + Bu from a known state, |u| ≤ ½, quadratic costs."""
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(STATES, STATES))
    F *= 0.95 / np.abs(np.linalg.eigvals(F)).max()
    B = rng.normal(size=(STATES, INPUTS))
    x0 = 3 * rng.normal(size=STATES)
    each = STATES + INPUTS
    n = stages * each
    cost = np.tile(np.repeat([0.1, 1.0], [INPUTS, STATES]), stages)
    here = sparse.kron(sparse.identity(stages), np.hstack([-B, np.eye(STATES)]))
    past = np.hstack([np.zeros((STATES, INPUTS)), F])
    A = sparse.csr_matrix(here - sparse.kron(sparse.eye(stages, k=-1), past))
    b = np.concatenate([F @ x0, np.zeros((stages - 1) * STATES)])
    u = sparse.csr_matrix(sparse.identity(n))[np.arange(n) % each < INPUTS]
    G, h = sparse.vstack([u, -u]), np.full(2 * u.shape[0], 0.5)
    return sparse.diags(cost), 0.1 * rng.normal(size=n), A, b, G, h


def scattered(n: int, seed: int = 0, density: float = 0.01) -> tuple:
    """Entries anywhere: n/4 equalities and n inequalities around a feasible point."""
    rng = np.random.default_rng(seed)

    def entries(rows: int) -> sparse.csr_matrix:
        shape = (rows, n)
        M = sparse.random(
            *shape, density, random_state=rng, data_rvs=rng.standard_normal
        )
        return sparse.csr_matrix(M + sparse.eye(*shape))

    L, A, G, z = entries(n), entries(n // 4), entries(n), rng.normal(size=n)
    P = L @ L.T + 0.01 * sparse.identity(n)
    return P, rng.normal(size=n), A, A @ z, G, G @ z + rng.uniform(size=n)


CASES = (
    *((f"banded n={12 * stages}", banded, stages) for stages in (42, 83, 417, 1667)),
    *((f"scattered n={n}", scattered, n) for n in (500, 1000)),
)


def seconds(act, rounds: int) -> float:
    """Median process time of a call, after one that is not counted."""
    samples = []
    for turn in range(rounds + 1):
        start = time.process_time()
        act()
        if turn:
            samples.append(time.process_time() - start)
    return statistics.median(samples)


def gradients(problem: QP, engine: str) -> tuple[torch.Tensor, ...]:
    """Of a fixed function of the minimiser, with respect to all six fields."""
    leaves = problem.map(lambda v: v.detach().clone().requires_grad_())
    weights = torch.randn(
        problem.n, generator=torch.Generator().manual_seed(1)
    ).double()
    return torch.autograd.grad(qp.layer(leaves, engine=engine) @ weights, leaves.fields)


def worst_error(problem: QP) -> float:
    """Largest error of a gradient against a dense engine, beside its largest entry."""
    dense = problem.map(lambda v: v if v.layout == torch.strided else v.to_dense())
    found = (gradients(p, e) for p, e in ((problem, "sparse"), (dense, "auto")))
    errors = []
    for v, a, b in zip(problem.fields, *found, strict=True):
        pattern = v.to_dense() != 0 if v.layout == torch.sparse_csr else 1.0
        errors.append(float((a.to_dense() - b * pattern).abs().max() / b.abs().max()))
    return max(errors)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    head = ("problem", "engine", "forward", "both", "warm", "error")
    print("{:18}{:>22}{:>11}{:>11}{:>11}{:>9}".format(*head))
    for name, make, size in CASES:
        problem = as_sparse(*make(size))
        sol = qp.solve(problem)
        leaves = problem.map(lambda v: v.requires_grad_())
        times = (
            seconds(lambda p=problem: qp.solve(p), options.rounds),
            seconds(lambda p=leaves: gradients(p, "auto"), options.rounds),
            seconds(lambda p=problem, s=sol: qp.solve(p, warm_start=s), options.rounds),
        )
        used = " ".join(v for k in ("engine", "library") if (v := sol.info.get(k)))
        shown = "".join(f"{1e3 * v:8.2f} ms" for v in times)
        error = f"{worst_error(problem):9.0e}" if problem.n <= 1000 else ""
        print(f"{name:18}{used:>22}{shown}{error}", flush=True)


if __name__ == "__main__":
    main()
