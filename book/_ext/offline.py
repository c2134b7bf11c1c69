"""A book that needs no network: plotly.js from the installed package, where it is used.

MathJax stands in book/_vendor.  Also the repairs that pages of sphinx-proof and
docutils need before validators and screen readers are content.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import plotly
from sphinx.application import Sphinx

SCRIPT = "plotly.min.js"
CITATION = re.compile(r'(<div class="citation"[^>]*) role="doc-biblioentry"')


def plotly_script(app: Sphinx, error: Exception | None) -> None:
    """Copy plotly.js beside the pages."""
    if error is None and app.builder.format == "html":
        source = Path(plotly.__file__).parent / "package_data" / SCRIPT
        shutil.copyfile(source, Path(app.outdir) / "_static" / SCRIPT)


def mend(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Repair the body of a page, and load plotly.js only where a figure needs it."""
    body = context.get("body") or ""
    body = body.replace('role="list" class="citation-list"', 'class="citation-list"')
    body = CITATION.sub(r"\1", body)
    body = body.replace(
        '<div class="highlight"><pre>', '<div class="highlight"><pre tabindex="0">'
    )
    body = body.replace(
        '<div class="math notranslate nohighlight"',
        '<div tabindex="0" class="math notranslate nohighlight"',
    )
    context["body"] = body
    if "Plotly.newPlot" in body:
        app.add_js_file(SCRIPT, priority=100)


def share_visitors(app: Sphinx) -> None:
    """Give the single-page builder every visitor that extensions gave to html.

    sphinx-proof registers visitors for "singlehtml", which hides all others there.
    """
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = {
        **handlers.get("html", {}),
        **handlers.get("singlehtml", {}),
    }


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the repairs."""
    app.add_config_value("comments_config", {}, "html")  # jupyter-book always sets it
    app.connect("builder-inited", share_visitors)
    app.connect("html-page-context", mend)
    app.connect("build-finished", plotly_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
