"""One-sided derivatives of a QP's solution, from the critical program.

Chapter: nonsmooth.md.  Theorems: directional-derivative.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion import gradcheck
from companion.layers import qp as layers
from companion.problems import QP, QPSolution
from companion.proofs.nonsmooth import exact
from companion.proofs.nonsmooth.exact import CORNER, KINK, Direction
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import Instance, Matrix, rows
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import kkt

# ------------------------------------------------------- directional-derivative
directional_derivative = theorem(
    "directional-derivative",
    claim=(
        "Let P ≻ 0 and let the rows of A and all touching rows of G be independent.  "
        "Along any direction of all the data x(t) = x + t d + O(t²) for t ↓ 0, where d "
        "minimizes ½dᵀPd + (dP x + dq + dAᵀnu + dGᵀlam)ᵀd subject to A d = db - dA x, "
        "G_i d = dh_i - dG_i x where lam_i > 0 and ≤ where a row touches with lam_i = "
        "0.  d is linear in the direction if and only if no row touches with lam_i = 0."
    ),
    source="robinson1980strongly",
    implements=(kkt.directional_derivative, kkt.critical_program),
    uses=("qp-optimality", "kkt-necessary", "solution-lipschitz"),
)

GUESS = alphabet(
    constant="u v w s",
    latex={"nu": r"\nu", "lam": r"\lambda", "u": "d", "v": r"\nu'", "w": r"\lambda'",
           "s": "s'"} | {f"d{c}": rf"\dot {c}" for c in "PqAbGh"},
    P="n n symmetric", q="n 1", A="p n", b="p 1", G="m n", h="m 1", x="n 1",
    nu="p 1", lam="m 1", u="n 1", v="p 1", w="m 1", s="m 1",
)  # fmt: skip


@directional_derivative.derivation
def first_order_guess() -> Iterator[Step]:
    """What is left over when x + t d is put into the conditions at t; G touches."""
    W = GUESS
    P, q, A, b, G, h, x, nu, lam = W("P q A b G h x nu lam")
    dP, dq, dA, db, dG, dh, u, v, w, s = W("dP dq dA db dG dh u v w s")
    T, t = W.T, sp.Symbol("t", positive=True)
    at_0 = (
        W.rule("stationarity", q, [-P * x, -T(A) * nu, -T(G) * lam]),
        W.rule("Ax = b", A * x, b),
        W.rule("Gx = h", G * x, h),
    )
    first = [-P * u, -dP * x, -T(dA) * nu, -T(dG) * lam, -T(A) * v, -T(G) * w]
    critical = (
        W.rule("stationarity of d", dq, first),
        W.rule("A d = ḃ − Ȧx", A * u, db - dA * x),
        W.rule("G d + s' = ḣ − Ġx", G * u, dh - dG * x - s),
    )
    rules = (*at_0, *critical)
    lines = (
        ((P + t * dP) * (x + t * u) + q + t * dq + T(A + t * dA) * (nu + t * v)
         + T(G + t * dG) * (lam + t * w),
         [t**2 * dP * u, t**2 * T(dA) * v, t**2 * T(dG) * w],
         r"P_tx_t+q_t+A_t^{\mathsf T}\nu_t+G_t^{\mathsf T}\lambda_t"),
        ((A + t * dA) * (x + t * u) - b - t * db, [t**2 * dA * u], "A_tx_t-b_t"),
        ((G + t * dG) * (x + t * u) + t * s - h - t * dh, [t**2 * dG * u],
         "G_tx_t+s_t-h_t"),
    )  # fmt: skip
    reason = "the conditions at t = 0, and those of d"
    for left, right, name in lines:
        yield from chain(W, left, Link(right, reason, rules), name=name)


def critical(i: Instance, d: Direction, weak: str = "may leave") -> Matrix | None:
    """The critical program's minimizer; mutants hold the weak rows or forget them."""
    strong = i.active
    touching = [k for k in range(i.G.rows) if i.slack[k] == 0 and k not in strong]
    held = strong + touching if weak == "held" else strong
    free = touching if weak == "may leave" else []
    c = d["P"] * i.x + d["q"] + d["A"].T * i.nu + d["G"].T * i.lam
    room = d["h"] - d["G"] * i.x
    A = i.A.col_join(rows(i.G, held))
    b = (d["b"] - d["A"] * i.x).col_join(rows(room, held))
    found = exact.find((i.P, c, A, b, rows(i.G, free), rows(room, free)))
    return None if found is None else found.x


