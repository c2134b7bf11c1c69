"""Where multipliers are not unique and the minimizer is differentiable all the same.

Chapter: nonsmooth.md.  Theorems: degenerate-duals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.inequalities import Semidefinite, nonnegative, square
from companion.proofs.nonsmooth import exact
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

degenerate_duals = theorem(
    "degenerate-duals",
    claim=(
        "Let P ≻ 0 and suppose that some multiplier has lam_i > 0 on every touching "
        "row; the touching rows C may be dependent.  Then x(q + e) = x(q) - "
        "F(FᵀPF)⁻¹Fᵀe for all small e, with the columns of F a basis of null(C).  x "
        "need not be differentiable in h: x ≤ 1 twice has slopes 0 and 1 in one bound."
    ),
    source="amos2017optnet",
    implements=(kkt.directional_derivative,),
    uses=("qp-optimality",),
)

W = alphabet(
    constant="P C F R e",
    latex={"R": r"(F^{\mathsf T}PF)^{-1}", "e": r"\delta"},
    P="n n symmetric",
    C="k n",
    F="n r",
    R="r r symmetric",
    e="n 1",
)
P_, C_, F_, R_, E_ = W("P C F R e")
BASIS = W.rule("CF = 0", C_ * F_, sp.S.Zero)
INVERSE = W.inverse("the inverse", W.T(F_) * P_ * F_, R_)


@degenerate_duals.derivation
def displaced_point_is_stationary() -> Iterator[Step]:
    """C d = 0, and P d + δ is orthogonal to null(C), so it is a sum of rows of C."""
    T = W.T
    d = -F_ * R_ * T(F_) * E_
    yield from chain(W, C_ * d, Link(sp.S.Zero, "CF = 0", (BASIS,)), name="C d")
    zero = Link(sp.S.Zero, "d = −F(FᵀPF)⁻¹Fᵀδ", (INVERSE,))
    name = r"F^{\mathsf T}(P d+\delta)"
    yield from chain(W, T(F_) * (P_ * d + E_), zero, name=name)
    term = square(W, d, Semidefinite(P_, "P is positive semidefinite"))
    name = r"-\delta^{\mathsf T}d"
    identity, *_signs = nonnegative(W, -T(E_) * d, [term], INVERSE, name=name)
    shown = r"d^{\mathsf T}P\,d"  # the square that the term is
    yield Step(identity.lhs, shown, "the same, and P is positive semidefinite")


def parallel() -> Instance:
    """Three touching rows on one line, with positive multipliers; one row away."""
    none = sp.zeros(0, 1)
    G = Matrix([[1, 1], [2, 2], [3, 3], [1, 0]])
    return instances.instance(
        Matrix([[2, 1], [1, 3]]), sp.zeros(0, 2), G, exact.column(1, -2), none,
        exact.column(1, 2, 1, 0), exact.column(0, 0, 0, 2),
    )  # fmt: skip


def twice(lam: int = 1) -> Instance:
    """The program min ½x² - (1 + 2 lam)x with x ≤ 1 written twice."""
    none = sp.zeros(0, 1)
    return instances.instance(
        Matrix([[1]]), none, Matrix([1, 1]), Matrix([1]), none,
        exact.column(lam, lam), exact.column(0, 0),
    )  # fmt: skip


def jacobian(i: Instance, metric: Matrix | None = None) -> Matrix:
    """-F(FᵀPF)⁻¹Fᵀ for the rows that touch; a mutant measures FᵀF by another P."""
    touching = [k for k in range(i.G.rows) if i.slack[k] == 0]
    C = i.A.col_join(instances.rows(i.G, touching))
    basis = C.nullspace()
    if not basis:
        return sp.zeros(i.P.rows, i.P.rows)
    F, M = Matrix.hstack(*basis), metric or i.P
    return -F * (F.T * M * F).inv() * F.T


def assert_affine(i: Instance, J: Matrix, field: str = "q") -> None:
    """Exact solutions for displaced data, both ways, are x + J e."""
    size = getattr(i, field).rows
    for k in range(size):
        for t in (sp.Rational(-1, 20), sp.Rational(1, 20)):
            e = exact.column(*(t * int(row == k) for row in range(size)))
            j = exact.step(i, exact.along(i, **{field: e}), sp.S.One)
            moved = j.x - i.x
            assert moved == J * e, f"{field}: x moves by {list(moved)}"


@degenerate_duals.check(Evidence.EXACT)
def affine_in_q_with_parallel_rows() -> None:
    for i in (parallel(), twice()):
        require(instances.satisfies_kkt(i), "KKT")
        assert instances.optnet_matrix(i).det() == 0
        assert_affine(i, jacobian(i))


def assert_slopes(i: Instance, want: tuple[int, int]) -> None:
    """The slopes of x in the first bound, from below and from above."""
    found = []
    for sign in (-1, 1):
        e = exact.column(*(int(row == 0) for row in range(i.h.rows)))
        t = sign * sp.Rational(1, 20)
        found.append((exact.step(i, exact.along(i, h=e), t).x - i.x)[0] / t)
    assert tuple(found) == want, f"slopes {found}"


@degenerate_duals.check(Evidence.EXACT)
def two_slopes_in_one_bound() -> None:
    assert_slopes(twice(), (1, 0))


@degenerate_duals.check(Evidence.NUMERIC)
def layer_is_affine_in_q() -> None:
    for problem, known in numeric.draws("licq_failing"):
        touching = known.slack < 1e-9
        C = np.vstack([problem.A, problem.G[touching]])
        _, values, V = np.linalg.svd(C)
        F = V[(values > 1e-9).sum() :].T
        J = -F @ np.linalg.solve(F.T @ problem.P @ F, F.T)
        v = 0.1 * np.random.default_rng(0).standard_normal(problem.n)

        def f(q: np.ndarray, problem: QP = problem) -> np.ndarray:
            P, _, A, b, G, h = problem.fields
            return layers.solve(QP(P, q, A, b, G, h).map(torch.tensor)).x.numpy()

        for sign in (1, -1):
            report = gradcheck.taylor(
                f, problem.q, sign * v, sign * J @ v, steps=numeric.STEPS, noise=1e-9
            )
            assert report.passes, str(report)


@degenerate_duals.control(mutant="the curvature forgotten: F(FᵀF)⁻¹Fᵀ")
def curvature_forgotten() -> None:
    i = parallel()
    assert_affine(i, jacobian(i, sp.eye(2)))


@degenerate_duals.control(mutant="what holds for q claimed for h")
def claimed_for_the_bounds() -> None:
    assert_affine(twice(), Matrix([[sp.Rational(1, 2), sp.Rational(1, 2)]]), "h")


@degenerate_duals.control(dropped="a positive multiplier: x ≤ 1 twice, touched at rest")
def at_rest() -> None:
    i = twice(0)
    require(instances.satisfies_kkt(i), "KKT")
    assert_affine(i, jacobian(i))
