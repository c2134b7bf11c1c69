"""Sums of rows, products with rows and triangles, four rows at a time.

Chapter: interior-point.md. Theorems: qp-active-set.
"""

from __future__ import annotations

from numba import njit

from companion.layers.qp.kernel.lapack import COMPILED


@njit(**COMPILED)
def solve_lower(L, b, n):
    """Replace b by L⁻¹b, four rows at a time: a sum alone waits for itself."""
    whole = n - n % 4
    for i in range(0, whole, 4):
        s, t, u, v = 0.0, 0.0, 0.0, 0.0
        for j in range(i):
            s += L[i, j] * b[j]
            t += L[i + 1, j] * b[j]
            u += L[i + 2, j] * b[j]
            v += L[i + 3, j] * b[j]
        s = (b[i] - s) / L[i, i]
        t = (b[i + 1] - t - L[i + 1, i] * s) / L[i + 1, i + 1]
        u = b[i + 2] - u - L[i + 2, i] * s - L[i + 2, i + 1] * t
        u /= L[i + 2, i + 2]
        v = b[i + 3] - v - L[i + 3, i] * s - L[i + 3, i + 1] * t - L[i + 3, i + 2] * u
        v /= L[i + 3, i + 3]
        b[i], b[i + 1], b[i + 2], b[i + 3] = s, t, u, v
    for i in range(whole, n):
        total = b[i]
        for j in range(i):
            total -= L[i, j] * b[j]
        b[i] = total / L[i, i]


@njit(**COMPILED)
def solve_upper(L, b, n):
    """Replace b by L⁻ᵀb, four rows at a time."""
    whole = n - n % 4
    for i in range(n - 1, whole - 1, -1):
        value = b[i] / L[i, i]
        b[i] = value
        for j in range(i):
            b[j] -= L[i, j] * value
    for i in range(whole - 4, -1, -4):
        v = b[i + 3] / L[i + 3, i + 3]
        u = (b[i + 2] - L[i + 3, i + 2] * v) / L[i + 2, i + 2]
        t = b[i + 1] - L[i + 2, i + 1] * u - L[i + 3, i + 1] * v
        t /= L[i + 1, i + 1]
        s = b[i] - L[i + 1, i] * t - L[i + 2, i] * u - L[i + 3, i] * v
        s /= L[i, i]
        b[i], b[i + 1], b[i + 2], b[i + 3] = s, t, u, v
        add_rows(L, i, i + 1, i + 2, i + 3, -s, -t, -u, -v, b, i)


@njit(inline="always", **COMPILED)
def add_rows(M, i, j, k, l, s, t, u, v, out, n):
    """Add s, t, u, v times the first n entries of rows i, j, k, l of M to out."""
    for c in range(n):
        out[c] += s * M[i, c] + t * M[j, c] + u * M[k, c] + v * M[l, c]


@njit(**COMPILED)
def add_selected(M, rows, count, d, scale, out):
    """Add scale·d[a] times row rows[a] of M to out, for a < count."""
    n, whole = len(out), count - count % 4
    for a in range(0, whole, 4):
        add_rows(
            M, rows[a], rows[a + 1], rows[a + 2], rows[a + 3], scale * d[a],
            scale * d[a + 1], scale * d[a + 2], scale * d[a + 3], out, n,
        )  # fmt: skip
    for a in range(whole, count):
        share = scale * d[a]
        for c in range(n):
            out[c] += share * M[rows[a], c]


@njit(**COMPILED)
def add_products(M, rows, count, v, scale, out):
    """Add scale times the product of row rows[a] of M and v to out[a], a < count."""
    n, whole = len(v), count - count % 4
    for a in range(0, whole, 4):
        i, j, k, l = rows[a], rows[a + 1], rows[a + 2], rows[a + 3]
        s, t, u, w = 0.0, 0.0, 0.0, 0.0
        for c in range(n):
            s += M[i, c] * v[c]
            t += M[j, c] * v[c]
            u += M[k, c] * v[c]
            w += M[l, c] * v[c]
        out[a] += scale * s
        out[a + 1] += scale * t
        out[a + 2] += scale * u
        out[a + 3] += scale * w
    for a in range(whole, count):
        s = 0.0
        for c in range(n):
            s += M[rows[a], c] * v[c]
        out[a] += scale * s
