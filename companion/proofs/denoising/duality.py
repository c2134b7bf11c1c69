"""The dual of total-variation denoising, and the certificate that it gives.

Chapter: denoising.md.  Theorems: tv-dual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp

from companion.apps import denoising as app
from companion.layers import qp
from companion.proofs.denoising.conditions import HALF, D, T, W, a, w, x, y
from companion.proofs.denoising.instances import Matrix, certified, samples
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, chain

# ------------------------------------------------------------------- tv-dual
tv_dual = theorem(
    "tv-dual",
    claim=(
        "For every x and w, ½‖y-x‖² + λ‖Dx‖₁ - (wᵀDy - ½‖Dᵀw‖²) equals "
        "½‖x-(y-Dᵀw)‖² + (λ‖Dx‖₁ - wᵀDx); both terms are nonnegative if |w_i| ≤ λ, and "
        "vanish at x = y - Dᵀw if w_i(Dx)_i = λ|(Dx)_i| for every i."
    ),
    source="amos2017optnet",
    implements=(app.dual, app.denoise),
    uses=("weak-duality",),
)


@tv_dual.derivation
def duality_gap() -> Iterator[Step]:
    fit = [HALF * T(y) * y, -T(y) * x, HALF * T(x) * x]
    value = [T(w) * D * y, -HALF * T(w) * D * T(D) * w]
    gap = [*fit, a, *(-term for term in value)]
    # ½‖x − y + Dᵀw‖² by hand, with the scalar wᵀDx taken out and put back
    expanded = [
        *fit,
        T(w) * D * x,
        -T(w) * D * y,
        HALF * T(w) * D * T(D) * w,
        a,
        -T(w) * D * x,
    ]
    name = r"F(x) - \left(w^{\mathsf T}Dy - \tfrac12\|D^{\mathsf T}w\|^2\right)"
    yield from chain(W, gap, Link(expanded, "add and subtract wᵀDx"), name=name)
    residual = x - y + T(D) * w
    closed = [HALF * T(residual) * residual, a, -T(w) * D * x]
    assert W.equal(expanded, closed, trace=True), "the square is not complete"
    yield Step(
        W.latex(expanded),
        r"\tfrac12\|x - (y - D^{\mathsf T}w)\|^2 + "
        r"\left(\lambda\|Dx\|_1 - w^{\mathsf T}Dx\right)",
        "complete the square",
    )


Objective = Callable[[Matrix, Matrix, Matrix, int], sp.Expr]


def objective(data: Matrix, point: Matrix, operator: Matrix, strength: int) -> sp.Expr:
    fit = (data - point).dot(data - point) / 2
    return fit + strength * sum(abs(c) for c in operator * point)


def assert_certificate(
    primal: Objective = objective, bound: int = 1, seeds: int = 4
) -> None:
    """Zero gap at z, and no rational candidate below the dual value; exactly.

    `bound` multiplies w, and y with it, so that |w| ≤ λ fails when it exceeds 1.
    """
    for seed in range(seeds):
        operator, multipliers, strength, point, _ = certified(seed)
        multipliers = bound * multipliers
        data = point + operator.T * multipliers
        pull = operator.T * multipliers
        value = multipliers.dot(operator * data) - pull.dot(pull) / 2
        gap = sp.simplify(primal(data, point, operator, strength) - value)
        assert gap == 0, f"the duality gap at z is {gap}"
        for i in range(5):
            for step in (sp.Rational(-1, 7), sp.Rational(1, 2), 3):
                other = point + step * sp.eye(5)[:, i]
                rise = primal(data, other, operator, strength) - value
                assert rise >= 0, f"a candidate lies {-rise} below the dual value"


@tv_dual.check(Evidence.EXACT)
def exact_certificate() -> None:
    assert_certificate()


@tv_dual.check(Evidence.NUMERIC)
def gap_of_the_layer() -> None:
    for data, operator, strength in samples():
        w = qp.layer(app.dual(data, operator, strength))
        z = app.denoise(data, operator, strength)
        primal = (data - z).square().sum(-1) / 2 + strength * (
            z @ operator.T
        ).abs().sum(-1)
        value = (w * (data @ operator.T)).sum(-1) - (w @ operator).square().sum(-1) / 2
        gap = float(((primal - value) / primal).abs().max())
        assert gap < 1e-9, f"relative duality gap {gap:.1e}"


@tv_dual.control(mutant="½‖y - x‖, the norm not squared")
def unsquared() -> None:
    def printed(
        data: Matrix, point: Matrix, operator: Matrix, strength: int
    ) -> sp.Expr:
        fit = sp.sqrt((data - point).dot(data - point)) / 2
        return fit + strength * sum(abs(c) for c in operator * point)

    assert_certificate(primal=printed)


@tv_dual.control(dropped="|w_i| ≤ λ")
def outside_the_box() -> None:
    _, multipliers, strength, _, _ = certified(0)
    require(max(abs(c) for c in 2 * multipliers) > strength, "the bound is exceeded")
    assert_certificate(bound=2)
