"""Is the solution the only one, and are the multipliers?

Both say that a cone {z in a subspace : Rz ≤ 0} is {0}.  By Stiemke's theorem of the
alternative, on a basis N of the subspace with B = RN, that is so if and only if B has
full column rank and Bᵀy = 0 for some y > 0.

Chapter: optnet.md. Theorems: kkt-nonsingular.
"""

from __future__ import annotations

import torch
from torch import Tensor

RANK = 1e-9  # singular value, relative to the greatest, that counts as zero
FOUND = 1e-9  # residual of a y > 0 with Bᵀy = 0, relative to the columns of B

Sets = tuple[Tensor, Tensor]


def only_solution(P: Tensor, A: Tensor, G: Tensor, sets: Sets, flat: Tensor) -> Tensor:
    """Whether x is the only minimiser, where `flat` leaves room for doubt.

    The others are x + d with Pd = 0, Ad = 0, G_i d = 0 on strongly active rows and
    G_i d ≤ 0 on weakly active ones.
    """
    strong, weak = sets
    only = ~flat
    for i in flat.nonzero().flatten().tolist():
        scale = P[i].abs().amax().clamp(min=torch.finfo(P.dtype).tiny)
        held = torch.cat([P[i] / scale, A[i], G[i][strong[i]]])
        only[i] = _trivial(held, G[i][weak[i]])
    return only


def only_multipliers(A: Tensor, G: Tensor, sets: Sets, dependent: Tensor) -> Tensor:
    """Whether (nu, lam) is unique, where `dependent` leaves room for doubt.

    The others are y + w with Cᵀw = 0 on the rows C that touch, and w ≥ 0 on the weakly
    active ones, whose multipliers are zero.
    """
    strong, weak = sets
    only = ~dependent
    for i in dependent.nonzero().flatten().tolist():
        C = torch.cat([A[i], G[i][strong[i]], G[i][weak[i]]])
        signs = -torch.eye(len(C), dtype=C.dtype, device=C.device)
        only[i] = _trivial(C.mT, signs[len(C) - int(weak[i].sum()) :])
    return only


def _trivial(held: Tensor, R: Tensor) -> bool:
    """Whether 0 is all of {z : held·z = 0, Rz ≤ 0}."""
    from scipy.optimize import nnls  # noqa: PLC0415 - 0.2 s, and rarely needed

    _, values, V = torch.linalg.svd(held, full_matrices=True)
    rank = (
        int((values > RANK * max(1.0, float(values.amax()))).sum()) if len(held) else 0
    )
    N = V.mT[:, rank:]
    if not N.shape[1]:
        return True
    B = R @ N
    if len(B) < N.shape[1] or int(torch.linalg.matrix_rank(B, rtol=RANK)) < len(N.T):
        return False
    _, left = nnls(B.mT.cpu().numpy(), -B.sum(0).cpu().numpy())
    return left <= FOUND * float(B.abs().sum())
