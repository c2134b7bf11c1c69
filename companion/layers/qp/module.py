"""A QP layer with learnable data that can never become infeasible or nonconvex.

Chapter: optnet.md. Theorems: qp-parametrisation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from companion.layers.qp.solution import layer
from companion.problems import QP


class QPLayer(nn.Module):
    """x(q) = argmin ½xᵀPx + qᵀx subject to Ax = b, Gx ≤ h, with P, A, b, G, h learned.

    P = LLᵀ + eps·I, b = A z0 and h = G z0 + exp(log_s0): positive definite and strictly
    feasible for every value of the parameters L, A, G, z0 and log_s0.  Sizes: n
    variables, p equalities (p < n), m inequalities; q has shape ``(*batch, n)``.
    Parameters have the default dtype unless `dtype` says otherwise; arithmetic is
    float64 inside.

    Source: amos2017optnet, §3.2 and its code, where s0 is free in sign.
    """

    def __init__(  # noqa: PLR0913 - the sizes and the usual keywords of nn.Module
        self,
        n: int,
        p: int,
        m: int,
        *,
        eps: float = 1e-4,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if n < 1 or p < 0 or m < 0 or p >= n:
            msg = f"QPLayer: expected n ≥ 1, 0 ≤ p < n and m ≥ 0, got {n=}, {p=}, {m=}"
            raise ValueError(msg)
        if not eps > 0:
            msg = f"QPLayer: expected eps > 0, got {eps}"
            raise ValueError(msg)
        self.eps = eps

        def normal(*shape: int) -> nn.Parameter:
            values = torch.randn(*shape, generator=generator, dtype=torch.float64)
            return nn.Parameter(
                values.to(device=device, dtype=dtype or torch.get_default_dtype())
            )

        self.L = normal(n, n)
        self.A = normal(p, n)
        self.G = normal(m, n)
        self.z0 = normal(n)
        self.log_s0 = nn.Parameter(torch.zeros_like(normal(m)))

    def problem(self, q: Tensor) -> QP:
        """The QP that the parameters and the input q define."""
        L = self.L.tril()
        eye = torch.eye(L.shape[0], dtype=L.dtype, device=L.device)
        return QP(
            P=L @ L.mT + self.eps * eye,
            q=q,
            A=self.A,
            b=self.A @ self.z0,
            G=self.G,
            h=self.G @ self.z0 + self.log_s0.exp(),
        )

    def forward(self, q: Tensor) -> Tensor:
        """The minimizer, shape ``(*batch, n)``; SolveError if one is not found.

        Under autocast q is cast to the dtype of the parameters and nothing else: half
        precision would lose the parameters' P ≻ 0.
        """
        return as_outside_autocast(lambda q: layer(self.problem(q)), q, self.L.dtype)


def as_outside_autocast(
    act: Callable[[Tensor], Tensor], q: Tensor, dtype: torch.dtype
) -> Tensor:
    """act(q); under autocast that of q in this dtype, with autocast switched off."""
    kind = q.device.type
    if not torch.is_autocast_enabled(kind):
        return act(q)
    with torch.autocast(kind, enabled=False):
        return act(q.to(dtype))
