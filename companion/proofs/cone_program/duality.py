"""The gap between a cone program and its dual, and proofs that there is no solution.

Chapter: embedding.md.  Theorems: cone-duality, infeasibility-certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sympy as sp

from companion.problems import Cones, Status
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    CURVED,
    FEASIBLE,
    HALF,
    A,
    P,
    T,
    W,
    b,
    pairing,
    q,
    s,
    w,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.inequalities import nonnegative, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import cone_program as reference

# ----------------------------------------------------------------- cone-duality
cone_duality = theorem(
    "cone-duality",
    claim=(
        "If Ax + s = b and Pw + Aᵀy + q = 0, then ½xᵀPx + qᵀx + ½wᵀPw + bᵀy = "
        "½(x-w)ᵀP(x-w) + sᵀy, for every size.  With P ⪰ 0, s ∈ K and y ∈ K* both terms "
        "are nonnegative; at w = x a gap of zero is sᵀy = 0."
    ),
    source="boyd2004convex",
    implements=(reference.violations,),
    uses=("weak-duality",),
)

DUAL_FEASIBLE = W.rule("q = -Pw - Aᵀy", q, [-P * w, -T(A) * y])
GAP = [HALF * T(x) * P * x, T(q) * x, HALF * T(w) * P * w, T(b) * y]
IN_CONES = pairing(W, s, y, "s ∈ K and y ∈ K*")
GAP_TERMS = [square(W, x - w, CURVED, times=HALF), IN_CONES]


@cone_duality.derivation
def gap_is_a_sum_of_signed_terms() -> Iterator[Step]:
    half, curved = HALF * T(x) * P * x, HALF * T(w) * P * w
    moved = [half, -T(x) * P * w, curved, -T(x) * T(A) * y, T(b) * y]
    yield from chain(
        W,
        GAP,
        Link(moved, "dual feasibility", (DUAL_FEASIBLE,), trace=True),
        Link(
            [half, -T(x) * P * w, curved, T(s) * y],
            "Ax + s = b",
            (FEASIBLE,),
            trace=True,
        ),
        name=r"\text{gap}",
    )
    terms = [term.word for term in GAP_TERMS]
    assert W.equal(terms, [half, -T(x) * P * w, curved, T(s) * y], trace=True)
    closed = r"\tfrac12(x-w)^{\mathsf T}P(x-w)+s^{\mathsf T}y"
    yield Step(W.latex([half, -T(x) * P * w, curved, T(s) * y]), closed, "a square")


@cone_duality.check(Evidence.SYMBOLIC_ANY_SIZE)
def gap_has_a_sign() -> None:
    list(nonnegative(W, GAP, GAP_TERMS, DUAL_FEASIBLE, FEASIBLE))


@dataclass(frozen=True, eq=False)
class Pair:
    """A primal point and a dual one for the data of an instance."""

    x: Matrix
    s: Matrix
    w: Matrix
    y: Matrix


def assert_gap(i: Instance, pair: Pair, sign: int = -1) -> None:
    """Primal less dual value is ½(x-w)ᵀP(x-w) + sᵀy ≥ 0; `sign` is that of bᵀy."""
    primal = (pair.x.T * i.P * pair.x / 2 + i.q.T * pair.x)[0]
    dual = (-pair.w.T * i.P * pair.w / 2 + sign * i.b.T * pair.y)[0]
    away = pair.x - pair.w
    terms = [(away.T * i.P * away)[0] / 2, (pair.s.T * pair.y)[0]]
    assert primal - dual == sum(terms), f"the gap is {primal - dual}, not {sum(terms)}"
    assert min(terms) >= 0, f"the dual value exceeds the primal by {-min(terms)}"


def pairs(i: Instance, count: int = 20) -> Iterator[tuple[Instance, Pair]]:
    """Feasible pairs off the solution: points of both cones, and b, q to fit."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        s, y = samples.exact_member(rng, i.K), samples.exact_member(rng, i.K, dual=True)
        x, w = (column(*map(int, rng.integers(-3, 4, i.A.cols))) for _ in "xw")
        fitted = Instance(i.P, -i.P * w - i.A.T * y, i.A, i.A * x + s, i.K, x, y - s)
        yield fitted, Pair(x, s, w, y)


