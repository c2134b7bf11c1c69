"""A badge behind every statement, and no statement without its record.

Each theorem, lemma, proposition and corollary carries the levels of its evidence in
words and leads to its row of the ledger.  A statement without a record, a record
without a statement and a record that fell short are warnings, hence errors.
"""

from __future__ import annotations

from html import escape
from typing import Any

import uses
from docutils import nodes
from records import count, evidence
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

LEDGER = "book/evidence"
REPEATED = {"proof-content", "proof", "exercise-content", "solution-content"}

logger = logging.getLogger(__name__)


def badge(record: dict[str, Any], ledger: str, leans: str = "") -> str:
    """The badge of a record, as HTML.

    `ledger` is the address of its row, `leans` what it rests on that is only cited.
    """
    cited = not record["checks"]
    levels = ' ·</span> <span class="level">'.join(map(escape, record["levels"]))
    return (
        f'<p class="evidence-badge" data-level="{"cited" if cited else "checked"}">'
        f'<span class="level">{levels};</span> <span class="counts">'
        f"{count(len(record['checks']), 'check')}, "
        f"{count(len(record['controls']), 'refuted control')}; "
        f'<a href="{escape(ledger)}">evidence<span class="visually-hidden"> for '
        f"{escape(record['label'])}</span></a></span>{leans}</p>"
    )


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Statements and records must match in both directions, and all records hold."""
    records = evidence(app)
    statements = {
        label: entry["docname"]
        for label, entry in getattr(env, "proof_list", {}).items()
        if entry["realtype"] in uses.KINDS
    }
    for label, docname in statements.items():
        if label not in records:
            logger.warning("statement %r has no record", label, location=docname)
    for label, record in records.items():
        if label not in statements:
            logger.warning("record %r has no statement in the book", label)
        if not record["passed"]:
            logger.warning("record %r falls short", label)


def leaning(
    app: Sphinx, docname: str, label: str, graph: dict[str, set[str]], cited: set[str]
) -> str:
    """Links to the statements below this one that rest on the literature."""
    known, found = uses.statements(app.env), []
    for other in sorted(uses.below(graph, label) & cited):
        page = app.builder.get_relative_uri(docname, known[other].docname)
        title = escape(known[other].title)
        found.append(f'<a href="{escape(page)}#{escape(other)}">{title}</a>')
    if label in known and known[label].cites:
        found.append("works cited in its proof")
    return f' <span class="leans">rests on {", ".join(found)}</span>' if found else ""


def decorate(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Append the badges; drop the ids that sphinx-proof and -exercise repeat."""
    records, graph, cited = evidence(app), uses.edges(app), uses.cited(app)
    for node in doctree.findall(nodes.Element):
        node["ids"] = [name for name in node["ids"] if name not in REPEATED]
        record = records.get(node.get("label", ""))
        if record and node.get("realtype") in uses.KINDS:
            place = app.builder.get_relative_uri(docname, LEDGER)
            leans = leaning(app, docname, record["label"], graph, cited)
            markup = badge(record, f"{place}#record-{record['label']}", leans)
            node.append(nodes.raw("", markup, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the check and the badges."""
    app.connect("env-check-consistency", check)
    app.connect("doctree-resolved", decorate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
