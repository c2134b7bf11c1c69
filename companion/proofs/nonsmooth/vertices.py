"""Linear programs: nothing moves with the cost at a vertex, everything on a face.

Chapter: nonsmooth.md.  Theorems: lp-vertex.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP, QPSolution, Status
from companion.proofs.nonsmooth import exact
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

lp_vertex = theorem(
    "lp-vertex",
    claim=(
        "Let a linear program (P = 0) have a solution at which n independent rows C "
        "touch, with right sides d, all inequalities among them with lam_i > 0.  For "
        "nearby data the solution solves Cx = d: x does not move with q, and dx = "
        "C⁻¹(dd - dC x).  With ½γ|x|² added, x stays the same for small γ > 0; where "
        "independent rows C are pressed and no other row touches, the Jacobian in q is "
        "-(1/γ) times the projector onto null(C)."
    ),
    source="mangasarian1979nonlinear",
    implements=(kkt.least_squares_derivative,),
    uses=("qp-optimality", "qp-active-set"),
)

W = alphabet(
    latex={"X": "C^{-1}", "R": r"(CC^{\mathsf T})^{-1}", "d": "d", "z": "z"},
    constant="X R B",
    C="n n",
    X="n n",
    x="n 1",
    d="n 1",
    B="k n",
    R="k k symmetric",
)
C_, X_, x_, d_, B_, R_ = W("C X x d B R")
dC, dx, dd = W("dC dx dd")
MOVES = W.rule("d(Cx) = dd", C_ * dx, dd - dC * x_)
INVERSE = W.inverse("C⁻¹C = I", C_, X_)


@lp_vertex.derivation
def vertex_moves_with_its_rows() -> Iterator[Step]:
    start = X_ * C_ * dx
    links = (Link([X_ * dd, -X_ * dC * x_], "C dx = dd − dC x", (MOVES,)),)
    assert W.equal(start, dx, INVERSE)
    yield Step(r"\mathrm{d}x", W.latex(start), "C⁻¹C = I")
    yield from chain(W, start, *links)


@lp_vertex.check(Evidence.SYMBOLIC_ANY_SIZE)
def ridge_projects_onto_the_null_space() -> None:
    """γJ + BᵀY = -I and BJ = 0 for J = -(1/γ)(I - BᵀRB), Y = -RB; the letter B is C."""
    gamma, T = sp.Symbol("gamma", positive=True), W.T
    rule = W.rule("the inverse", B_ * T(B_) * R_, sp.S.One)
    J = -(1 - T(B_) * R_ * B_) / gamma
    assert W.equal(gamma * J - T(B_) * R_ * B_, -1)
    assert W.equal(B_ * J, 0, rule)


def program(q: Matrix, G: Matrix, h: Matrix, x: Matrix, lam: Matrix) -> Instance:
    """A linear program over the probability simplex, with its solution."""
    n = q.rows
    nu = -q[0] - (G.T * lam)[0]
    A, b = sp.ones(1, n), sp.ones(1, 1)
    return Instance(sp.zeros(n), q, A, b, G, h, x, Matrix([nu]), lam)


def simplex(*cost: int) -> Instance:
    """Least cost over the simplex in three dimensions, the first vertex being best."""
    q, best = exact.column(*cost), min(cost)
    lam = exact.column(*(c - best for c in cost))
    found = program(q, -sp.eye(3), sp.zeros(3, 1), exact.column(1, 0, 0), lam)
    require(instances.satisfies_kkt(found), "the first vertex is optimal")
    return found


def ridge(i: Instance, q: Matrix, gamma: sp.Expr) -> Instance:
    """The solution with ½γ|x|² added and the cost q."""
    return exact.solve(gamma * sp.eye(i.q.rows), q, i.A, i.b, i.G, i.h)


def assert_still(i: Instance, gamma: sp.Expr) -> None:
    """With the ridge, x is the vertex, and stays there when the cost moves."""
    for k in range(i.q.rows):
        for t in (sp.Rational(1, 50), -sp.Rational(1, 50)):
            e = sp.zeros(i.q.rows, 1)
            e[k] = t
            x = ridge(i, i.q + e, gamma).x
            assert x == i.x, f"x is {list(x)}"


@lp_vertex.check(Evidence.EXACT)
def untied_vertex_does_not_move() -> None:
    i = simplex(1, 2, 3)
    C = i.A.col_join(instances.rows(i.G, i.active))
    assert C.det() != 0
    for gamma in (sp.Rational(1, 2), sp.Rational(1, 1000)):
        assert_still(i, gamma)


def assert_jacobian(i: Instance, gamma: sp.Expr, want: Matrix) -> None:
    """Exact displacements of the ridge's solution are those of the Jacobian."""
    x = ridge(i, i.q, gamma).x
    for k in range(i.q.rows):
        e = sp.zeros(i.q.rows, 1)
        e[k] = gamma / 100
        moved = ridge(i, i.q + e, gamma).x - x
        assert moved == want * e, f"x moves by {list(moved)}"


