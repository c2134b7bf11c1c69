"""The directive `{derivation} label`: the checked steps of a proof, from the package.

The steps are produced when the page is built, and each is checked by sympy as it is
produced: a page cannot show a step that does not hold.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


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
        for step in steps:
            rule, messages = self.state.inline_text(step.rule, self.lineno)
            formula = f"{step.lhs} = {step.rhs}" if step.rhs else step.lhs
            shown = nodes.math_block("", formula, nowrap=False, number=None)
            shown["docname"], shown["label"] = self.env.docname, None
            item = nodes.list_item("", nodes.paragraph("", "", *rule), shown, *messages)
            listed += item
        return listed


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("derivation", Derivation)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
