"""Cone programs in rational arithmetic, built backwards from their solutions.

Choose x and v, then y is the projection of v onto K*, s = y - v, and b = Ax + s and
q = -Px - Aᵀy make (x, y, s) a solution.  Cones: zero, nonnegative, second-order; where
a block (t, w) of the last kind is projected, ‖w‖ has to be rational to stay exact.

Chapter: embedding.md, cone-derivative.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, pairwise

import sympy as sp

from companion.problems import Cones

Matrix = sp.Matrix
t = sp.Symbol("t")


@dataclass(frozen=True, eq=False)
class Instance:
    """Data of a cone program with a solution x and v = y - s."""

    P: Matrix
    q: Matrix
    A: Matrix
    b: Matrix
    K: Cones
    x: Matrix
    v: Matrix

    @property
    def y(self) -> Matrix:
        """The dual solution, the projection of v onto K*."""
        return project_dual(self.v, self.K)

    @property
    def s(self) -> Matrix:
        """The slack, y - v."""
        return self.y - self.v

    @property
    def D(self) -> Matrix:
        """The derivative of the projection at v."""
        return derivative_dual(self.v, self.K)


def column(*values: object) -> Matrix:
    """A column of exact numbers."""
    return Matrix([sp.sympify(value) for value in values])


def instance(P: Matrix, A: Matrix, K: Cones, x: Matrix, v: Matrix) -> Instance:
    """The program that x solves with y - s = v."""
    y = project_dual(v, K)
    return Instance(P, -P * x - A.T * y, A, A * x + y - v, K, x, v)


def blocks(K: Cones) -> list[slice]:
    """The rows of the zero cone, of the orthant, and of every second-order cone."""
    ends = accumulate((0, K.zero, K.nonneg, *K.soc))
    return [slice(*pair) for pair in pairwise(ends)]


def parts(v: Matrix, K: Cones) -> list[Matrix]:
    """Those rows of a vector."""
    return [Matrix(v[rows, :]) for rows in blocks(K)]


def size(w: Matrix) -> sp.Expr:
    """The Euclidean norm."""
    return sp.sqrt((w.T * w)[0])


def project_soc(v: Matrix) -> Matrix:
    """The nearest point of {(t, w) : ‖w‖ ≤ t}."""
    r = size(v[1:, :])
    if r <= v[0]:
        return v
    if r <= -v[0]:
        return 0 * v
    return _between(v, r)


def _between(v: Matrix, r: sp.Expr) -> Matrix:
    return Matrix.vstack(column(r), Matrix(v[1:, :])) * (1 + v[0] / r) / 2


def project_dual(v: Matrix, K: Cones) -> Matrix:
    """The nearest point of K*: zero rows are free."""
    free, orthant, *socs = parts(v, K)
    clipped = orthant.applyfunc(lambda c: sp.Max(c, 0))
    return Matrix.vstack(free, clipped, *map(project_soc, socs))


def derivative_dual(v: Matrix, K: Cones, weight: sp.Expr = sp.S.Zero) -> Matrix:
    """The derivative of that projection; `weight` where an entry of the orthant is 0.

    Raises ValueError on the boundary of a second-order cone or of its negative.
    """
    free, orthant, *socs = parts(v, K)
    steps = [int(bool(c > 0)) if c else weight for c in orthant]
    return sp.diag(sp.eye(free.rows), *steps, *map(derivative_soc, socs))


def derivative_soc(v: Matrix) -> Matrix:
    """I inside the cone, 0 inside its negative, and between them by the formula."""
    r, top = size(v[1:, :]), v[0]
    if r == abs(top):
        msg = f"v: expected no boundary point, got {list(v)}"
        raise ValueError(msg)
    if r < abs(top):
        return int(bool(top > 0)) * sp.eye(v.rows)
    n = v[1:, :] / r
    lower = (1 + top / r) * sp.eye(n.rows) - top / r * n * n.T
    return Matrix(sp.BlockMatrix([[sp.eye(1), n.T], [n, lower]])) / 2


def projection_speed(v: Matrix, dv: Matrix, K: Cones) -> Matrix:
    """d/dt of the projection of v + t dv at t = 0, by differentiating its formula."""
    _, orthant, *socs = parts(v, K)
    moved = parts(dv, K)
    steps = [int(bool(c > 0)) * d for c, d in zip(orthant, moved[1], strict=True)]
    curves = [_speed_soc(a, d) for a, d in zip(socs, moved[2:], strict=True)]
    return Matrix.vstack(moved[0], column(*steps), *curves)


def _speed_soc(v: Matrix, dv: Matrix) -> Matrix:
    r, moved = size(v[1:, :]), v + t * dv
    if r < abs(v[0]):
        return int(bool(v[0] > 0)) * dv
    curve = _between(moved, size(moved[1:, :]))
    return curve.applyfunc(lambda c: sp.diff(c, t).subs(t, 0))


def in_dual(y: Matrix, K: Cones) -> bool:
    """Whether y ∈ K*, exactly."""
    _, orthant, *socs = parts(y, K)
    return all(c >= 0 for c in orthant) and all(size(w[1:, :]) <= w[0] for w in socs)


def in_cone(s: Matrix, K: Cones) -> bool:
    """Whether s ∈ K, exactly."""
    return in_dual(s, K) and not any(s[: K.zero, :])


def solves(i: Instance, x: Matrix, y: Matrix, s: Matrix) -> bool:
    """Whether (x, y, s) satisfies every optimality condition."""
    rows = [*(i.P * x + i.A.T * y + i.q), *(i.A * x + s - i.b), (s.T * y)[0]]
    return not any(map(sp.simplify, rows)) and in_dual(y, i.K) and in_cone(s, i.K)


def skew(i: Instance) -> Matrix:
    """The matrix Q of the embedding, without P."""
    n, m = i.A.cols, i.A.rows
    return Matrix(
        sp.BlockMatrix(
            [
                [sp.zeros(n, n), i.A.T, i.q],
                [-i.A, sp.zeros(m, m), i.b],
                [-i.q.T, -i.b.T, sp.zeros(1, 1)],
            ]
        )
    )


def operator(i: Instance, u: Matrix) -> Matrix:
    """The homogeneous operator 𝒬(u) with P."""
    n, x, tau = i.A.cols, u[: i.A.cols, :], u[-1]
    found = skew(i) * u
    found[:n, :] += i.P * x
    found[-1] -= (x.T * i.P * x)[0] / tau
    return found


def slope(i: Instance, u: Matrix, factor: int = 2) -> Matrix:
    """The derivative of 𝒬 at u; a mutant halves the `factor` of its last row."""
    n, x, tau = i.A.cols, u[: i.A.cols, :], u[-1]
    found = skew(i)
    found[:n, :n] += i.P
    found[-1, :n] -= factor * (i.P * x).T / tau
    found[-1, -1] += (x.T * i.P * x)[0] / tau**2
    return found


def full(i: Instance, z: Matrix) -> Matrix:
    """M, the derivative of the residual map at z = (x, v, τ) with τ > 0."""
    n, v = i.A.cols, z[i.A.cols : -1, :]
    u = Matrix.vstack(z[:n, :], project_dual(v, i.K), z[-1:, :])
    steps = sp.diag(sp.eye(n), derivative_dual(v, i.K), sp.eye(1))
    return (slope(i, u) - sp.eye(z.rows)) * steps + sp.eye(z.rows)


def reduced(i: Instance, D: Matrix | None = None) -> Matrix:
    """M without its last row and column: [P AᵀD; -A I-D]."""
    D = i.D if D is None else D
    lower = sp.eye(i.v.rows) - D
    return Matrix(sp.BlockMatrix([[i.P, i.A.T * D], [-i.A, lower]]))


def changes(i: Instance) -> Iterator[tuple[Matrix, Matrix, Matrix, Matrix]]:
    """Unit displacements (dP, dA, dx, dv), one entry at a time."""
    shapes = [(i.P.rows, i.P.rows), i.A.shape, i.x.shape, i.v.shape]
    for place, (rows, columns) in enumerate(shapes):
        for j in range(rows):
            for k in range(columns if place else j + 1):
                units = [sp.zeros(*shape) for shape in shapes]
                units[place][j, k] = 1
                if not place:
                    units[0][k, j] = 1
                yield tuple(units)


@dataclass(frozen=True, eq=False)
class Branch:
    """How a solution moves, dx, dy, ds, dv, and how its data do, exactly."""

    dP: Matrix
    dq: Matrix
    dA: Matrix
    db: Matrix
    dx: Matrix
    dy: Matrix
    ds: Matrix
    dv: Matrix


def branch(i: Instance, dP: Matrix, dA: Matrix, dx: Matrix, dv: Matrix) -> Branch:
    """The data displacement along which the solution moves with dx and dv."""
    dy = projection_speed(i.v, dv, i.K)
    ds = dy - dv
    dq = -(dP * i.x + i.P * dx + dA.T * i.y + i.A.T * dy)
    return Branch(dP, dq, dA, dA * i.x + i.A * dx + ds, dx, dy, ds, dv)


@cache
def branches(i: Instance) -> tuple[Branch, ...]:
    """A basis of all displacements."""
    return tuple(branch(i, *change) for change in changes(i))


# A free dual row, a touched and an untouched wall, and a second-order cone whose
# multiplier and slack both lie on the boundary, with ‖w‖ = 5.
LINEAR = instance(
    P=sp.zeros(4, 4),
    A=Matrix(
        [[1, 2, -1, 0], [0, 1, 1, 1], [1, 0, 2, 0],
         [2, -1, 0, 1], [1, 1, 1, 0], [0, 2, -1, 1]]
    ),
    K=Cones(zero=1, nonneg=2, soc=(3,)),
    x=column(1, -1, 2, 1),
    v=column(-1, 2, -1, 1, 3, 4),
)  # fmt: skip
QUADRATIC = instance(
    Matrix([[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]]),
    LINEAR.A, LINEAR.K, LINEAR.x, LINEAR.v,
)  # fmt: skip
MASTERS = (LINEAR, QUADRATIC)


def away(i: Instance, x: Matrix) -> Instance:
    """The same data with another x, which is no solution."""
    return replace(i, x=x)
