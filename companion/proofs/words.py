r"""Identities between matrices of every size, as identities between words.

A matrix is a letter that does not commute, a product of matrices is a word, and a sum
of products is an integer or rational combination of words.  On these the engine has

* the transpose, which reverses a word and transposes its letters;
* the differential d, a derivation: d(XY) = dX·Y + X·dY;
* rules, each a named hypothesis "this word equals that sum", used left to right;
* the normal form under rules, and the trace of a word up to rotation and transposition;
* the gradient with respect to a letter, read off a trace that is linear in it.

A difference whose normal form is zero is zero for matrices of every size.  A normal
form other than zero proves nothing, so controls are refuted in exact arithmetic.
Letters carry named sizes, and a product that does not fit is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

from companion.proofs.registry import Step

Word = tuple[sp.Symbol, ...]
Sum = (
    sp.Expr | int | Sequence[sp.Expr]
)  # a sequence is summed, and printed in its order
REWRITES = 2000  # after which rules are taken to run in a circle


@dataclass(frozen=True)
class Rule:
    """A hypothesis: the word `left` equals the sum `right`; so do the transposes."""

    name: str
    pairs: tuple[tuple[Word, sp.Expr], ...]


def total(sides: Sum) -> sp.Expr:
    """The sum of a sequence of terms, or the expression itself."""
    return sp.Add(*sides) if isinstance(sides, Sequence) else sp.sympify(sides)


def words(expression: Sum) -> dict[Word, sp.Expr]:
    """The words of an expression with their coefficients, the empty word for 1."""
    found: dict[Word, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(total(expression))):
        scalars, factors = term.args_cnc()
        word: list[sp.Symbol] = []
        for factor in factors:
            base, power = factor.as_base_exp()
            if not (power.is_Integer and power > 0):
                msg = f"expected a product of letters, got {factor}"
                raise ValueError(msg)
            word += [base] * int(power)
        found[tuple(word)] = found.get(tuple(word), sp.S.Zero) + sp.Mul(*scalars)
    return {word: c for word, c in found.items() if sp.expand(c) != 0}


def combination(found: Mapping[Word, sp.Expr]) -> sp.Expr:
    """The expression with these words and coefficients."""
    return sp.expand(sp.Add(*(c * sp.Mul(*word) for word, c in found.items())))


@dataclass(frozen=True, eq=False)
class Alphabet:
    """Letters with their sizes, transposes, differentials and LaTeX; see `alphabet`."""

    letters: Mapping[str, sp.Symbol]
    sizes: Mapping[sp.Symbol, tuple[str, str]]
    transposes: Mapping[sp.Symbol, sp.Symbol]
    differentials: Mapping[sp.Symbol, sp.Expr]
    printed: Mapping[sp.Symbol, str]

    def __call__(self, names: str) -> list[sp.Symbol]:
        """The letters of these names; the differential of X is named dX."""
        return [self.letters[name] for name in names.split()]

    def size(self, expression: Sum) -> tuple[str, str] | None:
        """Rows and columns by name, None for a multiple of 1; ValueError if misfit."""
        size = None
        for word in words(expression):
            here = self._word_size(word)
            if size is not None and here is not None and here != size:
                msg = f"cannot add {size[0]}x{size[1]} and {here[0]}x{here[1]}"
                raise ValueError(msg)
            size = here or size
        return size

    def _word_size(self, word: Word) -> tuple[str, str] | None:
        for left, right in pairwise(word):
            if self.sizes[left][1] != self.sizes[right][0]:
                sizes = f"{self.sizes[left]} does not fit {self.sizes[right]}"
                msg = f"{left}*{right}: {sizes}"
                raise ValueError(msg)
        return (self.sizes[word[0]][0], self.sizes[word[-1]][1]) if word else None

    def T(self, expression: Sum) -> sp.Expr:
        """The transpose, an anti-automorphism of words."""
        return combination(
            {self._reversed(word): c for word, c in words(expression).items()}
        )

    def _reversed(self, word: Word) -> Word:
        return tuple(self.transposes[letter] for letter in reversed(word))

    def d(self, expression: Sum) -> sp.Expr:
        """The differential, a derivation that is zero on constant letters."""
        terms = [
            c * sp.Mul(*word[:i], self.differentials[letter], *word[i + 1 :])
            for word, c in words(expression).items()
            for i, letter in enumerate(word)
        ]
        return sp.expand(sp.Add(*terms))

    def rule(self, name: str, left: sp.Expr, right: Sum) -> Rule:
        """The named hypothesis left = right, with left one word; and its transpose."""
        ((word, coefficient),) = words(left).items()
        right = sp.expand(total(right))
        self.size(left - right)
        pairs = {word: right / coefficient}
        pairs.setdefault(self._reversed(word), self.T(right) / coefficient)
        return Rule(name, tuple(pairs.items()))

    def inverse(self, name: str, X: Sum, H: sp.Symbol) -> Rule:
        """The named hypothesis that H is the inverse of the word X, from both sides."""
        right = self.rule(name, total(X) * H, 1)
        left = self.rule(name, H * total(X), 1)
        return Rule(name, tuple(dict((*right.pairs, *left.pairs)).items()))

    def normal(self, expression: Sum, *rules: Rule) -> sp.Expr:
        """The expression rewritten until no rule's left side occurs in it."""
        self.size(expression)
        pairs = [pair for rule in rules for pair in rule.pairs]
        pending, done = words(expression), {}
        for _ in range(REWRITES):
            if not pending:
                return combination(done)
            word, c = pending.popitem()
            rewritten = _rewrite(word, pairs)
            target = done if rewritten is None else pending
            rewritten = {word: sp.S.One} if rewritten is None else rewritten
            for other, factor in rewritten.items():
                target[other] = sp.expand(target.get(other, sp.S.Zero) + c * factor)
        msg = f"no normal form within {REWRITES} rewrites"
        raise RuntimeError(msg)

    def trace(self, expression: Sum) -> sp.Expr:
        """One representative of all expressions with this trace, for every size.

        Each word is replaced by the first among its rotations and those of its
        transpose; the trace of a 1 x 1 product is the number itself.
        """
        rows_columns = self.size(expression)
        if rows_columns and rows_columns[0] != rows_columns[1]:
            msg = f"expected a square product, got {rows_columns}"
            raise ValueError(msg)
        found: dict[Word, sp.Expr] = {}
        for word, c in words(expression).items():
            turns = [
                w[i:] + w[:i]
                for w in (word, self._reversed(word))
                for i in range(len(w))
            ]
            first = min(turns, key=lambda w: [s.name for s in w], default=())
            found[first] = found.get(first, sp.S.Zero) + c
        return combination(found)

    def equal(self, left: Sum, right: Sum, *rules: Rule, trace: bool = False) -> bool:
        """Whether the difference has normal form zero (its trace, if `trace`)."""
        difference = self.normal(total(left) - total(right), *rules)
        return (self.trace(difference) if trace else difference) == 0

    def gradient(self, form: Sum, letter: sp.Symbol) -> sp.Expr:
        """The matrix M with tr(form) = <M, letter> + terms free of the letter.

        The form must be linear in the letter; for a symmetric letter M is the
        symmetric representative.
        """
        transposed, terms = self.transposes[letter], []
        for word, c in words(form).items():
            places = [i for i, s in enumerate(word) if s in (letter, transposed)]
            if len(places) > 1:
                msg = f"expected a form linear in {letter}, got {sp.Mul(*word)}"
                raise ValueError(msg)
            for i in places:
                # tr(U X V) = <(V U)^T, X> and tr(U X^T V) = <V U, X>
                rest = sp.Mul(*word[i + 1 :], *word[:i])
                terms.append(c * (self.T(rest) if word[i] == letter else rest))
        M = sp.expand(sp.Add(*terms))
        return sp.expand((M + self.T(M)) / 2) if letter == transposed else M

    def latex(self, expression: Sum) -> str:
        """LaTeX of a sum of words, in the order of the sequence if it is one."""
        terms = expression if isinstance(expression, Sequence) else (expression,)
        text = ""
        for term in terms:
            for word, c in sorted(words(term).items(), key=_print_order):
                sign = "-" if c.could_extract_minus_sign() else "+"
                size = abs(c) if c.is_number else (-c if sign == "-" else c)
                number = (
                    "" if size == 1 and word else sp.latex(size, fold_short_frac=None)
                )
                number = number.replace(r"\frac", r"\tfrac")
                body = r"\,".join(self.printed[letter] for letter in word)
                text += f" {sign} " + r"\,".join(filter(None, (number, body)))
        if text.startswith(" - "):
            return "-" + text.removeprefix(" - ")
        return text.removeprefix(" + ") or "0"


