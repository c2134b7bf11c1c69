"""A cone program layer with learnable data that always has exactly one solution.

Chapter: cone-derivative.md. Theorems: cone-duality.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from companion.layers import cones
from companion.layers.cone_program.solution import layer
from companion.layers.qp.module import as_outside_autocast
from companion.problems import ConeProgram, Cones, blocks

INTERIOR = {  # a point inside each cone of three rows, and inside its dual
    "exp": (0.0, 1.0, 2.0),
    "exp_dual": (-1.0, 0.0, 1.0),
    "power": (1.0, 1.0, 0.0),
}


class ConeProgramLayer(nn.Module):
    """x(q) = argmin ½xᵀPx + qᵀx subject to Ax + s = b, s ∈ K, with P, A and b learned.

    P = LLᵀ + eps·I, and b = A z0 + Π_K(w) + eps·e with e inside K: positive definite
    and strictly feasible for every value of the parameters L, A, z0 and w, so that x is
    unique and multipliers exist.  q has shape ``(*batch, n)``.  Parameters have the
    default dtype unless `dtype` says otherwise; arithmetic is float64 inside.
    """

    inner: Tensor

    def __init__(
        self,
        n: int,
        K: Cones,
        *,
        eps: float = 1e-4,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if n < 1 or K.zero >= n:
            msg = "ConeProgramLayer: expected n ≥ 1 and fewer zero rows than n"
            raise ValueError(f"{msg}, got {n=} and {K.zero} zero rows")
        if not eps > 0:
            msg = f"ConeProgramLayer: expected eps > 0, got {eps}"
            raise ValueError(msg)
        self.K, self.eps = K, eps
        kind = {"device": device, "dtype": dtype or torch.get_default_dtype()}

        def normal(*shape: int) -> nn.Parameter:
            values = torch.randn(*shape, generator=generator, dtype=torch.float64)
            return nn.Parameter(values.to(**kind))

        self.L, self.A, self.z0 = normal(n, n), normal(K.rows, n), normal(n)
        self.w = nn.Parameter(inside(K).to(**kind))
        self.register_buffer("inner", inside(K).to(**kind), persistent=False)

    def problem(self, q: Tensor) -> ConeProgram:
        """The program that the parameters and the input q define."""
        if torch.compiler.is_compiling():  # a graph break, as for the solver
            eager: Any = torch.compiler.disable(self.problem)
            return eager(q)
        L = self.L.tril()
        P = L @ L.mT + self.eps * torch.eye(len(L), dtype=L.dtype, device=L.device)
        s = cones.project(self.w, self.K) + self.eps * self.inner
        return ConeProgram(P, q, self.A, self.A @ self.z0 + s, self.K)

    def forward(self, q: Tensor) -> Tensor:
        """The minimiser, shape ``(*batch, n)``; SolveError if one is not found.

        Under autocast q is cast to the dtype of the parameters and nothing else: half
        precision would lose the parameters' P ≻ 0.
        """
        return as_outside_autocast(lambda q: layer(self.problem(q)), q, self.L.dtype)


def inside(K: Cones) -> Tensor:
    """A point inside every cone of the product; zeros in the rows of the zero cone."""
    parts = [torch.zeros(0, dtype=torch.float64)]
    for block in blocks(K):
        size = block.rows.stop - block.rows.start
        point = torch.zeros(size, dtype=torch.float64)
        if block.cone == "nonneg":
            point += 1
        elif block.cone == "soc":
            point[0] = 1
        elif block.cone == "psd":
            columns, rows = torch.triu_indices(*[int(block.parameter)] * 2)
            point = (columns == rows).double()
        elif block.cone != "zero":
            point += torch.tensor(INTERIOR[block.cone], dtype=torch.float64)
        parts.append(point)
    return torch.cat(parts)
