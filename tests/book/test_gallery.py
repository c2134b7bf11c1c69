"""The gallery: a card a dropped hypothesis, its words from the run, nothing missing."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
from pathlib import Path

import pytest
from sphinx.application import Sphinx

from companion.plots.hypotheses import GROUPS

EXT = Path(__file__).resolve().parents[2] / "book" / "_ext"
CONFIG = """
extensions = ["sphinx_proof", "myst_parser", "statements", "uses", "gallery"]
"""
PARTS = ("records", "statements", "uses", "gallery")
STATEMENT = (
    "# A page\n\n```{prf:theorem} Convex\n:label: first-order-convexity\n\nA.\n```\n"
)
CONTROL = {
    "name": "cubic",
    "kind": "dropped",
    "changed": "convexity: f(a) = a³",
    "kept": ["a point < 1"],
    "refuted": True,
    "message": "5 below the tangent at (-2)\nmore",
}
ALL = "".join(f"\n```{{hypotheses-gallery}} {group}\n```\n" for group in GROUPS)


@pytest.fixture(autouse=True)
def extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of extensions on the path, as jupyter-book puts it."""
    monkeypatch.syspath_prepend(str(EXT))
    for name in PARTS:
        monkeypatch.delitem(sys.modules, name, raising=False)


def build(folder: Path, page: str, *controls: dict) -> tuple[str, str]:
    """The page of a small book, and its warnings."""
    source = folder / "source"
    (source / "_build").mkdir(parents=True)
    (source / "book").mkdir()
    (source / "conf.py").write_text(CONFIG)
    (source / "index.md").write_text(f"{page}\n```{{toctree}}\nbook/evidence\n```\n")
    (source / "book" / "evidence.md").write_text("# Ledger\n")
    record = {
        "label": "first-order-convexity", "claim": "", "levels": ["numeric"],
        "checks": [{"name": "x", "level": "numeric"}], "controls": controls,
        "uses": [], "seconds": 0.0, "passed": True,
    }  # fmt: skip
    (source / "_build" / "evidence.json").write_text(json.dumps([record]))
    warnings = io.StringIO()
    app = Sphinx(
        str(source), str(source), str(folder / "out"), str(folder / "trees"), "html",
        status=None, warning=warnings,
    )  # fmt: skip
    app.build()
    lines = warnings.getvalue().splitlines()
    own = [line for line in lines if "already registered" not in line]  # of one process
    return (folder / "out" / "index.html").read_text(), "\n".join(own)


def test_card_says_what_was_dropped_kept_and_refuted(tmp_path: Path) -> None:
    page, warnings = build(tmp_path, STATEMENT + ALL, CONTROL)
    card = page[page.index('class="hypothesis docutils') :]
    words = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", card))
    assert "convexity: f(a) = a³" in words
    assert "in Theorem 1 (Convex)" in words
    assert "kept: a point &lt; 1" in words
    assert "refuted: 5 below the tangent at (−2)" in words
    assert "more" not in words
    assert 'href="#first-order-convexity"' in card
    assert warnings == ""


def test_picture_is_a_file_with_a_text(tmp_path: Path) -> None:
    page, _ = build(tmp_path, STATEMENT + ALL, CONTROL)
    (image,) = re.findall(r"<img [^>]*>", page)
    name = re.search(r'src="([^"]*)"', image)
    assert name
    assert (tmp_path / "out" / name[1]).read_bytes().startswith(b"<?xml")
    assert 'alt="The graph of a³.' in image
    assert 'loading="lazy"' in image


@pytest.mark.parametrize(
    ("page", "control", "warning"),
    [
        (ALL, {**CONTROL, "name": "quintic"}, "convexity/quintic' has no picture"),
        ("```{hypotheses-gallery} signs\n```\n", CONTROL, "'convex-set' of hypotheses"),
        (ALL + "```{hypotheses-gallery} none\n```\n", CONTROL, "no group 'none'"),
    ],
)
def test_what_is_missing_is_a_warning(
    tmp_path: Path, page: str, control: dict, warning: str
) -> None:
    assert warning in build(tmp_path, f"{STATEMENT}\n{page}", control)[1]


def test_mutants_are_not_in_the_gallery(tmp_path: Path) -> None:
    page, _ = build(tmp_path, STATEMENT + ALL, {**CONTROL, "kind": "mutant"})
    assert "<img" not in page


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("order 1.00: fails\n step", "order 1.00: fails"),
        ("∂x/∂h[0,0] has norm 10.0000000000000", "∂x/∂h[0,0] has norm 10"),
        ("slope 0, not -2, along Matrix([[1, 0]])", "slope 0, not −2, along [[1, 0]]"),
        ("falls along [Fraction(-1, 2)]", "falls along [−1/2]"),
        ("one-sided values", "one-sided values"),
        ("V(h) + V(-h) - 2V(0) ≤ -1/5", "V(h) + V(−h) − 2V(0) ≤ −1/5"),
        ("a second pair: lam = [-1], nu = []", "a second pair: λ = [−1], ν = []"),
        (
            "local minima of values ['-1/4', '1/4']",
            "local minima of values [−1/4, 1/4]",
        ),
        ("the error went to 7.042043807666226e+17", "the error went to 7.042e+17"),
    ],
)
def test_message_is_made_short(message: str, shown: str) -> None:
    assert importlib.import_module("gallery").said(message) == shown
