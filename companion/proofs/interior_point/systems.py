"""The systems of an interior-point step, solved once more for the gradient.

Chapter: interior-point.md.  Theorems: symmetric-kkt, schur-reduction.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion import sampling
from companion.proofs.qp.instances import Matrix
from companion.proofs.qp.numeric import assert_close
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import qp as reference

# ---------------------------------------------------------------- symmetric-kkt
symmetric_kkt = theorem(
    "symmetric-kkt",
    claim=(
        "Let s > 0 and lam > 0, and let (d_x, d_s, w, d_nu) solve the symmetric "
        "system P d_x + Gᵀw + Aᵀd_nu = -g, D(lam/s)d_s + w = 0, G d_x + d_s = 0, "
        "A d_x = 0.  Then (d_x, D(1/s)G d_x, d_nu) solves OptNet's transposed system "
        "with right side -(g, 0, 0), and w = D(lam) times its middle part."
    ),
    source="amos2017optnet",
    implements=(reference.vjp,),
    uses=("qp-gradients",),
)

# L = D(lam), S = D(s), R = D(1/s); they are diagonal, so they commute
W = alphabet(
    latex={
        "L": r"D(\lambda)",
        "S": "D(s)",
        "R": "D(s)^{-1}",
        "u": "d_x",
        "v": r"d_\nu",
        "r": "d_s",
        "w": r"d_\lambda",
    },
    P="n n symmetric",
    A="p n",
    G="m n",
    L="m m symmetric",
    S="m m symmetric",
    R="m m symmetric",
    g="n 1",
    u="n 1",
    v="p 1",
    r="m 1",
    w="m 1",
)
P_, A_, G_, L_, S_, R_, g_, u_, v_, r_, w_ = W("P A G L S R g u v r w")
T = W.T


@symmetric_kkt.derivation
def symmetric_system_gives_the_transposed_one() -> Iterator[Step]:
    rules = (
        W.rule("second row", w_, -L_ * R_ * r_),
        W.rule("third row", r_, -G_ * u_),
        W.inverse("D(s) is invertible", S_, R_),
        W.rule("first row", g_, [-P_ * u_, -T(G_) * w_, -T(A_) * v_]),
    )
    e = R_ * G_ * u_
    links = (
        Link(-L_ * R_ * r_, "the second row", rules[:1]),
        Link(L_ * e, "the third row", rules[1:2]),
    )
    *steps, last = chain(W, w_, *links)
    yield from [*steps, Step(last.lhs, r"D(\lambda)\,e", last.rule)]
    # the transposed system: its middle row, and then its first
    middle, name = [G_ * u_, -S_ * e], r"G\,d_x-D(s)\,e"
    yield from chain(W, middle, Link(0, "D(s) is invertible", rules[2:3]), name=name)
    first = [P_ * u_, T(G_) * L_ * e, T(A_) * v_]
    assert W.equal(first, -g_, *rules)
    name = r"Pd_x+G^{\mathsf T}D(\lambda)\,e+A^{\mathsf T}d_\nu"
    yield Step(name, W.latex(-g_), "the first row")


def data() -> dict[str, Matrix]:
    """Three variables, one equality, two inequalities away from the solution."""
    return {
        "P": Matrix([[2, 1, 0], [1, 3, 0], [0, 0, 1]]),
        "A": Matrix([[1, 1, 1]]),
        "G": Matrix([[1, 0, -1], [0, 1, 1]]),
        "g": Matrix([1, 2, -1]),
        "s": Matrix([sp.Rational(1, 3), 2]),
        "lam": Matrix([3, sp.Rational(1, 2)]),
    }


def transposed(M: dict[str, Matrix]) -> tuple[Matrix, Matrix, Matrix]:
    """d_x, d_nu and d_lam by OptNet's transposed system."""
    D, n, m = sp.diag(*M["lam"]), 3, 2
    top = M["P"].row_join(M["G"].T * D).row_join(M["A"].T)
    middle = M["G"].row_join(-sp.diag(*M["s"])).row_join(sp.zeros(m, 1))
    last = M["A"].row_join(sp.zeros(1, m + 1))
    K = top.col_join(middle).col_join(last)
    y = K.LUsolve((-M["g"]).col_join(sp.zeros(m + 1, 1)))
    return y[:n, :], y[n + m :, :], D * y[n : n + m, :]


