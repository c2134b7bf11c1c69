"""The cone of positive semidefinite matrices over batches, as scaled triangles.

Chapter: cones.md.  Theorems: psd-projection, psd-derivative.
Source: busseti2019solution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from companion.layers.cones.projection import differentiable
from companion.layers.forward_mode import bare, outward


def project(x: Tensor) -> Tensor:
    """Nearest point, differentiable."""
    return differentiable(nearest, jvp, x)


def nearest(x: Tensor) -> Tensor:
    """The positive eigenvalues, with their eigenvectors."""
    lam, U = torch.linalg.eigh(matrix(x))
    return vector((U * lam.clamp(min=0.0).unsqueeze(-2)) @ U.mT)


def jvp(x: Tensor, dx: Tensor) -> Tensor:
    """DΠ(x)dx = U(B ∘ UᵀHU)Uᵀ, differentiable once more, equal eigenvalues or not.

    It exists where det X ≠ 0.  An eigenvalue 0 counts as negative; where rounding
    leaves no exact 0, its sign decides.
    """
    return Tangent.apply(x, dx)


def derivative(x: Tensor) -> Tensor:
    """DΠ(x) = QBQᵀ, where column ij of Q is the matrix u_i u_jᵀ + u_j u_iᵀ."""
    lam, U = torch.linalg.eigh(matrix(x))
    rows, columns, scale = triangle(lam.shape[-1])
    scale = scale.to(x)
    left, right = U[..., columns], U[..., rows]
    twins = left[..., rows, :] * right[..., columns, :]
    twins = (twins + left[..., columns, :] * right[..., rows, :]) / 2
    Q = scale.unsqueeze(-1) * twins * scale
    return (Q * kept(lam)[..., None, rows, columns]) @ Q.mT


class Tangent(torch.autograd.Function):
    """(x, dx) ↦ DΠ(x)dx, whose derivative in x is D²Π.

    Differentiating through the eigenvectors would divide by λ_i − λ_j; the divided
    differences of max(·, 0) do not.  A third derivative raises an error.
    """

    @staticmethod
    def forward(x: Tensor, dx: Tensor) -> Tensor:
        """U(B ∘ UᵀHU)Uᵀ."""
        lam, U = torch.linalg.eigh(matrix(x))
        return vector(U @ (kept(lam) * (U.mT @ matrix(dx) @ U)) @ U.mT)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """Keep the point and the direction."""
        del output
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        """D²Π is symmetric in its three arguments, g among them."""
        x, dx = ctx.saved_tensors
        return Second.apply(x, dx, g), Tangent.apply(x, g)

    @staticmethod
    @outward()
    def jvp(ctx: Any, x_dot: Tensor, dx_dot: Tensor) -> Tensor:
        """D²Π(x)[dx, x_dot] + DΠ(x)dx_dot."""
        x, dx = bare(ctx.saved_tensors)
        return Second.apply(x, dx, x_dot) + Tangent.apply(x, dx_dot)

    @staticmethod
    def vmap(
        _info: Any, in_dims: tuple[int | None, ...], x: Tensor, dx: Tensor
    ) -> tuple[Tensor, int]:
        """A mapped axis is one more batch axis, in front of those of both arguments."""
        return Tangent.apply(*_fronted((x, dx), in_dims)), 0


def _fronted(
    data: tuple[Tensor, ...], in_dims: tuple[int | None, ...]
) -> Iterator[Tensor]:
    """The mapped axes first, then ones until as many more axes follow in each."""
    pairs = list(zip(data, in_dims, strict=True))
    rank = max(v.dim() - (d is not None) for v, d in pairs)
    for v, axis in pairs:
        if axis is None:
            yield v
            continue
        moved = v.movedim(axis, 0)
        ones = (1,) * (rank + 1 - moved.dim())
        yield moved.reshape(len(moved), *ones, *moved.shape[1:])


class Second(torch.autograd.Function):
    """(x, h, g) ↦ D²Π(x)[h, g], by the second divided differences of max(·, 0)."""

    @staticmethod
    def forward(x: Tensor, h: Tensor, g: Tensor) -> Tensor:
        """Entry ij in the eigenbasis: Σ_k f[i, k, j](h_ik g_kj + g_ik h_kj)."""
        lam, U = torch.linalg.eigh(matrix(x))
        H, G = (U.mT @ matrix(v) @ U for v in (h, g))
        f = second_differences(lam)
        both = torch.einsum("...ikj,...ik,...kj->...ij", f, H, G)
        return vector(U @ (both + both.mT) @ U.mT)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        """The third derivative is not here."""
        del ctx, g
        raise NotImplementedError(TWICE)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        """The third derivative is not here."""
        del ctx, tangents
        raise NotImplementedError(TWICE)

    @staticmethod
    def vmap(
        _info: Any, in_dims: tuple[int | None, ...], *data: Tensor
    ) -> tuple[Tensor, int]:
        """A mapped axis is one more batch axis, in front of those of all arguments."""
        return Second.apply(*_fronted(data, in_dims)), 0


TWICE = "the projection of a matrix has two derivatives here, not three"


def kept(lam: Tensor) -> Tensor:
    """B_ij = (λ_i⁺ + λ_j⁺)/(|λ_i| + |λ_j|), the share of entry ij that DΠ keeps."""
    plus, size = lam.clamp(min=0.0), lam.abs()
    total = size.unsqueeze(-1) + size.unsqueeze(-2)
    sums = plus.unsqueeze(-1) + plus.unsqueeze(-2)
    return sums / torch.where(total > 0, total, 1.0)


def second_differences(lam: Tensor) -> Tensor:
    """f[i, k, j] of max(·, 0), which has no differences of eigenvalues below a bar.

    Where one eigenvalue o has another sign than the two others a and b, it is
    |λ_o|/((|λ_o| + |λ_a|)(|λ_o| + |λ_b|)), and else 0.
    """
    size, plus = lam.abs(), lam > 0
    i, k, j = plus[..., None, None], plus[..., None, :, None], plus[..., None, None, :]
    total = size.unsqueeze(-1) + size.unsqueeze(-2)
    pair = 1 / torch.where(total > 0, total, 1.0)
    ik, kj, ij = pair.unsqueeze(-1), pair.unsqueeze(-3), pair.unsqueeze(-2)
    found = torch.where((i != k) & (k == j), size[..., None, None] * ik * ij, 0.0)
    found = torch.where((k != i) & (i == j), size[..., None, :, None] * ik * kj, found)
    return torch.where((j != i) & (i == k), size[..., None, None, :] * ij * kj, found)


@lru_cache(maxsize=64)
def triangle(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and columns of the lower triangle, column by column, and their scale."""
    columns, rows = torch.triu_indices(side, side)
    return rows, columns, (1.0 + (rows != columns).double()).sqrt()


def vector(X: Tensor) -> Tensor:
    """The lower triangle of X column by column, off-diagonal entries times √2."""
    rows, columns, scale = triangle(X.shape[-1])
    return X[..., rows, columns] * scale.to(X)


def matrix(x: Tensor) -> Tensor:
    """The symmetric matrix that `vector` made x of.

    Raises ValueError if the length of x is not k(k+1)/2.
    """
    side = math.isqrt(2 * x.shape[-1])
    if side * (side + 1) != 2 * x.shape[-1]:
        msg = f"x: expected k(k+1)/2 entries, as a k×k matrix has, got {x.shape[-1]}"
        raise ValueError(msg)
    rows, columns, scale = triangle(side)
    X = x.new_zeros(*x.shape[:-1], side, side)
    entries = x / scale.to(x)
    X[..., rows, columns] = entries
    X[..., columns, rows] = entries
    return X