@cone_duality.check(Evidence.EXACT)
def gap_at_rational_points() -> None:
    for master in instances.MASTERS:
        assert_gap(master, Pair(master.x, master.s, master.x, master.y))
        for i, pair in pairs(master):
            assert instances.in_cone(pair.s, i.K)
            assert instances.in_dual(pair.y, i.K)
            assert_gap(i, pair)


@cone_duality.check(Evidence.NUMERIC)
def solutions_of_the_splitting_method_have_no_gap() -> None:
    for problem, _, sol in samples.solved():
        assert sol.status is Status.SOLVED
        worst = max(reference.violations(problem, sol).values())
        assert worst < samples.SOLVED, f"a condition is violated by {worst}"


def ray(orthant: Matrix) -> tuple[Instance, Pair]:
    """The program min x over x ≥ 1 with a dual point; K is the half-line."""
    i = instances.instance(
        sp.zeros(1, 1), column(-1), Cones(nonneg=1), column(1), orthant
    )
    return i, Pair(i.x, i.s, i.x, i.y)


@cone_duality.control(mutant="max bᵀy, as it is printed in amos2019thesis, (7.2)")
def printed_dual() -> None:
    i, pair = ray(column(1))
    require(instances.solves(i, i.x, i.y, i.s), "a solution with its multiplier")
    assert_gap(i, pair, sign=1)


@cone_duality.control(mutant="y ∈ K in place of K*: the zero cone has a free dual")
def multiplier_in_the_cone() -> None:
    i = instances.LINEAR
    clipped = i.y.copy()
    clipped[0] = 0
    assert_gap(i, Pair(i.x, i.s, i.x, clipped))


@cone_duality.control(dropped="y ∈ K*: a multiplier -1 for x ≥ 1")
def pulling_wall() -> None:
    x, y, s = column(2), column(-1), column(1)
    i = Instance(sp.zeros(1, 1), -column(-1) * y, column(-1), column(-1),
                 Cones(nonneg=1), x, y - s)  # fmt: skip
    require(i.A * x + s == i.b and s[0] >= 0, "Ax + s = b, s ∈ K")
    require(i.A.T * y + i.q == sp.zeros(1, 1), "Aᵀy + q = 0")
    assert_gap(i, Pair(x, s, x, y))


# ---------------------------------------------------- infeasibility-certificate
infeasibility_certificate = theorem(
    "infeasibility-certificate",
    claim=(
        "If y ∈ K*, every x with Ax + s = b, s ∈ K has ½t xᵀx + rᵀr/(2t) + bᵀy ≥ 0 "
        "for all t > 0, with r = Aᵀy: at bᵀy = -1 this is ‖x‖‖r‖ ≥ 1, so that there "
        "is no such x if r = 0.  If x̂ has Ax̂ + ŝ = 0, ŝ ∈ K, Px̂ = 0 and qᵀx̂ < 0, "
        "then x + θx̂ is feasible for all θ ≥ 0 and its objective is p(x) + θ qᵀx̂.  "
        "For every size."
    ),
    source="odonoghue2016conic",
    implements=(reference.outcome,),
    uses=("farkas-lemma", "cone-duality"),
)

t = sp.Symbol("t", positive=True)
theta = sp.Symbol("theta", nonnegative=True)


@infeasibility_certificate.derivation
def nearly_a_certificate() -> Iterator[Step]:
    residual = T(A) * y
    bound = [t / 2 * T(x) * x, 1 / (2 * t) * T(residual) * residual, T(b) * y]
    split = [*bound[:2], T(x) * residual, T(s) * y]
    name = (
        r"\tfrac t2\|x\|^2+\tfrac1{2t}\|A^{\mathsf T}y\|^2"
        r"+b^{\mathsf T}y"
    )
    assert W.equal(bound, split, FEASIBLE, trace=True)
    middle = (
        r"\tfrac t2\|x\|^2+\tfrac1{2t}\|A^{\mathsf T}y\|^2"
        r"+x^{\mathsf T}A^{\mathsf T}y+s^{\mathsf T}y"
    )
    yield Step(name, middle, "Ax + s = b")
    whole = square(W, x + residual / t, times=t / 2)
    list(nonnegative(W, bound, [whole, IN_CONES], FEASIBLE))
    closed = r"\tfrac t2\|x+\tfrac1tA^{\mathsf T}y\|^2+s^{\mathsf T}y\ \ge 0"
    yield Step(middle, closed, "a square; s ∈ K and y ∈ K*")