def assert_symmetric(sign: int = -1, *, scaled: bool = False) -> None:
    """The symmetric system gives the same parts; `scaled` applies D(lam) again."""
    M, (n, m) = data(), (3, 2)
    ratio = sp.diag(*(a / b for a, b in zip(M["lam"], M["s"], strict=True)))
    Z = sp.zeros
    K = (
        M["P"].row_join(Z(n, m)).row_join(M["G"].T).row_join(M["A"].T)
        .col_join(Z(m, n).row_join(ratio).row_join(sp.eye(m)).row_join(Z(m, 1)))
        .col_join(M["G"].row_join(sp.eye(m)).row_join(Z(m, m + 1)))
        .col_join(M["A"].row_join(Z(1, 2 * m + 1)))
    )  # fmt: skip
    assert K == K.T
    y = K.LUsolve((sign * M["g"]).col_join(Z(2 * m + 1, 1)))
    dlam = y[n + m : n + 2 * m, :]
    got = (y[:n, :], y[n + 2 * m :, :], sp.diag(*M["lam"]) * dlam if scaled else dlam)
    assert got == transposed(M), f"d_x is {list(got[0])}, d_lam {list(got[2])}"


@symmetric_kkt.check(Evidence.EXACT)
def both_systems_in_rational_numbers() -> None:
    assert_symmetric()


@symmetric_kkt.check(Evidence.NUMERIC)
def near_the_solution_it_gives_the_gradient() -> None:
    for seed in range(3):
        problem, sol = sampling.qp(np.random.default_rng(seed))
        g = np.random.default_rng(9).standard_normal(problem.n)
        want = reference.vjp(problem, sol, g)
        s, lam = np.maximum(sol.slack, 1e-9), np.maximum(sol.lam, 1e-9)
        m, p = problem.m, problem.p
        Z, eye = np.zeros, np.eye(m)
        K = np.block([
            [problem.P, Z((problem.n, m)), problem.G.T, problem.A.T],
            [Z((m, problem.n)), np.diag(lam / s), eye, Z((m, p))],
            [problem.G, eye, Z((m, m + p))],
            [problem.A, Z((p, 2 * m + p))],
        ])  # fmt: skip
        y = np.linalg.solve(K, np.concatenate([-g, Z(2 * m + p)]))
        assert_close(y[: problem.n], want.q, "d_x")
        assert_close(-y[problem.n + m : problem.n + 2 * m], want.h, "-d_lam")


@symmetric_kkt.control(mutant="the right side +(g, 0, 0, 0), as printed")
def printed_right_side() -> None:
    assert_symmetric(sign=1)


@symmetric_kkt.control(mutant="D(lam) applied to d_lam once more")
def scaled_twice() -> None:
    assert_symmetric(scaled=True)


# -------------------------------------------------------------- schur-reduction
schur_reduction = theorem(
    "schur-reduction",
    claim=(
        "Let P ≻ 0, C = (A; G), E = blkdiag(0, D(s/lam)) with s, lam > 0.  If "
        "(C P⁻¹Cᵀ + E)y = -C P⁻¹g and d_x = -P⁻¹(g + Cᵀy), then P d_x + Cᵀy = -g and "
        "C d_x = E y: these are the symmetric system with d_s eliminated.  The matrix "
        "is positive definite if and only if A has full row rank."
    ),
    source="amos2017optnet",
    implements=(reference.vjp,),
    uses=("symmetric-kkt",),
)

X = alphabet(
    latex={"H": "P^{-1}", "u": "d_x"},
    P="n n symmetric",
    H="n n symmetric",
    C="k n",
    E="k k symmetric",
    g="n 1",
    y="k 1",
    u="n 1",
)


