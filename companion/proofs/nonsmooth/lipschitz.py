"""How far a QP's solution moves when its vectors do: the bound behind the derivatives.

Chapter: nonsmooth.md.  Theorems: solution-lipschitz.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.inequalities import Nonnegative, nonnegative, product
from companion.proofs.nonsmooth import exact
from companion.proofs.nonsmooth.exact import KINK
from companion.proofs.qp.instances import Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference import kkt

# ----------------------------------------------------------- solution-lipschitz
solution_lipschitz = theorem(
    "solution-lipschitz",
    claim=(
        "Let x and z solve QPs with the same P, A, G and with vectors (q, b, h) that "
        "differ by e.  Then (z-x)ᵀP(z-x) is at most minus the sum of the inner "
        "products of the changes of x, nu, lam with those of q, b, h.  If P ⪰ m > 0 "
        "and the rows of (A; G) are independent, |z - x| ≤ "
        "((1 + M/σ)/m + 1/√(mσ))|e|, where M is the norm of P and σ the least "
        "singular value of (A; G)."
    ),
    source="robinson1980strongly",
    implements=(kkt.directional_derivative,),
    uses=("qp-optimality",),
)

PAIR = alphabet(
    constant="P A G x z nu mu lam kap s r a c b d h k",
    latex={
        "nu": r"\nu",
        "mu": r"\tilde\nu",
        "lam": r"\lambda",
        "kap": r"\tilde\lambda",
        "z": r"\tilde x",
        "r": r"\tilde s",
        "a": "q",
        "c": r"\tilde q",
        "d": r"\tilde b",
        "k": r"\tilde h",
    },
    P="n n symmetric", A="p n", G="m n", x="n 1", z="n 1", nu="p 1", mu="p 1",
    lam="m 1", kap="m 1", s="m 1", r="m 1", a="n 1", c="n 1", b="p 1", d="p 1",
    h="m 1", k="m 1",
)  # fmt: skip


@solution_lipschitz.derivation
def curvature_is_paid_by_the_data() -> Iterator[Step]:
    W = PAIR
    P, A, G, x, z, nu, mu, lam, kap = W("P A G x z nu mu lam kap")
    s, r, a, c, b, d, h, k = W("s r a c b d h k")
    T, e = W.T, z - x
    rules = (
        W.rule("stationarity", P * x, [-a, -T(A) * nu, -T(G) * lam]),
        W.rule("both", P * z, [-c, -T(A) * mu, -T(G) * kap]),
        W.rule("Ax = b", A * x, b),
        W.rule("feasibility", A * z, d),
        W.rule("Gx + s = h", G * x, h - s),
        W.rule("slack", G * z, k - r),
        W.rule("complementary slackness", T(lam) * s, sp.S.Zero),
        W.rule("of both", T(kap) * r, sp.S.Zero),
    )
    curved = T(e) * (-c - T(A) * mu - T(G) * kap + a + T(A) * nu + T(G) * lam)
    assert W.equal(P * e, -c - T(A) * mu - T(G) * kap + a + T(A) * nu + T(G) * lam,
                   *rules[:2])  # fmt: skip
    paid = -T(e) * (c - a) - T(mu - nu) * (d - b) - T(kap - lam) * (k - h)
    terms = [
        product(W, Nonnegative(lam, "λ ≥ 0"), Nonnegative(r, "a slack ≥ 0")),
        product(W, Nonnegative(kap, "λ ≥ 0"), Nonnegative(s, "a slack ≥ 0")),
    ]
    change = (
        r"-\Delta x^{\mathsf T}\Delta q-\Delta\nu^{\mathsf T}\Delta b"
        r"-\Delta\lambda^{\mathsf T}\Delta h-\Delta x^{\mathsf T}P\,\Delta x"
    )
    identity, *_signs = nonnegative(W, paid - curved, terms, *rules[2:], name=change)
    reason = "the conditions of both solutions; multipliers and slacks are nonnegative"
    yield Step(identity.lhs, identity.rhs, reason)


def bound(P: np.ndarray, C: np.ndarray) -> float:
    """L = (1 + M/σ)/m + 1/√(mσ), m and M the curvatures of P, σ the least of C."""
    curvatures = np.linalg.eigvalsh(P)
    least, most = float(curvatures[0]), float(curvatures[-1])
    sigma = float(np.linalg.svd(C)[1][-1])
    return (1 + most / sigma) / least + 1 / np.sqrt(least * sigma)


def assert_identity(i: Instance, j: Instance, sign: int = 1) -> None:
    """The identity between two exact solutions; a control turns a sign."""
    dx, dnu, dlam = j.x - i.x, j.nu - i.nu, j.lam - i.lam
    paid = -(dx.T * (j.q - i.q) + dnu.T * (j.b - i.b) + dlam.T * (j.h - i.h))[0]
    products = (i.lam.T * j.slack + j.lam.T * i.slack)[0]
    curved = (dx.T * i.P * dx)[0]
    assert curved == paid - sign * products, f"{curved} is not {paid} - {products}"


def assert_root(L: sp.Expr) -> None:
    """At a = L e the quadratic m a² - (1 + M/σ)ea - e²/σ is not negative."""
    m, M, sigma = sp.symbols("m M sigma", positive=True)
    alpha = 1 + M / sigma
    left = sp.expand(m * L**2 - alpha * L - 1 / sigma)
    assert left.is_nonnegative, f"{left} may be negative"


@solution_lipschitz.check(Evidence.SYMBOLIC)
def bound_solves_the_quadratic_inequality() -> None:
    m, M, sigma = sp.symbols("m M sigma", positive=True)
    assert_root((1 + M / sigma) / m + 1 / sp.sqrt(m * sigma))


@solution_lipschitz.check(Evidence.EXACT)
def identity_between_rational_solutions() -> None:
    for pair in pairs():
        assert_identity(*pair)


def pairs() -> list[tuple[Instance, Instance]]:
    """Solutions of the kinked instance and of the same with other vectors."""
    found = []
    for direction in exact.random_directions(KINK, 5, 3)[:3]:
        moved = exact.along(KINK, **{name: direction[name] for name in ("q", "b", "h")})
        for t in (-8, 8):
            j = exact.step(KINK, moved, sp.Integer(t))
            found.append((KINK, j))
    crossed = [(i.lam.T * j.slack + j.lam.T * i.slack)[0] for i, j in found]
    require(any(crossed), "some row is left, or met, on the way")
    return found


@solution_lipschitz.check(Evidence.NUMERIC)
def bound_holds_for_random_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        root, C = rng.standard_normal((4, 4)), rng.standard_normal((3, 4))
        P = root @ root.T + 0.1 * np.eye(4)
        ends = [rng.standard_normal(7) for _ in "ab"]
        xs = [
            layers.solve(
                QP(P, v[:4], C[:1], v[4:5], C[1:], v[5:]).map(torch.tensor)
            ).x.numpy()
            for v in ends
        ]
        moved = np.linalg.norm(xs[1] - xs[0])
        assert moved <= bound(P, C) * np.linalg.norm(ends[1] - ends[0])


@solution_lipschitz.control(mutant="the products of λ and slack added, not subtracted")
def products_added() -> None:
    for pair in pairs():
        assert_identity(*pair, sign=-1)


NONE = sp.zeros(0, 1)  # no equality


def assert_lipschitz(P: Matrix, L: int) -> None:
    """|x(q) - x(-q)| ≤ L|2q| on the unit interval, for q down to a millionth."""
    G, h = Matrix([1, -1]), exact.column(1, 0)
    for power in range(7):
        q = Matrix([sp.Rational(1, 10**power)])
        ends = [exact.solve(P, sign * q, NONE, NONE, G, h) for sign in (1, -1)]
        move, change = abs(ends[1].x[0] - ends[0].x[0]), 2 * q[0]
        assert move <= L * change, f"x moves by {move} as q moves by {change}"


@solution_lipschitz.check(Evidence.EXACT)
def interval_with_curvature() -> None:
    assert_lipschitz(Matrix([[1]]), 1)


@solution_lipschitz.control(dropped="P ≻ 0: a linear program on the unit interval")
def interval_without_curvature() -> None:
    assert_lipschitz(Matrix([[0]]), 1000)
