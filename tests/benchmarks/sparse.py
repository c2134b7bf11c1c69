"""Single QPs with sparse matrices: a controller's, banded, and entries anywhere."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from companion.layers import qp
from companion.problems import QP

STATES, INPUTS = 8, 4


def banded(stages: int, seed: int = 0, bound: float = 0.5) -> tuple:
    """A controller: x' = Fx + Bu from a known state, |u| ≤ bound, quadratic costs."""
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
    G, h = sparse.vstack([u, -u]), np.full(2 * u.shape[0], bound)
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


def gradients(problem: QP, engine: str) -> tuple[torch.Tensor, ...]:
    """Of a fixed function of the minimiser, with respect to all six fields."""
    leaves = problem.map(lambda v: v.detach().clone().requires_grad_())
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(problem.n, generator=generator).double()
    return torch.autograd.grad(qp.layer(leaves, engine=engine) @ weights, leaves.fields)
