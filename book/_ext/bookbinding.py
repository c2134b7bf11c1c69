"""Everything that this book adds to Sphinx, in one extension of small parts."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

PARTS = (
    "docstrings",
    "statements",
    "uses",
    "theorem_graph",
    "ledger",
    "gallery",
    "derivations",
    "answers",
    "chapters",
    "draggable",
    "offline",
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Set up every part."""
    for part in PARTS:
        app.setup_extension(part)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
