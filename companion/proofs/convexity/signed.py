"""Sums of signed terms as they are checked and as they print, and their letters.

A gap is a number that a hypothesis makes nonnegative: a chord less its function, a
function less its tangent, a rise from a minimizer.  The values of a function at three
points are letters of size 1 x 1, so an identity between them holds for every function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy as sp

from companion.proofs import inequalities
from companion.proofs.inequalities import Nonnegative, Semidefinite, Term
from companion.proofs.registry import Step
from companion.proofs.words import Rule, alphabet

SCALARS = "fx fy fz fp fq pp pq qp qq ha hb hc hm a b c e"
VECTORS = "x y z v w p q r s g d xp xq normal"
NAMES = {
    "fx": "f(x)", "fy": "f(y)", "fz": "f(z)", "fp": "f(x_p)", "fq": "f(x_q)",
    "pp": "F_p(x_p)", "pq": "F_p(x_q)", "qp": "F_q(x_p)", "qq": "F_q(x_q)",
    "ha": r"\varphi(\alpha)", "hb": r"\varphi(\beta)",
    "hc": r"\varphi(\gamma)", "hm": r"\varphi(\delta)",
    "a": r"\alpha", "b": r"\beta", "c": r"\gamma", "e": "r(t)",
    "g": r"\nabla f(z)", "d": r"\nabla f(x)", "xp": "x_p", "xq": "x_q", "normal": "u",
    "J": "G_I", "c0": "c", "lam": r"\lambda",
}  # fmt: skip
W = alphabet(
    constant=f"{SCALARS} {VECTORS} P J R lam c0",
    latex=NAMES,
    P="n n symmetric",
    J="k n",
    R="n k",
    lam="k 1",
    c0="n 1",
    **dict.fromkeys(SCALARS.split(), "1 1 symmetric"),
    **dict.fromkeys(VECTORS.split(), "n 1"),
)
T = W.T
HALF, TWO = sp.Rational(1, 2), sp.Integer(2)
t, mu = sp.symbols("t mu", positive=True)


def printed(parts: Sequence[sp.Expr]) -> str:
    """LaTeX of a sum in the order of its parts, products not multiplied out."""
    text = " ".join(_signed(part) for part in parts)
    return text.removeprefix("+ ").replace("- ", "-", text.startswith("- "))


def _signed(part: sp.Expr) -> str:
    scalars, factors = part.args_cnc()
    number = sp.Mul(*scalars)
    minus = number.could_extract_minus_sign() and not number.is_Add
    sign, number = ("-", -number) if minus else ("+", number)
    if len(factors) == 2 and sp.expand(T(factors[0]) - factors[1]) == 0:
        return rf"{sign} {_number(number)}\|{W.latex(factors[1])}\|^2"
    return f"{sign} {_number(number)}" + r"\,".join(map(_factor, factors))


def _number(number: sp.Expr) -> str:
    if number == 1:
        return ""
    shown = sp.latex(number, order="rev-lex").replace(r"\frac", r"\tfrac")
    return rf"({shown})\," if number.is_Add else rf"{shown}\,"


def _factor(factor: sp.Expr) -> str:
    if not factor.is_Add:
        return W.latex(factor)
    rows, columns = W.size(factor) or ("1", "1")
    if rows == "1" != columns:  # the transpose of a sum of columns
        return rf"({W.latex(T(factor))})^{{\mathsf T}}"
    return f"({W.latex(factor)})"


@dataclass(frozen=True)
class Signed:
    """A term with its sign's reason, and its LaTeX before it is multiplied out."""

    term: Term
    latex: str


def gap(parts: Sequence[sp.Expr], hypothesis: str, times: sp.Expr = sp.S.One) -> Signed:
    """The term times · gap; `times` is positive, or 1 - t with 0 ≤ t ≤ 1."""
    if not (times.is_nonnegative or times == 1 - t):
        msg = f"times: expected a nonnegative number or 1 - t, got {times}"
        raise ValueError(msg)
    weight = Nonnegative(times, "a nonnegative weight")
    word = inequalities.product(W, weight, Nonnegative(sp.Add(*parts), hypothesis)).word
    body = printed(parts)
    if len(parts) > 1:
        body = rf"{_number(times)}\bigl({body}\bigr)"
    elif times != 1:
        body = _number(times) + body
    return Signed(Term(word, hypothesis), body)


def square(
    parts: Sequence[sp.Expr],
    times: sp.Expr = sp.S.One,
    M: Semidefinite | None = None,
) -> Signed:
    """The term times · ‖v‖², or times · vᵀMv."""
    term = inequalities.square(W, parts, M, times=times)
    if M is None:
        return Signed(term, rf"{_number(times)}\|{printed(parts)}\|^2")
    v = printed(parts)
    return Signed(
        term, rf"{_number(times)}({v})^{{\mathsf T}}{W.latex(M.letter)}\,({v})"
    )


def shown(
    name: str, difference: Sequence[sp.Expr], terms: Sequence[Signed], *rules: Rule
) -> Iterator[Step]:
    """The identity difference = sum of terms, with the reason of each sign.

    AssertionError if the difference is not the sum of the terms under the rules.
    """
    plain = [term.term for term in terms]
    identity, *_ = inequalities.nonnegative(W, difference, plain, *rules, name=name)
    reasons = "; ".join(dict.fromkeys(term.hypothesis for term in plain))
    right = " + ".join(term.latex for term in terms)
    each = "Each term is nonnegative" if len(terms) > 1 else "Nonnegative"
    rule = "Expand" if identity.rule == "expansion" else identity.rule
    yield Step(name, right, f"{rule}. {each}: {reasons}")