def assert_one_sided(i: Instance, d: Direction, weak: str = "may leave") -> None:
    """The exact remainder falls to a third at least as t is halved."""
    speed = critical(i, d, weak)
    assert speed is not None, "the critical program has no solution"
    left = []
    for t in (sp.Rational(1, 1000), sp.Rational(1, 2000)):
        j = exact.step(i, d, t)
        left.append(max(abs(c) for c in j.x - i.x - t * speed))
    assert 3 * left[1] <= left[0], f"remainders {float(left[0])}, {float(left[1])}"


@directional_derivative.check(Evidence.EXACT)
def rational_remainders() -> None:
    for i in (KINK, CORNER):
        require(instances.satisfies_kkt(i), "KKT")
        for d in exact.random_directions(i, 2, 4):
            assert_one_sided(i, d)


def assert_linear(i: Instance) -> None:
    """Speeds along opposite directions cancel, for every entry of h."""
    for k in range(i.h.rows):
        e = exact.column(*(int(row == k) for row in range(i.h.rows)))
        both = (critical(i, exact.along(i, h=sign * e)) for sign in (1, -1))
        ends = [d for d in both if d is not None]
        require(len(ends) == 2, "the critical programs have solutions")
        assert sum(ends, sp.zeros(i.P.rows, 1)).is_zero_matrix, (
            f"row {k} has two slopes"
        )


@directional_derivative.check(Evidence.EXACT)
def linear_only_without_weakly_active_rows() -> None:
    assert_linear(instances.MASTER)
    for i in (KINK, CORNER):
        try:
            assert_linear(i)
        except AssertionError:
            continue
        msg = "a row touches with zero multiplier, and the speeds are linear"
        raise AssertionError(msg)


@directional_derivative.check(Evidence.NUMERIC)
def taylor_order_from_one_side() -> None:
    for problem, known in numeric.draws("weakly_active", "strictly_complementary"):
        for sign in (1, -1):
            assert_taylor(problem, known, sign)


def assert_taylor(problem: QP, known: QPSolution, sign: int) -> None:
    """Second order of the layer's remainder, all data moving at once."""
    rng = np.random.default_rng(3)
    fields = [rng.standard_normal(v.shape) for v in problem.fields]
    fields[0] = fields[0] + fields[0].T
    v = sign * 0.05 * np.concatenate([f.ravel() for f in fields])
    speeds = kkt.directional_derivative(problem, known, numeric.unflat(problem, v))

    def f(data: np.ndarray) -> np.ndarray:
        moved = numeric.unflat(problem, data).map(torch.tensor)
        return layers.solve(moved).x.numpy()

    report = gradcheck.taylor(
        f, numeric.flat(problem), v, speeds.x, steps=numeric.STEPS, noise=1e-12
    )
    assert report.passes, str(report)


@directional_derivative.control(mutant="weakly active rows treated as inactive")
def weak_rows_forgotten() -> None:
    for d in exact.random_directions(KINK, 2, 4):
        assert_one_sided(KINK, d, "forgotten")


@directional_derivative.control(mutant="weakly active rows treated as equalities")
def weak_rows_held() -> None:
    for d in exact.random_directions(KINK, 2, 4):
        assert_one_sided(KINK, d, "held")


@directional_derivative.control(
    dropped="independent touching rows: x ≤ 1 twice, the first bound loosened"
)
def duplicated_row() -> None:
    none = sp.zeros(0, 1)
    i = instances.instance(
        Matrix([[1]]), none, Matrix([1, 1]), Matrix([1]), none,
        exact.column(1, 1), exact.column(0, 0),
    )  # fmt: skip
    require(instances.satisfies_kkt(i) and i.P[0] > 0, "KKT and P ≻ 0")
    assert_one_sided(i, exact.along(i, h=exact.column(1, 0)))
