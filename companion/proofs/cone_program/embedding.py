"""One system for solutions and certificates, and one map that is zero at both.

Chapter: embedding.md.  Theorems: homogeneous-embedding, minty-parametrization,
residual-map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion import gradcheck
from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    FEASIBLE,
    OPPOSITE,
    STATIONARY,
    A,
    P,
    T,
    W,
    b,
    pairing,
    q,
    s,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.inequalities import nonnegative, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import cone_program as reference
from companion.reference import cones

ZERO = sp.S.Zero
tau, kappa = sp.symbols("tau kappa", nonnegative=True)

# -------------------------------------------------------- homogeneous-embedding
homogeneous_embedding = theorem(
    "homogeneous-embedding",
    claim=(
        "Let P = 0 and let Q(x, y, τ) = (0, s, κ) with y ∈ K*, s ∈ K, τ, κ ≥ 0.  Then "
        "sᵀy + τκ = 0, for every size, so each product is zero.  If τ > 0, (x, y, s)/τ "
        "is optimal; if κ > 0, then Aᵀy = 0, Ax + s = 0 and qᵀx + bᵀy = -κ, so that y "
        "or x is a certificate.  A solution (x, y, s) gives the zeros "
        "(τx, τy, τ), (0, τs, 0)."
    ),
    source="ye1994homogeneous",
    implements=(reference.embedding, reference.solution),
    uses=("cone-duality", "infeasibility-certificate"),
)

FIRST = W.rule("the first row of Qu = v", T(A) * y, -tau * q)
SECOND = W.rule("the second row", s, [tau * b, -A * x])


@homogeneous_embedding.derivation
def products_vanish() -> Iterator[Step]:
    """With κ = -qᵀx - bᵀy, the third row."""
    last = [-T(q) * x, -T(b) * y]
    pieces = [T(s) * y, *(tau * part for part in last)]
    yield from chain(
        W,
        pieces,
        Link(
            [-T(x) * T(A) * y, -tau * T(q) * x],
            "the second row",
            (SECOND,),
            trace=True,
        ),
        Link(ZERO, "the first row", (FIRST,), trace=True),
        name=r"s^{\mathsf T}y+\tau\kappa = " + W.latex(pieces),
    )


@homogeneous_embedding.check(Evidence.SYMBOLIC_ANY_SIZE)
def operator_is_skew() -> None:
    """UᵀQu = 0 for every u, which is where the products come from."""
    form = [T(x) * T(A) * y, T(x) * q * tau, -T(y) * A * x, T(y) * b * tau]
    assert W.equal([*form, -tau * T(q) * x, -tau * T(b) * y], 0, trace=True)


@homogeneous_embedding.check(Evidence.SYMBOLIC_ANY_SIZE)
def solutions_are_zeros_at_every_scale() -> None:
    """Q(τx, τy, τ) = (0, τs, 0) by the optimality conditions with P = 0."""
    linear = W.rule("q = -Aᵀy", q, -T(A) * y)
    assert W.equal([T(A) * (tau * y), tau * q], 0, linear)
    assert W.equal([-A * (tau * x), tau * b], tau * s, FEASIBLE)
    last = [-tau * T(q) * x, -tau * T(b) * y]
    assert W.equal(last, 0, linear, FEASIBLE, OPPOSITE, trace=True)


def assert_decides(i: Instance, u: Matrix, v: Matrix) -> None:
    """What a zero of the embedding says: a solution, or a certificate."""
    n = i.A.cols
    x_, y_, s_ = u[:n, :], u[n:-1, :], v[n:-1, :]
    require(instances.skew(i) * u == v, "Qu = v")
    require(instances.in_dual(y_, i.K) and instances.in_cone(s_, i.K), "y ∈ K*, s ∈ K")
    if u[-1] > 0:
        assert instances.solves(i, *(part / u[-1] for part in (x_, y_, s_)))
        return
    assert v[-1] > 0, "τ = κ = 0: it says nothing"
    flat = [*(i.A.T * y_), *(i.A * x_ + s_)]
    assert not any(flat), "no certificate"
    gains = (i.b.T * y_)[0], (i.q.T * x_)[0]
    assert min(gains) < 0, f"no certificate: gains {gains}"


def encode(i: Instance, scale: sp.Expr, divide: int = 1) -> tuple[Matrix, Matrix]:
    """The pair (u, v) of a solution; a mutant divides by the scale."""
    u = Matrix.vstack(*(p * scale**divide for p in (i.x, i.y)), column(scale))
    v = Matrix.vstack(0 * i.x, scale * i.s, column(0))
    return u, v


def assert_encodes(i: Instance, scale: sp.Expr, divide: int = 1) -> None:
    u, v = encode(i, scale, divide)
    assert instances.skew(i) * u == v, f"Qu - v is {list(instances.skew(i) * u - v)}"
    assert_decides(i, u, v)


@homogeneous_embedding.check(Evidence.EXACT)
def solution_at_three_scales() -> None:
    for scale in (1, 3, sp.Rational(1, 7)):
        assert_encodes(instances.LINEAR, sp.sympify(scale))


def crossed() -> tuple[Instance, Matrix, Matrix]:
    """The rows 1 ≤ x ≤ -1 with a cost: a certificate y and κ > 0."""
    zero = sp.zeros(1, 1)
    i = Instance(
        zero, column(1), column(-1, 1), column(-1, -1), Cones(nonneg=2),
        column(0), column(1, 1),
    )  # fmt: skip
    return i, column(0, 1, 1, 0), column(0, 0, 0, 2)


@homogeneous_embedding.check(Evidence.EXACT)
def certificate_of_crossed_bounds() -> None:
    assert_decides(*crossed())


@homogeneous_embedding.check(Evidence.NUMERIC)
def splitting_method_finds_one_or_the_other() -> None:
    for problem, sol in samples.regular():
        if problem.P.any():
            continue
        found = reference.solve(problem).solution
        samples_close(found.x, sol.x)
    for problem, status in samples.without_solution():
        found = reference.solve(problem).solution
        assert found.status is status, f"{found.status.name} for {status.name}"


def samples_close(got: np.ndarray, want: np.ndarray) -> None:
    """Agreement to the accuracy of the splitting method, for a unique solution."""
    assert np.abs(got - want).max() < samples.SOLVED


@homogeneous_embedding.control(mutant="u = (x/τ, y/τ, τ), as in amos2019thesis")
def divided() -> None:
    assert_encodes(instances.LINEAR, sp.Integer(2), divide=-1)


@homogeneous_embedding.control(dropped="τ + κ > 0: min x₁ over x₁x₂ ≥ 1")
def neither() -> None:
    """The infimum 0 is not attained: s = (x₁ + x₂, x₁ - x₂, 2)."""
    A_ = -Matrix([[1, 1], [1, -1], [0, 0]])
    i = Instance(
        sp.zeros(2, 2), column(1, 0), A_, column(0, 0, 2), Cones(soc=(3,)),
        column(0, 1), column(-1, 1, 0),
    )  # fmt: skip
    u, v = column(0, 1, 0, 0, 0, 0), column(0, 0, 1, -1, 0, 0)
    require(any(u), "u ≠ 0")
    assert_decides(i, u, v)


# -------------------------------------------------------- minty-parametrization
minty_parametrization = theorem(
    "minty-parametrization",
    claim=(
        "Let C be a closed convex cone.  u ∈ C, v ∈ C*, uᵀv = 0 if and only if u = Πz "
        "and v = Πz - z with z = u - v, Π the projection onto C: (u-z)ᵀ(w-u) = vᵀw ≥ 0 "
        "for w ∈ C.  Of two such pairs ‖z-z'‖² = ‖u-u'‖² + ‖v-v'‖² + 2(uᵀv' + vᵀu'), "
        "with nonnegative terms.  For every size."
    ),
    source="moreau1962decomposition",
    implements=(reference.project,),
    uses=("projection-characterization", "moreau-decomposition"),
)

V = alphabet(
    constant="z u v w a c e",
    latex={"a": "u'", "c": "v'", "e": "z'"},
    **dict.fromkeys("z u v w a c e".split(), "N one"),
)
z, u, v, w, a, c, e = V("z u v w a c e")
TV = V.T
SPLIT = V.rule("z = u - v", z, [u, -v])
APART = V.rule("uᵀv = 0", TV(u) * v, ZERO)
OTHER = V.rule("z' = u' - v'", e, [a, -c])
OTHER_APART = V.rule("u'ᵀv' = 0", TV(a) * c, ZERO)


@minty_parametrization.derivation
def pair_is_a_projection() -> Iterator[Step]:
    angle = TV(u - z) * (w - u)
    yield from chain(
        V,
        angle,
        Link([TV(v) * w, -TV(v) * u], "z = u - v", (SPLIT,)),
        Link(TV(v) * w, "uᵀv = 0", (APART,), trace=True),
        name=r"(u-z)^{\mathsf T}(w-u)",
    )
    signed = [pairing(V, v, w, "v ∈ C*, w ∈ C")]
    list(nonnegative(V, angle, signed, SPLIT, APART))
    yield Step(V.latex(TV(v) * w), r"{}\ge 0", signed[0].hypothesis)


@minty_parametrization.check(Evidence.SYMBOLIC_ANY_SIZE)
def distances_of_pairs() -> None:
    terms = [
        square(V, u - a),
        square(V, v - c),
        pairing(V, 2 * u, c, "u ∈ C, v' ∈ C*"),
        pairing(V, 2 * a, v, "u' ∈ C, v ∈ C*"),
    ]
    distance = TV(z - e) * (z - e)
    list(nonnegative(V, distance, terms, SPLIT, OTHER, APART, OTHER_APART))


def assert_pair(u_: Matrix, v_: Matrix, project: Callable[[Matrix], Matrix]) -> None:
    """U is the projection of u - v."""
    found = project(u_ - v_)
    assert found == u_, f"the projection is {list(found)}, not {list(u_)}"


SOC = Cones(soc=(3,))
EDGES = [((5, 3, 4), (10, -6, -8)), ((5, 3, 4), (0, 0, 0)), ((0, 0, 0), (6, 1, 2)),
         ((13, 5, 12), (26, -10, -24))]  # fmt: skip


@minty_parametrization.check(Evidence.EXACT)
def opposite_edges_of_the_second_order_cone() -> None:
    for first, second in EDGES:
        u_, v_ = column(*first), column(*second)
        require((u_.T * v_)[0] == 0, "uᵀv = 0")
        assert_pair(u_, v_, instances.project_soc)


@minty_parametrization.check(Evidence.NUMERIC)
def projections_split_into_pairs() -> None:
    rng = np.random.default_rng(3)
    for problem, _ in samples.regular(1):
        at = rng.standard_normal(problem.K.rows)
        u_ = cones.project_dual(at, problem.K)
        v_ = u_ - at
        samples.assert_close(cones.project(v_, problem.K), v_, "v is outside K")
        assert abs(u_ @ v_) < samples.ROUNDING


def assert_members(at: Matrix, K: Cones, *, dual: bool = True) -> None:
    """The two parts of z are in K* and in K; a mutant asks for K* twice."""
    u_ = instances.project_dual(at, K)
    rest = u_ - at
    assert instances.in_dual(u_, K)
    assert (instances.in_cone if dual else _twice)(rest, K), "the rest is not in C*"


def _twice(v_: Matrix, K: Cones) -> bool:
    """Membership of v in the cone {y : -y ∈ K*}, the polar."""
    return instances.in_dual(-v_, K)


@minty_parametrization.check(Evidence.EXACT)
def parts_are_members() -> None:
    assert_members(instances.LINEAR.v, instances.LINEAR.K)


@minty_parametrization.control(mutant="v in the polar cone in place of the dual one")
def polar() -> None:
    assert_members(instances.LINEAR.v, instances.LINEAR.K, dual=False)


@minty_parametrization.control(dropped="uᵀv = 0: two points of the half-line")
def not_complementary() -> None:
    u_, v_ = column(2), column(1)
    require(u_[0] >= 0 and v_[0] >= 0, "u ∈ C, v ∈ C*")
    K = Cones(nonneg=1)
    assert_pair(u_, v_, lambda at: instances.project_dual(at, K))


# ----------------------------------------------------------------- residual-map
residual_map = theorem(
    "residual-map",
    claim=(
        "With u = Πz, v = Πz - z, R(z) = (Q-I)Πz + z is Qu - v, and R(tz) = tR(z) for "
        "t > 0, for every size.  z = (x, y-s, 1) is a zero for every solution, and a "
        "zero with z_τ > 0 is a solution times z_τ.  Where Π is differentiable, with "
        "derivative D, R has the derivative M = (Q-I)D + I."
    ),
    source="busseti2019solution",
    implements=(reference.residual, reference.jacobian, reference.point),
    uses=("homogeneous-embedding", "minty-parametrization"),
)

X = alphabet(
    constant="Q u v z",
    latex={"u": r"\Pi z", "v": r"(\Pi z-z)"},
    Q="N N",
    **dict.fromkeys("u v z".split(), "N one"),
)
Q, pu, pv, pz = X("Q u v z")
MINTY = X.rule("v = Πz - z", pv, [pu, -pz])
scale = sp.Symbol("t", positive=True)


@residual_map.check(Evidence.SYMBOLIC_ANY_SIZE)
def residual_is_the_embedding() -> None:
    """And with Π(tz) = tΠz it is homogeneous."""
    residual = [Q * pu, -pu, pz]
    assert X.equal(residual, [Q * pu, -pv], MINTY)
    scaled = [Q * (scale * pu), -scale * pu, scale * pz]
    assert X.equal(scaled, [scale * part for part in residual])


@residual_map.derivation
def rows_at_a_solution() -> Iterator[Step]:
    """The three blocks of R at (x, y - s, 1) with Πz = (x, y, 1) and P = 0."""
    linear = W.rule("q = -Aᵀy", q, -T(A) * y)
    third = [-T(q) * x, -T(b) * y]
    yield from chain(W, [T(A) * y, q], Link(ZERO, "stationarity", (linear,)))
    second = [-A * x, b, -s]
    yield from chain(W, second, Link(ZERO, "feasibility", (FEASIBLE,)))
    yield from chain(
        W,
        third,
        Link([T(x) * T(A) * y, -T(b) * y], "stationarity", (linear,), trace=True),
        Link(-T(s) * y, "feasibility", (FEASIBLE,), trace=True),
        Link(ZERO, "sᵀy = 0", (OPPOSITE,), trace=True),
    )


@residual_map.check(Evidence.SYMBOLIC_ANY_SIZE)
def quadratic_term_cancels() -> None:
    """With P the last row is -xᵀPx - qᵀx - bᵀy, zero as well."""
    third = [-T(x) * P * x, -T(q) * x, -T(b) * y]
    assert W.equal(third, 0, STATIONARY, FEASIBLE, OPPOSITE, trace=True)



def residual(i: Instance, at: Matrix, *, dual: bool = True) -> Matrix:
    """R(z) exactly; a mutant projects the middle block onto K."""
    n = i.A.cols
    middle = instances.project_dual(at[n:-1, :], i.K)
    if not dual:
        middle[: i.K.zero, :] = sp.zeros(i.K.zero, 1)
    tau_ = column(sp.Max(at[-1], 0))
    found = Matrix.vstack(at[:n, :], middle, tau_)
    return instances.operator(i, found) - found + at if tau_[0] else (
        instances.skew(i) * found - found + at
    )  # fmt: skip


def assert_zero(i: Instance, at: Matrix, *, dual: bool = True) -> None:
    """R(z) = 0, exactly."""
    found = residual(i, at, dual=dual)
    assert not any(found), f"R is {list(found)}"


@residual_map.check(Evidence.EXACT)
def zeros_at_master_instances() -> None:
    for i in instances.MASTERS:
        at = Matrix.vstack(i.x, i.v, column(1))
        for times in (1, 3):
            assert_zero(i, times * at)


def assert_zeros_are_solutions(i: Instance, at: Matrix) -> None:
    """A zero z of R, divided by its last entry, is a solution."""
    require(not any(residual(i, at)), "R(z) = 0")
    n, last = i.A.cols, at[-1]
    y_ = instances.project_dual(at[n:-1, :], i.K)
    parts = at[:n, :], y_, y_ - at[n:-1, :]
    assert last > 0, f"z_τ is {last}: this zero is no solution"
    assert instances.solves(i, *(part / last for part in parts))


@residual_map.check(Evidence.EXACT)
def scaled_zeros_are_solutions() -> None:
    for i in instances.MASTERS:
        assert_zeros_are_solutions(i, 2 * Matrix.vstack(i.x, i.v, column(1)))


@residual_map.check(Evidence.NUMERIC)
def derivative_has_second_order() -> None:
    rng = np.random.default_rng(1)
    for problem, sol in samples.regular():
        at = reference.point(sol)
        samples.assert_close(reference.residual(problem, at), 0 * at, "R at a solution")
        direction = samples.REACH * rng.standard_normal(len(at))
        for sign in (1, -1):
            step = sign * direction
            report = gradcheck.taylor(
                lambda found, problem=problem: reference.residual(problem, found),
                at, step, reference.jacobian(problem, at) @ step,
                steps=samples.STEPS,
            )  # fmt: skip
            assert report.passes, str(report)


@residual_map.control(mutant="the projection onto K in the middle block, not onto K*")
def wrong_cone() -> None:
    i = instances.LINEAR
    assert_zero(i, Matrix.vstack(i.x, i.v, column(1)), dual=False)


@residual_map.control(dropped="z_τ > 0: the certificate of 1 ≤ x ≤ -1")
def zero_that_is_a_certificate() -> None:
    i, first, second = crossed()
    assert_zeros_are_solutions(i, first - second)
