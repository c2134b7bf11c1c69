r"""Inequalities as identities: a difference is a sum of terms that have a sign.

An inequality f ≥ 0 between words of any size is shown by writing f as a sum of terms,
each nonnegative by a named hypothesis.  Two kinds of term have a sign:

* a square vᵀMv times a nonnegative number, where M is 1 or a letter that a hypothesis
  makes positive semidefinite;
* a product uᵀv of two vectors that hypotheses make nonnegative entry by entry.

A term can only be built from its hypotheses, so that a sign is never asserted in prose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy as sp

from companion.proofs.registry import Step
from companion.proofs.words import Alphabet, Rule, Sum, total


@dataclass(frozen=True)
class Semidefinite:
    """The hypothesis that a symmetric letter is positive semidefinite."""

    letter: sp.Symbol
    hypothesis: str


@dataclass(frozen=True)
class Nonnegative:
    """The hypothesis that a vector is nonnegative entry by entry."""

    vector: sp.Expr
    hypothesis: str


@dataclass(frozen=True)
class Term:
    """A 1 x 1 sum of words with the hypothesis that makes it nonnegative."""

    word: sp.Expr
    hypothesis: str


def square(
    W: Alphabet, v: Sum, M: Semidefinite | None = None, *, times: sp.Expr | int = 1
) -> Term:
    """The term times · vᵀMv; without M it is times · vᵀv.

    Raises ValueError if M is not symmetric or `times` is not known to be nonnegative.
    """
    times = sp.sympify(times)
    if not times.is_nonnegative:
        msg = f"times: expected a number known to be nonnegative, got {times}"
        raise ValueError(msg)
    if M is None:
        return Term(sp.expand(times * W.T(v) * total(v)), "a square")
    if W.T(M.letter) != M.letter:
        msg = f"M: expected a symmetric letter, got {M.letter}"
        raise ValueError(msg)
    return Term(sp.expand(times * W.T(v) * M.letter * total(v)), M.hypothesis)


def product(
    W: Alphabet, u: Nonnegative, v: Nonnegative, *, times: sp.Expr | int = 1
) -> Term:
    """The term times · uᵀv of two nonnegative vectors.

    Raises ValueError if `times` is not known to be nonnegative.
    """
    times = sp.sympify(times)
    if not times.is_nonnegative:
        msg = f"times: expected a number known to be nonnegative, got {times}"
        raise ValueError(msg)
    word = sp.expand(times * W.T(u.vector) * v.vector)
    return Term(word, f"{u.hypothesis} and {v.hypothesis}")


def nonnegative(
    W: Alphabet, difference: Sum, terms: Sequence[Term], *rules: Rule, name: str = ""
) -> Iterator[Step]:
    """The steps that show difference ≥ 0: the identity, then each term's hypothesis.

    AssertionError if the difference is not the sum of the terms under the rules.
    """
    words = [term.word for term in terms]
    assert W.equal(difference, words, *rules, trace=True), (
        f"{W.latex(difference)} is not the sum of {W.latex(words)}"
    )
    named = "; ".join(rule.name for rule in rules) or "expansion"
    yield Step(name or W.latex(difference), W.latex(words), named)
    for term in terms:
        yield Step(W.latex(term.word), r"{}\ge 0", term.hypothesis)
