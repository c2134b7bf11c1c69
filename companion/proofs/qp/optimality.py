"""Solutions of a quadratic program: certified by multipliers, unique, locally smooth.

Chapter: optnet.md.  Theorems: qp-optimality, qp-uniqueness.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.qp import conditions as kkt
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.conditions import HALF, G, P, T, W, h, lam, nu, q, x, z
from companion.proofs.qp.instances import MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain
from companion.reference import qp as reference

# ---------------------------------------------------------------- qp-optimality
qp_optimality = theorem(
    "qp-optimality",
    claim=(
        "At a point x with multipliers that satisfy the KKT conditions, every z with "
        "Az = b has p(z) - p(x) = ½(z-x)ᵀP(z-x) + lamᵀ(h-Gz); both terms are "
        "nonnegative if P ⪰ 0, lam ≥ 0 and Gz ≤ h, so x is optimal."
    ),
    source="boyd2004convex",
    implements=(reference.solve, layers.solve),
    uses=("weak-duality",),
)

# The gap, term by term, with the hypothesis that makes each term nonnegative.
GAP = (
    ("P is positive semidefinite", HALF * T(z - x) * P * (z - x)),
    ("lam ≥ 0 and Gz ≤ h", T(lam) * (h - G * z)),
)


@qp_optimality.derivation
def optimality_gap() -> Iterator[Step]:
    gap = [HALF * T(z) * P * z, T(q) * z, -HALF * T(x) * P * x, -T(q) * x]
    square = [HALF * T(z) * P * z, -T(x) * P * z, HALF * T(x) * P * x]
    A, b = W("A b")
    multipliers = [-T(nu) * A * z, -T(lam) * G * z, T(nu) * A * x, T(lam) * G * x]
    slack = [-T(lam) * G * z, T(lam) * h]
    links = (
        Link([*square, *multipliers], "stationarity", (kkt.STATIONARY,), trace=True),
        Link(
            [*square, -T(nu) * b, T(nu) * b, *slack],
            "Az = b = Ax, and complementary slackness",
            (kkt.FEASIBLE, kkt.ANY_POINT, kkt.SLACK),
        ),
        Link([*square, *slack], "the equality terms cancel"),
    )
    yield from chain(W, gap, *links, name="p(z) - p(x)")
    terms = [term for _, term in GAP]
    assert W.equal([*square, *slack], terms, trace=True)
    yield Step(
        W.latex([*square, *slack]),
        r"\tfrac{1}{2}\,(z-x)^{\mathsf T}P\,(z-x) + \lambda^{\mathsf T}(h - Gz)",
        "a square and a product of nonnegative vectors",
    )


def assert_optimal(i: Instance, points: list[Matrix], half: sp.Expr = HALF) -> None:
    """The gap identity and the sign of its terms at feasible points, exactly."""

    def p(y: Matrix) -> sp.Expr:
        return (y.T * i.P * y)[0] / 2 + (i.q.T * y)[0]

    for y in points:
        square = half * ((y - i.x).T * i.P * (y - i.x))[0]
        product = (i.lam.T * (i.h - i.G * y))[0]
        assert p(y) - p(i.x) == square + product, "the gap is not the sum of its terms"
        assert square >= 0, f"p falls by {-square} from a KKT point"
        assert product >= 0


def feasible_points(i: Instance, rng: np.random.Generator) -> list[Matrix]:
    """Rational points with Ay = b and Gy ≤ h, x moved along the null space of A."""
    basis = (
        i.A.nullspace()
        if i.A.rows
        else [sp.eye(i.x.rows)[:, k] for k in range(i.x.rows)]
    )
    points = []
    for _ in range(12):
        y = i.x
        for vector in basis:
            y = y + vector * sp.Rational(int(rng.integers(-6, 7)), 4)
        if all(c >= 0 for c in i.h - i.G * y):
            points.append(y)
    return points


@qp_optimality.check(Evidence.EXACT)
def gap_at_rational_points() -> None:
    rng, seen = np.random.default_rng(0), 0
    for i in (MASTER, *(instances.random_instance(rng, rank=2) for _ in range(30))):
        assert instances.satisfies_kkt(i)
        points = feasible_points(i, rng)
        assert_optimal(i, points)
        seen += len(points)
    assert seen > 50, "too few feasible points to mean anything"


@qp_optimality.check(Evidence.NUMERIC)
def solvers_certify_themselves() -> None:
    for problem, known in numeric.regular():
        for sol in (reference.solve(problem), layers.solve(problem.map(torch.tensor))):
            x_, nu_, lam_ = (np.asarray(v) for v in (sol.x, sol.nu, sol.lam))
            residual = reference.kkt_residual(problem, x_, nu_, lam_)
            numeric.assert_close(residual, 0 * residual, "KKT residual")
            assert np.min(lam_) > -1e-9
            numeric.assert_close(sol.value, known.value, "optimal value")


@qp_optimality.control(mutant="the ½ of the square forgotten")
def gap_without_half() -> None:
    assert_optimal(MASTER, feasible_points(MASTER, np.random.default_rng(0)), sp.S.One)


@qp_optimality.control(dropped="P positive semidefinite: P = -1 on [-1, 1]")
def concave_objective() -> None:
    one = Matrix([[1]])
    i = instances.instance(
        -one, sp.zeros(0, 1), Matrix([1, -1]), 0 * one, sp.zeros(0, 1),
        sp.zeros(2, 1), Matrix([1, 1]),
    )  # fmt: skip
    require(instances.satisfies_kkt(i), "x = 0 satisfies the KKT conditions")
    assert_optimal(i, [one / 2])


# ---------------------------------------------------------------- qp-uniqueness
qp_uniqueness = theorem(
    "qp-uniqueness",
    claim=(
        "If P ≻ 0 and the problem is feasible, the minimizer is unique.  If moreover "
        "every active row has a positive multiplier, the multipliers are unique if and "
        "only if the equality rows and the active rows are linearly independent."
    ),
    source="boyd2004convex",
    implements=(reference.solve, layers.solve),
    uses=("qp-optimality",),
)


@qp_uniqueness.check(Evidence.SYMBOLIC_ANY_SIZE)
def two_solutions_agree() -> None:
    """KKT points x, z: (z-x)ᵀP(z-x) + lamᵀ(h-Gz) + kapᵀ(h-Gx) = 0, each term ≥ 0.

    The letters w and v stand for the second pair of multipliers, kap and mu.
    """
    A, kap, mu = W("A w v")
    at_x, at_z = -q - T(A) * nu - T(G) * lam, -q - T(A) * mu - T(G) * kap
    stationary = (
        W.rule("stationarity at z", P * z, at_z), W.rule("at x", P * x, at_x)
    )  # fmt: skip
    curved = T(z - x) * (at_z - at_x)
    # one side at a time: zᵀPx may be rewritten from either end
    assert W.equal(P * (z - x), at_z - at_x, *stationary)
    slack = W.rule("complementary slackness at z", T(kap) * G * z, T(kap) * h)
    total = [curved, T(lam) * (h - G * z), T(kap) * (h - G * x)]
    rules = (slack, kkt.SLACK, kkt.FEASIBLE, kkt.ANY_POINT)
    left = W.normal(total, *rules)
    assert W.trace(left) == 0, W.latex(left)


def assert_multipliers_unique(i: Instance) -> None:
    """No second pair of multipliers: else it is constructed and its conditions hold."""
    for kernel in i.C.T.nullspace():
        biggest = max(abs(c) for c in kernel)
        room = min((i.lam[k] for k in i.active), default=sp.S.One)
        change = kernel * room / (2 * biggest)
        p, active = i.A.rows, i.active
        other = i.lam[:, :]
        for place, row in enumerate(active):
            other[row] += change[p + place]
        second = Instance(
            i.P, i.q, i.A, i.b, i.G, i.h, i.x, i.nu + change[:p, :], other
        )
        require(instances.satisfies_kkt(second), "the second pair satisfies KKT")
        raise AssertionError(
            f"a second pair: lam = {list(other)}, nu = {list(second.nu)}"
        )


@qp_uniqueness.check(Evidence.EXACT)
def multipliers_unique_iff_rows_independent() -> None:
    rng, seen = np.random.default_rng(1), {True: 0, False: 0}
    for _ in range(120):
        i = instances.random_instance(rng)
        independent = i.C.rank() == i.C.rows
        seen[independent] += 1
        try:
            assert_multipliers_unique(i)
            unique = True
        except AssertionError:
            unique = False
        assert unique == independent
    assert min(seen.values()) > 10, seen


@qp_uniqueness.check(Evidence.NUMERIC)
def solvers_agree_on_the_minimizer() -> None:
    regimes = (*numeric.sampling.REGULAR_REGIMES, "licq_failing")
    for problem, known in numeric.draws(*regimes, "weakly_active"):
        found = layers.solve(problem.map(torch.tensor)).x
        numeric.assert_close(found, known.x, "the layer's minimizer")
    for problem, known in numeric.draws(*regimes):
        numeric.assert_close(reference.solve(problem).x, known.x, "the reference's")


@qp_uniqueness.control(dropped="independent active rows: x ≤ 1 written twice")
def duplicated_row() -> None:
    one = Matrix([[1]])
    i = instances.instance(
        one, sp.zeros(0, 1), Matrix([1, 1]), one, sp.zeros(0, 1),
        Matrix([1, 1]), sp.zeros(2, 1),
    )  # fmt: skip
    require(instances.satisfies_kkt(i) and i.P.is_positive_definite, "KKT and P ≻ 0")
    assert_multipliers_unique(i)


def assert_minimizer_unique(problem: QP, candidates: list[np.ndarray]) -> None:
    """No two of the candidates are feasible with the least value among them."""
    P, q, _, _, G, h = problem.fields
    best = min(0.5 * y @ P @ y + q @ y for y in candidates)
    ties = [
        y for y in candidates if np.all(G @ y <= h) and 0.5 * y @ P @ y + q @ y == best
    ]
    assert len(ties) == 1, f"{len(ties)} minimizers"


@qp_uniqueness.control(dropped="P ≻ 0: the linear objective -x₁ on the unit box")
def linear_objective() -> None:
    eye = np.eye(2)
    problem = QP(
        0 * eye,
        np.array([-1.0, 0.0]),
        G=np.vstack([eye, -eye]),
        h=np.array([1.0, 1, 0, 0]),
    )
    corners = [np.array([a, c]) for a in (0.0, 1.0) for c in (0.0, 1.0)]
    require(any(np.all(problem.G @ y <= problem.h) for y in corners), "feasible")
    assert_minimizer_unique(problem, corners)
