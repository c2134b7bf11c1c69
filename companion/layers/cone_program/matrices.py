"""Matrices as autograd sees them: all entries, or the values on a pattern.

Every value has one batch axis, of size one where the batch shares it.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


class Full:
    """Dense matrices."""

    def product(self, M: Tensor, v: Tensor) -> Tensor:
        """M v."""
        return (M @ v.unsqueeze(-1)).squeeze(-1)

    def transposed(self, M: Tensor, v: Tensor) -> Tensor:
        """Mᵀ v."""
        return (M.mT @ v.unsqueeze(-1)).squeeze(-1)

    def outer(self, u: Tensor, v: Tensor) -> Tensor:
        """The matrices u vᵀ."""
        return u.unsqueeze(-1) * v.unsqueeze(-2)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Sparse matrices: where the stored entries stand, of every instance or of all."""

    rows: Tensor
    columns: Tensor
    shape: tuple[int, int]

    def product(self, values: Tensor, v: Tensor) -> Tensor:
        """M v."""
        return self._summed(values, v, self.columns, self.rows, self.shape[0])

    def transposed(self, values: Tensor, v: Tensor) -> Tensor:
        """Mᵀ v."""
        return self._summed(values, v, self.rows, self.columns, self.shape[1])

    def outer(self, u: Tensor, v: Tensor) -> Tensor:
        """The entries of u vᵀ on the pattern."""
        return _taken(u, self.rows) * _taken(v, self.columns)

    def _summed(
        self, values: Tensor, v: Tensor, at: Tensor, to: Tensor, size: int
    ) -> Tensor:
        terms = values * _taken(v, at)
        zeros = torch.zeros(len(v), size, dtype=v.dtype)
        return zeros.scatter_add(-1, _spread(to, len(v)), terms)


def _taken(v: Tensor, at: Tensor) -> Tensor:
    return v.gather(-1, _spread(at, len(v)))


def _spread(places: Tensor, size: int) -> Tensor:
    """Places for every instance; a batch that vmap has made larger repeats them."""
    if len(places) in (1, size):
        return places.expand(size, -1)
    return places.repeat(size // len(places), 1)


Matrix = Full | Pattern
