"""One linear system for everything: the KKT system of an equality-constrained QP.

The final Newton step of the forward pass, the adjoint and the tangent of the solution
are all this system with different right-hand sides, on the rows that are active.  It is
symmetric, so that its own adjoint and tangent are the same system once more.

Chapter: optnet.md. Theorems: qp-active-set, qp-augmented.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.linalg import cholesky_ex, solve_triangular

from companion.layers.forward_mode import bare, filled, outward

PIVOT_RATIO = (
    1e-7  # least/greatest Cholesky pivot below which a factor counts as singular
)
CUTOFF = 1e-11  # relative eigenvalue cut-off of the minimum-norm solution

Pair = tuple[Tensor, Tensor]


def norms(C: Tensor) -> Tensor:
    """Euclidean norm of every row, with 1 for a zero row."""
    size = torch.linalg.vector_norm(C, dim=-1)
    return torch.where(size > 0, size, torch.ones_like(size))


def matvec(M: Tensor, v: Tensor) -> Tensor:
    """The product M v over leading batch axes."""
    return (M @ v.unsqueeze(-1)).squeeze(-1)


def in_memory(*tensors: Tensor | None) -> bool:
    """Whether all are numbers at an address: what vmap and grad hand out has none."""
    try:
        for v in tensors:
            if v is not None:
                v.data_ptr()
    except RuntimeError:
        return False
    return True


def stacked(v: Tensor, axis: int | None, size: int) -> Tensor:
    """A tensor under vmap with its mapped axis in front; repeated if it has none."""
    return v.expand(size, *v.shape) if axis is None else v.movedim(axis, 0)


def solve_kkt(
    P: Tensor, C: Tensor, active: Tensor, r1: Tensor, r2: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve [P Cᵀ; C 0](u, y) = (r1, r2) with C restricted to its active rows.

    Rows that are not active get y = 0.  The block P is replaced by P + ρCᵀC, and r1 by
    r1 + ρCᵀr2, which changes nothing in the solution and makes the block positive
    definite whenever the system is nonsingular (theorem qp-augmented), so that two
    Cholesky factorisations suffice; torch's batched LU hangs or returns garbage when a
    thread count is set (torch 2.13).  Where the system is singular the minimum-norm
    least-squares solution is returned; `regularity` reports those instances.

    Differentiable in P, C, r1 and r2, any number of times and in both modes.
    """
    scale = active.to(C.dtype) / norms(C).detach()
    C, r2 = C * scale.unsqueeze(-1), r2 * scale
    u, y, _ = System.apply(P, C, active, r1.unsqueeze(-1), r2.unsqueeze(-1))
    y = y.squeeze(-1)
    return u.squeeze(-1), y * scale


class System(torch.autograd.Function):
    """(P, C, active, r1, r2) -> (u, y, singular) with K(u, y) = (r1, r2).

    K = [P Cᵀ; C 0] is symmetric, rows of C and r2 that are not active are zero, and
    right-hand sides are columns.  Where K is singular (u, y) = K⁺(r1, r2), whose
    derivative at constant rank has two terms beyond that of an inverse:
    dK⁺ = -K⁺ dK K⁺ + K⁺K⁺ dK (I - KK⁺) + (I - K⁺K) dK K⁺K⁺.

    Source: golub1973differentiation, for the pseudo-inverse.
    """

    @staticmethod
    def forward(
        P: Tensor, C: Tensor, active: Tensor, r1: Tensor, r2: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Two Cholesky factorizations; a pseudo-inverse where they fail."""
        rho = P.abs().amax((-2, -1))
        rho = torch.where(rho > 0, rho, torch.ones_like(rho))[..., None, None]
        L, S, failed = _factor(P, C, active, rho)
        singular = failed | _small(L) | _small(S)
        u, y = _regular((P, C), (L, S), rho, (r1, r2))
        if bool(singular.any()):
            at = (singular,)
            u_bad, y_bad = _minimum_norm(P[at], C[at], r1[at], r2[at])
            u, y = u.index_put(at, u_bad), y.index_put(at, y_bad)
        return u, y, singular

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the system and its solution, in both modes."""
        ctx.mark_non_differentiable(output[2])
        ctx.save_for_backward(*inputs, *output)
        ctx.save_for_forward(*inputs, *output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor | None) -> tuple[Tensor | None, ...]:
        """With a = K⁺g: grad_r = a and grad_K = -a uᵀ, and more where K is singular."""
        P, C, active, r1, r2, u, y, singular = ctx.saved_tensors
        g = tuple(
            torch.zeros_like(v) if seed is None else seed
            for seed, v in zip(seeds[:2], (u, y), strict=True)
        )
        a = System.apply(P, C, active, *g)[:2]
        left, right = [(-a[0], -a[1])], [(u, y)]
        if not _regular_throughout(singular):
            bad = singular[:, None, None]
            b = System.apply(P, C, active, *_where(bad, a))[:2]
            w = System.apply(P, C, active, *_where(bad, (u, y)))[:2]
            left += [b, _where(bad, _less((g[0], g[1]), _times(P, C, a)))]
            right += [_where(bad, _less((r1, r2), _times(P, C, (u, y)))), w]
        (left_u, left_y), (right_u, right_y) = (
            (torch.cat(part, -1) for part in zip(*pairs, strict=True))
            for pairs in (left, right)
        )
        grad_P = left_u @ right_u.mT
        grad_C = left_y @ right_u.mT + right_y @ left_u.mT
        return 0.5 * (grad_P + grad_P.mT), grad_C, None, a[0], a[1]

    @staticmethod
    @outward()
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """The tangent d(u, y) = K⁺(dr - dK(u, y)), and more where K is singular."""
        P, C, active, r1, r2, u, y, singular = bare(ctx.saved_tensors)
        moves = (*tangents[:2], *tangents[3:])
        dP, dC, dr1, dr2 = filled(moves, (P, C, r1, r2))
        dP = 0.5 * (dP + dP.mT)
        rhs = _less((dr1, dr2), _times(dP, dC, (u, y)))
        if _regular_throughout(singular):
            return (*System.apply(P, C, active, *rhs)[:2], None)
        bad = singular[:, None, None]
        e = _where(bad, _less((r1, r2), _times(P, C, (u, y))))
        w = System.apply(P, C, active, *_where(bad, (u, y)))[:2]
        z = System.apply(P, C, active, *_where(bad, _times(dP, dC, e)))[:2]
        t = _where(bad, _times(dP, dC, w))
        rhs = _less((rhs[0] + z[0], rhs[1] + z[1]), _times(P, C, t))
        du, dy, _ = System.apply(P, C, active, *rhs)
        return du + t[0], dy + t[1], None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor
    ) -> tuple[Any, ...]:
        """More columns if only right-hand sides are mapped; else more instances."""
        size = info.batch_size
        if all(d is None for d in in_dims[:3]):
            r1, r2 = (
                stacked(v, d, size).movedim(0, -2)
                for v, d in zip(inputs[3:], in_dims[3:], strict=True)
            )
            u, y, singular = System.apply(*inputs[:3], r1.flatten(-2), r2.flatten(-2))
            return (
                u.reshape(*u.shape[:2], *r1.shape[2:]),
                y.reshape(*y.shape[:2], *r2.shape[2:]),
                singular,
            ), (2, 2, None)
        folded = (
            stacked(v, d, size).flatten(0, 1)
            for v, d in zip(inputs, in_dims, strict=True)
        )
        outputs = System.apply(*folded)
        return tuple(v.reshape(size, -1, *v.shape[1:]) for v in outputs), (0, 0, 0)


