"""A function that one small program has and no two-layer network.

Chapter: representation.md.  Theorems: max-affine-separation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy as sp
import torch

from companion.layers import qp as layers
from companion.problems import QP
from companion.proofs.inequalities import Nonnegative, nonnegative, product, square
from companion.proofs.nonsmooth import exact
from companion.proofs.qp.instances import Matrix, integers
from companion.proofs.qp.numeric import assert_close
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference import representation

HALF = sp.Rational(1, 2)

max_affine_separation = theorem(
    "max-affine-separation",
    claim=(
        "(i) w = max(0, u_1, …, u_m) is the minimizer of ½w² over w ≥ u_i.  (ii) For "
        "f(x) = vᵀx + c + Σ w_i max(a_iᵀx + b_i, 0), with finitely many units, "
        "f(x) - f(-x) is linear on every ball about 0 that no crease a_iᵀx + b_i = 0 "
        "with b_i ≠ 0 meets, while that of M(x) = max(0, x_1, x_2) is 1 at e_1, at "
        "e_2 and at e_1 + e_2; so f ≠ M near 0, and if all b_i = 0 then f is off by "
        "at least 1/6 at one of the points ±e_1, ±e_2, ±(e_1 + e_2)."
    ),
    source="amos2017optnet",
    implements=(
        representation.largest_program,
        representation.printed_program,
        layers.layer,
    ),
)

W = alphabet(
    latex={"l": r"\lambda", "e": r"\mathbf 1", "v": "w'"},
    l="m one",
    e="m one",
    u="m one",
    w="one one symmetric",
    v="one one symmetric",
)
l_, e_, u_, w_, v_ = W("l e u w v")


@max_affine_separation.derivation
def excess_over_the_maximum() -> Iterator[Step]:
    held = (
        W.rule("1ᵀλ = w", W.T(l_) * e_, w_),
        W.rule("λᵀu = w²", W.T(l_) * u_, w_ * w_),
    )
    gap = [HALF * v_ * v_, -HALF * w_ * w_]
    terms = (
        square(W, v_ - w_, times=HALF),
        product(W, Nonnegative(l_, "λ ≥ 0"), Nonnegative(e_ * v_ - u_, "w' ≥ u")),
    )
    assert list(nonnegative(W, gap, terms, *held))
    left = r"\tfrac12w'^2-\tfrac12w^2"
    right = r"\tfrac12(w'-w)^2+\lambda^{\mathsf T}(\mathbf 1w'-u)"
    yield Step(left, right, "expansion, with 1ᵀλ = w and λᵀu = w²")


Scalar = Callable[[Matrix], sp.Expr]
E1, E2 = Matrix([1, 0]), Matrix([0, 1])
SIX = (E1, -E1, E2, -E2, E1 + E2, -E1 - E2)


def largest(x: Matrix) -> sp.Expr:
    """max(0, x_1, x_2)."""
    return sp.Max(0, *x)


def odd_defect(f: Scalar, size: sp.Expr | int = 1) -> sp.Expr:
    """How far f(x) - f(-x) is from additive at e_1 and e_2, times `size`."""

    def odd(x: Matrix) -> sp.Expr:
        return f(size * x) - f(-size * x)

    return sp.expand(odd(E1) + odd(E2) - odd(E1 + E2))


def hinge(t: sp.Expr) -> sp.Expr:
    """max(t, 0) as (t + |t|)/2, which keeps its symmetry for symbols."""
    return (t + sp.Abs(t)) / 2


def network(A: Matrix, b: Matrix, w: Sequence[sp.Expr], v: Matrix) -> Scalar:
    """vᵀx + 1 plus the weighted units."""

    def f(x: Matrix) -> sp.Expr:
        inner = A * x + b
        units = sum(c * hinge(t) for c, t in zip(w, inner, strict=True))
        return units + v.dot(x) + 1

    return f


def assert_odd_part_linear(f: Scalar, size: sp.Expr | int = 1) -> None:
    """f(x) - f(-x) is additive at the two unit vectors, scaled."""
    found = odd_defect(f, size)
    assert found == 0, f"the odd part is off by {found} from a linear function"


@max_affine_separation.check(Evidence.SYMBOLIC)
def odd_part_of_five_units_is_linear() -> None:
    A = Matrix(5, 2, sp.symbols("a1:11", real=True))
    w, v = sp.symbols("w1:6", real=True), Matrix(sp.symbols("v1:3", real=True))
    assert_odd_part_linear(network(A, sp.zeros(5, 1), w, v))


def reach(A: Matrix, b: Matrix) -> sp.Expr:
    """A size at which no crease with b_i ≠ 0 meets the six points or their hull."""
    found = [
        abs(b[i]) / (2 * sum(abs(c) for c in A.row(i)) + 1)
        for i in range(A.rows)
        if b[i] != 0
    ]
    return min(found, default=sp.S.One)


def random_network(rng: np.random.Generator) -> tuple[Scalar, sp.Expr]:
    """A network with rational weights, half of its biases zero, and its reach."""
    A, b = integers(rng, 8, 2), integers(rng, 8, 1)
    for i in range(0, 8, 2):
        b[i] = 0
    w, v = list(integers(rng, 8, 1)), integers(rng, 2, 1)
    return network(A, b, w, v), reach(A, b)


@max_affine_separation.check(Evidence.EXACT)
def odd_part_near_the_origin_whatever_the_biases() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert_odd_part_linear(*random_network(rng))
    for size in (sp.S.One, sp.Rational(1, 1000)):
        assert odd_defect(largest, size) == size
        values = [largest(size * x) - largest(-size * x) for x in (E1, E2, E1 + E2)]
        assert values == [size] * 3


Program = Callable[[np.ndarray], QP]


def assert_largest(program: Program, u: tuple[int, ...], shift: int) -> None:
    """The program's exact solution plus `shift` is the largest of the numbers."""
    p = program(np.array(u, float))
    P, q, G, h = (
        Matrix(np.atleast_2d(v).astype(int).tolist()) for v in (p.P, p.q, p.G, p.h)
    )
    none = (sp.zeros(0, 1), sp.zeros(0, 1))
    got = exact.solve(P, q, *none, G, h.T).x[0] + shift
    assert got == max(u), f"the largest of {u} is not {got}"


