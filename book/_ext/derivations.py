"""The directive `{derivation} label`: the checked steps of a proof, from the package.

The steps are produced when the page is built, and each is checked by sympy as it is
produced: a page cannot show a step that does not hold.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDE = 33  # signs on a line: what a phone shows
TERM = re.compile(r"(?<=[^(]) (?=[+-] )")
ONE_SIGN = re.compile(r"\\tfrac\{1\}\{2\}|\^\{\\mathsf T\}|\\mathrm\{d\}|\\[A-Za-z]+")
UNSEEN = re.compile(r"\\[,;!]|[{}^_\s]")
OPERATOR = re.compile(r"[-+=]")


def displays(steps: list[Any]) -> list[str]:
    """A display for each step; a side that repeats the line before is left out."""
    shown, before = [], None
    for step in steps:
        # a right side that opens with {} brings its own relation: {} ≥ 0
        opens = "" if step.rhs.startswith("{}") else "= "
        left = "" if opens and step.lhs == before else step.lhs
        lines = _broken(f"{opens}{step.rhs}")
        if left and _width(left) + _width(lines[0]) > WIDE:
            left, lines = "", [*_broken(left), *lines]  # first all of it, then the rest
        joined = r" \\ &\quad ".join(lines)
        shown.append(rf"\begin{{aligned}} {left} &{joined} \end{{aligned}}")
        before = step.rhs
    return shown


def _broken(formula: str) -> list[str]:
    """Lines of at most WIDE signs, broken before a term and outside brackets."""
    lines, depth = [""], 0
    for term in TERM.split(formula):
        if lines[-1] and depth == 0 and _width(lines[-1] + term) > WIDE:
            lines.append(term)
        else:
            lines[-1] = f"{lines[-1]} {term}" if lines[-1] else term
        depth += sum(term.count(c) for c in "({") - sum(term.count(c) for c in ")}")
    return lines


def _width(formula: str) -> int:
    """Signs that a reader sees, roughly."""
    signs = UNSEEN.sub("", ONE_SIGN.sub("x", formula))
    return len(signs) + 2 * len(OPERATOR.findall(signs))


class Derivation(SphinxDirective):
    """An ordered list: the rule in words, then the identity it gives."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Ask the package for the steps."""
        from companion.proofs import derivation  # noqa: PLC0415 - only pages that need it

        try:
            steps = derivation(self.arguments[0])
        except (KeyError, ValueError, AssertionError) as error:
            raise self.error(f"derivation {self.arguments[0]!r}: {error}") from error
        return [self._listed(steps)]

    def _listed(self, steps: list[Any]) -> nodes.Node:
        listed = nodes.enumerated_list(classes=["derivation"], enumtype="arabic")
        listed["prefix"], listed["suffix"] = "", "."
        for step, formula in zip(steps, displays(steps), strict=True):
            rule, messages = self.state.inline_text(step.rule, self.lineno)
            shown = nodes.math_block("", formula, nowrap=False, number=None)
            shown["docname"], shown["label"] = self.env.docname, None
            item = nodes.list_item("", nodes.paragraph("", "", *rule), shown, *messages)
            listed += item
        return listed


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("derivation", Derivation)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
