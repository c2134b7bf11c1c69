"""What one Newton step does to the residuals and to the products.

Chapter: interior-point.md.  Theorems: newton-residual-decrease.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import sympy as sp

from companion import sampling
from companion.proofs.inequalities import Semidefinite, square
from companion.proofs.qp.instances import Matrix
from companion.proofs.qp.numeric import assert_close
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import interior_point
from companion.reference import qp as reference

ALPHA = sp.Symbol("alpha", nonnegative=True)

W = alphabet(
    constant="P q A G h x nu lam s L S t u v w e E",
    latex={
        "nu": r"\nu",
        "lam": r"\lambda",
        "L": r"D(\lambda)",
        "S": "D(s)",
        "E": "D(d_s)",
        "u": "d_x",
        "v": r"d_\nu",
        "w": r"d_\lambda",
        "e": "d_s",
    },
    P="n n symmetric",
    q="n 1",
    A="p n",
    G="m n",
    h="m 1",
    x="n 1",
    nu="p 1",
    lam="m 1",
    s="m 1",
    L="m m symmetric",
    S="m m symmetric",
    E="m m symmetric",
    t="m 1",  # the target of the products
    u="n 1",
    v="p 1",
    w="m 1",
    e="m 1",
)
P, q, A, G, h, x, nu, lam, s, L, S, E, t, u, v, w, e = W(
    "P q A G h x nu lam s L S E t u v w e"
)
T = W.T
DUAL = [P * x, q, T(A) * nu, T(G) * lam]
ROWS = [G * x, s, -h]
FIRST = W.rule("first row", P * u, [*(-term for term in DUAL), -T(A) * v, -T(G) * w])
THIRD = W.rule("third row", G * u, [*(-term for term in ROWS), -e])
LAST = W.rule("last row", S * w, [t, -S * lam, -L * e])
SWAP = W.rule("D(d_s)λ = D(λ)d_s", E * lam, L * e)

newton_residual_decrease = theorem(
    "newton-residual-decrease",
    claim=(
        "Let (dx, dnu, dlam, ds) solve Newton's equations with target t for the "
        "products: Pdx + Aᵀdnu + Gᵀdlam = -rd, Gdx + ds = -ri, lam∘ds + s∘dlam = t - "
        "s∘lam.  A step of length a multiplies rd and ri by 1 - a, and the products "
        "become (1-a)s∘lam + a t + a² ds∘dlam.  If rd = 0, ri = 0 and Adx = 0, then "
        "dsᵀdlam = dxᵀPdx, nonnegative if P ⪰ 0.  For every size."
    ),
    source="mehrotra1992implementation",
    implements=(
        reference.newton_step,
        interior_point.direction,
        interior_point.step,
    ),
)


@newton_residual_decrease.derivation
def a_step_of_length_alpha() -> Iterator[Step]:
    a, less = ALPHA, 1 - ALPHA
    dual = [P * (x + a * u), q, T(A) * (nu + a * v), T(G) * (lam + a * w)]
    assert W.equal(dual, [less * term for term in DUAL], FIRST)
    yield Step(r"r_d^+", r"(1-\alpha)\,r_d", "first row")
    rows = [G * (x + a * u), s + a * e, -h]
    assert W.equal(rows, [less * term for term in ROWS], THIRD)
    yield Step(r"r_i^+", r"(1-\alpha)\,r_i", "third row")
    products = (S + a * E) * (lam + a * w)
    after = [less * S * lam, a * t, a**2 * E * w]
    assert W.equal(products, after, LAST, SWAP)
    yield Step(
        r"s^+\circ\lambda^+",
        r"(1-\alpha)\,s\circ\lambda+\alpha t+\alpha^2d_s\circ d_\lambda",
        "last row",
    )


@newton_residual_decrease.check(Evidence.SYMBOLIC_ANY_SIZE)
def second_order_term_is_a_square_in_the_feasible_set() -> None:
    rules = (
        W.rule("r_i = 0", e, -G * u),
        W.rule("r_d = 0", T(G) * w, [-P * u, -T(A) * v]),
        W.rule("Adx = 0", A * u, sp.S.Zero),
    )
    curved = square(W, u, Semidefinite(P, "P is positive semidefinite"))
    list(chain(W, T(e) * w, Link(curved.word, curved.hypothesis, rules, trace=True)))


@dataclass(frozen=True)
class Point:
    """Rational data, an iterate, the target of its products, and Newton's step."""

    P: Matrix
    q: Matrix
    A: Matrix
    b: Matrix
    G: Matrix
    h: Matrix
    z: tuple[Matrix, Matrix, Matrix, Matrix]  # x, nu, lam, s
    target: Matrix

    def residuals(self, z: tuple[Matrix, ...]) -> tuple[Matrix, Matrix, Matrix]:
        """Stationarity, equalities, and Gx + s - h."""
        x_, nu_, lam_, s_ = z
        dual = self.P * x_ + self.q + self.A.T * nu_ + self.G.T * lam_
        return dual, self.A * x_ - self.b, self.G * x_ + s_ - self.h

    def newton(self) -> tuple[Matrix, ...]:
        """The step from all four blocks of equations, nothing eliminated."""
        _, _, lam_, s_ = self.z
        n, p, m = self.P.rows, self.A.rows, self.G.rows
        Z, eye = sp.zeros, sp.eye(m)
        K = Matrix.vstack(
            Matrix.hstack(self.P, self.A.T, self.G.T, Z(n, m)),
            Matrix.hstack(self.A, Z(p, p + 2 * m)),
            Matrix.hstack(self.G, Z(m, p + m), eye),
            Matrix.hstack(Z(m, n + p), sp.diag(*s_), sp.diag(*lam_)),
        )
        aim = self.target - s_.multiply_elementwise(lam_)
        rhs = Matrix.vstack(*(-r for r in self.residuals(self.z)), aim)
        d = K.LUsolve(rhs)
        return tuple(
            d[i:j, :] for i, j in pairwise((0, n, n + p, n + p + m, n + p + 2 * m))
        )


