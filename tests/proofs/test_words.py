"""The word engine: identities that are true pass, and the false ones do not."""

import pytest
import sympy as sp

from companion.proofs.words import Link, alphabet, chain

W = alphabet(
    constant="H S",
    H="n n symmetric",
    S="p p symmetric",
    P="n n symmetric",
    L="n n",
    A="p n",
    x="n 1",
    y="n 1",
)
P, L, A, H, S, x, y, dP, dL, dA, dx = W("P L A H S x y dP dL dA dx")
T = W.T


def test_transpose_reverses_words_and_is_an_involution():
    assert T(A * P * x) == T(x) * P * T(A)
    assert T(T(A * L)) == A * L
    assert T(P) == P
    assert T(A) != A


def test_differential_is_a_derivation_that_commutes_with_the_transpose():
    assert W.d(A * P * x) == dA * P * x + A * dP * x + A * P * dx
    assert W.d(T(A * L)) == T(W.d(A * L))
    assert W.d(H * x) == H * dx


def test_products_that_do_not_fit_are_refused():
    for misfit in (x * A, A * T(A) + P):
        with pytest.raises(ValueError, match=r"does not fit|cannot add"):
            W.normal(misfit)


def test_a_rule_with_two_shapes_is_refused():
    with pytest.raises(ValueError, match="cannot add"):
        W.rule("wrong", A * x, x)


def test_traces_agree_up_to_rotation_and_transposition_only():
    assert W.trace(A * L * T(A)) == W.trace(T(A) * A * L)
    assert W.trace(T(x) * P * y) == W.trace(T(y) * P * x)
    assert W.trace(T(x) * L * y) != W.trace(T(y) * L * x)
    assert W.trace(L * L * T(L)) == W.trace(T(L) * L * L)
    assert W.trace(L * P * L) != W.trace(L * P * T(L))


def test_trace_of_a_rectangular_product_is_refused():
    with pytest.raises(ValueError, match="square"):
        W.trace(A * x)


def test_gradients_of_known_forms():
    assert W.gradient(A * dL * T(A), dL) == T(A) * A
    assert W.gradient(W.d(T(x) * P * x), dx) == 2 * P * x
    assert W.gradient(W.d(A * L * T(L) * T(A)), dL) == 2 * T(A) * A * L
    half = sp.Rational(1, 2)
    assert W.gradient(T(x) * dP * y, dP) == sp.expand(half * (x * T(y) + y * T(x)))


def test_a_form_that_is_not_linear_has_no_gradient():
    with pytest.raises(ValueError, match="linear"):
        W.gradient(T(x) * P * x, x)


INVERSE = W.rule("P H = 1", P * H, 1)
SCHUR = W.rule("A H Aᵀ S = 1", A * H * T(A) * S, 1)
BLOCKS = (H - H * T(A) * S * A * H, H * T(A) * S, -S)


def products(corner):
    """The blocks of [P Aᵀ; A 0] times its inverse with this corner."""
    X11, X12, _ = BLOCKS
    return (
        (P * X11 + T(A) * T(X12), 1),
        (P * X12 + T(A) * corner, 0),
        (A * X11, 0),
        (A * X12, 1),
    )


def test_block_inverse_of_the_kkt_matrix():
    assert all(W.equal(left, right, INVERSE, SCHUR) for left, right in products(-S))


def test_block_inverse_with_the_wrong_sign_is_caught():
    assert not all(W.equal(left, right, INVERSE, SCHUR) for left, right in products(S))


@pytest.mark.parametrize("kept", [(INVERSE,), (SCHUR,), ()])
def test_a_missing_rule_is_caught(kept):
    assert not all(W.equal(left, right, *kept) for left, right in products(-S))


def test_a_wrong_rule_set_is_caught():
    wrong = W.rule("A H Aᵀ S = -1", A * H * T(A) * S, -1)
    assert not all(W.equal(left, right, INVERSE, wrong) for left, right in products(-S))


def test_rules_that_run_in_a_circle_are_reported():
    there, back = W.rule("1", L * x, P * x), W.rule("2", P * x, L * x)
    with pytest.raises(RuntimeError, match="no normal form"):
        W.normal(L * x, there, back)


def test_a_rule_to_zero_removes_the_word():
    assert W.normal(A * x, W.rule("", A * x, sp.S.Zero)) == 0


def test_a_step_that_does_not_follow_stops_the_chain():
    good = Link([2 * x], "stationarity", (W.rule("Px = 2x", P * x, 2 * x),))
    (step,) = chain(W, P * x, good)
    assert (step.lhs, step.rhs, step.rule) == (r"P\,x", r"2\,x", "stationarity")
    bad = Link([3 * x], "stationarity", good.rules)
    with pytest.raises(AssertionError, match="does not follow by 'stationarity'"):
        list(chain(W, P * x, bad))


def test_latex_keeps_the_order_and_the_signs():
    shown = W.latex([-T(x) * P * x / 2, T(dA) * A * y])
    assert shown == (
        r"-\tfrac{1}{2}\,x^{\mathsf T}\,P\,x + (\mathrm{d}A)^{\mathsf T}\,A\,y"
    )
    assert W.latex(sp.S.Zero) == "0"


def test_an_inverse_cancels_from_both_sides_and_nowhere_else():
    rule = W.inverse("P is invertible", P, H)
    assert W.normal(A * P * H * x, rule) == A * x
    assert W.normal(H * P * L, rule) == L
    assert W.normal(P * L * H, rule) == P * L * H
