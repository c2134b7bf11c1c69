"""Docstrings are written for people: make them safe for reStructuredText.

A bar is an absolute value, never a substitution, and a last paragraph `Source: …` is
no part of the section `Raises` before it.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

BEFORE_NAPOLEON = 400
BAR = re.compile(r"(?<!\\)\|")


def mend(_app: Sphinx, _kind: str, _name: str, *rest: Any) -> None:
    """Escape bars, and give the source a section of its own, in place."""
    lines: list[str] = rest[-1]
    mended: list[str] = []
    for line in lines:
        start, colon, source = line.partition("Source: ")
        if colon and not start.strip():
            mended += ["Source", "------", source]
        else:
            mended.append(BAR.sub(r"\\|", line))
    lines[:] = mended


def setup(app: Sphinx) -> dict[str, Any]:
    """Mend every docstring before napoleon reads it."""
    app.setup_extension("sphinx.ext.napoleon")
    app.config.napoleon_custom_sections = ["Source"]
    app.connect("autodoc-process-docstring", mend, priority=BEFORE_NAPOLEON)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
