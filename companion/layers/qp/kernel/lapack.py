"""SciPy's own LAPACK and BLAS, called from compiled code without the interpreter.

Addresses are arguments and not constants of the compiled code, so that it can be kept
on disk between processes.  Matrices are row-major: to Fortran they look transposed, so
that its upper triangle is our lower one.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import get_cython_function_address, intrinsic

# no assumption that NaN and infinity are absent: they are how bad data show.  A loop
# must not both sum and store: which of its compiled forms runs then depends on how far
# apart the arrays happen to lie, and with it the order of the sum
FAST = {"reassoc", "contract", "arcp", "nsz"}
COMPILED = {"nogil": True, "cache": True, "fastmath": FAST, "error_model": "numpy"}
EXACT = {"nogil": True, "cache": True, "error_model": "numpy"}

UPPER, LOWER, TRANSPOSED, PLAIN = 0, 1, 2, 3  # places in the letters below
LETTERS = np.array([ord(c) for c in "ULTN"], np.uint8)
ONE, ZERO, MINUS = 0, 1, 2  # places in the numbers below
NUMBERS = np.array([1.0, 0.0, -1.0])
INTEGERS = 6  # size of the integer workspace
BLOCK = 34  # columns that are eliminated at once


def routines() -> tuple[int, int, int, int]:
    """Addresses of dpotrf, dtrmm, dsyrk and dgemm."""
    return (
        get_cython_function_address("scipy.linalg.cython_lapack", "dpotrf"),
        get_cython_function_address("scipy.linalg.cython_blas", "dtrmm"),
        get_cython_function_address("scipy.linalg.cython_blas", "dsyrk"),
        get_cython_function_address("scipy.linalg.cython_blas", "dgemm"),
    )


@njit(**EXACT)
def finite(v):
    """Whether all entries are; where sums may be reordered, NaN can get lost."""
    for value in v:
        if not np.isfinite(value):
            return False
    return True


@intrinsic
def _invoke(_typing, address, pointers):
    """Call the function at an address with a tuple of pointers, all as integers."""

    def generate(context, builder, signature, arguments):
        place, packed = arguments
        count = signature.args[1].count
        pointer = ir.IntType(8).as_pointer()
        values = [
            builder.inttoptr(builder.extract_value(packed, i), pointer)
            for i in range(count)
        ]
        kind = ir.FunctionType(ir.VoidType(), [pointer] * count)
        builder.call(builder.inttoptr(place, kind.as_pointer()), values)
        return context.get_dummy_value()

    return types.void(address, pointers), generate


@njit(inline="always", **COMPILED)
def at(array, offset=0):
    """Address of an entry of an array, counted in entries."""
    return np.int64(array.ctypes.data) + np.int64(offset * array.itemsize)


@njit(**COMPILED)
def cholesky(calls, letters, ints, n, a, stride):
    """Lower factor of the n x n matrix at `a`, in place; zero on success."""
    ints[0], ints[1], ints[4] = n, stride, 0
    pointers = (at(letters, UPPER), at(ints, 0), a, at(ints, 1), at(ints, 4))
    _invoke(calls[0], pointers)
    return ints[4]


@njit(**COMPILED)
def multiply(calls, letters, ints, numbers, n, rows, factor, stride, b, width):
    """Replace B by B·Mᵀ: B has `rows` rows of n, M is lower; strides in entries."""
    if rows == 0:
        return
    ints[0], ints[1], ints[2], ints[3] = n, rows, stride, width
    pointers = (
        at(letters, LOWER), at(letters, UPPER), at(letters, TRANSPOSED),
        at(letters, PLAIN), at(ints, 0), at(ints, 1), at(numbers, ONE),
        factor, at(ints, 2), b, at(ints, 3),
    )  # fmt: skip
    _invoke(calls[1], pointers)


@njit(**COMPILED)
def subtract(calls, letters, ints, numbers, sizes, a, wide, b, width, c, stride):
    """C ← C - A·Bᵀ with sizes = (rows of A, rows of B, columns of both)."""
    if min(sizes) == 0:
        return
    ints[0], ints[1], ints[2], ints[3] = sizes[1], sizes[0], sizes[2], width
    ints[4], ints[5] = wide, stride
    pointers = (
        at(letters, TRANSPOSED), at(letters, PLAIN), at(ints, 0), at(ints, 1),
        at(ints, 2), at(numbers, MINUS), b, at(ints, 3), a, at(ints, 4),
        at(numbers, ONE), c, at(ints, 5),
    )  # fmt: skip
    _invoke(calls[3], pointers)


@njit(**COMPILED)
def _invert(L, first, n, inverse):
    """The inverse of the lower block of L that begins at (first, first)."""
    for i in range(n):
        pivot = 1.0 / L[first + i, first + i]
        inverse[i, :i] = 0.0
        for k in range(i):
            share = pivot * L[first + i, first + k]
            for j in range(k + 1):
                inverse[i, j] -= share * inverse[k, j]
        inverse[i, i] = pivot


@njit(**COMPILED)
def eliminate(calls, constants, L, n, X, first, rows):
    """Replace the leading n x n of L by its lower factor, and X by X·L⁻ᵀ.

    Of X only n columns of `rows` rows from `first` on.  Block after block of columns;
    small triangles are inverted, for multiplying is twice as fast as dividing.  Zero on
    success.
    """
    letters, numbers = constants
    side = min(BLOCK, n)
    ints, inverse = np.zeros(INTEGERS, np.int32), np.empty((side, side))
    pieces = max((n + BLOCK - 1) // BLOCK, 1)
    wide, width = L.shape[1], X.shape[1]
    for piece in range(pieces):
        j, after = n * piece // pieces, n * (piece + 1) // pieces
        w, here = after - j, at(L, j * wide)
        gram(calls, letters, ints, numbers, w, j, here, wide, at(L, j * wide + j),
             wide, MINUS, ONE)  # fmt: skip
        if cholesky(calls, letters, ints, w, at(L, j * wide + j), wide) != 0:
            return 1
        if after == n and rows == 0:
            return 0
        _invert(L, j, w, inverse)
        for panel, start, count, step in (
            (at(L, 0), after, n - after, wide), (at(X, 0), first, rows, width),
        ):  # fmt: skip
            left = panel + 8 * start * step
            right = left + 8 * j
            subtract(calls, letters, ints, numbers, (count, w, j), left, step, here,
                     wide, right, step)  # fmt: skip
            multiply(calls, letters, ints, numbers, w, count, at(inverse), side,
                     right, step)  # fmt: skip
    return 0


@njit(**COMPILED)
def gram(calls, letters, ints, numbers, rows, n, b, width, c, stride, sign, keep):
    """Lower triangle of C ← sign·B·Bᵀ + keep·C; sign and keep are places of numbers."""
    if rows == 0 or n == 0:
        return
    ints[0], ints[1], ints[2], ints[3] = rows, n, width, stride
    pointers = (
        at(letters, UPPER), at(letters, TRANSPOSED), at(ints, 0), at(ints, 1),
        at(numbers, sign), b, at(ints, 2), at(numbers, keep), c, at(ints, 3),
    )  # fmt: skip
    _invoke(calls[2], pointers)