def _regular_throughout(singular: Tensor) -> bool:
    """Whether no instance is known to be singular; under vmap nothing is known."""
    return in_memory(singular) and not bool(singular.any())


def _where(mask: Tensor, pair: Pair) -> Pair:
    return torch.where(mask, pair[0], 0.0), torch.where(mask, pair[1], 0.0)


def _less(v: Pair, w: Pair) -> Pair:
    return v[0] - w[0], v[1] - w[1]


def _times(P: Tensor, C: Tensor, v: Pair) -> Pair:
    """The product [P Cᵀ; C 0] v."""
    return P @ v[0] + C.mT @ v[1], C @ v[0]


def _factor(
    P: Tensor, C: Tensor, active: Tensor, rho: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cholesky factors of P + ρCᵀC and of its Schur complement, and their status."""
    L, info = cholesky_ex(P + rho * (C.mT @ C))
    half = solve_triangular(L, C.mT, upper=False)
    idle = torch.diag_embed((~active).to(P.dtype))
    S, info_s = cholesky_ex(rho * (half.mT @ half) + idle)
    return L, S, (info > 0) | (info_s > 0)


def _small(factor: Tensor) -> Tensor:
    """Whether pivots are so far apart that the matrix is numerically singular."""
    pivots = factor.diagonal(dim1=-2, dim2=-1)
    if not pivots.shape[-1]:
        return torch.zeros(len(factor), dtype=torch.bool, device=factor.device)
    return ~(pivots.amin(-1) > PIVOT_RATIO * pivots.amax(-1))


def _regular(matrices: Pair, factors: Pair, rho: Tensor, rhs: Pair) -> Pair:
    """Block elimination with one step of iterative refinement on the true system."""
    (P, C), (L, S), (r1, r2) = matrices, factors, rhs

    def eliminate(r1: Tensor, r2: Tensor) -> Pair:
        v = torch.cholesky_solve(r1 + rho * (C.mT @ r2), L)
        gap = rho * (C @ v - r2)
        y = torch.cholesky_solve(gap, S)
        return v - torch.cholesky_solve(C.mT @ y, L), y

    u, y = eliminate(r1, r2)
    du, dy = eliminate(*_less(rhs, _times(P, C, (u, y))))
    return u + du, y + dy


def _minimum_norm(P: Tensor, C: Tensor, r1: Tensor, r2: Tensor) -> Pair:
    """Least-squares solution of least norm, by the pseudo-inverse of the KKT matrix."""
    n, k = P.shape[-1], C.shape[-2]
    corner = torch.zeros(*P.shape[:-2], k, k, dtype=P.dtype, device=P.device)
    K = torch.cat([torch.cat([P, C.mT], -1), torch.cat([C, corner], -1)], -2)
    inverse = torch.linalg.pinv(K, rtol=CUTOFF, hermitian=True)
    solution = inverse @ torch.cat([r1, r2], -2)
    return solution[..., :n, :], solution[..., n:, :]
