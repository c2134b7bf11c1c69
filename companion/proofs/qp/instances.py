"""Quadratic programs in rational arithmetic: a master instance and random ones.

Instances are built backwards from a solution, so that nothing has to be solved, and
derivatives are those of rational functions, so that nothing is differentiated twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import sympy as sp
from sympy.polys.matrices import DomainMatrix

Matrix = sp.Matrix
FIELDS = ("P", "q", "A", "b", "G", "h")
t = sp.Symbol("t")


@dataclass(frozen=True, eq=False)
class Instance:
    """Data of a QP with a point and multipliers that satisfy its KKT conditions."""

    P: Matrix
    q: Matrix
    A: Matrix
    b: Matrix
    G: Matrix
    h: Matrix
    x: Matrix
    nu: Matrix
    lam: Matrix

    @property
    def slack(self) -> Matrix:
        """The room left in every inequality."""
        return self.h - self.G * self.x

    @property
    def active(self) -> list[int]:
        """Rows with a positive multiplier."""
        return [i for i in range(self.lam.rows) if self.lam[i] > 0]

    @property
    def C(self) -> Matrix:
        """The equality rows and the rows with a positive multiplier."""
        return self.A.col_join(rows(self.G, self.active))


def rows(M: Matrix, index: list[int]) -> Matrix:
    """The rows of a matrix at these indices, also when there are none."""
    return M.extract(index, list(range(M.cols)))


def instance(  # noqa: PLR0913 - a primal-dual pair and the matrices around it
    P: Matrix, A: Matrix, G: Matrix, x: Matrix, nu: Matrix, lam: Matrix, slack: Matrix
) -> Instance:
    """The QP that x solves with these multipliers and this slack."""
    q = -(P * x + A.T * nu + G.T * lam)
    return Instance(P, q, A, A * x, G, G * x + slack, x, nu, lam)


# One multiplier other than 1, one inactive row, one equality, an adjoint direction that
# is not zero: no wrong formula of the literature survives this instance.
MASTER = instance(
    P=Matrix([[2, 1, 0], [1, 3, 0], [0, 0, 1]]),
    A=Matrix([[1, 1, 1]]),
    G=Matrix([[1, 0, -1], [0, 1, 1]]),
    x=Matrix([1, -1, 2]),
    nu=Matrix([-1]),
    lam=Matrix([2, 0]),
    slack=Matrix([0, 3]),
)
LOSS = Matrix([1, 2, -1])  # gradient of the loss with respect to x


def satisfies_kkt(i: Instance) -> bool:
    """Whether all five conditions hold, exactly."""
    stationary = i.P * i.x + i.q + i.A.T * i.nu + i.G.T * i.lam
    products = [a * c for a, c in zip(i.lam, i.slack, strict=True)]
    zeros = [*stationary, *(i.A * i.x - i.b), *products]
    return not any(zeros) and all(c >= 0 for c in [*i.lam, *i.slack])


def saddle(P: Matrix, C: Matrix) -> Matrix:
    """[P Cᵀ; C 0]."""
    corner = sp.zeros(C.rows, C.rows)
    return P.row_join(C.T).col_join(C.row_join(corner))


def optnet_matrix(i: Instance) -> Matrix:
    """[P Gᵀ Aᵀ; D(lam)G D(Gx-h) 0; A 0 0], the matrix of OptNet's differentials."""
    m, p = i.G.rows, i.A.rows
    D, S = sp.diag(*i.lam), sp.diag(*(-i.slack))
    if not m:
        return saddle(i.P, i.A)
    first = i.P.row_join(i.G.T).row_join(i.A.T)
    second = (D * i.G).row_join(S).row_join(sp.zeros(m, p))
    third = i.A.row_join(sp.zeros(p, m)).row_join(sp.zeros(p, p))
    return first.col_join(second).col_join(third)


@dataclass(frozen=True)
class Adjoint:
    """d_x, d_nu and d_lam = D(lam) e of the adjoint system; e itself for the mutant."""

    dx: Matrix
    dnu: Matrix
    dlam: Matrix


