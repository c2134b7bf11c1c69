"""Memory for factors, used again: a fresh page costs as much as filling it twice.

Chapter: optnet.md.
"""

from __future__ import annotations

from functools import cache

import numpy as np

KEPT = 2**28  # bytes that may lie idle

Shape = tuple[int, ...]


@cache
def _idle() -> dict[Shape, list[np.ndarray]]:
    return {}


def take(*shapes: Shape) -> tuple[np.ndarray, ...]:
    """Arrays of float64 with these shapes and with anything in them."""
    idle = _idle()
    found = []
    for shape in shapes:
        waiting = idle.get(shape)
        found.append(waiting.pop() if waiting else np.empty(shape))
    return tuple(found)


def give_back(arrays: tuple[np.ndarray, ...]) -> None:
    """Let the arrays be used again; their owner must be gone."""
    idle = _idle()
    used = sum(v.nbytes for waiting in idle.values() for v in waiting)
    for array in arrays:
        if used + array.nbytes <= KEPT:
            idle.setdefault(array.shape, []).append(array)
            used += array.nbytes
