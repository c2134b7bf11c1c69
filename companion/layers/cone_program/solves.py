"""Solves with M and Mᵀ as functions that autograd knows, for two derivatives.

M depends on P, A and, through DΠ, on v = y − s; its factors are those of the forward
pass, whatever the order of the derivative.

Chapter: cone-derivative.md. Theorems: cone-program-derivative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from companion.layers import cones
from companion.layers.qp.kkt import matvec


class Transposed(torch.autograd.Function):
    """(run, P, A, v, f1, f2) -> g with Pg1 − Aᵀg2 = f1, g2 + D(Ag1 − g2) = f2."""

    @staticmethod
    def forward(run: Any, *data: Tensor) -> tuple[Tensor, ...]:
        """One solve with the factors, refined."""
        f1, f2 = (w.detach().numpy() for w in data[3:])
        return tuple(map(torch.from_numpy, run.system.adjoint(f1, f2)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the data and the solution."""
        ctx.run, *data = inputs
        ctx.save_for_backward(*data[:3], *output)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """grad_f = w with M w = seed; −grad of ⟨w, Mᵀg⟩ in P, A and v."""
        P, A, v, g1, g2 = ctx.saved_tensors
        w1, w2 = Plain.apply(ctx.run, P, A, v, *seeds)
        Dw2 = cones.jvp_dual(v, w2, ctx.run.K)
        grad_P = -0.5 * (outer(w1, g1) + outer(g1, w1))
        grad_A = outer(g2, w1) - outer(Dw2, g1)
        grad_v = -bent(v, w2, matvec(A, g1) - g2, ctx.run.K)
        return None, like(grad_P, P), like(grad_A, A), grad_v, w1, w2


class Plain(torch.autograd.Function):
    """(run, P, A, v, r1, r2) -> z with Pz1 + AᵀDz2 = r1, −Az1 + z2 − Dz2 = r2."""

    @staticmethod
    def forward(run: Any, *data: Tensor) -> tuple[Tensor, ...]:
        """One solve with the factors, refined."""
        r1, r2 = (w.detach().numpy() for w in data[3:])
        return tuple(map(torch.from_numpy, run.system.solve(r1, r2)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """Neither third derivatives nor the reverse mode of a tangent are here."""
        del ctx, seeds
        msg = (
            "cone_program: expected at most two derivatives, with no reverse mode of a "
            "forward one, got another order"
        )
        raise NotImplementedError(msg)


def bent(v: Tensor, a: Tensor, b: Tensor, K: Any) -> Tensor:
    """The gradient of aᵀDΠ(v)b in v, which can be differentiated again."""
    more = torch.is_grad_enabled()
    with torch.enable_grad():
        w = v if v.requires_grad else v.detach().requires_grad_()
        inner = (a * cones.jvp_dual(w, b, K)).sum()
        if not inner.requires_grad:
            return torch.zeros_like(v)
        (found,) = torch.autograd.grad(inner, w, create_graph=more, allow_unused=True)
    return torch.zeros_like(v) if found is None else found


def outer(u: Tensor, v: Tensor) -> Tensor:
    """The matrices u vᵀ."""
    return u.unsqueeze(-1) * v.unsqueeze(-2)


def like(grad: Tensor, field: Tensor) -> Tensor:
    """Summed over the batch where the batch shares the field."""
    return grad.sum(0, keepdim=True) if len(field) < len(grad) else grad