def _print_order(item: tuple[Word, sp.Expr]) -> tuple[bool, int, list[str]]:
    word, c = item
    return c.could_extract_minus_sign(), len(word), [letter.name for letter in word]


def _rewrite(
    word: Word, pairs: Sequence[tuple[Word, sp.Expr]]
) -> dict[Word, sp.Expr] | None:
    """The word after one use of the first rule that applies, None if none does."""
    for left, right in pairs:
        for i in range(len(word) - len(left) + 1):
            if word[i : i + len(left)] == left:
                before, after = word[:i], word[i + len(left) :]
                return {before + w + after: c for w, c in words(right).items()}
    return None


def alphabet(
    *, constant: str = "", latex: Mapping[str, str] | None = None, **letters: str
) -> Alphabet:
    """An alphabet: each letter as name="rows columns" or "rows rows symmetric".

    Every letter X but those named in `constant` gets a differential dX, itself a
    letter whose differential is zero.  `latex` gives names in print.
    """
    latex = dict(latex or {})
    W = Alphabet({}, {}, {}, {}, {})
    for name, kind in letters.items():
        fixed = name in constant.split()
        X = _add(W, name, kind, latex.get(name, name))
        shown = latex.get(f"d{name}", rf"\mathrm{{d}}{latex.get(name, name)}")
        dX = sp.S.Zero if fixed else _add(W, f"d{name}", kind, shown)
        W.differentials[X] = dX
        W.differentials[W.transposes[X]] = sp.S.Zero if fixed else W.transposes[dX]
    return W


