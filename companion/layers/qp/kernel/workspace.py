"""Memory for factors, used again: a fresh page costs as much as filling it twice.

Chapter: optnet.md.
"""

from __future__ import annotations

import weakref
from functools import cache

import numpy as np

KEPT = 2**28  # bytes that may lie idle
SMALL = 2**15  # bytes below which an array is not worth the trouble

Shape = tuple[int, ...]


@cache
def _idle() -> dict[Shape, list[np.ndarray]]:
    return {}


def take(*shapes: Shape) -> tuple[np.ndarray, ...]:
    """Arrays of float64 with these shapes and with anything in them."""
    return tuple(map(_take, shapes))


def _take(shape: Shape) -> np.ndarray:
    try:  # another thread may take the last one after a look
        return _idle()[shape].pop()
    except (KeyError, IndexError):
        return np.empty(shape)


def lent(array: np.ndarray) -> np.ndarray:
    """The same numbers; when nobody holds the result any more, they are given back."""
    if array.nbytes < SMALL:
        return array
    view = array.view()
    weakref.finalize(view, give_back, (array,)).atexit = False
    return view


def give_back(arrays: tuple[np.ndarray, ...]) -> None:
    """Let the arrays be used again; their owner must be gone."""
    idle = _idle()
    used = sum(v.nbytes for waiting in list(idle.values()) for v in list(waiting))
    for array in arrays:
        if array.nbytes >= SMALL and used + array.nbytes <= KEPT:
            idle.setdefault(array.shape, []).append(array)
            used += array.nbytes
