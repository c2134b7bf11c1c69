"""The directive `{evidence-ledger}`: one row a theorem, written by the run."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from records import count, evidence, run
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("Statement", "Claim that was checked", "Levels", "Checks", "Controls")


class LedgerNode(nodes.General, nodes.Element):
    """Place of the ledger, filled in once every statement has its number."""


class Ledger(SphinxDirective):
    """The table of all records; no arguments, no content."""

    def run(self) -> list[nodes.Node]:
        """Leave the place."""
        return [LedgerNode()]


def _cell(label: str, content: str) -> str:
    return f'<td data-label="{label}">{content}</td>'


def row(record: dict[str, Any], statement: str) -> str:
    """The row of a record; `statement` is the address of its statement."""
    checks = "".join(
        f"<li>{escape(c['name'].replace('_', ' '))} ({escape(c['level'])})</li>"
        for c in record["checks"]
    )
    controls = "".join(
        f"<li>{escape(c['kind'])}: {escape(c['changed'])}"
        f" — {'refuted' if c['refuted'] else 'NOT REFUTED'}</li>"
        for c in record["controls"]
    )
    label = escape(record["label"])
    cells = (
        f'<th scope="row" id="record-{label}">'
        f'<a href="{escape(statement)}">{label}</a></th>',
        _cell(COLUMNS[1], escape(record["claim"])),
        _cell(COLUMNS[2], escape(", ".join(record["levels"]))),
        _cell(COLUMNS[3], f"<ul>{checks}</ul>"),
        _cell(COLUMNS[4], f"<ul>{controls}</ul>{record['seconds']:.1f} s"),
    )
    return f"<tr>{''.join(cells)}</tr>"


def table(app: Sphinx, docname: str) -> str:
    """The whole ledger as HTML, with what the run was."""
    records, facts = evidence(app), run(app)
    statements = getattr(app.env, "proof_list", {})

    def address(label: str) -> str:
        if label not in statements:
            return "#"
        place = statements[label]["docname"]
        return f"{app.builder.get_relative_uri(docname, place)}#{label}"

    rows = "".join(row(record, address(label)) for label, record in records.items())
    checks = sum(len(record["checks"]) for record in records.values())
    controls = sum(len(record["controls"]) for record in records.values())
    when = ""
    if facts:
        when = (
            f" Run of {escape(facts['date'][:10])}, commit {escape(facts['commit'])}."
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    return (
        f"<p>{count(len(records), 'record')}, {count(checks, 'check')} that passed, "
        f"{count(controls, 'control')} that were refuted.{when}</p>"
        f'<table class="evidence-ledger"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table in its place."""
    for node in list(doctree.findall(LedgerNode)):
        node.replace_self(nodes.raw("", table(app, docname), format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(LedgerNode)
    app.add_directive("evidence-ledger", Ledger)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
