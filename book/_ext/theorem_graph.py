"""The directives `{theorem-graph}`, `{theorem-list}` and `{reading-path} label`.

The graph is drawn in bands, a band a chapter in reading order; an edge leads from what
is used to what uses it.  The list beside it says the same in words.
"""

from __future__ import annotations

import shutil
import textwrap
from html import escape
from pathlib import Path
from typing import Any

import uses
from docutils import nodes
from records import count, evidence
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDTH, MARGIN, GAP = 760, 6, 12
COLUMNS, BOX, ROW, HEAD = 4, 40, 62, 30
SIGNS = 22  # letters of a title on a line of its box
SCRIPT = "theorem-graph.js"
MARKS = (  # the strongest level of a record, its mark and its class
    ("symbolic, any size", "∀", "any-size"),
    ("symbolic, stated size", "x", "stated-size"),
    ("exact arithmetic", "=", "exact"),
    ("numeric", "≈", "numeric"),
    ("cited", "”", "cited"),
)


class Place(nodes.General, nodes.Element):
    """Where a graph, a list or a path goes, filled in once all pages are read."""


class Shown(SphinxDirective):
    """Leaves a place; the argument of a reading path is the label of its end."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave the place."""
        end = self.arguments[0] if self.arguments else ""
        return [Place(kind=self.name, end=end, line=self.lineno)]


def mark(record: dict[str, Any]) -> tuple[str, str, str]:
    """Level, mark and class of a record."""
    levels = record.get("levels", ())
    return next((m for m in MARKS if m[0] in levels), MARKS[-1])


class Page:
    """What is known when a page of graphs is written."""

    def __init__(self, app: Sphinx, docname: str) -> None:
        self.app, self.docname = app, docname
        self.records = evidence(app)
        self.entries = {e.label: e for e in uses.in_reading_order(app.env)}
        self.graph = uses.edges(app)
        self.cited = uses.cited(app)

    def address(self, label: str) -> str:
        """Of the statement, from this page."""
        page = self.entries[label].docname
        return f"{self.app.builder.get_relative_uri(self.docname, page)}#{label}"

    def link(self, label: str) -> str:
        """A link with the statement's title."""
        entry = self.entries[label]
        title = escape(entry.title)
        return f'<a href="{escape(self.address(label))}">{title}</a>'

    def chapters(self) -> list[tuple[str, list[str]]]:
        """Titles of chapters with the labels that stand there."""
        pages: dict[str, list[str]] = {}
        for label, entry in self.entries.items():
            pages.setdefault(entry.docname, []).append(label)
        titles = self.app.env.titles
        return [(titles[page].astext(), labels) for page, labels in pages.items()]

    def cited_below(self, label: str) -> list[str]:
        """Cited statements under this one, itself included, in reading order."""
        under = {label} | uses.below(self.graph, label)
        return [other for other in self.entries if other in under & self.cited]