def instance(*, interior: bool = False) -> Point:
    """Three variables, one equality, two inequalities; feasible if `interior`."""
    half = sp.Rational(1, 2)
    P_ = Matrix([[2, 1, 0], [1, 3, 0], [0, 0, 1]])
    A_, G_ = Matrix([[1, 1, 1]]), Matrix([[1, 0, -1], [0, 1, 1]])
    z = Matrix([1, 0, -1]), Matrix([2]), Matrix([1, half]), Matrix([half, 3])
    q_, b_, h_ = Matrix([1, -2, 0]), Matrix([2]), Matrix([1, 2])
    if interior:
        q_ = -(P_ * z[0] + A_.T * z[1] + G_.T * z[2])
        b_, h_ = A_ * z[0], G_ * z[0] + z[3]
    return Point(P_, q_, A_, b_, G_, h_, z, Matrix([1, 1]) / 4)


def assert_step(i: Point, length: sp.Expr, *, bend: int = 1, power: int = 1) -> None:
    """Residuals and products after a step, as claimed; mutants change the powers."""
    d = i.newton()
    after = tuple(v + length * dv for v, dv in zip(i.z, d, strict=True))
    for old, new in zip(i.residuals(i.z), i.residuals(after), strict=True):
        assert new == (1 - length) ** power * old, f"{list(new)} after {list(old)}"
    (*_, lam_, s_), (*_, dlam, ds) = i.z, d
    products = after[3].multiply_elementwise(after[2])
    claimed = (1 - length) * s_.multiply_elementwise(lam_) + length * i.target
    claimed += bend * length**2 * ds.multiply_elementwise(dlam)
    assert products == claimed, f"the products are {list(products)}"


def assert_curved(i: Point) -> None:
    """The products' second-order term sums to dxᵀPdx."""
    dx, _, dlam, ds = i.newton()
    bend, curve = (ds.T * dlam)[0], (dx.T * i.P * dx)[0]
    assert bend == curve, f"dsᵀdlam is {bend}, dxᵀPdx is {curve}"


@newton_residual_decrease.check(Evidence.EXACT)
def steps_in_rational_numbers() -> None:
    for length in (sp.Rational(1, 3), sp.S.One):
        assert_step(instance(), length)
        assert_step(instance(interior=True), length)
    assert_curved(instance(interior=True))


@newton_residual_decrease.check(Evidence.NUMERIC)
def steps_of_the_reference() -> None:
    for seed in range(3):
        problem, _ = sampling.qp(np.random.default_rng(seed))
        for step in interior_point.solve(problem)[:4]:
            target = step.sigma * step.mu - step.affine.s * step.affine.lam
            (*_, lam_, s_), d = step.z, step.direction
            a = step.length
            products = (1 - a) * s_ * lam_ + a * target + a**2 * d.s * d.lam
            assert_close(step.end.s * step.end.lam, products, "products")
            old, new = (
                problem.P @ z.x + problem.q + problem.A.T @ z.nu + problem.G.T @ z.lam
                for z in (step.z, step.end)
            )
            assert_close(new, (1 - a) * old, "stationarity")


@newton_residual_decrease.control(mutant="the term of second order forgotten")
def straight_products() -> None:
    assert_step(instance(), sp.Rational(1, 3), bend=0)


@newton_residual_decrease.control(mutant="linear residuals that fall by (1 - a)²")
def squared_decrease() -> None:
    assert_step(instance(), sp.Rational(1, 3), power=2)


@newton_residual_decrease.control(dropped="a feasible iterate, for dsᵀdlam = dxᵀPdx")
def outside_the_feasible_set() -> None:
    i = instance()
    require(i.P.is_positive_definite, "P ≻ 0")
    require(all(c > 0 for c in [*i.z[2], *i.z[3]]), "s, lam > 0")
    assert_curved(i)
