"""The rank and the size of the Jacobian.

Chapter: sensitivity.md.  Theorems: jacobian-bounds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs import inequalities
from companion.proofs.inequalities import Nonnegative, Semidefinite
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import MASTER, Instance, Matrix, saddle
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.sensitivity.reciprocity import (
    DATA,
    FLAT,
    C,
    P,
    T,
    V,
    W,
    X,
    derivatives,
    singular,
    u,
)
from companion.proofs.words import alphabet
from companion.reference import sensitivity as reference

# -------------------------------------------------------------- jacobian-bounds
jacobian_bounds = theorem(
    "jacobian-bounds",
    claim=(
        "-∂x/∂q has the null space range(Cᵀ), hence rank n - rank C; for P ⪰ μ·1 two "
        "minimizers with q and q' have μ‖x - x'‖² ≤ (q' - q)ᵀ(x - x'), so that x is "
        "1/μ-Lipschitz in q; for min ½x² over dx ≥ 1, where μ = 1, the derivatives of "
        "x in h and in G are -1/d and 1/d²."
    ),
    source="dontchev2014implicit",
    implements=(reference.solution_jacobian,),
    uses=("kkt-nonsingular", "reciprocity", "strongly-convex-minimizer"),
)

TWO = alphabet(
    constant="M q r A G h x z e nu k lam w",
    latex={
        "nu": r"\nu",
        "lam": r"\lambda",
        "k": r"\nu'",
        "w": r"\lambda'",
        "z": "x'",
        "e": "(x-x')",
        "r": "q'",
        "M": r"(P-\mu)",
    },
    M="n n symmetric",  # P less μ times the identity
    q="n 1",
    r="n 1",
    A="p n",
    G="m n",
    h="m 1",
    x="n 1",
    z="n 1",
    e="n 1",  # the difference of the two minimizers z + e and z
    nu="p 1",
    k="p 1",
    lam="m 1",
    w="m 1",
)


@jacobian_bounds.derivation
def minimizers_are_monotone() -> Iterator[Step]:
    """Here x = z + e with (nu, lam) belongs to q, and z with (k, w) to r."""
    D, t = TWO, TWO.T
    M, q, r, A, G, h, x, z, e, nu, k, lam, w = D("M q r A G h x z e nu k lam w")
    mu = sp.Symbol("mu", nonnegative=True)
    rules = (
        D.rule("x = x' + (x - x')", x, [z, e]),
        D.rule("stationarity of x", q, [-(M + mu) * x, -t(A) * nu, -t(G) * lam]),
        D.rule("and of x'", r, [-(M + mu) * z, -t(A) * k, -t(G) * w]),
        D.rule("Ax = Ax'", A * e, sp.S.Zero),
        D.rule("λᵀGx = λᵀh", t(lam) * G * e, t(lam) * (h - G * z)),
        D.rule("λ'ᵀGx' = λ'ᵀh", t(w) * G * z, t(w) * h),
    )
    work = [t(r - q) * e, -mu * t(e) * e]
    terms = [
        inequalities.square(D, e, Semidefinite(M, "P - μ ⪰ 0")),
        inequalities.product(
            D, Nonnegative(lam, "λ ≥ 0"), Nonnegative(h - G * z, "Gx' ≤ h")
        ),
        inequalities.product(
            D, Nonnegative(w, "λ' ≥ 0"), Nonnegative(h - G * x, "Gx ≤ h")
        ),
    ]
    shown = r"(q'-q)^{\mathsf T}(x-x') - \mu\|x-x'\|^2"
    identity, *signs = inequalities.nonnegative(D, work, terms, *rules, name=shown)
    assert len(signs) == len(terms)
    reasons = "stationarity, feasibility and complementary slackness of both"
    yield Step(identity.lhs, identity.rhs, reasons)


@jacobian_bounds.check(Evidence.SYMBOLIC_ANY_SIZE)
def null_space_of_the_jacobian() -> None:
    """XCᵀ = 0, and Xu = 0 makes u = CᵀVu: the null space is the range of Cᵀ."""
    assert W.normal(T(C * X), FLAT) == 0
    still = W.rule("Xu = 0", X * u, sp.S.Zero)
    identity = W.rule("1 = PX + CᵀV", P * X, 1 - T(C) * V)
    assert W.equal(P * X * u, u - T(C) * V * u, identity)
    assert W.normal(P * X * u, still) == 0


def assert_rank(i: Instance, *, all_rows: bool = False) -> None:
    """The rank of ∂x/∂q is n less the number of equality and active rows."""
    rows = i.A.rows + i.G.rows if all_rows else i.C.rank()
    found = derivatives(i)["x/q"].rank()
    assert found == i.P.rows - rows, f"rank {found}, not {i.P.rows - rows}"


def assert_bounded(i: Instance, name: str) -> None:
    """Every column of ∂x/∂(name) is at most 1/μ long, μ the least eigenvalue of P."""
    require(i.P.is_positive_definite and saddle(i.P, i.C).det() != 0, "regular")
    least = min(i.P.eigenvals(), key=sp.re)
    for j, k, D in instances.entries(name, getattr(i, name).shape):
        moved = instances.moved(i, {name: D}, instances.t).x
        speed = moved.applyfunc(lambda s: sp.diff(s, instances.t).subs(instances.t, 0))
        size = sp.N(speed.norm())
        assert size <= sp.N(1 / least), f"∂x/∂{name}[{j},{k}] has norm {size}"


def wall(normal: sp.Expr) -> Instance:
    """Min ½x² subject to d·x ≥ 1, whose solution is 1/d."""
    x, one = Matrix([1 / normal]), sp.eye(1)
    return instances.instance(
        one, sp.zeros(0, 1), Matrix([-normal]), x, sp.zeros(0, 1), x / normal,
        sp.zeros(1, 1),
    )  # fmt: skip


def assert_lipschitz(P: Matrix, jump: sp.Expr, constant: sp.Expr) -> None:
    """On the interval [0, 1] x moves at most constant times as far as q does."""
    for at in (-1, sp.Rational(-1, 2), 0):
        ends = []
        for q in (at - jump / 2, at + jump / 2):
            free = -q / P[0] if P[0] else (sp.S.One if q < 0 else sp.S.Zero)
            ends.append(min(max(free, sp.S.Zero), sp.S.One))
        moved = abs(ends[1] - ends[0])
        assert moved <= constant * jump, f"x moves {moved} while q moves {jump}"


JUMP = sp.Rational(1, 10000)


@jacobian_bounds.check(Evidence.EXACT)
def rank_and_size_of_exact_instances() -> None:
    for i in (MASTER, wall(sp.Rational(1, 10))):
        assert_rank(i)
        assert_bounded(i, "q")
    assert_rank(singular())
    assert_lipschitz(sp.eye(1), JUMP, sp.S.One)


@jacobian_bounds.check(Evidence.SYMBOLIC)
def derivatives_without_a_bound() -> None:
    d = sp.Symbol("d", positive=True)
    for name, claimed in (("h", -1 / d), ("G", 1 / d**2)):
        move = {name: sp.ones(1, 1)}
        slope = instances.slope(wall(d), move, lambda s: s.x[0])
        assert sp.simplify(slope - claimed) == 0, f"∂x/∂{name} is {slope}"


@jacobian_bounds.check(Evidence.NUMERIC)
def jacobian_has_order_rank_and_size() -> None:
    for problem, known in numeric.draws("strictly_complementary", "near_infeasible"):
        J = reference.solution_jacobian(problem, known)
        rng = np.random.default_rng(3)
        step = numeric.unflat(problem, numeric.direction(problem, known, rng))
        for name in DATA:
            move, field = getattr(step, name), getattr(problem, name)

            def minimizer(v: np.ndarray, name=name, like=problem) -> np.ndarray:
                return layers.solve(replaced(like, name, v)).x.numpy()

            report = gradcheck.taylor(
                minimizer,
                field,
                move,
                getattr(J, name) @ move,
                steps=numeric.STEPS,
                noise=1e-9,
            )
            assert report.passes, f"∂x/∂{name}: {report}"
        active = int((known.lam > known.slack).sum()) + problem.p
        values = np.linalg.svd(J.q)[1]
        assert (values > 1e-9).sum() == problem.n - active
        assert values[0] <= (1 + 1e-9) / np.linalg.eigvalsh(problem.P)[0]


def replaced(problem: QP, name: str, value: np.ndarray) -> QP:
    """The problem in torch with one field replaced."""
    fields = dict(zip("PqAbGh", problem.fields, strict=True)) | {name: value}
    return QP(*map(torch.tensor, fields.values()))


@jacobian_bounds.control(mutant="rank n - p - m, inactive rows counted")
def inactive_rows_counted() -> None:
    assert_rank(MASTER, all_rows=True)


@jacobian_bounds.control(dropped="only q moves: the bound h of min ½x², x ≥ 10h")
def moving_bound() -> None:
    assert_bounded(wall(sp.Rational(1, 10)), "h")


@jacobian_bounds.control(dropped="only q moves: the normal G of the same wall")
def moving_normal() -> None:
    assert_bounded(wall(sp.Rational(1, 10)), "G")


@jacobian_bounds.control(dropped="P ≻ 0: a linear objective on [0, 1], any constant")
def linear_objective() -> None:
    assert_lipschitz(sp.zeros(1, 1), JUMP, sp.Integer(1000))
