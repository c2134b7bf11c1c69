"""The backward pass of a QP layer as a program, and what boxes make of it.

Chapter: representation.md.  Theorems: backward-is-a-qp, box-qp.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.inequalities import Semidefinite, nonnegative, square
from companion.proofs.nonsmooth import exact
from companion.proofs.qp import instances, numeric
from companion.proofs.qp.instances import LOSS, MASTER, Instance, Matrix, rows, saddle
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import Link, alphabet, chain
from companion.reference import representation

HALF = sp.Rational(1, 2)
STEP = sp.Rational(1, 50)

# ------------------------------------------------------------- backward-is-a-qp
backward_is_a_qp = theorem(
    "backward-is-a-qp",
    claim=(
        "If P ⪰ 0 and P d + Cᵀy = -g, C d = 0, then every d' with C d' = 0 has "
        "½d'ᵀPd' + gᵀd' - ½dᵀPd - gᵀd = ½(d' - d)ᵀP(d' - d) ≥ 0: the adjoint (d_x, "
        "d_nu, d_lam) of a loss is the solution and the multipliers of min ½dᵀPd + "
        "gᵀd over C d = 0, with C the equalities and the pressed rows."
    ),
    source="amos2018differentiable",
    implements=(layers.solve,),
    uses=("qp-gradients", "qp-active-set"),
)

W = alphabet(
    latex={"u": "d'", "d": "d"},
    P="n n symmetric",
    C="k n",
    g="n 1",
    d="n 1",
    u="n 1",
    y="k 1",
)
P_, C_, g_, d_, u_, y_ = W("P C g d u y")
T = W.T


@backward_is_a_qp.derivation
def excess_of_another_direction() -> Iterator[Step]:
    rules = (
        W.rule("Pd + Cᵀy = −g", g_, [-P_ * d_, -T(C_) * y_]),
        W.rule("Cd = 0", C_ * d_, sp.S.Zero),
        W.rule("Cd' = 0", C_ * u_, sp.S.Zero),
    )
    gap = [HALF * T(u_) * P_ * u_, T(g_) * u_, -HALF * T(d_) * P_ * d_, -T(g_) * d_]
    curved = square(W, u_ - d_, Semidefinite(P_, "P ⪰ 0"), times=HALF)
    first, _sign = nonnegative(W, gap, [curved], *rules)
    right = r"\tfrac12(d'-d)^{\mathsf T}P(d'-d)"
    yield Step(first.lhs, right, first.rule)


def backward(i: Instance, g: Matrix) -> Instance:
    """The solution of the backward program on the pressed rows of i."""
    C = i.C
    none = (sp.zeros(0, g.rows), sp.zeros(0, 1))
    return exact.solve(i.P, g, C, sp.zeros(C.rows, 1), *none)


def assert_gradient(i: Instance, g: Matrix, sign: int = 1) -> None:
    """The backward program's solution for sign · g is the exact gradient in q."""
    dx = backward(i, sign * g).x
    for k in range(dx.rows):
        for step in (STEP, -STEP):
            e = sp.zeros(dx.rows, 1)
            e[k] = step
            moved = exact.solve(i.P, i.q + e, i.A, i.b, i.G, i.h).x
            change = g.dot(moved - i.x)
            assert change == dx[k] * step, f"the loss moves by {change}"


@backward_is_a_qp.check(Evidence.EXACT)
def master_instance_by_its_backward_program() -> None:
    assert_gradient(MASTER, LOSS)
    found, want = backward(MASTER, LOSS), instances.adjoint(MASTER, LOSS)
    assert found.x == want.dx
    assert found.nu == want.dnu.col_join(rows(want.dlam, MASTER.active))


@backward_is_a_qp.check(Evidence.NUMERIC)
def layer_solves_its_own_backward_pass() -> None:
    for problem, known in numeric.regular():
        g = np.random.default_rng(3).standard_normal(problem.n)
        _, want = numeric.value_and_gradient(
            problem, lambda s, g=g: s.x @ torch.tensor(g)
        )
        C = np.vstack([problem.A, problem.G[known.lam > 1e-9]])
        program = QP(problem.P, g, C, np.zeros(len(C)))
        found = layers.solve(program.map(torch.tensor)).x.numpy()
        size = problem.P.size
        numeric.assert_close(found, want[size : size + problem.n], "the gradient in q")


@backward_is_a_qp.control(mutant="−g in the place of g")
def loss_subtracted() -> None:
    assert_gradient(MASTER, LOSS, sign=-1)


@backward_is_a_qp.control(
    dropped="a positive multiplier on every touching row: max(·, 0) at 0"
)
def row_at_rest() -> None:
    zero = sp.zeros(1, 1)
    i = instances.instance(
        sp.eye(1), sp.zeros(0, 1), -sp.eye(1), zero, sp.zeros(0, 1), zero, zero
    )
    require(instances.satisfies_kkt(i) and i.G.rank() == 1, "KKT, independent rows")
    assert_gradient(i, sp.eye(1))


# ----------------------------------------------------------------------- box-qp
box_qp = theorem(
    "box-qp",
    claim=(
        "For min ½xᵀPx + qᵀx over Ax = b, low ≤ x ≤ high, let S select the entries of "
        "x at a bound and d, v satisfy S d = 0, A d = 0 and r = g + P d + Aᵀv zero on "
        "the free entries.  Then d_x = d, d_nu = v, and the gradient in the bounds "
        "that are touched is S r, for lower and upper bounds alike."
    ),
    source="amos2018differentiable",
    implements=(representation.box_adjoint, layers.solve),
    uses=("backward-is-a-qp",),
)

