"""A map that is zero at solutions and certificates.

Chapter: embedding.md.  Theorems: residual-map.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion import gradcheck
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
    q,
    s,
    x,
    y,
)
from companion.proofs.cone_program.embedding import crossed
from companion.proofs.cone_program.instances import Instance, Matrix, column
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import cone_program as reference

ZERO = sp.S.Zero
tau, kappa = sp.symbols("tau kappa", nonnegative=True)

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
    uses=("homogeneous-embedding", "moreau-minty"),
)

X = alphabet(
    constant="Q u v z",
    latex={"u": r"\Pi z", "v": r"(\Pi z-z)"},
    Q="N N",
    **dict.fromkeys(["u", "v", "z"], "N one"),
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
