"""The symmetries of the Jacobian.

Chapter: sensitivity.md.  Theorems: reciprocity.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs import inequalities
from companion.proofs.inequalities import Semidefinite
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import MASTER, Instance, Matrix, saddle
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import sensitivity as reference

# R = [X Y; V Z] is the inverse of [P Cᵀ; C 0]; u and y are any vectors.
W = alphabet(
    constant="P C X Y V Z u y",
    P="n n symmetric",
    C="k n",
    X="n n",
    Y="n k",
    V="k n",
    Z="k k",
    u="n 1",
    y="k 1",
)
P, C, X, Y, V, Z, u, y = W("P C X Y V Z u y")
T = W.T
UPPER = W.rule("PX = 1 - CᵀV", P * X, 1 - T(C) * V)
FLAT = W.rule("CX = 0", C * X, sp.S.Zero)
SIDE = W.rule("PY = -CᵀZ", P * Y, -T(C) * Z)
HELD = W.rule("CY = 1", C * Y, sp.S.One)
SEMIDEFINITE = Semidefinite(P, "P ⪰ 0")

# ------------------------------------------------------------------ reciprocity
reciprocity = theorem(
    "reciprocity",
    claim=(
        "Where the KKT matrix is nonsingular, ∂x/∂q is symmetric and negative "
        "semidefinite, the derivative of the multipliers in the bounds likewise, and "
        "the derivative of x in the bounds is minus the transpose of that of the "
        "multipliers in q."
    ),
    source="fiacco1976sensitivity",
    implements=(reference.response,),
    uses=("kkt-nonsingular", "kkt-differentiable", "qp-envelope"),
)


@reciprocity.derivation
def blocks_of_the_inverse() -> Iterator[Step]:
    for left, right, rules in (
        (T(X) * P * X, T(X), (UPPER, FLAT)),
        ([T(Y) * P * X, V], T(Y), (UPPER, HELD)),
        (T(Y) * P * X, sp.S.Zero, (SIDE, FLAT)),
        (T(Y) * P * Y, -Z, (SIDE, HELD)),
    ):
        reason = " and ".join(rule.name for rule in rules)
        yield from chain(W, left, Link(right, reason, rules))


@reciprocity.check(Evidence.SYMBOLIC_ANY_SIZE)
def blocks_have_a_sign() -> None:
    """-∂x/∂q = X = XᵀPX and -∂y/∂(b, h) = -Z = YᵀPY are nonnegative forms."""
    for form, vector, rules in (
        (T(u) * X * u, X * u, (UPPER, FLAT)),
        (-T(y) * Z * y, Y * y, (SIDE, HELD)),
    ):
        term = inequalities.square(W, vector, SEMIDEFINITE)
        assert list(inequalities.nonnegative(W, form, [term], *rules))


Blocks = dict[str, Matrix]
DATA, OUTPUTS = ("q", "b", "h"), ("x", "nu", "lam")


def derivatives(i: Instance) -> Blocks:
    """Exact derivatives of x, nu, lam in q, b, h by differentiating the branch."""
    found: Blocks = {}
    for name in DATA:
        columns = []
        for _, _, D in instances.entries(name, getattr(i, name).shape):
            j = instances.moved(i, {name: D}, instances.t)
            branch = [getattr(j, output) for output in OUTPUTS]
            columns.append(
                [v.applyfunc(lambda s: sp.diff(s, instances.t).subs(instances.t, 0))
                 for v in branch]
            )  # fmt: skip
        for place, output in enumerate(OUTPUTS):
            found[f"{output}/{name}"] = Matrix.hstack(*(c[place] for c in columns))
    return found


def assert_reciprocal(f: Blocks, sign: int = -1) -> None:
    """The three relations between blocks; `sign` alters the mixed one."""
    assert f["x/q"] == f["x/q"].T, "∂x/∂q is not symmetric"
    assert f["x/b"] == sign * f["nu/q"].T, "∂x/∂b is not that of ν in q"
    assert f["x/h"] == sign * f["lam/q"].T, "∂x/∂h is not that of λ in q"
    assert f["lam/h"] == f["lam/h"].T, "∂λ/∂h is not symmetric"
    assert f["nu/h"] == f["lam/b"].T, "∂ν/∂h is not that of λ in b"
    for block in (f["x/q"], f["lam/h"], f["nu/b"]):
        assert (-block).is_positive_semidefinite, "a block of the wrong sign"


@reciprocity.check(Evidence.EXACT)
def derivatives_of_the_master_instance() -> None:
    assert_reciprocal(derivatives(MASTER))


@reciprocity.check(Evidence.EXACT)
def derivatives_where_p_is_singular() -> None:
    i = singular()
    require(not i.P.is_positive_definite, "P is singular")
    assert_reciprocal(derivatives(i))


def singular() -> Instance:
    """A flat direction of the objective that an active row holds."""
    return instances.instance(
        sp.diag(0, 2, 1), Matrix([[1, 1, 1]]), Matrix([[1, 0, 2], [0, 1, 0]]),
        Matrix([1, 0, 1]), Matrix([1]), Matrix([3, 0]), Matrix([0, 1]),
    )  # fmt: skip


def as_tensors(problem: QP, data: torch.Tensor) -> QP:
    """The problem with q, b, h taken from one vector."""
    P_, _, A_, _, G_, _ = (torch.tensor(v) for v in problem.fields)
    q, b, h = torch.split(data, [problem.n, problem.p, problem.m])
    return QP(P_, q, A_, b, G_, h)


@reciprocity.check(Evidence.NUMERIC)
def jacobian_of_the_layer_is_a_hessian() -> None:
    """(x, -ν, -λ) as a function of (q, b, h) has a symmetric Jacobian."""
    for problem, known in numeric.regular():

        def prices(data: torch.Tensor, like: QP = problem) -> torch.Tensor:
            sol = layers.solve(as_tensors(like, data))
            return torch.cat([sol.x, -sol.nu, -sol.lam])

        data = torch.tensor(np.concatenate([problem.q, problem.b, problem.h]))
        found = torch.autograd.functional.jacobian(prices, data).numpy()
        numeric.assert_close(found, found.T, "the Hessian of the value")
        signs = np.r_[np.ones(problem.n), -np.ones(problem.p + problem.m)]
        R = reference.response(problem, known)
        numeric.assert_close(found, -signs[:, None] * R * signs, "the response")


@reciprocity.control(mutant="∂x/∂h = +(∂λ/∂q)ᵀ")
def mixed_sign() -> None:
    assert_reciprocal(derivatives(MASTER), sign=1)


@reciprocity.control(dropped="P symmetric: the equations of a game, not of a minimum")
def game() -> None:
    i = instances.instance(
        MASTER.P + Matrix([[0, 1, 0], [-1, 0, 0], [0, 0, 0]]), MASTER.A, MASTER.G,
        MASTER.x, MASTER.nu, MASTER.lam, MASTER.slack,
    )  # fmt: skip
    require(instances.satisfies_kkt(i) and saddle(i.P, i.C).det() != 0, "nonsingular")
    assert_reciprocal(derivatives(i))