def svg(page: Page) -> str:
    """The graph: bands of boxes, and curves from what is used to what uses it."""
    step = (WIDTH - 2 * MARGIN + GAP) / COLUMNS
    corner: dict[str, tuple[float, float]] = {}
    heads, y = [], 0.0
    for title, labels in page.chapters():
        heads.append(
            f'<text class="band" x="{MARGIN}" y="{y + 20}">{escape(title)}</text>'
        )
        y += HEAD
        for k, label in enumerate(labels):
            row, column = divmod(k, COLUMNS)
            corner[label] = MARGIN + column * step, y + row * ROW
        y += ROW * -(-len(labels) // COLUMNS) + GAP
    wide = step - GAP
    lines = [
        _curve(corner, wide, other, label)
        for label in page.entries
        for other in sorted(page.graph[label])
    ]
    boxes = [_box(page, label, *corner[label], wide) for label in page.entries]
    return (
        f'<div class="theorem-graph" tabindex="0"><svg viewBox="0 0 {WIDTH} {y:.0f}" '
        'role="group" aria-label="The theorem graph; the list below says the same.">'
        f'<g class="edges" aria-hidden="true">{"".join(lines)}</g>'
        f"{''.join(heads)}{''.join(boxes)}</svg></div>"
    )


def _curve(
    corner: dict[str, tuple[float, float]], wide: float, used: str, user: str
) -> str:
    (x0, y0), (x1, y1) = corner[used], corner[user]
    x0, x1 = x0 + wide / 2, x1 + wide / 2
    if y0 == y1:  # neighbours in a row: an arc over the boxes between them
        path = f"M{x0:.0f} {y0:.0f}Q{(x0 + x1) / 2:.0f} {y0 - 22:.0f} {x1:.0f} {y1:.0f}"
    else:
        y0 += BOX
        bend = max(18.0, abs(y1 - y0) / 3)
        path = (
            f"M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} "
            f"{x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
        )
    return f'<path d="{path}" data-used="{escape(used)}" data-user="{escape(user)}"/>'


def _box(page: Page, label: str, x: float, y: float, wide: float) -> str:
    entry = page.entries[label]
    level, sign, kind = mark(page.records.get(label, {}))
    leans = " leans" if page.cited_below(label) else ""
    lines = textwrap.wrap(entry.title, SIGNS, max_lines=2, placeholder=" …")
    top = y + BOX / 2 + 4 - 7 * (len(lines) - 1)
    text = "".join(
        f'<tspan x="{x + 26:.0f}" y="{top + 14 * k:.0f}">{escape(line)}</tspan>'
        for k, line in enumerate(lines)
    )
    rests = ", rests on cited facts" if leans else ""
    name = f"{entry.title}: {level}{rests}"
    return (
        f'<a href="{escape(page.address(label))}" class="node {kind}{leans}" '
        f'data-label="{escape(label)}" aria-label="{escape(name)}">'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{BOX}" rx="5"/>'
        f'<text class="mark" x="{x + 9:.0f}" y="{y + BOX / 2 + 5:.0f}">{sign}</text>'
        f"<text>{text}</text></a>"
    )


def listed(page: Page) -> str:
    """The graph in words: chapter by chapter, what each statement uses and serves."""
    users: dict[str, list[str]] = {label: [] for label in page.entries}
    for label in page.entries:
        for other in page.graph[label]:
            users[other].append(label)
    parts = []
    for title, labels in page.chapters():
        items = "".join(_item(page, label, users[label]) for label in labels)
        parts.append(f'<p class="band">{escape(title)}</p><ul>{items}</ul>')
    return f'<div class="theorem-list">{"".join(parts)}</div>'


def _item(page: Page, label: str, users: list[str]) -> str:
    used = [other for other in page.entries if other in page.graph[label]]
    says = [mark(page.records.get(label, {}))[0]]
    for word, others in (("uses", used), ("used by", users)):
        if others:
            says.append(f"{word} {', '.join(map(page.link, others))}")
    leans = [other for other in page.cited_below(label) if other != label]
    if leans:
        says.append(f"rests on cited facts in {', '.join(map(page.link, leans))}")
    return f"<li>{page.link(label)}: {'; '.join(says)}.</li>"


def path(page: Page, end: str) -> str:
    """Everything under one statement, in an order in which it can be read."""
    under = uses.below(page.graph, end) | {end}
    reading = [label for label in page.entries if label in under]
    steps = uses.order({k: page.graph[k] for k in reading}, reading)
    total = f"{count(len(steps), 'statement')} of {len(page.entries)}"
    items = "".join(f"<li>{page.link(label)}</li>" for label in steps)
    return (
        f'<details class="reading-path"><summary>To {escape(page.entries[end].title)}: '
        f"{total}</summary><ol>{items}</ol></details>"
    )


def paths(page: Page) -> str:
    """A path to every statement that nothing else rests on."""
    used = set().union(*page.graph.values()) if page.graph else set()
    ends = [label for label in page.entries if label not in used and page.graph[label]]
    return "".join(path(page, end) for end in ends)


DRAWN = {"theorem-graph": svg, "theorem-list": listed, "reading-paths": paths}


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put graph, list and paths in their places."""
    for node in list(doctree.findall(Place)):
        page = Page(app, docname)
        drawn = DRAWN.get(node["kind"])
        markup = drawn(page) if drawn else path(page, node["end"])
        node.replace_self(nodes.raw("", markup, format="html"))


def load(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Load the script on pages that show the graph."""
    if 'class="theorem-graph"' in (context.get("body") or ""):
        app.add_js_file(SCRIPT)


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put the script beside the pages."""
    if error is None and app.builder.format == "html":
        source = Path(__file__).with_name(SCRIPT)
        shutil.copyfile(source, Path(app.outdir) / "_static" / SCRIPT)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_node(Place)
    for name in ("theorem-graph", "theorem-list", "reading-path", "reading-paths"):
        app.add_directive(name, Shown)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", load)
    app.connect("build-finished", copy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
