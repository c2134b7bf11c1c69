"""Memory for factors, used again: a fresh page costs as much as filling it twice.

What lies idle is bounded, and the shapes that were used last stay: a batch of another
size pushes the old ones out.

Chapter: optnet.md.
"""

from __future__ import annotations

import os
import weakref
from functools import cache

import numpy as np

LEAST, MOST, SHARE = 2**28, 2**31, 16  # bytes, and one part of so many of the memory
SMALL = 2**15  # bytes below which an array is not worth the trouble

Shape = tuple[int, ...]


@cache
def kept() -> int:
    """Bytes that may lie idle, by the memory that the machine has."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return LEAST
    return max(LEAST, min(MOST, memory // SHARE))


@cache
def _idle() -> dict[Shape, list[np.ndarray]]:
    """Arrays that wait, by shape; the shape that was used last is the last one."""
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
    for array in arrays:
        if array.nbytes >= SMALL:
            waiting = idle.pop(array.shape, [])
            waiting.append(array)
            idle[array.shape] = waiting
    _forget(idle)


def _forget(idle: dict[Shape, list[np.ndarray]]) -> None:
    """Free what was used least recently, while too much lies idle."""
    waiting = list(idle.items())
    excess = sum(v.nbytes for _, arrays in waiting for v in list(arrays)) - kept()
    for shape, arrays in waiting:
        try:
            while excess > 0:
                excess -= arrays.pop().nbytes
        except IndexError:  # none of this shape is left
            idle.pop(shape, None)