def adjoint(i: Instance, g: Matrix, *, transposed: bool = True) -> Adjoint:
    """Solve Kᵀ(d_x, e, d_nu) = -(g, 0, 0) with OptNet's K; untransposed is a mutant."""
    n, m = i.P.rows, i.G.rows
    K = optnet_matrix(i)
    rhs = g.col_join(sp.zeros(K.rows - n, 1))
    y = -(K.T if transposed else K).LUsolve(rhs)
    return Adjoint(y[:n, :], y[n + m :, :], sp.diag(*i.lam) * y[n : n + m, :])


def gradients(i: Instance, a: Adjoint) -> dict[str, Matrix]:
    """The gradient of every field, as theorem qp-gradients states it."""
    return {
        "P": (a.dx * i.x.T + i.x * a.dx.T) / 2,
        "q": a.dx,
        "A": a.dnu * i.x.T + i.nu * a.dx.T,
        "b": -a.dnu,
        "G": a.dlam * i.x.T + i.lam * a.dx.T,
        "h": -a.dlam,
    }


def entries(field: str, shape: tuple[int, int]) -> Iterator[tuple[int, int, Matrix]]:
    """A direction for every entry of a field; for P a symmetric one."""
    for j in range(shape[0]):
        for k in range(shape[1]):
            E = sp.zeros(*shape)
            E[j, k] = 1
            yield j, k, (E + E.T) / 2 if field == "P" else E


def moved(i: Instance, direction: dict[str, Matrix], step: sp.Expr) -> Instance:
    """The instance with fields displaced, and the solution of its active-set system.

    With `step` a symbol, x, nu and lam are rational functions of it.
    """
    data = {name: getattr(i, name) + step * D for name, D in direction.items()}
    j = replace(i, **data)
    C, rhs = j.A.col_join(rows(j.G, i.active)), j.b.col_join(rows(j.h, i.active))
    K = DomainMatrix.from_Matrix(saddle(j.P, C)).to_field()
    r = DomainMatrix.from_Matrix((-j.q).col_join(rhs))
    K, r = K.unify(r.to_field())
    y = K.lu_solve(r).to_Matrix()
    n, p = i.P.rows, i.A.rows
    lam = sp.zeros(i.lam.rows, 1)
    for place, row in enumerate(i.active):
        lam[row] = y[n + p + place]
    return replace(j, x=y[:n, :], nu=y[n : n + p, :], lam=lam)


def slope(
    i: Instance, direction: dict[str, Matrix], loss: Callable[[Instance], sp.Expr]
) -> sp.Expr:
    """The exact derivative at t = 0 of a loss of the moved instance."""
    return sp.diff(sp.together(loss(moved(i, direction, t))), t).subs(t, 0)


@cache
def master_speeds(field: str) -> list[tuple[Matrix, Matrix]]:
    """Every direction of a field of MASTER, with (dx, dlam, dnu) along it."""
    found = []
    for _, _, E in entries(field, getattr(MASTER, field).shape):
        j = moved(MASTER, {field: E}, t)
        branch = j.x.col_join(j.lam).col_join(j.nu)
        found.append((E, branch.applyfunc(lambda c: sp.diff(c, t).subs(t, 0))))
    return found


def integers(
    rng: np.random.Generator, *shape: int, low: int = -2, high: int = 3
) -> Matrix:
    """A matrix of small random integers; a zero size is allowed."""
    drawn = rng.integers(low, high, size=shape)
    return Matrix(shape[0], shape[1], [int(c) for c in drawn.ravel()])


def random_instance(
    rng: np.random.Generator, *, rank: int | None = None, weak: bool = False
) -> Instance:
    """A random integer instance: P of at most this rank, weak rows if `weak`."""
    n, p, m = (
        int(c) for c in (rng.integers(1, 4), rng.integers(0, 2), rng.integers(0, 4))
    )
    F = integers(rng, n if rank is None else min(rank, n), n)
    P = F.T * F + (sp.eye(n) if rank is None else sp.zeros(n))
    kinds = rng.integers(0, 3 if weak else 2, size=m)
    sizes = integers(rng, m, 1, low=1, high=4)
    lam = Matrix(m, 1, [sizes[k] * int(kinds[k] == 0) for k in range(m)])
    slack = Matrix(m, 1, [sizes[k] * int(kinds[k] == 1) for k in range(m)])
    A, G = integers(rng, p, n), integers(rng, m, n)
    return instance(P, A, G, integers(rng, n, 1), integers(rng, p, 1), lam, slack)