@schur_reduction.derivation
def elimination_of_the_variable() -> Iterator[Step]:
    P, H, C, E, g, y = X("P H C E g y")
    rules = (
        X.inverse("P P⁻¹ = I", P, H),
        X.rule("the reduced system", E * y, [-C * H * g, -C * H * X.T(C) * y]),
    )
    dx = [-H * g, -H * X.T(C) * y]
    first = [P * dx[0], P * dx[1], X.T(C) * y]
    assert X.equal(first, -g, rules[0])
    yield Step(r"P\,d_x + C^{\mathsf T}y", X.latex(-g), "P P⁻¹ = I")
    second = [C * dx[0], C * dx[1]]
    assert X.equal(second, E * y, rules[1])
    yield from chain(X, second, Link(E * y, rules[1].name, rules[1:]), name=r"C\,d_x")
    form = X.T(y) * (C * H * X.T(C) + E) * y
    split = [X.T(X.T(C) * y) * H * (X.T(C) * y), X.T(y) * E * y]
    assert X.equal(form, split)
    name = r"y^{\mathsf T}(CP^{-1}C^{\mathsf T}+E)y"
    right = r"(C^{\mathsf T}y)^{\mathsf T}P^{-1}(C^{\mathsf T}y)+y^{\mathsf T}E\,y"
    yield Step(name, right, "expansion; both terms are nonnegative")


def reduced(M: dict[str, Matrix]) -> Matrix:
    """C P⁻¹Cᵀ + blkdiag(0, D(s/lam))."""
    C, p = M["A"].col_join(M["G"]), M["A"].rows
    ratio = [a / b for a, b in zip(M["s"], M["lam"], strict=True)]
    return C * M["P"].inv() * C.T + sp.diag(*([0] * p), *ratio)


def assert_reduced(M: dict[str, Matrix]) -> None:
    """The reduced system gives the parts of the transposed one."""
    C, H = M["A"].col_join(M["G"]), M["P"].inv()
    y = reduced(M).LUsolve(-C * H * M["g"])
    dx, dnu, dlam = transposed(data())
    got = (-H * (M["g"] + C.T * y), y)
    assert got == (dx, dnu.col_join(dlam)), f"d_x is {list(got[0])}"


def assert_definite(M: dict[str, Matrix]) -> None:
    """All leading minors are positive."""
    S = reduced(M)
    minors = [S[:k, :k].det() for k in range(1, S.rows + 1)]
    assert min(minors) > 0, f"leading minors {minors}"


@schur_reduction.check(Evidence.EXACT)
def reduced_system_in_rational_numbers() -> None:
    assert_reduced(data())
    assert_definite(data())
    twice = data()
    twice["G"] = Matrix([[1, 1, 1], [1, 1, 1]])  # dependent walls do no harm
    assert_definite(twice)


@schur_reduction.check(Evidence.NUMERIC)
def reduced_system_in_floating_point() -> None:
    for seed in range(3):
        problem, sol = sampling.qp(np.random.default_rng(seed))
        g = np.random.default_rng(9).standard_normal(problem.n)
        s, lam = np.maximum(sol.slack, 1e-9), np.maximum(sol.lam, 1e-9)
        C, H = np.vstack([problem.A, problem.G]), np.linalg.inv(problem.P)
        E = np.diag(np.concatenate([np.zeros(problem.p), s / lam]))
        y = np.linalg.solve(C @ H @ C.T + E, -C @ H @ g)
        assert_close(-H @ (g + C.T @ y), reference.vjp(problem, sol, g).q, "d_x")


@schur_reduction.control(mutant="D(lam/s) in the place of D(s/lam)")
def inverse_ratio() -> None:
    M = data()
    M["s"], M["lam"] = M["lam"], M["s"]
    assert_reduced(M)


@schur_reduction.control(dropped="full row rank of A: an equality written twice")
def equality_twice() -> None:
    M = data()
    M["A"] = M["A"].col_join(M["A"])
    require(all(c > 0 for c in [*M["s"], *M["lam"]]), "s, lam > 0")
    require(M["P"].is_positive_definite, "P ≻ 0")
    assert_definite(M)
