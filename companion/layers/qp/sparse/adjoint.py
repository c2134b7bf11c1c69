"""The solution map of one sparse QP, differentiable in the values on its patterns.

What autograd sees are the values of P, A and G as vectors; gradients with respect to
them are the entries, on the pattern, of the dense formulas.

Chapter: optnet.md. Theorems: qp-differential, qp-gradients, qp-active-set.
Source: amos2017optnet, eqs. (6)-(8), with eq. (8) corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion.layers.forward_mode import bare, filled, moving, outward
from companion.layers.qp.sparse.engine import Found


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the stored entries of a matrix stand."""

    rows: Tensor
    columns: Tensor
    shape: tuple[int, int]

    def product(self, values: Tensor, v: Tensor) -> Tensor:
        """M v."""
        out = torch.zeros(self.shape[0], dtype=v.dtype)
        return out.index_add(0, self.rows, values * v[self.columns])

    def transposed(self, values: Tensor, v: Tensor) -> Tensor:
        """Mᵀ v."""
        out = torch.zeros(self.shape[1], dtype=v.dtype)
        return out.index_add(0, self.columns, values * v[self.rows])

    def outer(self, u: Tensor, v: Tensor) -> Tensor:
        """The entries of u vᵀ on the pattern."""
        return u[self.rows] * v[self.columns]


@dataclass(frozen=True, eq=False)
class Kept:
    """The patterns of P, A and G, and what the engine found."""

    P: Pattern
    A: Pattern
    G: Pattern
    found: Found


class Solve(torch.autograd.Function):
    """(kept, P, q, A, b, G, h) -> (x, nu, lam): the point that the engine found."""

    @staticmethod
    def forward(kept: Kept, *_data: Tensor) -> tuple[Tensor, ...]:
        """The solution as tensors."""
        return tuple(map(torch.tensor, kept.found.point))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the values, the solution and the factors."""
        kept, P, _, A, _, G, _ = inputs
        ctx.kept = kept
        ctx.save_for_backward(P, A, G, *output)
        ctx.save_for_forward(P, A, G, *output)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """grad_P = (dx xᵀ + x dxᵀ)/2, grad_C = dy xᵀ + y dxᵀ, on the patterns."""
        P, A, G, x, nu, lam = saved = ctx.saved_tensors
        kept, p = ctx.kept, len(nu)
        again = torch.is_grad_enabled() or moving(*saved, *seeds)
        solve = Adjoint.apply if again else Adjoint.forward
        dx, dy = solve(kept, P, A, G, -seeds[0], -torch.cat(seeds[1:]))
        dnu, dlam = dy[:p], dy[p:]
        grad_P = 0.5 * (kept.P.outer(dx, x) + kept.P.outer(x, dx))
        grad_A = kept.A.outer(dnu, x) + kept.A.outer(nu, dx)
        grad_G = kept.G.outer(dlam, x) + kept.G.outer(lam, dx)
        return None, grad_P, dx, grad_A, -dnu, grad_G, -dlam

    @staticmethod
    @outward()
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        """The differential of the KKT conditions, solved for (dx, dnu, dlam)."""
        P, A, G, x, nu, lam = bare(ctx.saved_tensors)
        kept, p = ctx.kept, len(nu)
        dP, dq, dA, db, dG, dh = filled(tangents[1:], (P, x, A, nu, G, lam))
        r1 = 0.5 * (kept.P.product(dP, x) + kept.P.transposed(dP, x)) + dq
        r1 = r1 + kept.A.transposed(dA, nu) + kept.G.transposed(dG, lam)
        r2 = torch.cat([db - kept.A.product(dA, x), dh - kept.G.product(dG, x)])
        dx, dy = Adjoint.apply(kept, P, A, G, -r1, r2)
        return dx, dy[:p].clone(), dy[p:].clone()


class Adjoint(torch.autograd.Function):
    """(kept, P, A, G, r1, r2) -> (u, y) with Pu + Cᵀy = r1, Cu = r2 on active rows.

    The matrix is symmetric, so that its adjoint is itself: every order of derivative
    uses the same factors.
    """

    @staticmethod
    def forward(kept: Kept, *data: Tensor) -> tuple[Tensor, Tensor]:
        """One solve with the factors, refined."""
        r1, r2 = (v.detach().numpy() for v in data[3:])
        factor = kept.found.factor
        assert factor is not None
        u, y = factor.solve(r1, r2)
        return torch.from_numpy(u), torch.from_numpy(y)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the values and the solution."""
        kept, P, A, G, _, _ = inputs
        ctx.kept = kept
        ctx.save_for_backward(P, A, G, *output)
        ctx.save_for_forward(P, A, G, *output)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """grad_r = w with Kw = seed, and grad_K = −(w zᵀ + z wᵀ)/2 on the patterns."""
        P, A, G, u, y = ctx.saved_tensors
        kept, p = ctx.kept, ctx.kept.A.shape[0]
        w, v = Adjoint.apply(kept, P, A, G, *seeds)
        grad_P = -0.5 * (kept.P.outer(w, u) + kept.P.outer(u, w))
        grad_A = -(kept.A.outer(v[:p], u) + kept.A.outer(y[:p], w))
        grad_G = -(kept.G.outer(v[p:], u) + kept.G.outer(y[p:], w))
        return None, grad_P, grad_A, grad_G, w, v

    @staticmethod
    @outward()
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        """K(du, dy) = dr − dK(u, y), on the active rows."""
        P, A, G, u, y = bare(ctx.saved_tensors)
        kept, p = ctx.kept, ctx.kept.A.shape[0]
        dP, dA, dG, dr1, dr2 = filled(tangents[1:], (P, A, G, u, y))
        r1 = 0.5 * (kept.P.product(dP, u) + kept.P.transposed(dP, u))
        r1 = r1 + kept.A.transposed(dA, y[:p]) + kept.G.transposed(dG, y[p:])
        r2 = torch.cat([kept.A.product(dA, u), kept.G.product(dG, u)])
        return Adjoint.apply(kept, P, A, G, dr1 - r1, dr2 - r2)


class Values(torch.autograd.Function):
    """The stored values of a sparse CSR tensor, with every order of derivative.

    torch's own `values()` has one: its gradient is a constant to autograd (torch 2.13).
    """

    @staticmethod
    def forward(M: Tensor) -> Tensor:
        """The values, in the order in which they are stored."""
        return M.values().clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """Keep the pattern."""
        del output
        (M,) = inputs
        ctx.pattern = M.crow_indices(), M.col_indices(), M.shape

    @staticmethod
    def backward(ctx: Any, seed: Tensor) -> Tensor:
        """The gradient, on the same pattern."""
        differentiable = torch.is_grad_enabled()  # entering autograd costs 0.1 ms
        place = OnPattern.apply if differentiable else OnPattern.forward
        return place(ctx.pattern, seed)


class OnPattern(torch.autograd.Function):
    """(pattern, values) -> the sparse CSR tensor."""

    @staticmethod
    def forward(pattern: tuple[Any, ...], values: Tensor) -> Tensor:
        """Put the values in their places, which are known to be right."""
        starts, columns, shape = pattern
        return torch.sparse_csr_tensor(
            starts, columns, values.detach(), shape, check_invariants=False
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Nothing is needed."""

    @staticmethod
    def backward(ctx: Any, seed: Tensor) -> tuple[None, Tensor]:
        """The values of the seed."""
        del ctx
        return None, Values.apply(seed)
