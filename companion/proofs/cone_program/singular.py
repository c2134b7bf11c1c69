"""The derivative of the residual map is singular at every solution.

Chapter: cone-derivative.md.  Theorems: singular-embedding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.problems import Cones
from companion.proofs.cone_program import instances, samples
from companion.proofs.cone_program.conditions import (
    D,
    T,
    W,
    dA,
    db,
    dq,
    s,
    v,
    x,
    y,
)
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero
FAR, NEAR = 1e-2, 1e-3  # displacements between which the least singular value falls

singular_embedding = theorem(
    "singular-embedding",
    claim=(
        "Where Π is differentiable, M = (Q-I)D + I has Mz = R(z); at a zero of R also "
        "uᵀM = 0 with u = Πz ≠ 0, so M is singular at every solution, for every size.  "
        "uᵀdQ u = 0, adding z to dz leaves (dx, dy, ds) unchanged and adding u to an "
        "adjoint leaves every gradient unchanged.  The rank is one less than full "
        "where the reduced matrix is nonsingular, exactly on instances.  For "
        "min ½x² over x ≥ 1, det M = (x-1)² beside the solution."
    ),
    source="busseti2019solution",
    implements=(reference.jacobian,),
    uses=("residual-map",),
)

X = alphabet(
    constant="Q D u v z",
    Q="N N",
    D="N N symmetric",
    **dict.fromkeys(["u", "v", "z"], "N one"),
)
Q, E, pu, pv, pz = X("Q D u v z")
EULER = X.rule("Dz = u, since Π(tz) = tΠz", E * pz, pu)
PARTS = X.rule("v = u - z", pv, [pu, -pz])
SKEW = X.rule("Qᵀu = -Qu = -v", X.T(Q) * pu, -pv)
KEPT = X.rule("Du = u", E * pu, pu)
LOST = X.rule("Dv = 0", E * pv, ZERO)


@singular_embedding.derivation
def null_vectors_on_both_sides() -> Iterator[Step]:
    right = [Q * E * pz, -E * pz, pz]
    yield from chain(
        X,
        right,
        Link([Q * pu, -pu, pz], "Dz = u, since Π(tz) = tΠz", (EULER,)),
        name="M z = " + X.latex(right),
    )
    yield Step(X.latex([Q * pu, -pu, pz]), "R(z) = 0", "this is the residual map")
    left = [E * X.T(Q) * pu, -E * pu, pu]
    yield Step(r"M^{\mathsf T}u", X.latex(left), "D is symmetric")
    yield from chain(
        X,
        left,
        Link([-E * pv, -E * pu, pu], "Q is skew, and Qu = v at a zero", (SKEW,)),
        Link(ZERO, "Dv = 0 and Du = u", (LOST, KEPT)),
    )


@singular_embedding.check(Evidence.SYMBOLIC_ANY_SIZE)
def right_side_is_orthogonal_to_the_left_null_vector() -> None:
    """UᵀdQ u = 0 at u = (x, y, 1)."""
    form = [T(x) * T(dA) * y, T(x) * dq, -T(y) * dA * x, T(y) * db]
    assert W.equal([*form, -T(dq) * x, -T(db) * y], 0, trace=True)


@singular_embedding.check(Evidence.SYMBOLIC_ANY_SIZE)
def null_vectors_are_not_seen() -> None:
    """Read-outs at dz = z = (x, y - s, 1) and at the adjoint u = (x, y, 1)."""
    euler = W.rule("Dv = y", D * v, y)
    split = W.rule("v = y - s", v, [y, -s])
    assert W.equal([D * v, -y], 0, euler)
    assert W.equal([D * v, -v, -s], 0, euler, split)
    assert W.equal(y * T(x) - y * T(x), 0)


def null_vectors(i: Instance) -> tuple[Matrix, Matrix]:
    """Z and u at a solution."""
    one = column(1)
    return Matrix.vstack(i.x, i.v, one), Matrix.vstack(i.x, i.y, one)


def assert_null(i: Instance, M: Matrix) -> None:
    """Mz = 0, uᵀM = 0, and nothing else is lost."""
    z, u = null_vectors(i)
    assert not any(M * z), f"Mz is {list(M * z)}"
    assert not any(M.T * u), f"Mᵀu is {list(M.T * u)}"
    assert M.rank() == M.rows - 1, f"the rank is {M.rank()} of {M.rows}"


@singular_embedding.check(Evidence.EXACT)
def master_instances_lose_one() -> None:
    for i in instances.MASTERS:
        require(instances.reduced(i).det() != 0, "the reduced matrix is nonsingular")
        assert_null(i, instances.full(i, null_vectors(i)[0]))


def wall() -> Instance:
    """The program min ½x² over x ≥ 1."""
    K = Cones(nonneg=1)
    return instances.instance(sp.eye(1), column(-1), K, column(1), column(1))


def assert_singular(i: Instance, z: Matrix) -> None:
    """M is singular at z."""
    det = instances.full(i, z).det()
    assert det == 0, f"det M = {det}"


@singular_embedding.check(Evidence.EXACT)
def determinant_beside_a_solution_is_a_square() -> None:
    assert_singular(wall(), column(1, 1, 1))
    for at in (sp.Rational(1, 2), sp.Rational(9, 10), 3):
        assert instances.full(wall(), column(at, 1, 1)).det() == (at - 1) ** 2


@singular_embedding.check(Evidence.NUMERIC)
def least_singular_value_beside_a_solution() -> None:
    """Zero at the solution, and of second order beside it where K is curved."""
    rng, slopes = np.random.default_rng(4), []
    for problem, sol in samples.regular():
        z = reference.point(sol)
        step = np.append(rng.standard_normal(len(z) - 1), 0)
        step /= np.linalg.norm(step)
        here, far, near = (
            np.linalg.svd(reference.jacobian(problem, z + t * step))[1]
            for t in (0.0, FAR, NEAR)
        )
        assert here[-1] < samples.ROUNDING < samples.WELL_POSED / 10 < here[-2]
        if near[-1] > samples.ROUNDING:
            slopes.append(np.log(far[-1] / near[-1]) / np.log(FAR / NEAR))
    assert len(slopes) > len(samples.KINDS)
    assert np.median(slopes) > 1.8, f"orders {np.round(slopes, 2)}"


@singular_embedding.control(mutant="the derivative of the projection onto K, not K*")
def wrong_cone() -> None:
    i = instances.LINEAR
    D_ = i.D.copy()
    D_[: i.K.zero, : i.K.zero] = sp.zeros(i.K.zero, i.K.zero)
    steps = sp.diag(sp.eye(i.A.cols), D_, sp.eye(1))
    eye = sp.eye(steps.rows)
    assert_null(i, (instances.skew(i) - eye) * steps + eye)


@singular_embedding.control(mutant="M = (Q + I)D - I")
def signs() -> None:
    i = instances.LINEAR
    steps = sp.diag(sp.eye(i.A.cols), i.D, sp.eye(1))
    eye = sp.eye(steps.rows)
    assert_null(i, (instances.skew(i) + eye) * steps - eye)


@singular_embedding.control(dropped="R(z) = 0: half a unit beside the solution")
def beside_the_solution() -> None:
    i = wall()
    require(instances.solves(i, i.x, i.y, i.s), "the solution is x = 1")
    assert_singular(i, column(sp.Rational(3, 2), 1, 1))
