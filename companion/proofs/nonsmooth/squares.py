"""What least squares returns where every touching row is at rest.

Chapter: nonsmooth.md.  Theorems: least-squares-at-kink.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import sympy as sp

from companion.problems import QP, QPSolution, Status
from companion.proofs.inequalities import nonnegative, square
from companion.proofs.nonsmooth import exact
from companion.proofs.qp import numeric
from companion.proofs.qp.instances import Matrix, rows
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

least_squares_at_kink = theorem(
    "least-squares-at-kink",
    claim=(
        "At x = 0 in min ½xᵀx + qᵀx, Gx ≤ 0 with q = 0, the shortest solution of the "
        "singular KKT differential for a change e of q is dx = -(I + GᵀG)⁻¹e, "
        "dlam = G dx.  (I + GᵀG)⁻¹ is the average of the projectors onto null(G_S) "
        "over all sets S of rows, with weights det(G_S G_Sᵀ)/det(I + GGᵀ).  In one "
        "variable with k rows of length c it is 1/(1 + kc²).  If the rows are "
        "independent it lies in the Clarke Jacobian, else it need not."
    ),
    source="agrawal2019differentiable",
    implements=(kkt.least_squares_derivative,),
    uses=("clarke-jacobian", "qp-active-set"),
)

W = alphabet(
    constant="G R e v",
    latex={"R": r"(I+G^{\mathsf T}G)^{-1}", "e": r"\delta"},
    G="m n",
    R="n n symmetric",
    e="n 1",
    v="m 1",
)
G_, R_, E_, V_ = W("G R e v")
INVERSE = W.rule("(I + GᵀG)R = I", W.T(G_) * G_ * R_, [sp.S.One, -R_])


@least_squares_at_kink.derivation
def shortest_solution() -> Iterator[Step]:
    """It fits, and any other solution, moved by (-Gᵀv, v), is longer."""
    T = W.T
    dx, dlam = -R_ * E_, -G_ * R_ * E_
    yield from chain(
        W, dx + T(G_) * dlam, Link(-E_, "the inverse of I + GᵀG", (INVERSE,)),
        name=r"\mathrm{d}x+G^{\mathsf T}\mathrm{d}\lambda",
    )  # fmt: skip
    u = -T(G_) * V_
    longer = T(dx + u) * (dx + u) + T(dlam + V_) * (dlam + V_)
    excess = longer - T(dx) * dx - T(dlam) * dlam
    name = (
        r"\|\mathrm{d}x-G^{\mathsf T}v\|^2+\|\mathrm{d}\lambda+v\|^2"
        r"-\|\mathrm{d}x\|^2-\|\mathrm{d}\lambda\|^2"
    )
    steps = nonnegative(W, excess, [square(W, u), square(W, V_)], name=name)
    identity, *_signs = steps
    yield Step(identity.lhs, identity.rhs, "expansion; both terms are squares")


def subsets(G: Matrix) -> Iterator[Matrix]:
    """The rows of G of every set, the empty one first."""
    for count in range(G.rows + 1):
        for kept in combinations(range(G.rows), count):
            yield rows(G, list(kept))


def weighted_projector(S: Matrix) -> Matrix:
    """det(SSᵀ) times the projector onto null(S), without a division."""
    gram, n = S * S.T, S.cols
    if not S.rows:
        return sp.eye(n)
    return gram.det() * sp.eye(n) - S.T * gram.adjugate() * S


@least_squares_at_kink.check(Evidence.SYMBOLIC)
def average_over_active_sets() -> None:
    for m, n in ((1, 2), (2, 2), (3, 2)):
        G = Matrix(m, n, sp.symbols(f"g:{m * n}"))
        total = sum((weighted_projector(S) for S in subsets(G)), sp.zeros(n))
        whole = (sp.eye(m) + G * G.T).det()
        left = total * (sp.eye(n) + G.T * G) - whole * sp.eye(n)
        assert left.applyfunc(sp.expand).is_zero_matrix, f"{m} rows"


def nearby(G: Matrix) -> list[Matrix]:
    """Jacobians of the nearest point of Gx ≤ 0 at points where it has one, in 2-D.

    The map is positively homogeneous, so that small and large points give the same.
    """
    found: list[Matrix] = []
    for t in product(range(-4, 5), repeat=2):
        i = exact.solve(sp.eye(2), -Matrix(t), sp.zeros(0, 2), sp.zeros(0, 1), G,
                        sp.zeros(G.rows, 1))  # fmt: skip
        if all(lam + s > 0 for lam, s in zip(i.lam, i.slack, strict=True)):
            S = rows(G, i.active)
            J = weighted_projector(S) / (S * S.T).det() if S.rows else sp.eye(2)
            found += [] if J in found else [J]
    return found


def assert_clarke(G: Matrix, *, equal: bool = False) -> None:
    """(I + GᵀG)⁻¹ is an average of nearby Jacobians, with the stated weights."""
    M, limits = (sp.eye(2) + G.T * G).inv(), nearby(G)
    for j, k in product(range(2), repeat=2):
        seen = [J[j, k] for J in limits]
        assert min(seen) <= M[j, k] <= max(seen), f"entry {j}{k} is {M[j, k]}"
    sets = [S for S in subsets(G) if not S.rows or (S * S.T).det() != 0]
    weights = [(S * S.T).det() if S.rows else sp.S.One for S in sets]
    projectors = [weighted_projector(S) / w for S, w in zip(sets, weights, strict=True)]
    assert all(J in limits for J in projectors)
    weights = [sp.S.One] * len(weights) if equal else weights
    mean = sum((w * J for w, J in zip(weights, projectors, strict=True)), sp.zeros(2))
    assert mean / sum(weights) == M, f"the average is {list(mean / sum(weights))}"


@least_squares_at_kink.check(Evidence.EXACT)
def inside_for_independent_rows() -> None:
    for G in (Matrix([[1, 2], [0, 1]]), Matrix([[2, 1]]), sp.eye(2)):
        assert_clarke(G)


def assert_shortest(copies: int, length: sp.Expr, want: sp.Expr) -> None:
    """The coefficient of -e in one variable is `want`, by the pseudoinverse."""
    K = Matrix([[1] + [length] * copies])
    found = -(K.T * (K * K.T).inv() * Matrix([-1]))[0]
    assert sp.simplify(found - want) == 0, f"it is {found}"


@least_squares_at_kink.check(Evidence.SYMBOLIC)
def one_variable() -> None:
    c = sp.Symbol("c", positive=True)
    for k in (1, 2, 5):
        assert_shortest(k, c, 1 / (1 + k * c**2))


@least_squares_at_kink.check(Evidence.NUMERIC)
def reference_returns_it() -> None:
    rng = np.random.default_rng(0)
    for m in (1, 2, 5):
        G, e = rng.standard_normal((m, 3)), rng.standard_normal(3)
        problem = QP(np.eye(3), np.zeros(3), G=G, h=np.zeros(m))
        sol = QPSolution(np.zeros(3), np.zeros(0), np.zeros(m), np.zeros(m), 0.0,
                         Status.SOLVED)  # fmt: skip
        zero = problem.map(np.zeros_like)
        along = QP(zero.P, e, zero.A, zero.b, zero.G, zero.h)
        found = kkt.least_squares_derivative(problem, sol, along)
        want = -np.linalg.solve(np.eye(3) + G.T @ G, e)
        numeric.assert_close(found.x, want, "dx")
        numeric.assert_close(found.lam, G @ want, "dlam")


@least_squares_at_kink.control(mutant="the length of a row does not matter")
def length_ignored() -> None:
    assert_shortest(1, sp.Integer(3), sp.Rational(1, 2))


@least_squares_at_kink.control(mutant="a second copy of a row does not matter")
def copies_ignored() -> None:
    assert_shortest(2, sp.S.One, sp.Rational(1, 2))


@least_squares_at_kink.control(mutant="every active set with the same weight")
def equal_weights() -> None:
    assert_clarke(Matrix([[1, 2], [0, 1]]), equal=True)


@least_squares_at_kink.control(
    dropped="independent rows: the quadrant x ≤ 0 with the redundant row x₁ + x₂ ≤ 0"
)
def redundant_row() -> None:
    G = Matrix([[1, 0], [0, 1], [1, 1]])
    require(G.rank() < G.rows, "dependent rows")
    assert_clarke(G)
