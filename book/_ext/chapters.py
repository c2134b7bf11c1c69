"""What surrounds a chapter: objectives above, a notebook to take, the run below."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import notebooks
import reading
import yaml
from records import run
from sphinx.application import Sphinx
from sphinx.util import logging

FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)

logger = logging.getLogger(__name__)


def front_matter(path: Path) -> dict[str, Any]:
    """The key `companion` of a chapter's front matter; empty where there is none."""
    if not path.is_file():
        return {}
    match = FRONT.match(path.read_text("utf8"))
    return (yaml.safe_load(match[1]) or {}).get("companion", {}) if match else {}


def box(about: dict[str, Any], minutes: int, links: dict[str, str]) -> str:
    """Objectives, prerequisites and time; `links` holds addresses of other chapters."""
    goals = "".join(
        f"<li>{escape(goal['text'])} "
        f'(<a href="#{escape(goal["exercise"])}">exercise</a>)</li>'
        for goal in about.get("objectives", [])
    )
    before = ", ".join(
        f'<a href="{escape(links[name])}">{escape(name)}</a>'
        if name in links
        else escape(name)
        for name in about.get("prerequisites", [])
    )
    needs = f" After: {before}." if before else ""
    notebook = links.get("notebook")
    take = (
        f' <a href="{escape(notebook)}" download>Take it as a notebook</a>.'
        if notebook
        else ""
    )
    return (
        '<div class="chapter-box"><p><strong>After this chapter you can</strong></p>'
        f"<ul>{goals}</ul><p>About {minutes} minutes of reading without the exercises; "
        f"the cells run in {about['seconds']} seconds or less.{needs}{take}</p></div>"
    )


def facts(app: Sphinx, page: str) -> str:
    """Edition, commit, date, and the seconds that the page's cells took."""
    known = run(app)
    if not known:
        return ""
    seconds = known["chapters"].get(f"{page}.md")
    took = f" Its cells ran in {seconds:.1f} s." if seconds else ""
    return (
        f'<p class="page-facts">Edition {escape(known["versions"]["companion"])}, '
        f"commit {escape(known['commit'] or 'unknown')}, "
        f"executed on {escape(known['date'][:10])}.{took}</p>"
    )


def surround(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Put the box under the title and the facts at the end."""
    if "body" not in context or app.builder.format != "html":
        return
    source = Path(app.srcdir) / f"{page}.md"
    about, body = front_matter(source), context["body"]
    if about:
        for goal in about.get("objectives", []):
            if f'id="{goal["exercise"]}"' not in body:
                logger.warning(
                    "no exercise %r for an objective", goal["exercise"], location=page
                )
        others = {Path(name).name: name for name in app.env.found_docs}
        links = {
            slug: app.builder.get_relative_uri(page, name)
            for slug, name in others.items()
        }
        up = "../" * page.count("/")
        links["notebook"] = f"{up}notebooks/{Path(page).name}.ipynb"
        about_it = box(about, reading.minutes(source), links)
        body = body.replace("</h1>", f"</h1>{about_it}", 1)
    context["body"] = body + facts(app, page)


def export(app: Sphinx, error: Exception | None) -> None:
    """Write every chapter as a notebook beside the pages."""
    if error is not None or app.builder.name != "html":
        return
    place = Path(app.outdir) / "notebooks"
    place.mkdir(exist_ok=True)
    for name in sorted(app.env.found_docs):
        source = Path(app.srcdir) / f"{name}.md"
        if front_matter(source):
            (place / f"{source.stem}.ipynb").write_text(
                notebooks.convert(source), "utf8"
            )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the box, the footer and the export."""
    app.connect("html-page-context", surround)
    app.connect("build-finished", export)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