TRIPLES = ((-3, -2, -1), (1, 4, 2), (0, 0, 0), (5, 5, -1))


@max_affine_separation.check(Evidence.EXACT)
def program_with_a_shift_returns_the_largest() -> None:
    for u in TRIPLES:
        assert_largest(representation.largest_program, u, u[0])


@max_affine_separation.check(Evidence.NUMERIC)
def layer_is_exact_and_units_without_bias_are_not() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[float(c) for c in x] for x in SIX])
    want = np.maximum(0, points.max(1))
    for x, value in zip(points, want, strict=True):
        forms = np.concatenate([[0.0], x])
        program = representation.largest_program(forms).map(torch.tensor)
        assert_close(layers.layer(program).numpy(), [value], "the maximum")
    for units in (3, 30, 300):
        hidden = np.maximum(points @ rng.standard_normal((2, units)), 0)
        basis = np.hstack([hidden, points, np.ones((6, 1))])
        fit = basis @ np.linalg.lstsq(basis, want, rcond=None)[0]
        assert np.abs(fit - want).max() >= 1 / 6 - 1e-9


@max_affine_separation.control(mutant="the printed layer min z² over z ≥ a_iᵀx")
def printed_layer() -> None:
    assert_largest(representation.printed_program, TRIPLES[0], 0)


@max_affine_separation.control(dropped="one hidden layer: max(0, x₂ + max(x₁ - x₂, 0))")
def two_hidden_layers() -> None:
    def deep(x: Matrix) -> sp.Expr:
        return hinge(x[1] + hinge(x[0] - x[1]))

    require(all(deep(x) == largest(x) for x in SIX), "it is the maximum")
    assert_odd_part_linear(deep)


@max_affine_separation.control(dropped="near 0: beyond a crease that misses the origin")
def beyond_a_crease() -> None:
    f = network(Matrix([[1, 1]]), Matrix([-1]), [sp.S.One], sp.zeros(2, 1))
    require(odd_defect(f, sp.Rational(1, 4)) == 0, "its odd part is linear near 0")
    assert_odd_part_linear(f)
