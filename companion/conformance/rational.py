"""Linear algebra in rational numbers: matrices are lists of rows of fractions.

Chapter: optnet.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Vector = list[Fraction]
Matrix = list[Vector]


def vector(values: Sequence[int | str | Fraction]) -> Vector:
    """The entries as fractions."""
    return [Fraction(v) for v in values]


def matrix(rows: Sequence[Sequence[int | str | Fraction]]) -> Matrix:
    """The rows as fractions."""
    return [vector(row) for row in rows]


def dot(u: Vector, v: Vector) -> Fraction:
    """uᵀv."""
    return sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0))


def apply(M: Matrix, v: Vector) -> Vector:
    """Mv."""
    return [dot(row, v) for row in M]


def adjoint(M: Matrix, v: Vector, n: int) -> Vector:
    """Mᵀv, of length n even where M has no rows."""
    terms = list(zip(M, v, strict=True))
    return [sum((row[j] * s for row, s in terms), Fraction(0)) for j in range(n)]


def add(*vectors: Vector) -> Vector:
    """The sum of vectors."""
    return [sum(entries, Fraction(0)) for entries in zip(*vectors, strict=True)]


def scale(t: Fraction | int, v: Vector) -> Vector:
    """The vector tv."""
    return [t * a for a in v]


def outer(u: Vector, v: Vector) -> Matrix:
    """uvᵀ."""
    return [[a * b for b in v] for a in u]


def add_matrices(M: Matrix, N: Matrix) -> Matrix:
    """M + N."""
    return [add(u, v) for u, v in zip(M, N, strict=True)]


def reduced(rows: Matrix) -> tuple[Matrix, list[int]]:
    """Reduced row echelon form, with the columns of its pivots."""
    rows = [list(row) for row in rows]
    pivots: list[int] = []
    for j in range(len(rows[0]) if rows else 0):
        k = len(pivots)
        at = next((i for i in range(k, len(rows)) if rows[i][j]), None)
        if at is None:
            continue
        rows[k], rows[at] = rows[at], rows[k]
        rows[k] = scale(1 / rows[k][j], rows[k])
        for i in range(len(rows)):
            if i != k and rows[i][j]:
                rows[i] = add(rows[i], scale(-rows[i][j], rows[k]))
        pivots.append(j)
    return rows, pivots


def rank(rows: Matrix) -> int:
    """The rank."""
    return len(reduced(rows)[1])


def solve(K: Matrix, r: Vector) -> Vector:
    """The solution of Kd = r; ZeroDivisionError if K is singular."""
    rows, pivots = reduced([[*row, s] for row, s in zip(K, r, strict=True)])
    if pivots != list(range(len(K))):
        msg = f"a matrix of {len(K)} rows is singular"
        raise ZeroDivisionError(msg)
    return [row[-1] for row in rows]


def null_space(rows: Matrix, n: int) -> Matrix:
    """Vectors that span {d ∈ ℚⁿ : every row has product zero with d}."""
    echelon, pivots = reduced(rows)
    basis = []
    for free in (j for j in range(n) if j not in pivots):
        d = [Fraction(j == free) for j in range(n)]
        for i, j in enumerate(pivots):
            d[j] = -echelon[i][free]
        basis.append(d)
    return basis


def signs(S: Matrix) -> tuple[bool, bool]:
    """Whether a symmetric matrix is positive semidefinite, and whether definite."""
    S = [list(row) for row in S]
    definite = True
    for k in range(len(S)):
        if S[k][k] < 0 or (S[k][k] == 0 and any(S[k][k:])):
            return False, False
        if S[k][k] == 0:
            definite = False
            continue
        for i in range(k + 1, len(S)):
            S[i] = add(S[i], scale(-S[i][k] / S[k][k], S[k]))
    return True, definite


def independent(rows: Matrix) -> list[int]:
    """Places of the first rows that span the same space."""
    if not rows:
        return []
    columns = [list(column) for column in zip(*rows, strict=True)]
    return reduced(columns)[1]