@lp_vertex.check(Evidence.EXACT)
def tied_vertices_move_with_the_inverse_of_gamma() -> None:
    half = sp.Rational(1, 2)
    N = Matrix([[half, -half, 0], [-half, half, 0], [0, 0, 0]])
    for gamma in (sp.S.One, sp.Rational(1, 100)):
        assert_jacobian(simplex(1, 1, 3), gamma, -N / gamma)


@lp_vertex.check(Evidence.NUMERIC)
def layer_moves_the_vertex_with_its_rows() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3):
        C, x, lam = rng.standard_normal((3, 3)), rng.standard_normal(3), np.ones(3)
        far = rng.standard_normal((2, 3))
        G, h = np.vstack([C, far]), np.concatenate([C @ x, far @ x + 1])
        q = -C.T @ lam
        speeds = [0.05 * rng.standard_normal(v.shape) for v in (q, G, h)]
        want = np.linalg.solve(C, speeds[2][:3] - speeds[1][:3] @ x)
        size = np.cumsum([3, 15])
        problem = QP(np.zeros((3, 3)), q, G=G, h=h)
        lam = np.concatenate([lam, np.zeros(2)])
        sol = QPSolution(x, np.zeros(0), lam, h - G @ x, q @ x, Status.SOLVED)
        zero = problem.map(np.zeros_like)
        along = QP(zero.P, speeds[0], zero.A, zero.b, speeds[1], speeds[2])
        found = kkt.least_squares_derivative(problem, sol, along)
        numeric.assert_close(found.x, want, "dx")

        def f(data: np.ndarray, size: np.ndarray = size) -> np.ndarray:
            q, G, h = np.split(data, size)
            problem = QP(np.zeros((3, 3)), q, G=G.reshape(5, 3), h=h)
            return layers.solve(problem.map(torch.tensor)).x.numpy()

        at, v = (np.concatenate([w.ravel() for w in p]) for p in ((q, G, h), speeds))
        report = gradcheck.taylor(f, at, v, want, steps=numeric.STEPS, noise=1e-9)
        assert report.passes, str(report)


@lp_vertex.control(mutant="the Jacobian on a face is bounded as γ falls")
def bounded_on_a_face() -> None:
    half = sp.Rational(1, 2)
    N = Matrix([[half, -half, 0], [-half, half, 0], [0, 0, 0]])
    for gamma in (sp.S.One, sp.Rational(1, 100)):
        assert_jacobian(simplex(1, 1, 3), gamma, -N)


@lp_vertex.control(mutant="the vertex stays for every γ")
def too_much_ridge() -> None:
    assert_still(simplex(1, 2, 3), sp.Integer(5))


@lp_vertex.control(dropped="lam_i > 0 on every row: two vertices of the same cost")
def tied_vertices() -> None:
    i = simplex(1, 1, 3)
    require(i.P.is_zero_matrix and i.A.col_join(i.G[1:, :]).det() != 0, "n rows touch")
    assert_still(i, sp.Rational(1, 1000))
