"""The derivative of projected gradient ascent on the dual, step by step.

Chapter: differentiation-routes.md.  Theorems: unrolled-projected.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from companion import sampling
from companion.layers.qp import routes
from companion.layers.qp.routes import unrolled
from companion.problems import QP
from companion.proofs.qp.instances import MASTER, Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.routes import samples
from companion.proofs.words import Link, alphabet, chain

W = alphabet(
    constant="P R C E q b",
    latex={
        "R": "P^{-1}",
        "dx": r"\mathrm{d}x",
        "q": r"\mathrm{d}q",
        "b": r"\mathrm{d}d",
        "y": "y",
        "dy": r"\mathrm{d}y_J",
        "dz": r"\mathrm{d}z",
    },
    P="n n symmetric",
    R="n n symmetric",
    C="k n",
    E="k j",  # Π = EEᵀ keeps the coordinates in J
    q="n one",
    b="k one",
    x="n one",
    y="j one",
    z="k one",  # the derivative of an iterate
)
P, R, C, E, q, b, dx, dy, dz = W("P R C E q b dx dy dz")
T = W.T
RATE = sp.Symbol("alpha", positive=True)
STEPS = 6
INVERSE = W.inverse("P is invertible", P, R)
KEPT = W.rule("EᵀE = I", T(E) * E, sp.S.One)
BACK = W.rule("x = -P⁻¹(q + Cᵀy), differentiated", dx, [-R * q, -R * T(C) * E * dy])
FIXED = W.rule(
    "the fixed point of the derivative",
    T(E) * C * R * T(C) * E * dy,
    [-T(E) * C * R * q, -T(E) * b],
)

unrolled_projected = theorem(
    "unrolled-projected",
    claim=(
        "Projected gradient ascent on the dual, y <- Π₊(y - α(Hy + f)) with H = CP⁻¹Cᵀ "
        "and f = CP⁻¹q + d, moves its derivative in (q, d) by Y <- Π(Y - α(HY + F)) "
        "while exactly the rows J are open.  Its fixed point Y = EEᵀY gives dx = "
        "-P⁻¹(dq + CᵀY) with Pdx + dq + CᵀY = 0, C_J dx = dd_J, the KKT system on J, "
        "and the error is multiplied by Π(I - αH) at every step; for every size.  It "
        "falls if C_J has independent rows and 0 < α < 2/λ_max(H)."
    ),
    source="blondel2022efficient",
    implements=(unrolled.ascend,),
    uses=("unrolled-descent", "fixed-point-derivative", "qp-active-set"),
)


@unrolled_projected.derivation
def fixed_point_solves_the_kkt_system() -> Iterator[Step]:
    yield from chain(
        W,
        T(E) * C * dx,
        Link(
            [-T(E) * C * R * q, -T(E) * C * R * T(C) * E * dy],
            "x = −P⁻¹(q + Cᵀy), differentiated",
            (BACK,),
        ),
        Link(T(E) * b, "the fixed point of the derivative", (FIXED,)),
    )
    yield from chain(
        W,
        [P * dx, q, T(C) * E * dy],
        Link(sp.S.Zero, "x = −P⁻¹(q + Cᵀy), differentiated", (BACK, INVERSE)),
    )


@unrolled_projected.check(Evidence.SYMBOLIC_ANY_SIZE)
def error_is_multiplied() -> None:
    """Z = Y_k - Y obeys Π(Y_k - α(HY_k + F)) - Y = Π(I - αH)Z, where Y = E dy."""
    H, F, onto = C * R * T(C), C * R * q + b, E * T(E)
    fixed, iterate = E * dy, E * dy + dz
    after = onto * (iterate - RATE * (H * iterate + F))
    assert W.equal(after - fixed, onto * (dz - RATE * H * dz), KEPT, FIXED)


def dual(i: Instance) -> tuple[Matrix, Matrix, Matrix]:
    """(C, H, f) of the dual of an instance."""
    C_, d = i.A.col_join(i.G), i.b.col_join(i.h)
    return C_, C_ * i.P.inv() * C_.T, C_ * i.P.inv() * i.q + d


def assert_error(
    i: Instance,
    *,
    start: Matrix | None = None,
    last_only: bool = False,
    slower: int = 1,
) -> None:
    """Y_k - Y = (Π(I - αH))^k (Y_0 - Y) for the derivative of the iterate in q_1.

    The iterates start at the multipliers unless told otherwise, their derivative at
    zero; both are carried along exactly, and a row is open where its value is positive.
    """
    C_, H, f = dual(i)
    p, n = i.A.rows, i.P.rows
    alpha = 1 / (slower * H.trace())
    e = Matrix([1] + [0] * (n - 1))
    F = C_ * i.P.inv() * e
    open_ = sp.diag(*[1] * p, *[int(bool(c > 0)) for c in i.lam])
    J = [k for k in range(p + i.G.rows) if open_[k, k]]
    y = i.nu.col_join(i.lam) if start is None else start
    Y = sp.zeros(y.rows, 1)
    limit = sp.zeros(*Y.shape)
    for k, c in zip(J, H.extract(J, J).LUsolve(-F.extract(J, [0])), strict=True):
        limit[k] = c
    for _ in range(STEPS):
        y, Y = y - alpha * (H * y + f), Y - alpha * (H * Y + F)
        if last_only:
            Y = -alpha * F
        for k in range(p, y.rows):
            Y[k] = Y[k] if y[k] > 0 else 0
            y[k] = max(y[k], 0)
    M = open_ * (sp.eye(y.rows) - alpha * H)
    assert Y - limit == -(M**STEPS) * limit, "the error is another one"


@unrolled_projected.check(Evidence.EXACT)
def error_on_the_master_instance() -> None:
    assert_error(MASTER)
    assert_error(MASTER, slower=2)


def spectrum(problem: QP, open_: np.ndarray) -> tuple[float, np.ndarray]:
    """λ_max(H) and the eigenvalues of H on the open rows."""
    C_ = np.vstack([problem.A, problem.G])
    H = C_ @ np.linalg.solve(problem.P, C_.T)
    J = np.flatnonzero(open_)
    return float(np.linalg.eigvalsh(H)[-1]), np.linalg.eigvalsh(H[np.ix_(J, J)])


@unrolled_projected.check(Evidence.NUMERIC)
def layer_converges_at_the_predicted_rate() -> None:
    for seed in (0, 1, 6):
        problem, known = sampling.qp(np.random.default_rng(seed))
        top, values = spectrum(problem, np.append(np.ones(1), known.lam > 0))
        rate = 1 - values[0] / top
        steps = [int(np.log(level) / np.log(rate)) + 40 for level in (1e-3, 1e-5)]
        true = samples.in_q(problem, samples.gradient(problem, "active_set"))
        errors = [
            np.linalg.norm(
                samples.in_q(
                    problem,
                    samples.gradient(problem, routes.Unrolled(k, float("inf"))),
                )
                - true
            )
            for k in steps
        ]
        found = (errors[1] / errors[0]) ** (1 / (steps[1] - steps[0]))
        assert abs(np.log(found) / np.log(rate) - 1) < 0.1, f"{found} for {rate}"


def assert_falls(scale: sp.Expr) -> None:
    """The error on MASTER falls by half in forty steps of α = scale/λ_max(H)."""
    _, H, _ = dual(MASTER)
    J = [0, *(1 + k for k in MASTER.active)]
    values = np.linalg.eigvalsh(np.array(H.extract(J, J), float))
    top = float(np.linalg.eigvalsh(np.array(H, float))[-1])
    require(values[0] > 1e-6, "independent rows")
    worst = max(abs(1 - float(scale) * values / top)) ** 40
    assert worst < 0.5, f"multiplied by {worst:.2g}"


@unrolled_projected.check(Evidence.NUMERIC)
def error_falls() -> None:
    assert_falls(sp.Integer(1))


@unrolled_projected.control(mutant="the derivative of the last step alone")
def last_step() -> None:
    assert_error(MASTER, last_only=True)


@unrolled_projected.control(dropped="α < 2/λ_max(H): three times as long a step")
def step_too_long() -> None:
    assert_falls(sp.Integer(6))


@unrolled_projected.control(
    dropped="the open rows stay: a row at rest that a start above it leaves open"
)
def row_at_rest() -> None:
    i = samples.relu_at_zero()
    require(i.C.rows == 0, "no row pushes")
    assert_error(i, start=sp.ones(1, 1), slower=2)
