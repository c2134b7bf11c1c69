"""The directive `{answer} label`: an exercise's hints and its solution, folded.

Hints and code come from the package, where they are tested; the text is the page's.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def known(label: str) -> Any | None:
    """The exercise of this label, or None if it has no checker."""
    from companion.exercises import exercises  # noqa: PLC0415 - only pages that need it

    return exercises().get(label)


def folded(kind: str, title: str, *content: nodes.Node) -> nodes.Element:
    """A box that opens when its title is pressed."""
    box = nodes.admonition("", classes=["dropdown", kind])
    box += [nodes.title("", title), *content]
    return box


class Answer(SphinxDirective):
    """A box for each hint, then one with the text and the tested code."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Ask the package for hints and code."""
        label = self.arguments[0]
        task = known(label)
        if task is None and not self.content:
            raise self.error(f"answer {label!r}: no exercise has that label, no text")
        hints, code = (task.hints, task.solution) if task else ((), "")
        boxes: list[nodes.Node] = [
            folded("hint", f"Hint {k}", nodes.paragraph("", hint))
            for k, hint in enumerate(hints, 1)
        ]
        body = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, body)
        if code:
            block = nodes.literal_block(code, code.strip())
            block["language"] = "python"
            body += block
        return [*boxes, folded("solution", "Solution", *body.children)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("answer", Answer)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
