"""Cone programs built backwards from their solution, in rational numbers.

A piece is one block with complementary s ∈ K and y ∈ K* and with DΠ_K*(y − s), all
rational.  For a PSD block they are entries of matrices here, lower triangle by columns;
the rows off the diagonal are multiplied by √2 when the case is written, and count
twice in every product of two of them.

Chapter: conformance.md. Theorems: cone-adjoint, ray-derivative, psd-derivative.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any, NamedTuple

from companion.conformance.rational import (
    Matrix,
    Vector,
    add,
    apply,
    dot,
    matrix,
    outer,
    scale,
    solve,
    vector,
)

Numbers = list[Any]


class Piece(NamedTuple):
    """One block; D is None where the projection has no derivative.

    `size` is what the field of `Cones` holds: one row, a length, a side, an exponent.
    """

    cone: str
    size: Any
    s: Vector
    y: Vector
    D: Matrix | None
    twice: Vector  # 2 for a row that is multiplied by √2, else 1


def eye(n: int) -> Matrix:
    """The identity."""
    return [[Fraction(i == j) for j in range(n)] for i in range(n)]


def combined(*parts: tuple[Fraction | int, Matrix]) -> Matrix:
    """Σ t M."""
    rows = range(len(parts[0][1]))
    return [add(*(scale(t, M[i]) for t, M in parts)) for i in rows]


def plain(cone: str, s: Numbers, y: Numbers, D: Matrix | None, size: Any) -> Piece:
    """A piece whose rows are not scaled."""
    return Piece(cone, size, vector(s), vector(y), D, [Fraction(1)] * len(s))


def zero(y: int) -> Piece:
    """An equality with this multiplier."""
    return plain("zero", [0], [y], eye(1), 1)


def nonneg(s: int, y: int) -> Piece:
    """An inequality with this slack or this multiplier."""
    D = None if s == y == 0 else [[Fraction(y > s)]]
    return plain("nonneg", [s], [y], D, 1)


def root(square: Fraction) -> Fraction:
    """The rational root; ValueError if there is none."""
    found = Fraction(isqrt(square.numerator), isqrt(square.denominator))
    if found**2 != square:
        msg = f"square: expected the square of a rational, got {square}"
        raise ValueError(msg)
    return found


def soc(s: Numbers, y: Numbers) -> Piece:
    """½[1 uᵀ; u (1 + k)I − k uuᵀ] between the cones, with v = y − s = (t, w)."""
    v = add(vector(y), scale(-1, vector(s)))
    t, w, n = v[0], v[1:], len(v)
    if t * t == dot(w, w):
        return plain("soc", s, y, None, n)
    if t * t > dot(w, w):
        return plain("soc", s, y, combined((int(t > 0), eye(n))), n)
    r = root(dot(w, w))
    u, k = scale(1 / r, w), t / r
    side = combined((1 + k, eye(n - 1)), (-k, outer(u, u)))
    half = [[Fraction(1), *u], *([a, *row] for a, row in zip(u, side, strict=True))]
    return plain("soc", s, y, combined((Fraction(1, 2), half)), n)


def psd(basis: list[Numbers], eigenvalues: Numbers) -> Piece:
    """Y − S = Σ λ uuᵀ/uᵀu for orthogonal u: Y has the positive ones, S the others.

    DΠ takes a symmetric H to Σ B_kl P_k H P_l, B_kl = (λ_k⁺ + λ_l⁺)/(|λ_k| + |λ_l|).
    """
    U, lam, n = matrix(basis), vector(eigenvalues), len(basis)
    P = [combined((1 / dot(u, u), outer(u, u))) for u in U]
    places = [(i, j) for j in range(n) for i in range(j, n)]
    plus, minus = ([max(t * sign, Fraction(0)) for t in lam] for sign in (1, -1))
    parts = (combined(*zip(t, P, strict=True)) for t in (plus, minus))
    y, s = ([X[i][j] for i, j in places] for X in parts)
    D = None
    if all(lam):
        columns = [_moved(P, lam, i, j) for i, j in places]
        D = [[X[i][j] for X in columns] for i, j in places]
    twice = [Fraction(1 if i == j else 2) for i, j in places]
    return Piece("psd", n, s, y, D, twice)


def _moved(P: list[Matrix], lam: Vector, i: int, j: int) -> Matrix:
    """What DΠ makes of the symmetric matrix with ones at ij and ji."""
    n, terms = len(lam), []
    for k in range(n):
        for m in range(n):
            kept = (max(lam[k], 0) + max(lam[m], 0)) / (abs(lam[k]) + abs(lam[m]))
            column, row = [line[i] for line in P[k]], P[m][j]
            terms.append((Fraction(kept), outer(column, row)))
            if i != j:
                column, row = [line[j] for line in P[k]], P[m][i]
                terms.append((Fraction(kept), outer(column, row)))
    return combined(*terms)


def _ray(cone: str, size: Any, s: Numbers, y: Numbers, turn: list[Numbers]) -> Piece:
    """A piece on a boundary of rays: `turn` holds P, P′, D, D′ with s ∥ P, −y ∥ D."""
    P, dP, D, dD = matrix(turn)
    v = add(vector(s), scale(-1, vector(y)))
    n = [P[i - 2] * D[i - 1] - P[i - 1] * D[i - 2] for i in range(3)]
    inside = dot(P, v) / dot(P, P) * dot(n, dP)
    outside = dot(D, v) / dot(D, D) * dot(n, dD)
    share = inside / (inside + outside)
    along, across = outer(P, P), outer(n, n)
    kept = combined((1 / dot(P, P), along), (share / dot(n, n), across))
    return plain(cone, s, y, combined((1, eye(3)), (-1, kept)), size)


def exponential(a: int | str, b: int | str) -> Piece:
    """The piece with s = a(0, 1, 1) and y = b(−1, −1, 1)."""
    turn = [[0, 1, 1], [1, 0, 1], [1, 1, -1], [0, -1, 1]]
    s = scale(Fraction(a), vector(turn[0]))
    y = scale(-Fraction(b), vector(turn[2]))
    if not any(s) or not any(y):
        return plain("exp", s, y, None, 1)
    return _ray("exp", 1, s, y, turn)


def exponential_face(s: Numbers, y: Numbers) -> Piece:
    """The piece with s on the face x < 0, y = 0 < z, where only y is cut."""
    return plain("exp", s, y, [[Fraction(i == j == 1) for j in range(3)]
                               for i in range(3)], 1)  # fmt: skip


def power(alpha: str, a: int, b: int, sign: int = 1) -> Piece:
    """S = a(1, 1, ±1) and y = b(α, 1 − α, ∓1)."""
    t = Fraction(alpha)
    r = 1 - t
    turn = [[1, 1, sign], [r, -t, 0], [-t, -r, sign], [t * r, -t * r, 0]]
    s, y = scale(a, vector(turn[0])), scale(-b, vector(turn[2]))
    if not a or not b:
        return plain("power", s, y, None, t)
    return _ray("power", t, s, y, turn)


def dual(piece: Piece) -> Piece:
    """The same for the dual of an exponential or power cone: s and y change places."""
    D = None if piece.D is None else combined((1, eye(3)), (-1, piece.D))
    name = {"exp": "exp_dual", "power": "power"}[piece.cone]
    size = -piece.size if name == "power" else piece.size
    return Piece(name, size, piece.y, piece.s, D, piece.twice)


class Draft(NamedTuple):
    """A program over pieces: rows and x are chosen, q and b follow."""

    pieces: list[Piece]
    P: Matrix
    A: Matrix  # rows as of `Piece`, before √2
    x: Vector

    def joined(self, name: str) -> Vector:
        """One field of all pieces, end to end."""
        return [v for piece in self.pieces for v in getattr(piece, name)]


def weighted(draft: Draft, y: Vector) -> Vector:
    """Aᵀy, rows times √2 counted twice."""
    twice = draft.joined("twice")
    return [
        dot([row[j] * w for row, w in zip(draft.A, twice, strict=True)], y)
        for j in range(len(draft.x))
    ]


def vjp(draft: Draft, seed: Vector) -> dict[str, Any]:
    """Gradients of seedᵀx: P g1 − Aᵀg2 = −seed and D(A g1 − g2) + g2 = 0.

    Rows off a diagonal, of A and b, are to be multiplied by √2 as those of the data.
    """
    A, x, y, n = draft.A, draft.x, draft.joined("y"), len(draft.x)
    D = block_diagonal([piece.D for piece in draft.pieces])
    twice, m = draft.joined("twice"), len(A)
    DA = [[dot(row, [A[k][j] for k in range(m)]) for j in range(n)] for row in D]
    top = [[*draft.P[i], *(-A[k][i] * twice[k] for k in range(m))] for i in range(n)]
    low = [
        [*DA[i], *((Fraction(i == k) - D[i][k]) for k in range(m))] for i in range(m)
    ]
    g = solve([*top, *low], [*scale(-1, seed), *[Fraction(0)] * m])
    g1, g2 = g[:n], g[n:]
    half = Fraction(1, 2)
    return {
        "seed": seed,
        "P": combined((half, outer(g1, x)), (half, outer(x, g1))),
        "q": g1,
        "A": combined((1, outer(y, g1)), (-1, outer(g2, x))),
        "b": g2,
    }


def block_diagonal(parts: list[Matrix | None]) -> Matrix:
    """The matrix with these blocks; ValueError where a derivative does not exist."""
    size, rows, start = sum(len(D or []) for D in parts), [], 0
    for D in parts:
        if D is None:
            msg = "expected pieces with a derivative"
            raise ValueError(msg)
        for row in D:
            rest = size - start - len(row)
            rows.append([*[Fraction(0)] * start, *row, *[Fraction(0)] * rest])
        start += len(D)
    return rows


def value(draft: Draft, q: Vector) -> Fraction:
    """½xᵀPx + qᵀx."""
    return dot(draft.x, apply(draft.P, draft.x)) / 2 + dot(q, draft.x)
