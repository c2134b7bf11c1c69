"""Inequalities: a sum of signed terms passes, and what has no sign is refused."""

import pytest
import sympy as sp

from companion.proofs.inequalities import (
    Nonnegative,
    Semidefinite,
    nonnegative,
    product,
    square,
)
from companion.proofs.words import alphabet

W = alphabet(
    constant="P L G h lam x z q",
    P="n n symmetric",
    L="n n",
    G="m n",
    h="m 1",
    lam="m 1",
    x="n 1",
    z="n 1",
    q="n 1",
)
P, L, G, h, lam, x, z, q = W("P L G h lam x z q")
T, HALF = W.T, sp.Rational(1, 2)
CURVED = Semidefinite(P, "P ⪰ 0")
STATIONARY = W.rule("stationarity", q, [-P * x, -T(G) * lam])
SLACK = W.rule("complementary slackness", T(lam) * G * x, T(lam) * h)
GAP = [HALF * T(z) * P * z, T(q) * z, -HALF * T(x) * P * x, -T(q) * x]
SIGNED = (Nonnegative(lam, "lam ≥ 0"), Nonnegative(h - G * z, "Gz ≤ h"))


def test_optimality_gap_is_a_square_and_a_product():
    terms = [square(W, z - x, CURVED, times=HALF), product(W, *SIGNED)]
    steps = list(nonnegative(W, GAP, terms, STATIONARY, SLACK, name="p(z) - p(x)"))
    assert [step.rule for step in steps] == [
        "stationarity; complementary slackness",
        "P ⪰ 0",
        "lam ≥ 0 and Gz ≤ h",
    ]
    assert steps[0].lhs == "p(z) - p(x)"


def test_a_sum_that_is_not_the_difference_is_caught():
    wrong = [square(W, z - x, CURVED), product(W, *SIGNED)]
    with pytest.raises(AssertionError, match="is not the sum"):
        list(nonnegative(W, GAP, wrong, STATIONARY, SLACK))


def test_a_missing_rule_is_caught():
    terms = [square(W, z - x, CURVED, times=HALF), product(W, *SIGNED)]
    with pytest.raises(AssertionError, match="is not the sum"):
        list(nonnegative(W, GAP, terms, STATIONARY))


@pytest.mark.parametrize("times", [-1, sp.Symbol("t"), sp.Symbol("t", real=True)])
def test_a_factor_without_a_sign_is_refused(times):
    with pytest.raises(ValueError, match="known to be nonnegative"):
        square(W, x, times=times)
    with pytest.raises(ValueError, match="known to be nonnegative"):
        product(W, *SIGNED, times=times)


def test_a_form_that_is_not_symmetric_is_refused():
    with pytest.raises(ValueError, match="symmetric"):
        square(W, x, Semidefinite(L, "L ⪰ 0"))
