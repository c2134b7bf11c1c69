"""Small quadratic programs over the rationals: their solutions, and what moves them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.matrices import DomainMatrix
from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

from companion.proofs.qp import instances
from companion.proofs.qp.instances import FIELDS, Instance, Matrix, rows, saddle
from companion.proofs.registry import HypothesisError

Direction = dict[str, Matrix]


def solve(*fields: Matrix) -> Instance:
    """The Instance with a solution, which a hypothesis says to exist."""
    found = find(fields)
    if found is None:
        msg = "no active set satisfies the KKT conditions"
        raise HypothesisError(msg)
    return found


def find(fields: tuple[Matrix, ...]) -> Instance | None:
    """The Instance with a solution by trying every active set, or None."""
    P, q, A, b, G, h = fields
    n, p, m = P.rows, A.rows, G.rows
    for count in range(min(m, n - p) + 1):
        for kept in combinations(range(m), count):
            C = A.col_join(rows(G, list(kept)))
            right = (-q).col_join(b).col_join(rows(h, list(kept)))
            y = _linear(saddle(P, C), right)
            if y is None:
                continue
            lam = sp.zeros(m, 1)
            for place, row in enumerate(kept):
                lam[row] = y[n + p + place]
            found = Instance(P, q, A, b, G, h, y[:n, :], y[n : n + p, :], lam)
            if all(c >= 0 for c in [*lam, *found.slack]):
                return found
    return None


def _linear(K: Matrix, right: Matrix) -> Matrix | None:
    """The solution of K y = right, or None where K is singular."""
    if not K.rows:
        return sp.zeros(0, 1)
    try:
        system = DomainMatrix.from_Matrix(K).convert_to(QQ)
        return system.lu_solve(
            DomainMatrix.from_Matrix(right).convert_to(QQ)
        ).to_Matrix()
    except DMNonInvertibleMatrixError:
        return None


def still(i: Instance) -> Direction:
    """The direction in which no datum moves."""
    return {name: sp.zeros(*getattr(i, name).shape) for name in FIELDS}


def along(i: Instance, **speeds: Matrix) -> Direction:
    """The direction in which the named fields move, and no other."""
    return still(i) | speeds


def step(i: Instance, direction: Direction, t: sp.Expr) -> Instance:
    """The solved instance whose data lie t further along the direction."""
    return solve(*(getattr(i, name) + t * direction[name] for name in FIELDS))


def random_directions(i: Instance, seed: int, count: int) -> list[Direction]:
    """Integer directions in every field at once, then one field at a time."""
    rng = np.random.default_rng(seed)

    def draw(name: str) -> Matrix:
        drawn = instances.integers(rng, *getattr(i, name).shape)
        return drawn + drawn.T if name == "P" else drawn

    whole = [{name: draw(name) for name in FIELDS} for _ in range(count)]
    single = [along(i, **{name: draw(name)}) for name in FIELDS]
    found = whole + [d for d in single if any(any(v) for v in d.values())]
    return found + [{name: -v for name, v in d.items()} for d in found]


def column(*entries: sp.Expr | int) -> Matrix:
    """A column of these entries."""
    return Matrix(len(entries), 1, list(entries))


def kinked() -> Instance:
    """One equality, a pressed row, a touching row at rest, a distant one; P full."""
    P = Matrix([[2, 1, 0, 0], [1, 3, 0, 1], [0, 0, 1, 0], [0, 1, 0, 2]])
    G = Matrix([[1, 0, -1, 0], [0, 1, 1, 1], [1, 0, 0, 2]])
    x, lam, slack = column(1, -1, 2, 1), column(2, 0, 0), (0, 0, 3)
    return instances.instance(
        P, Matrix([[1, 1, 1, 0]]), G, x, column(-1), lam, column(*slack)
    )


def corner() -> Instance:
    """Two touching rows at rest in the plane: the origin of the first quadrant."""
    none = sp.zeros(0, 1)
    return instances.instance(
        Matrix([[2, 1], [1, 2]]), sp.zeros(0, 2), -sp.eye(2), column(0, 0),
        none, column(0, 0), column(0, 0),
    )  # fmt: skip


KINK, CORNER = kinked(), corner()
