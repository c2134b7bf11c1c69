"""Solves with M and Mᵀ as functions that autograd knows, for two derivatives.

M depends on P, A and, through DΠ, on v = y − s; its factors are those of the forward
pass, whatever the order of the derivative.  Where M is singular the answers are those
of least squares, and are differentiated as if it were not.

Chapter: cone-derivative.md. Theorems: cone-derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.layers.cone_program.forward_mode import bare, filled, outward
from companion.layers.cone_program.mapped import each, folded, right_sides_only
from companion.layers.cone_program.slopes import Bend, Slope
from companion.layers.qp.kkt import in_memory

Pair = tuple[Tensor, Tensor]


class Transposed(torch.autograd.Function):
    """(run, P, A, v, f1, f2) -> g with Pg1 − Aᵀg2 = f1, g2 + D(Ag1 − g2) = f2."""

    @staticmethod
    def forward(run: Any, *data: Tensor) -> tuple[Tensor, ...]:
        """One solve with the factors, refined."""
        return _answer(run.system.adjoint, *data[3:])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the data and the solution."""
        _keep(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """grad_f = w with M w = seed; −grad of ⟨w, Mᵀg⟩ in P, A and v."""
        P, A, v, g1, g2 = ctx.saved_tensors
        w = Plain.apply(ctx.run, P, A, v, *seeds)
        return None, *_slopes(ctx.run, (P, A, v), w, (g1, g2)), *w

    @staticmethod
    @outward()
    def jvp(ctx: Any, _run: None, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        """Mᵀ dg = df − dMᵀ g."""
        P, A, v, g1, g2 = saved = bare(ctx.saved_tensors)
        dP, dA, dv, df1, df2 = filled(tangents, saved)
        cost, rows = ctx.run.matrices
        turned = Slope.apply(ctx.run.K, v, rows.product(dA, g1))
        bent = Bend.apply(ctx.run.K, v, rows.product(A, g1) - g2, dv)
        first = df1 - _symmetric(cost, dP, g1) + rows.transposed(dA, g2)
        return Transposed.apply(ctx.run, P, A, v, first, df2 - turned - bent)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], run: Any, *data: Tensor) -> Any:
        """One more solve for a mapped seed; more instances for a mapped problem."""
        return _mapped(Transposed.apply, info.batch_size, in_dims[1:], run, data)


class Plain(torch.autograd.Function):
    """(run, P, A, v, r1, r2) -> z with Pz1 + AᵀDz2 = r1, −Az1 + z2 − Dz2 = r2."""

    @staticmethod
    def forward(run: Any, *data: Tensor) -> tuple[Tensor, ...]:
        """One solve with the factors, refined."""
        return _answer(run.system.solve, *data[3:])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the data and the solution."""
        _keep(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        """grad_r = g with Mᵀg = seed; −grad of ⟨g, Mz⟩ in P, A and v."""
        P, A, v, z1, z2 = ctx.saved_tensors
        g = Transposed.apply(ctx.run, P, A, v, *seeds)
        return None, *_slopes(ctx.run, (P, A, v), (z1, z2), g), *g

    @staticmethod
    @outward()
    def jvp(ctx: Any, _run: None, *tangents: Tensor | None) -> tuple[Tensor, ...]:
        """M dz = dr − dM z."""
        P, A, v, z1, z2 = saved = bare(ctx.saved_tensors)
        dP, dA, dv, dr1, dr2 = filled(tangents, saved)
        cost, rows = ctx.run.matrices
        bent = Bend.apply(ctx.run.K, v, z2, dv)
        down = rows.transposed(dA, Slope.apply(ctx.run.K, v, z2))
        first = dr1 - _symmetric(cost, dP, z1) - down - rows.transposed(A, bent)
        second = dr2 + rows.product(dA, z1) + bent
        return Plain.apply(ctx.run, P, A, v, first, second)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], run: Any, *data: Tensor) -> Any:
        """One more solve for a mapped seed; more instances for a mapped problem."""
        return _mapped(Plain.apply, info.batch_size, in_dims[1:], run, data)


def _answer(solve: Any, *sides: Tensor) -> tuple[Tensor, ...]:
    """The solve of some right-hand sides, in compiled code."""
    if in_memory(*sides):
        return tuple(map(torch.from_numpy, solve(*(w.detach().numpy() for w in sides))))
    # `is_grads_batched` and `vectorize` have a vmap of their own that sees torch's
    # operations alone: it gets the matrix of all answers
    sizes = [w.shape[-1] for w in sides]
    eye = np.eye(sum(sizes))
    columns = [
        np.concatenate(solve(*(np.tile(v, (len(w), 1)) for v, w in pair)), -1)
        for pair in (zip(np.split(row, sizes[:1]), sides, strict=True) for row in eye)
    ]
    inverse = torch.from_numpy(np.stack(columns, -1))
    found = (inverse @ torch.cat(sides, -1).unsqueeze(-1)).squeeze(-1)
    return found[..., : sizes[0]], found[..., sizes[0] :]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.run, *data = inputs
    ctx.save_for_backward(*data[:3], *output)
    ctx.save_for_forward(*data[:3], *output)


def _mapped(
    solve: Any, size: int, in_dims: tuple[Any, ...], run: Any, data: tuple[Tensor, ...]
) -> tuple[Any, ...]:
    """The solve under vmap: the factors stand in the order in which `Solve` folds."""
    if right_sides_only(in_dims, 3):
        return each(lambda *own: solve(run, *own), size, in_dims, data), (0, 0)
    found = solve(run, *folded(size, in_dims, data, 2))
    return tuple(v.unflatten(0, (size, -1)) for v in found), (0, 0)


def _slopes(
    run: Any, data: tuple[Tensor, Tensor, Tensor], z: Pair, g: Pair
) -> tuple[Tensor, Tensor, Tensor]:
    """−grad of gᵀMz in P, A and v, at fixed g and z."""
    (P, A, v), (z1, z2), (g1, g2) = data, z, g
    cost, rows = run.matrices
    Dz2 = Slope.apply(run.K, v, z2)
    grad_P = -0.5 * (cost.outer(z1, g1) + cost.outer(g1, z1))
    grad_A = rows.outer(g2, z1) - rows.outer(Dz2, g1)
    grad_v = -Bend.apply(run.K, v, z2, rows.product(A, g1) - g2)
    return like(grad_P, P), like(grad_A, A), grad_v


def _symmetric(cost: Any, dP: Tensor, v: Tensor) -> Tensor:
    """½(dP + dPᵀ) v."""
    return 0.5 * (cost.product(dP, v) + cost.transposed(dP, v))


def like(grad: Tensor, field: Tensor) -> Tensor:
    """Summed over the batch where the batch shares the field."""
    return grad.sum(0, keepdim=True) if len(field) < len(grad) else grad
