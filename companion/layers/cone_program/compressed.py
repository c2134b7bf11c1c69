"""Matrices by columns without their zeros, as Clarabel reads them.

It reads lists of numbers a good deal faster than arrays, and nothing of a matrix but
the attributes here.

Chapter: cone-derivative.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from companion.layers.cone_program.stacks import Stack


class Csc(NamedTuple):
    """Values, their rows, where each column starts, and the shape; rows are sorted."""

    data: list[float]
    indices: list[int]
    indptr: list[int]
    shape: tuple[int, int]
    has_canonical_format: bool = True


class Known(NamedTuple):
    """A pattern: what tells it apart, and the places of its entries by columns."""

    mark: np.ndarray
    places: np.ndarray
    indices: list[int]
    starts: list[int]


class Compressed:
    """The matrices of a stack, one at a time, or their upper triangles.

    What the last matrix needed for its pattern serves the next with the same one.
    """

    def __init__(self, stack: Stack, *, upper: bool) -> None:
        self.stack, self.upper = stack, upper
        self.known: Known | None = None
        self.last: tuple[int, Csc] | None = None

    def of(self, i: int) -> Csc:
        """The matrix of instance i, or the one that all share."""
        i = i if len(self.stack) > 1 else 0
        last = self.last  # another thread may replace it, and what is known
        if last is not None and last[0] == i:
            return last[1]
        found, known = self.stack.entries[i], self.known
        flat = self.stack.dense[i].reshape(-1)
        if found is None:
            mark = flat != 0
            if known is None or not np.array_equal(known.mark, mark):
                known = self._learnt(np.flatnonzero(mark), mark)
        else:
            mark = found.pattern.places
            if known is None or known.mark is not mark:
                known = self._learnt(mark, mark)
        self.known = known
        values = flat[known.places].tolist()
        made = Csc(values, known.indices, known.starts, self.stack.shape[1:])
        self.last = i, made
        return made

    def _learnt(self, places: np.ndarray, mark: np.ndarray) -> Known:
        width = self.stack.shape[2]
        rows, columns = np.divmod(places, max(width, 1))
        if self.upper:
            kept = rows <= columns
            places, rows, columns = places[kept], rows[kept], columns[kept]
        order = np.argsort(columns, kind="stable")
        counts = np.bincount(columns, minlength=width)
        starts = [0, *np.cumsum(counts).tolist()]
        return Known(mark, places[order], rows[order].tolist(), starts)
