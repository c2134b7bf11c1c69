"""Signed sums print as they are checked; every record drops a hypothesis."""

from __future__ import annotations

from fractions import Fraction

import pytest

from companion.proofs import THEOREMS
from companion.proofs.convexity import instances, signed
from companion.proofs.convexity.signed import T, W, t

LABELS = [
    label
    for label, theorem in THEOREMS.items()
    if any(".convexity" in check.act.__module__ for check in theorem.checks)
]
fx, fy, x, y = W("fx fy x y")


def test_every_record_drops_a_hypothesis_and_has_a_mutant():
    assert len(LABELS) == 9
    for label in LABELS:
        kinds = {control.kind for control in THEOREMS[label].controls}
        assert kinds == {"mutant", "dropped"}, label


def test_sum_prints_in_its_order_with_products_kept():
    assert signed.printed([-fx, fy]) == "-f(x) + f(y)"
    assert signed.printed([(1 - t) * fx]) == r"(1 - t)\,f(x)"
    assert signed.printed([2 * T(x - y) * (x - y)]) == r"2\,\|x - y\|^2"
    assert signed.printed([T(x) * (x - y)]) == r"x^{\mathsf T}\,(x - y)"


def test_weight_without_a_sign_is_refused():
    with pytest.raises(ValueError, match="nonnegative"):
        signed.gap([fy, -fx], "no reason", -t)


def test_sum_that_is_not_the_difference_is_refuted():
    with pytest.raises(AssertionError, match="is not the sum"):
        list(signed.shown("", [fy, -fx], [signed.gap([fx, -fy], "wrong way")]))


def test_irrational_length_is_refused():
    with pytest.raises(ValueError, match="rational length"):
        instances.length((Fraction(1), Fraction(1)))
