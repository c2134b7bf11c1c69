"""Piecewise linear functions of one variable as quadratic programs.

Chapter: representation.md.  Theorems: pwl-layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import sympy as sp
import torch

from companion.gradcheck import taylor
from companion.layers import qp as layers
from companion.proofs.inequalities import Nonnegative, nonnegative, product, square
from companion.proofs.qp.numeric import assert_close
from companion.proofs.registry import Evidence, Step, require, theorem
from companion.proofs.words import alphabet
from companion.reference import representation

HALF = sp.Rational(1, 2)

pwl_layer = theorem(
    "pwl-layer",
    claim=(
        "With t = max(u, 0) and z = k + wᵀt, every (z', t') with t' ≥ u has "
        "½‖t'‖² + ½(z' - k - wᵀt')² - ½‖t‖² = ½‖t' - t‖² + ½(z' - k - wᵀt')² + "
        "tᵀ(t' - u) ≥ ½‖t' - t‖², so the program returns k + wᵀ max(u, 0).  A "
        "continuous function of up to four linear pieces is an affine function plus "
        "one hinge for each knot, weighted with the change of slope there."
    ),
    source="amos2017optnet",
    implements=(
        representation.hinge_sum,
        representation.hinge_program,
        layers.layer,
    ),
)

# e is the error z' - k - wᵀt', t' the other point and t the solution
W = alphabet(
    latex={"r": "t'"},
    e="one one symmetric",
    r="m one",
    t="m one",
    u="m one",
)
e_, r_, t_, u_ = W("e r t u")


@pwl_layer.derivation
def excess_over_the_hinges() -> Iterator[Step]:
    gap = [HALF * W.T(r_) * r_, HALF * e_ * e_, -HALF * W.T(t_) * t_]
    complementary = W.rule("tᵀ(t − u) = 0", W.T(t_) * u_, W.T(t_) * t_)
    terms = (
        square(W, r_ - t_, times=HALF),
        square(W, e_, times=HALF),
        product(W, Nonnegative(t_, "t ≥ 0"), Nonnegative(r_ - u_, "t' ≥ u")),
    )
    assert list(nonnegative(W, gap, terms, complementary))
    left = r"\tfrac12\|t'\|^2+\tfrac12e^2-\tfrac12\|t\|^2"
    right = r"\tfrac12\|t'-t\|^2+\tfrac12e^2+t^{\mathsf T}(t'-u)"
    yield Step(left, right, "expansion, with tᵀ(t − u) = 0")


@pwl_layer.check(Evidence.SYMBOLIC)
def hinges_have_the_slopes_and_join() -> None:
    """Up to four pieces: on piece j the first j hinges are x - t_i, the others zero."""
    x = sp.Symbol("x", real=True)
    for pieces in range(1, 5):
        slopes = sp.symbols(f"m1:{pieces + 1}")
        knots = sp.symbols(f"t1:{pieces}")
        weights = [b - a for a, b in pairwise(slopes)]
        on = [slopes[0] * x + sp.Symbol("d")]
        for weight, knot in zip(weights, knots, strict=True):
            on.append(on[-1] + weight * (x - knot))
        assert [sp.expand(sp.diff(f, x)) for f in on] == list(slopes)
        for (left, right), knot in zip(pairwise(on), knots, strict=True):
            assert sp.expand((right - left).subs(x, knot)) == 0


@dataclass(frozen=True)
class Form:
    """c x + d + Σ w_i max(x - t_i, 0)."""

    c: sp.Expr
    d: sp.Expr
    weights: tuple[sp.Expr, ...]
    knots: tuple[sp.Expr, ...]

    def hinges(self, x: sp.Expr) -> list[sp.Expr]:
        """max(x - t_i, 0)."""
        return [max(x - knot, sp.S.Zero) for knot in self.knots]

    def __call__(self, x: sp.Expr) -> sp.Expr:
        """The value at x."""
        weighed = zip(self.weights, self.hinges(x), strict=True)
        return self.c * x + self.d + sum(w * t for w, t in weighed)


@dataclass(frozen=True)
class Pieces:
    """A function by its slopes, knots, the value left of x = 0, and jumps at knots."""

    slopes: tuple[sp.Expr, ...]
    knots: tuple[sp.Expr, ...]
    intercept: sp.Expr
    jump: sp.Expr = sp.S.Zero  # added from the first knot on

    def __call__(self, x: sp.Expr) -> sp.Expr:
        """The value at x, piece by piece."""
        value, at = self.intercept, sp.S.Zero
        for slope, knot in zip(self.slopes, self.knots, strict=False):
            if x < knot:
                return value + slope * (x - at)
            value, at = value + slope * (knot - at), knot
        jumped = self.jump if self.knots else sp.S.Zero
        return value + jumped + self.slopes[-1] * (x - at)

    def form(self) -> Form:
        """The affine part of the first piece, and a hinge for every knot."""
        weights = tuple(b - a for a, b in pairwise(self.slopes))
        return Form(self.slopes[0], self.intercept, weights, self.knots)


def rational(*values: int) -> tuple[sp.Expr, ...]:
    """Halves of these integers."""
    return tuple(sp.Rational(v, 2) for v in values)


FUNCTIONS = (
    Pieces(rational(2), (), sp.Integer(0)),
    Pieces(rational(-2, 2), rational(1), sp.Integer(1)),
    Pieces(rational(1, -4, 3), rational(-3, 2), sp.Integer(-1)),
    Pieces(rational(0, 5, 0, -7), rational(-4, -1, 6), sp.Integer(2)),
)
POINTS = rational(*range(-9, 10))


def assert_represented(f: Pieces, form: Form) -> None:
    """The form has the values of f at every point."""
    for x in POINTS:
        assert form(x) == f(x), f"at {x} the form is {form(x)} and f is {f(x)}"


def assert_least(form: Form, weight: sp.Expr = sp.S.One) -> None:
    """Points other than the solution lie higher, by the terms of the identity.

    `weight` multiplies ½‖t‖², and is one but in a control.
    """
    for x in POINTS[::3]:
        t, k = form.hinges(x), form.c * x + form.d
        for shift, miss in ((1, 0), (2, 1), (0, -1)):
            r = [c + shift for c in t]
            z = k + sum(a * b for a, b in zip(form.weights, r, strict=True)) + miss
            gap = weight * (sum(c * c for c in r) - sum(c * c for c in t)) / 2
            gap += sp.Rational(miss**2, 2)
            off = sum((c - b) ** 2 for b, c in zip(t, r, strict=True)) + miss**2
            assert gap >= off / 2, f"at x = {x}, z = {z} lies only {gap} higher"


@pwl_layer.check(Evidence.EXACT)
def four_functions_in_rational_numbers() -> None:
    for f in FUNCTIONS:
        assert_represented(f, f.form())
        assert_least(f.form())


@pwl_layer.check(Evidence.NUMERIC)
def layer_returns_the_function_and_its_slope() -> None:
    rng = np.random.default_rng(0)
    for pieces in (1, 2, 3, 6):
        knots = np.sort(rng.uniform(-2, 2, pieces - 1))
        slopes, affine = rng.standard_normal(pieces), rng.standard_normal(2)
        affine[0], weights = slopes[0], np.diff(slopes)

        def f(x: np.ndarray, form: tuple = (affine, weights, knots)) -> np.ndarray:
            program = representation.hinge_program(float(x[0]), *form)
            return layers.layer(program.map(torch.tensor)).numpy()[:1]

        for x in rng.uniform(-3, 3, 4):
            want = representation.hinge_sum(x, affine, weights, knots)
            assert_close(f(np.array([x])), [want], "f")
            room = np.min(np.abs(x - knots), initial=1.0)
            step, slope = np.array([8 * room]), slopes[(x > knots).sum()]
            report = taylor(f, np.array([x]), step, slope * step, noise=1e-9)
            assert report.passes, str(report)


@pwl_layer.control(mutant="one hinge a piece and no affine part, for f(x) = x")
def no_affine_part() -> None:
    (line, *_) = FUNCTIONS
    hinge = Form(sp.S.Zero, sp.S.Zero, (sp.S.One,), (sp.S.Zero,))
    require(len(hinge.knots) == len(line.slopes), "as many hinges as pieces")
    assert_represented(line, hinge)


@pwl_layer.control(mutant="one intercept b for all hinges")
def one_intercept() -> None:
    f = FUNCTIONS[2]
    form = f.form()
    same: Sequence[sp.Expr] = [form.knots[0]] * len(form.knots)
    assert_represented(f, Form(form.c, form.d, form.weights, tuple(same)))


@pwl_layer.control(mutant="the term ½‖t‖² left out: t and with it z are free")
def hinges_not_held_down() -> None:
    assert_least(FUNCTIONS[2].form(), sp.S.Zero)


@pwl_layer.control(dropped="continuity: a step")
def step_function() -> None:
    step = Pieces(rational(0, 0), rational(0), sp.S.Zero, jump=sp.S.One)
    require(len(step.slopes) == 2, "two linear pieces")
    assert_represented(step, step.form())
