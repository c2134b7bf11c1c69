"""The directive `{hypotheses-gallery} group`: a card for every hypothesis dropped.

A card holds the picture, what was dropped, the statement it belongs to, what was kept
and how the check refuted it.  Words and pictures come from the run and the package; a
control without a picture and a group that no page shows are warnings, hence errors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import uses
from docutils import nodes
from records import evidence
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from companion.plots import svg
from companion.plots.hypotheses import GROUPS, PICTURES

FOLDER = "_build/hypotheses"  # of the pictures, below the root of the book
GREEK = {"lam": "λ", "kap": "κ", "eps": "ε", "nu": "ν"}
WIDTH = "307px"  # of a picture of 3.2 inches

logger = logging.getLogger(__name__)


def dropped(app: Sphinx) -> dict[str, tuple[str, dict[str, Any]]]:
    """Label and control of every dropped hypothesis, by the key of its picture."""
    return {
        f"{label}/{control['name']}": (label, control)
        for label, record in evidence(app).items()
        for control in record["controls"]
        if control["kind"] == "dropped"
    }


def said(message: str) -> str:
    """The first line of what the check said, short enough for a card."""
    line = message.strip().split("\n")[0]
    line = re.sub(r"'(-?\d[^']*)'", r"\1", line)
    line = re.sub(r"\d+\.\d{5,}(e[+-]\d+)?", lambda n: f"{float(n.group()):.4g}", line)
    line = re.sub(r"Matrix\((.*?)\)$", r"\1", line)
    line = re.sub(r"Fraction\((-?\d+), (\d+)\)", r"\1/\2", line)
    return typeset(line)


def typeset(words: str) -> str:
    """Words of the package as the page writes them: minus signs and Greek letters."""
    words = re.sub(r"(?<![^\s(\[,=|])-(?=\S)|(?<= )-(?= )", "−", words)
    return re.sub(
        r"\b(lam|kap|eps|nu)(?=\b|_)", lambda name: GREEK[name.group()], words
    )


class Title(nodes.inline):
    """Place of a statement's title, filled in once every page is read."""


def _line(word: str, *content: nodes.Node) -> nodes.paragraph:
    line = nodes.paragraph("", classes=["hypothesis-line"])
    line += nodes.inline("", word, classes=["hypothesis-word"])
    line += [nodes.Text(" "), *content]
    return line


class Gallery(SphinxDirective):
    """The cards of one group, in the order of its table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Draw the pictures and make the cards."""
        group = self.arguments[0]
        if group not in GROUPS:
            raise self.error(f"no group {group!r}; there are {', '.join(GROUPS)}")
        shown(self.env).setdefault(self.env.docname, set()).add(group)
        known = dropped(self.env.app)
        grid = nodes.container(classes=["hypotheses"])
        for key in GROUPS[group]:
            if key in known:
                grid += self.card(key, *known[key])
        return [grid]

    def card(self, key: str, label: str, control: dict[str, Any]) -> nodes.container:
        """Picture, hypothesis, statement, what was kept, and the refutation."""
        card = nodes.container(classes=["hypothesis"])
        card += self.picture(key)
        change = nodes.inline("", typeset(control["changed"]))
        card += nodes.paragraph("", "", change, classes=["hypothesis-name"])
        card += _line("in", self.link(label), Title(label=label))
        if control.get("kept"):
            card += _line("kept:", nodes.Text(typeset("; ".join(control["kept"]))))
        card += _line("refuted:", nodes.Text(said(control["message"])))
        return card

    def picture(self, key: str) -> nodes.image:
        """The picture as a file of the build, with its alternative text."""
        figure, says = PICTURES[key]()
        name = f"{FOLDER}/{key.replace('/', '--').replace('_', '-')}.svg"
        path = Path(self.env.srcdir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(svg(figure))
        return nodes.image("", uri=f"/{name}", alt=says, width=WIDTH, loading="lazy")

    def link(self, label: str) -> nodes.Node:
        """A reference to the statement, resolved once all pages are read."""
        reference = pending_xref(
            "", refdomain="prf", reftype="ref", reftarget=label, refexplicit=False,
            refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        reference += nodes.inline("", label, classes=["xref", "prf"])
        self.set_source_info(reference)
        return reference


def shown(env: BuildEnvironment) -> dict[str, set[str]]:
    """The groups that each page shows."""
    if not hasattr(env, "book_hypotheses"):
        env.book_hypotheses = {}  # type: ignore[attr-defined]
    return env.book_hypotheses  # type: ignore[attr-defined]


def purge(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget what a page showed before it is read again."""
    shown(env).pop(docname, None)


def merge(
    _app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment
) -> None:
    """Take over what a parallel reader saw."""
    shown(env).update({k: v for k, v in shown(other).items() if k in docnames})


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Where there is a gallery, all groups and all dropped hypotheses are in it."""
    if not shown(env):
        return
    place = next(iter(shown(env)))
    for key in dropped(app):
        if key not in PICTURES:
            logger.warning("dropped hypothesis %r has no picture", key, location=place)
    for group in set(GROUPS).difference(*shown(env).values()):
        logger.warning("group %r of hypotheses is not shown", group, location=place)


def fill(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Put the titles in their places."""
    known = uses.statements(app.env)
    for node in list(doctree.findall(Title)):
        entry = known.get(node["label"])
        node.replace_self(nodes.Text(f" ({entry.title})" if entry else ""))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("hypotheses-gallery", Gallery)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", check)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
