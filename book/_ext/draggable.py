"""Figures that a reader drags: JSXGraph and our script, on the pages that have one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MARK = 'class="companion-figure draggable-wall"'
LIBRARY = "jsxgraph/jsxgraphcore.js"  # in book/_vendor/_static
SCRIPT = "draggable-wall.js"


def load(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Load the library and the script where a figure needs them."""
    if MARK in (context.get("body") or ""):
        app.add_js_file(LIBRARY, priority=300)
        app.add_js_file(SCRIPT, priority=400)


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put the script beside the pages."""
    if error is None and app.builder.format == "html":
        source = Path(__file__).with_name(SCRIPT)
        shutil.copyfile(source, Path(app.outdir) / "_static" / SCRIPT)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the scripts."""
    app.connect("html-page-context", load)
    app.connect("build-finished", copy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
