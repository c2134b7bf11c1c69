"""One sparse matrix with a batch axis of one, for products as of dense batches.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Matrix = Any  # of SciPy; its annotations say what may be None


class Thin:
    """What NumPy's products and `isfinite` see of a sparse matrix."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.shape = (1, *matrix.shape)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, i: int) -> Matrix:
        return (self.matrix,)[i]

    def __abs__(self) -> Thin:
        return Thin(abs(self.matrix))

    @property
    def finite(self) -> np.ndarray:
        """Whether it has numbers only."""
        return np.isfinite(self.matrix.data).all(keepdims=True)

    def __matmul__(self, X: np.ndarray) -> np.ndarray:
        return (self.matrix @ X[0])[None]

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **_options: Any
    ) -> Any:
        if method != "__call__":
            return NotImplemented
        if ufunc is np.matmul:
            return (inputs[0][0] @ self.matrix)[None]
        if ufunc is np.isfinite:
            return self.finite
        return NotImplemented
