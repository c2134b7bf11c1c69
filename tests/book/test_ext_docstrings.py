"""Docstrings pass through reStructuredText unharmed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, cast

PATH = Path(__file__).resolve().parents[2] / "book" / "_ext" / "docstrings.py"


def mended(text: str) -> str:
    spec = importlib.util.spec_from_file_location("docstrings", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = text.splitlines()
    module.mend(cast("Any", None), "function", "f", None, None, lines)
    return "\n".join(lines)


def test_absolute_values_are_no_substitutions() -> None:
    assert mended("where |w_i| < 1") == r"where \|w_i\| < 1"


def test_the_source_leaves_the_section_before_it() -> None:
    text = "Raises\n------\nValueError\n    If.\n\nSource: amos2017optnet, §3."
    assert mended(text).endswith("\n\nSource\n------\namos2017optnet, §3.")