def _add(W: Alphabet, name: str, kind: str, shown: str) -> sp.Symbol:
    rows, columns, *symmetric = kind.split()
    X = W.letters[name] = sp.Symbol(name, commutative=False)
    Xt = X if symmetric else sp.Symbol(f"{name}'", commutative=False)
    for letter, size in ((X, (rows, columns)), (Xt, (columns, rows))):
        W.sizes[letter] = size
        W.differentials[letter] = sp.S.Zero
    W.transposes.update({X: Xt, Xt: X})
    W.printed.update({Xt: _transposed(shown), X: shown})
    return X


def _transposed(shown: str) -> str:
    """LaTeX of a transpose, with brackets where the name is already a compound."""
    simple = not shown.startswith(r"\mathrm{d}") and "^" not in shown
    return rf"{shown}^{{\mathsf T}}" if simple else rf"({shown})^{{\mathsf T}}"


@dataclass(frozen=True)
class Link:
    """A step before it is printed: the new right side, its reason, and its rules."""

    right: Sum
    reason: str
    rules: tuple[Rule, ...] = ()
    trace: bool = False


def chain(W: Alphabet, left: Sum, *links: Link, name: str = "") -> Iterator[Step]:
    """A chain of equalities; AssertionError at a link whose rules do not give it.

    The left side of the first step prints as `name` if one is given.
    """
    shown = name or W.latex(left)
    for link in links:
        assert W.equal(left, link.right, *link.rules, trace=link.trace), (
            f"this step does not follow by {link.reason!r}: "
            f"{W.latex(left)} = {W.latex(link.right)}"
        )
        left = link.right
        yield Step(shown, W.latex(left), link.reason)
        shown = W.latex(left)