# S selects the entries at a bound, D holds +1 at an upper and -1 at a lower one
X = alphabet(
    latex={"v": r"d_\nu", "d": "d_x", "r": "r", "t": r"d_\lambda"},
    P="n n symmetric",
    A="p n",
    S="k n",
    D="k k symmetric",
    g="n 1",
    d="n 1",
    v="p 1",
    r="n 1",
)


@box_qp.derivation
def bounds_take_what_is_left() -> Iterator[Step]:
    P, A, S, D, g, d, v, r = X("P A S D g d v r")
    rules = (
        X.rule("r = g + Pd + Aᵀv", g, [r, -P * d, -X.T(A) * v]),
        X.rule("D² = I", D * D, sp.S.One),
        X.rule("r is zero on the free entries", X.T(S) * S * r, r),
    )
    multipliers = -D * S * r
    yield Step(r"d_\lambda", X.latex(multipliers), "so defined")
    start = [P * d, X.T(A) * v, X.T(D * S) * multipliers]
    name = r"Pd_x+A^{\mathsf T}d_\nu+(DS)^{\mathsf T}d_\lambda"
    reason = "D² = I, SᵀSr = r, and the definition of r"
    yield from chain(X, start, Link(-g, reason, rules), name=name)
    # h = D times the bound, so the gradient in the bound is D times that in h
    bound_gradient = -D * multipliers
    name = r"-D\,d_\lambda"
    yield from chain(X, bound_gradient, Link(S * r, "D² = I", rules[1:2]), name=name)


P3 = Matrix([[2, 1, 0, 0], [1, 3, 0, 1], [0, 0, 1, 0], [0, 1, 0, 2]])
LOW, HIGH = exact.column(-1, -1, -1, -1), exact.column(1, 2, 1, 1)
PULL, TOTAL = exact.column(-6, 9, 1, 1), exact.column(1)
SLOPE = exact.column(1, 2, -1, 3)  # gradient of the loss in x


def box(low: Matrix = LOW, high: Matrix = HIGH, q: Matrix = PULL) -> Instance:
    """The program over a box with one equality, solved exactly."""
    G = sp.eye(4).col_join(-sp.eye(4))
    return exact.solve(P3, q, sp.ones(1, 4), TOTAL, G, high.col_join(-low))


def adjoint(i: Instance, g: Matrix) -> tuple[Matrix, Matrix, list[int]]:
    """d_x, what is left of g, and the entries at a bound."""
    held = [k for k in range(4) if i.x[k] in (LOW[k], HIGH[k])]
    C = i.A.col_join(rows(sp.eye(4), held))
    y = saddle(i.P, C).LUsolve((-g).col_join(sp.zeros(C.rows, 1)))
    dx = y[:4, :]
    return dx, g + i.P * dx + i.A.T * y[4:5, :], held


def assert_bounds(sign_of_lower: int = 1) -> None:
    """Gradients in every bound and in q against exact displacements."""
    i = box()
    dx, r, held = adjoint(i, SLOPE)
    sides = ["high" if i.x[k] == HIGH[k] else "low" for k in held]
    require({"low", "high"} == set(sides), "one lower and one upper bound touched")
    for k, side in zip(held, sides, strict=True):
        e = sp.zeros(4, 1)
        e[k] = STEP
        moved = box(high=HIGH + e) if side == "high" else box(low=LOW + e)
        want = (sign_of_lower if side == "low" else 1) * r[k] * STEP
        change = SLOPE.dot(moved.x - i.x)
        assert change == want, f"the loss moves by {change}, not {want}"
    for k in range(4):
        e = sp.zeros(4, 1)
        e[k] = STEP
        assert SLOPE.dot(box(q=PULL + e).x - i.x) == dx[k] * STEP


def assert_active_solve(sign: int = 1) -> None:
    """The right side (-q, b, bounds) of the active-set system gives x."""
    i = box()
    C = i.A.col_join(rows(i.G, i.active))
    right = i.b.col_join(rows(i.h, i.active))
    y = saddle(i.P, C).LUsolve((-i.q).col_join(sign * right))
    assert y[:4, :] == i.x, f"A x is {(i.A * y[:4, :])[0]}, not {i.b[0]}"


@box_qp.check(Evidence.EXACT)
def bounds_in_rational_numbers() -> None:
    assert_bounds()
    assert_active_solve()


@box_qp.check(Evidence.NUMERIC)
def reference_agrees_with_the_layer() -> None:
    rng = np.random.default_rng(0)
    eye = np.eye(5)
    for _ in range(5):
        F, A, g = (rng.standard_normal(s) for s in ((5, 5), (1, 5), 5))
        q, high = 4 * rng.standard_normal(5), rng.uniform(0.2, 1, 5)
        G = np.vstack([eye, -eye])
        problem = QP(F @ F.T + eye, q, A, np.zeros(1), G, np.tile(high, 2))
        leaves = numeric.as_tensors(problem)
        x = layers.layer(leaves)
        (x @ torch.tensor(g)).backward()
        at = x.detach().numpy()
        touched = np.abs(np.abs(at) - high) < 1e-9
        dx, dnu, bounds = representation.box_adjoint(problem, touched, g)
        numeric.assert_close(leaves.q.grad.numpy(), dx, "q")
        numeric.assert_close(leaves.b.grad.numpy(), -dnu, "b")
        upper, lower = np.split(leaves.h.grad.numpy(), 2)
        numeric.assert_close(upper - lower, bounds, "the bounds")


@box_qp.control(
    mutant="the printed right side −(q, b, bounds) of the active-set system"
)
def printed_right_side() -> None:
    assert_active_solve(sign=-1)


@box_qp.control(mutant="the gradient of a lower bound with the other sign")
def lower_bound_turned() -> None:
    assert_bounds(sign_of_lower=-1)
