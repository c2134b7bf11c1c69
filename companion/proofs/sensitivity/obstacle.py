"""The nearest point to c outside the unit disc, and left of a wall: exact minimizers.

min ½‖x - c‖² subject to ½(1 - ‖x‖²) ≤ 0 and x₁ ≤ wall.  It is not convex, and every
hypothesis of the sensitivity theorem can fail in it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

Matrix = sp.Matrix
FAR = sp.Integer(9)  # a wall that is nowhere near
STEP = sp.Rational(1, 1000)
BEND = 20  # bound on the second derivative of the cases that are smooth


def nearest(c: Matrix, wall: sp.Expr) -> list[Matrix]:
    """All nearest feasible points to c ≠ 0: those of the stationary ones that win."""
    candidates = [c, Matrix([wall, c[1]])]
    if c.norm():
        candidates += [c / c.norm(), -c / c.norm()]
    if abs(wall) <= 1:
        height = sp.sqrt(1 - wall**2)
        candidates += [Matrix([wall, height]), Matrix([wall, -height])]
    allowed = [y for y in candidates if y.dot(y) >= 1 and y[0] <= wall]
    least = min((y - c).dot(y - c) for y in allowed)
    found: list[Matrix] = []
    for y in allowed:
        if (y - c).dot(y - c) == least and y not in found:
            found.append(y)
    return found


@dataclass(frozen=True, eq=False)
class Case:
    """c with its minimizer (its radial projection if none is named), and what moves."""

    c: Matrix
    wall: sp.Expr = FAR
    point: Matrix | None = None
    move: Matrix = field(default_factory=lambda: sp.zeros(2, 1))
    wall_moves: sp.Expr = sp.S.Zero
    wall_force: sp.Expr = sp.S.Zero  # a multiplier of the wall, where it touches

    @property
    def x(self) -> Matrix:
        """The minimizer."""
        return self.c / self.c.norm() if self.point is None else self.point

    @property
    def lam(self) -> sp.Expr:
        """The multiplier of the disc, from x - c - λx + force·e₁ = 0."""
        pull = self.x - self.c + Matrix([self.wall_force, 0])
        lam = pull.dot(self.x)
        assert pull == lam * self.x, "not a KKT point"
        return lam

    @property
    def at_wall(self) -> bool:
        """Whether the wall touches."""
        return bool(self.x[0] == self.wall)

    @property
    def licq(self) -> bool:
        """Whether the active gradients are independent."""
        rows = (-self.x.T).col_join(Matrix([[1, 0]])) if self.at_wall else -self.x.T
        return rows.rank() == rows.rows

    @property
    def strict(self) -> bool:
        """Whether every active multiplier is positive."""
        return bool(self.lam > 0 and (not self.at_wall or self.wall_force > 0))

    @property
    def curved(self) -> bool:
        """Whether ∇²L = (1 - λ)·1 is positive."""
        return bool(1 - self.lam > 0)


def disc_matrix(x: Matrix, lam: sp.Expr, sign: int = -1) -> Matrix:
    """D_w g = [(1 - λ)·1, -x; -λxᵀ, f] at a point of the circle; +λ is a mutant."""
    upper = ((1 + sign * lam) * sp.eye(2)).row_join(-x)
    return upper.col_join((-lam * x.T).row_join(Matrix([(1 - x.dot(x)) / 2])))


def assert_generic_disc() -> None:
    """For every c in the disc but its middle: the tangent, and the determinant."""
    c = Matrix(sp.symbols("c1 c2", positive=True))
    radius = sp.sqrt(c.dot(c))
    x, lam = c / radius, 1 - radius
    K = disc_matrix(x, lam)
    speed = x.col_join(Matrix([lam])).jacobian(c)
    right = sp.eye(2).col_join(sp.zeros(1, 2))
    assert (K * speed - right).applyfunc(sp.simplify) == sp.zeros(3, 2), "the tangent"
    # singular where curvature fails (c = 0) or complementarity does (‖c‖ = 1)
    assert sp.simplify(K.det() + radius * (1 - radius)) == 0, "the determinant"


def assert_moves_smoothly(case: Case, sign: int = -1) -> None:
    """One minimizer on either side, and difference quotients that agree.

    Where D_w g is nonsingular they agree with -(D_w g)⁻¹ D_θ g as well.
    """
    quotients = []
    for side in (1, -1):
        s = side * STEP
        found = nearest(case.c + s * case.move, case.wall + s * case.wall_moves)
        assert len(found) == 1, f"{len(found)} minimizers on side {side:+d}"
        quotients.append((found[0] - case.x) / s)
    gap = (quotients[0] - quotients[1]).norm()
    assert gap < BEND * STEP, f"one-sided quotients differ by {float(gap):.3g}"
    if not case.at_wall:
        K = disc_matrix(case.x, case.lam, sign)
        speed = K.LUsolve(case.move.col_join(sp.zeros(1, 1)))[:2, :]
        error = (quotients[0] - speed).norm()
        assert error < BEND * STEP, f"the tangent is off by {float(error):.3g}"
