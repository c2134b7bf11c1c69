"""The backward pass of a linear-quadratic control problem is another one.

Chapter: representation.md.  Theorems: lqr-backward.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion.gradcheck import taylor
from companion.proofs.qp.instances import Matrix, integers, saddle
from companion.proofs.registry import Evidence, Step, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import representation

HALF = sp.Rational(1, 2)

lqr_backward = theorem(
    "lqr-backward",
    claim=(
        "Stack min Σ ½τ_tᵀC_tτ_t + c_tᵀτ_t over x_1 = start, x_{t+1} = F_tτ_t + f_t as "
        "Cτ + c + (F - E)ᵀλ = 0, (F - E)τ + f = 0.  The adjoint of a loss with "
        "gradient g solves the same equations with c = g and f = 0, and with (d, e) "
        "its solution and multipliers the gradients in C, c, F, f are ½(dτᵀ + τdᵀ), d, "
        "eτᵀ + λdᵀ, e; so F_t has those multipliers of the equation in which it stands."
    ),
    source="amos2018differentiable",
    implements=(representation.lqr,),
    uses=("backward-is-a-qp", "qp-gradients"),
)

W = alphabet(
    constant="E g d e",
    latex={"t": r"\tau", "l": r"\lambda", "e": r"d_\lambda", "d": r"d_\tau"},
    C="n n symmetric",
    c="n 1",
    F="m n",
    E="m n",
    f="m 1",
    t="n 1",
    l="m 1",
    g="n 1",
    d="n 1",
    e="m 1",
)
C_, c_, F_, E_, f_, t_, l_, g_, d_, e_ = W("C c F E f t l g d e")
dC, dc, dF, df, dt, dl = W("dC dc dF df dt dl")
T = W.T
GRADIENTS = {
    dC: HALF * (d_ * T(t_) + t_ * T(d_)),
    dc: d_,
    dF: e_ * T(t_) + l_ * T(d_),
    df: e_,
}


@lqr_backward.derivation
def loss_along_a_horizon() -> Iterator[Step]:
    M = F_ - E_
    moved = [dC * t_, dc, T(dF) * l_, T(M) * dl]
    assert W.equal(W.d([C_ * t_, c_, T(M) * l_]), [C_ * dt, *moved])
    rules = (
        W.rule("adjoint, first row", g_, [-C_ * d_, -T(M) * e_]),
        W.rule("d of stationarity", C_ * dt, [-term for term in moved]),
        W.rule("adjoint, second row", F_ * d_, E_ * d_),
        W.rule("d of the dynamics", F_ * dt, [E_ * dt, -dF * t_, -df]),
    )
    form = [T(d_) * dC * t_, T(d_) * dc, T(l_) * dF * d_, T(e_) * dF * t_, T(e_) * df]
    links = (
        Link([-T(d_) * C_ * dt, -T(e_) * M * dt], "the adjoint equations", rules[:1]),
        Link(form, "the differentials of both conditions", rules[1:], trace=True),
    )
    yield from chain(W, T(g_) * dt, *links, name=r"\mathrm{d}\ell")
    for letter, claimed in GRADIENTS.items():
        found = W.gradient(form, letter)
        assert W.equal(found, claimed), f"the gradient in {letter} is {found}"
        name = rf"\nabla_{{\!{str(letter)[1:]}}}\,\ell"
        yield Step(name, W.latex(claimed), "rotation of the trace")


STAGES = 3


def stacked(H: list[Matrix], c: Matrix, F: list[Matrix], f: Matrix) -> tuple:
    """τ and λ of three stages with one state and one control, by one linear solve.

    f holds the start, f_1 and f_2; the multiplier t belongs to what gives x_{t+1}.
    """
    A = sp.zeros(STAGES, 2 * STAGES)
    for t in range(STAGES):
        A[t, 2 * t] = -1
        if t:
            A[t, 2 * t - 2 : 2 * t] = F[t - 1]
    y = saddle(sp.diag(*H), A).LUsolve((-c).col_join(-f))
    return y[: 2 * STAGES, :], y[2 * STAGES :, :]


def instance() -> tuple[list[Matrix], Matrix, list[Matrix], Matrix]:
    """Rational data of three stages, no two alike."""
    rng = np.random.default_rng(2)
    roots = [integers(rng, 2, 2) for _ in range(STAGES)]
    H = [R.T * R + sp.eye(2) for R in roots]
    F = [Matrix([[1, 2]]), Matrix([[-1, 3]])]
    return H, integers(rng, 6, 1), F, Matrix([2, 1, -1])


SLOPE = Matrix([1, -2, 3, 1, 2, -1])


def assert_gradients_in_F(late: int = 0, drift: sp.Expr | int = 0) -> None:
    """The gradient in each F_t against an exact derivative.

    Controls take the multipliers `late` equations later, or leave f in the backward
    solve.
    """
    H, c, F, f = instance()
    tau, lam = stacked(H, c, F, f)
    d, e = stacked(H, SLOPE, F, drift * f)
    s = sp.Symbol("s")
    for t in range(STAGES - 1):
        row = min(t + 1 + late, STAGES - 1)
        stage = slice(2 * t, 2 * t + 2)
        want = e[row] * tau[stage, :].T + lam[row] * d[stage, :].T
        for k in range(2):
            moved = [G.copy() for G in F]
            moved[t][0, k] += s
            loss = SLOPE.dot(stacked(H, c, moved, f)[0])
            got = sp.diff(sp.together(loss), s).subs(s, 0)
            assert got == want[k], f"F_{t + 1}[{k + 1}]: {got}, not {want[k]}"


@lqr_backward.check(Evidence.EXACT)
def three_stages_in_rational_numbers() -> None:
    assert_gradients_in_F()


@lqr_backward.control(
    mutant="λ_{t+1} and d_{λ_{t+1}} in the gradient of F_t, as printed"
)
def multipliers_one_equation_late() -> None:
    assert_gradients_in_F(late=1)


@lqr_backward.control(mutant="f and the start left in the backward problem")
def drift_kept() -> None:
    assert_gradients_in_F(drift=1)


def random_problem(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Data of six stages with three states and two controls."""
    roots = rng.standard_normal((6, 5, 5))
    C = roots @ roots.swapaxes(1, 2) + np.eye(5)
    F = 0.5 * rng.standard_normal((6, 3, 5))
    return (C, rng.standard_normal((6, 5)), F, rng.standard_normal((6, 3)),
            rng.standard_normal(3))  # fmt: skip


def assert_taylor(problem: tuple[np.ndarray, ...]) -> None:
    """The gradient in all F at once has a Taylor remainder of order two."""
    C, c, F, f, start = problem
    rng = np.random.default_rng(1)
    g, move = rng.standard_normal(c.shape), rng.standard_normal(F.shape)
    tau, lam = representation.lqr(C, c, F, f, start)
    d, e = representation.lqr(C, g, F, 0 * f, 0 * start)
    slope = sum(
        float(e[t + 1] @ move[t] @ tau[t] + lam[t + 1] @ move[t] @ d[t])
        for t in range(len(C) - 1)
    )
    report = taylor(
        lambda v: np.sum(g * representation.lqr(C, c, v, f, start)[0]),
        F, move, slope, noise=1e-11,
    )  # fmt: skip
    assert report.passes, str(report)


@lqr_backward.check(Evidence.NUMERIC)
def riccati_recursion_forwards_and_backwards() -> None:
    for seed in range(3):
        assert_taylor(random_problem(np.random.default_rng(seed)))
