"""How rough a QP layer may be when its walls move too.

Chapter: representation.md.  Theorems: qp-layer-lipschitz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.inequalities import Nonnegative, nonnegative, product
from companion.proofs.nonsmooth import exact
from companion.proofs.nonsmooth.exact import KINK
from companion.proofs.nonsmooth.lipschitz import bound
from companion.proofs.qp.instances import Instance, Matrix
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet

qp_layer_lipschitz = theorem(
    "qp-layer-lipschitz",
    claim=(
        "Let x and z solve QPs whose data differ by dP, …, dh, with multipliers "
        "(nu, lam) and (mu, kap).  Then z solves the QP with the matrices of the first "
        "and with vectors that differ from its own by r = dq + dP z + dAᵀmu + dGᵀkap, "
        "s = db - dA z, u = dh - dG z, and (z-x)ᵀP(z-x) ≤ -(z-x)ᵀr - (mu-nu)ᵀs - "
        "(kap-lam)ᵀu.  With independent rows the bound of solution-lipschitz holds "
        "with |(r, s, u)|.  Where rows coincide the best exponent can be 1/2, and "
        "without a Slater point the solution can jump."
    ),
    source="robinson1982generalized",
    implements=(layers.solve,),
    uses=("qp-optimality", "solution-lipschitz"),
)

W = alphabet(
    constant="P A G E B H x z nu mu lam kap r v a c b d h k",
    latex={
        "E": r"\Delta P",
        "B": r"\Delta A",
        "H": r"\Delta G",
        "nu": r"\nu",
        "mu": r"\tilde\nu",
        "lam": r"\lambda",
        "kap": r"\tilde\lambda",
        "z": r"\tilde x",
        "v": r"(h-Gx)",
        "r": r"(\tilde h-\tilde G\tilde x)",
        "a": "q",
        "c": r"\tilde q",
        "d": r"\tilde b",
        "k": r"\tilde h",
    },
    P="n n symmetric", A="p n", G="m n", E="n n symmetric", B="p n", H="m n",
    x="n 1", z="n 1", nu="p 1", mu="p 1", lam="m 1", kap="m 1", v="m 1", r="m 1",
    a="n 1", c="n 1", b="p 1", d="p 1", h="m 1", k="m 1",
)  # fmt: skip
P_, A_, G_, E_, B_, H_ = W("P A G E B H")
x_, z_, nu_, mu_, lam_, kap_ = W("x z nu mu lam kap")
v_, r_, a_, c_, b_, d_, h_, k_ = W("v r a c b d h k")
T = W.T
# the changes of the vectors as the second solution feels them
FELT = (
    c_ - a_ + E_ * z_ + T(B_) * mu_ + T(H_) * kap_,
    d_ - b_ - B_ * z_,
    k_ - h_ - H_ * z_,
)


@qp_layer_lipschitz.derivation
def moved_matrices_are_moved_vectors() -> Iterator[Step]:
    own = [P_ * z_, E_ * z_, c_, T(A_) * mu_, T(B_) * mu_, T(G_) * kap_, T(H_) * kap_]
    r, s, u = FELT
    felt = [P_ * z_, a_, T(A_) * mu_, T(G_) * kap_]
    assert W.equal(own, [*felt, r]), "stationarity of the second solution"
    stationarity = r"(P+\Delta P)\tilde x+\tilde q+\dots"
    yield Step(stationarity, W.latex(felt) + " + r", "the changes gathered in r")
    rules = (
        W.rule("stationarity", P_ * x_, [-a_, -T(A_) * nu_, -T(G_) * lam_]),
        W.rule("of both", P_ * z_, [-term for term in own[1:]]),
        W.rule("Ax = b", A_ * x_, b_),
        W.rule("feasibility of both", A_ * z_, d_ - B_ * z_),
        W.rule("Gx + s = h", G_ * x_, h_ - v_),
        W.rule("slacks of both", G_ * z_, k_ - H_ * z_ - r_),
        W.rule("complementary slackness", T(lam_) * v_, sp.S.Zero),
        W.rule("of both solutions", T(kap_) * r_, sp.S.Zero),
    )
    e = z_ - x_
    pulled = -r - T(A_) * (mu_ - nu_) - T(G_) * (kap_ - lam_)
    assert W.equal(P_ * e, pulled, *rules[:2])
    paid = -T(e) * r - T(mu_ - nu_) * s - T(kap_ - lam_) * u
    terms = [
        product(W, Nonnegative(lam_, "λ ≥ 0"), Nonnegative(r_, "a slack ≥ 0")),
        product(W, Nonnegative(kap_, "λ ≥ 0"), Nonnegative(v_, "a slack ≥ 0")),
    ]
    change = (
        r"-\Delta x^{\mathsf T}r-\Delta\nu^{\mathsf T}s"
        r"-\Delta\lambda^{\mathsf T}u-\Delta x^{\mathsf T}P\,\Delta x"
    )
    identity, *_signs = nonnegative(
        W, paid - T(e) * pulled, terms, *rules[2:], name=change
    )
    yield Step(identity.lhs, identity.rhs, "the conditions of both solutions")


def assert_identity(i: Instance, j: Instance, multipliers: Instance) -> None:
    """The identity between two exact solutions; mu and kap are those given."""
    dx, dnu, dlam = j.x - i.x, j.nu - i.nu, j.lam - i.lam
    r = (j.q - i.q) + (j.P - i.P) * j.x
    r += (j.A - i.A).T * multipliers.nu + (j.G - i.G).T * multipliers.lam
    s, u = (j.b - i.b) - (j.A - i.A) * j.x, (j.h - i.h) - (j.G - i.G) * j.x
    left = (dx.T * (i.P * dx + r) + dnu.T * s + dlam.T * u)[0]
    products = (i.lam.T * j.slack + j.lam.T * i.slack)[0]
    assert left == -products, f"{left} is not {-products}"


def pairs() -> list[tuple[Instance, Instance]]:
    """Solutions of the kinked instance and of the same with all its data moved."""
    moves = exact.random_directions(KINK, 5, 3)[:3]
    step = sp.Rational(1, 9)
    return [(KINK, exact.step(KINK, move, step)) for move in moves]


@qp_layer_lipschitz.check(Evidence.EXACT)
def identity_with_all_data_moved() -> None:
    for i, j in pairs():
        assert_identity(i, j, j)


@qp_layer_lipschitz.control(mutant="the multipliers of the first solution in r")
def multipliers_of_the_first() -> None:
    for i, j in pairs():
        assert_identity(i, j, i)


@qp_layer_lipschitz.check(Evidence.NUMERIC)
def bound_holds_when_everything_moves() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        root = rng.standard_normal((4, 4))
        fields = [root @ root.T + np.eye(4)]
        fields += [rng.standard_normal(k) for k in (4, (1, 4), 1, (2, 4), 2)]
        moved = [v + 0.1 * rng.standard_normal(v.shape) for v in fields]
        moved[0] = (moved[0] + moved[0].T) / 2
        first, second = QP(*fields), QP(*moved)
        x, z = (layers.solve(p.map(torch.tensor)) for p in (first, second))
        d = QP(*(v - u for u, v in zip(fields, moved, strict=True)))
        at, mu, kap = z.x.numpy(), z.nu.numpy(), z.lam.numpy()
        r = d.q + d.P @ at + d.A.T @ mu + d.G.T @ kap
        e = np.concatenate([r, d.b - d.A @ at, d.h - d.G @ at])
        L = bound(first.P, np.vstack([first.A, first.G]))
        assert np.linalg.norm(at - x.x.numpy()) <= L * np.linalg.norm(e)


NONE = (sp.zeros(0, 2), sp.zeros(0, 1))
Family = Callable[[sp.Expr], tuple[Instance, Instance, sp.Expr]]


def plane(G: Matrix, h: Matrix) -> Instance:
    """The point of Gx ≤ h nearest to (1, 0)."""
    return exact.solve(sp.eye(2), Matrix([-1, 0]), *NONE, G, h)


def turning(t: sp.Expr) -> tuple[Instance, Instance, sp.Expr]:
    """Two walls at an angle t; the second moves back by t²."""
    G = Matrix([[1, 0], [1, t]])
    return plane(G, Matrix([0, 0])), plane(G, Matrix([0, -(t**2)])), t**2


def pinched(t: sp.Expr) -> tuple[Instance, Instance, sp.Expr]:
    """The walls t x_1 ≤ x_2 ≤ 0: a line at t = 0, a wedge for t > 0."""
    ends = (Matrix([[s, -1], [0, 1]]) for s in (0, t))
    first, second = (plane(G, Matrix([0, 0])) for G in ends)
    return first, second, t


def apart(t: sp.Expr) -> tuple[Instance, Instance, sp.Expr]:
    """Two walls at a right angle; the second moves back by t²."""
    G = sp.eye(2)
    return plane(G, Matrix([0, 0])), plane(G, Matrix([0, -(t**2)])), t**2


def assert_power(family: Family, power: int) -> None:
    """|Δx|^power ≤ 4|Δθ| down to steps of a millionth; power 1 is Lipschitz."""
    for exponent in range(1, 7):
        first, second, change = family(sp.Rational(1, 10**exponent))
        squared = (second.x - first.x).dot(second.x - first.x)
        assert squared**power <= 16 * change**2, (
            f"x moves by {sp.sqrt(squared).n(3)} as the data move by {sp.N(change, 3)}"
        )


@qp_layer_lipschitz.check(Evidence.EXACT)
def half_power_at_coinciding_walls_and_one_at_independent_ones() -> None:
    assert_power(turning, 2)
    assert_power(apart, 1)


@qp_layer_lipschitz.control(
    dropped="independent rows: two walls that coincide, with a Slater point"
)
def coinciding_walls() -> None:
    inside = Matrix([-1, 0])
    require(all(c > 0 for c in -(Matrix([[1, 0], [1, 0]]) * inside)), "a Slater point")
    assert_power(turning, 1)


@qp_layer_lipschitz.control(dropped="a Slater point: t x₁ ≤ x₂ ≤ 0, a line at t = 0")
def no_slater_point() -> None:
    require(sp.eye(2).is_positive_definite, "P ≻ 0, and there is no equality")
    assert_power(pinched, 2)
