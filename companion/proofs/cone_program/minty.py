"""Pairs of opposite points of a cone and of its dual, by one vector.

Chapter: embedding.md.  Theorems: minty-parametrization.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    pairing,
)
from companion.proofs.cone_program.instances import Matrix, column
from companion.proofs.inequalities import nonnegative, square
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import cone_program as reference
from companion.reference import cones

ZERO = sp.S.Zero
tau, kappa = sp.symbols("tau kappa", nonnegative=True)

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
    **dict.fromkeys(["z", "u", "v", "w", "a", "c", "e"], "N one"),
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