@infeasibility_certificate.check(Evidence.SYMBOLIC_ANY_SIZE)
def objective_falls_along_a_ray() -> None:
    """With w for x̂ and s + θŝ for the slack, of which only Aw = -ŝ is used."""
    flat = W.rule("Pw = 0", P * w, sp.S.Zero)
    along = x + theta * w
    objective = [HALF * T(along) * P * along, T(q) * along]
    plain = [HALF * T(x) * P * x, T(q) * x]
    assert W.equal(objective, [*plain, theta * T(q) * w], flat, trace=True)
    slack = s - theta * A * w  # s + θŝ
    assert W.equal([A * along, slack], b, FEASIBLE)


def assert_refutes(A: Matrix, b: Matrix, K: Cones, y: Matrix) -> None:
    """Y is a certificate: y ∈ K*, Aᵀy = 0, bᵀy < 0, exactly."""
    assert instances.in_dual(y, K), "y is not in K*"
    assert not any(A.T * y), f"Aᵀy is {list(A.T * y)}"
    assert (b.T * y)[0] < 0, f"bᵀy is {(b.T * y)[0]}"


# ‖(x₁, x₂)‖ ≤ x₁ - 1 asks for x₁ > 1 and x₂² ≤ 1 - 2x₁: no such point
CROSSED = (
    -Matrix([[1, 0], [1, 0], [0, 1]]),
    column(-1, 0, 0),
    Cones(soc=(3,)),
    column(1, -1, 0),
)


@infeasibility_certificate.check(Evidence.EXACT)
def certificate_of_an_empty_intersection() -> None:
    assert_refutes(*CROSSED)


@infeasibility_certificate.check(Evidence.NUMERIC)
def certificates_of_the_splitting_method() -> None:
    for problem, status in samples.without_solution():
        sol = reference.solve(problem).solution
        assert sol.status is status, f"{sol.status.name} for {status.name}"
        if status is Status.PRIMAL_INFEASIBLE:
            r, gain = problem.A.T @ sol.y, problem.b @ sol.y
            assert abs(gain + 1) < samples.SOLVED
        else:
            r, gain = problem.A @ sol.x + sol.s, problem.q @ sol.x
            assert np.abs(problem.P @ sol.x).max() < samples.SOLVED
        assert gain < 0
        assert np.abs(r).max() < samples.SOLVED


@infeasibility_certificate.control(mutant="bᵀy > 0: the certificate with its sign")
def certificate_reversed() -> None:
    A, b, K, y = CROSSED
    assert_refutes(A, b, K, -y)


def assert_empty(A: Matrix, b: Matrix, K: Cones, y: Matrix, x: Matrix) -> None:
    """Whether y excludes the point x."""
    require(instances.in_dual(y, K) and (b.T * y)[0] < 0, "y ∈ K*, bᵀy < 0")
    assert not instances.in_cone(b - A * x, K), f"{list(x)} is feasible"


@infeasibility_certificate.check(Evidence.EXACT)
def certificate_excludes_points() -> None:
    A, b, K, y = CROSSED
    for point in (column(2, 0), column(0, 0), column(-5, 1)):
        assert_empty(A, b, K, y, point)


@infeasibility_certificate.control(dropped="Aᵀy = 0: a small residual")
def residual_left() -> None:
    small = sp.Rational(1, 100)
    A, b, K = column(-small), column(-1), Cones(nonneg=1)  # x/100 ≥ 1
    assert_empty(A, b, K, column(1), column(100))
