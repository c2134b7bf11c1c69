"""Which statement rests on which, read off the pages.

A reference inside a statement, a reference inside the proof behind it, and the record's
own list of earlier theorems are the edges.  A cycle is a warning, hence an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from docutils import nodes
from records import evidence
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx_proof.nodes import proof_node

KINDS = ("theorem", "lemma", "proposition", "corollary")

logger = logging.getLogger(__name__)


@dataclass
class Statement:
    """A numbered statement, what it and its proof refer to and what the proof cites."""

    label: str
    docname: str
    title: str
    kind: str
    in_statement: set[str] = field(default_factory=set)
    in_proof: set[str] = field(default_factory=set)
    cites: set[str] = field(default_factory=set)


def statements(env: BuildEnvironment) -> dict[str, Statement]:
    """Every statement of the book by label."""
    if not hasattr(env, "book_statements"):
        env.book_statements = {}  # type: ignore[attr-defined]
    return env.book_statements  # type: ignore[attr-defined]


def _targets(node: nodes.Node, domain: str) -> set[str]:
    return {
        found["reftarget"]
        for found in node.findall(pending_xref)
        if found.get("refdomain") == domain
    }


def read(app: Sphinx, doctree: nodes.document) -> None:
    """Note the statements of a page, and what they and their proofs refer to."""
    known = statements(app.env)
    for node in doctree.findall(nodes.Element):
        if node.get("realtype") not in KINDS:
            continue
        title = str(node.get("title", "")).strip(" ()") or node["label"]
        entry = Statement(node["label"], app.env.docname, title, node["realtype"])
        entry.in_statement = _targets(node, "prf")
        for proof in _proofs(node):
            entry.in_proof |= _targets(proof, "prf")
            entry.cites |= _targets(proof, "cite")
        known[entry.label] = entry


def _proofs(node: nodes.Element) -> list[nodes.Node]:
    """The proof that directly follows a statement, if one does."""
    place = node.parent.index(node) + 1
    return [n for n in node.parent[place : place + 1] if isinstance(n, proof_node)]


def edges(app: Sphinx) -> dict[str, set[str]]:
    """For each statement the statements that it uses."""
    known, records = statements(app.env), evidence(app)
    found = {}
    for label, entry in known.items():
        used = entry.in_statement | entry.in_proof
        used |= set(records.get(label, {}).get("uses", ()))
        found[label] = {other for other in used if other in known} - {label}
    return found


def below(graph: dict[str, set[str]], label: str) -> set[str]:
    """Everything that a statement rests on, however far down."""
    seen: set[str] = set()
    pending = list(graph.get(label, ()))
    while pending:
        other = pending.pop()
        if other not in seen:
            seen.add(other)
            pending += graph.get(other, ())
    return seen


def cited(app: Sphinx) -> set[str]:
    """Statements that nothing was run for, or whose proof leans on the literature."""
    records = evidence(app)
    return {
        label
        for label, entry in statements(app.env).items()
        if entry.cites or "cited" in records.get(label, {}).get("levels", ())
    }


def order(graph: dict[str, set[str]], reading: list[str]) -> list[str]:
    """Labels so that what is used comes first; otherwise as in the book.

    A label that takes part in a cycle is left out.
    """
    done: list[str] = []
    left = list(reading)
    while left:
        ready = [label for label in left if graph[label] <= set(done)]
        if not ready:
            return done
        done.append(ready[0])
        left.remove(ready[0])
    return done


def reading_order(env: BuildEnvironment) -> list[str]:
    """Documents in the order of the table of contents."""
    seen: list[str] = []

    def visit(docname: str) -> None:
        seen.append(docname)
        for child in env.toctree_includes.get(docname, ()):
            if child not in seen:
                visit(child)

    visit(env.config.root_doc)
    return seen


def in_reading_order(env: BuildEnvironment) -> list[Statement]:
    """Statements by page in the order of the book, as they stand on the page."""
    place = {docname: k for k, docname in enumerate(reading_order(env))}
    known = statements(env).values()
    return sorted(known, key=lambda entry: place.get(entry.docname, len(place)))


def check(app: Sphinx, _env: BuildEnvironment) -> None:
    """No statement may rest on itself."""
    graph = edges(app)
    rest = set(graph) - set(order(graph, list(graph)))
    circle = sorted(label for label in rest if label in below(graph, label))
    if circle:
        logger.warning("statements rest on each other in a circle: %s", circle)


def purge(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget the statements of a page that is read anew."""
    known = statements(env)
    for label in [k for k, entry in known.items() if entry.docname == docname]:
        del known[label]


def merge(
    _app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment
) -> None:
    """Take over what a parallel reader found."""
    for label, entry in statements(other).items():
        if entry.docname in docnames:
            statements(env)[label] = entry


def setup(app: Sphinx) -> dict[str, Any]:
    """Collect while pages are read; check when all are."""
    app.connect("doctree-read", read)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
