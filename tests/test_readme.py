"""The figures and the pages that the README names are those that there are."""

import re
from pathlib import Path

import pytest

from companion.proofs import THEOREMS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KINDS = {"mutant": "wrong formulas", "dropped": "dropped hypotheses"}


def row(start: str) -> str:
    """What the table of figures has measured in the row that starts so."""
    (found,) = re.findall(rf"^\| {start}[^|]*\| ([^|]*) \|", README, re.MULTILINE)
    return found.strip()


def count(kind: str) -> int:
    return sum(c.kind == kind for t in THEOREMS.values() for c in t.controls)


@pytest.mark.parametrize(
    ("start", "number"),
    [
        ("theorems with a record that holds", len(THEOREMS)),
        ("checks that pass", sum(len(t.checks) for t in THEOREMS.values())),
        ("controls that are refuted", sum(map(count, KINDS))),
    ],
)
def test_figures_are_the_numbers_that_are_registered(start, number):
    assert row(start) == f"{number} of {number}"


@pytest.mark.parametrize("kind", KINDS)
def test_controls_are_told_apart(kind):
    assert f"{count(kind)} {KINDS[kind]}" in README


def test_every_chapter_is_named():
    for path in (ROOT / "chapters").rglob("*.md"):
        assert f"({path.relative_to(ROOT)})" in README


def test_every_page_that_is_named_exists():
    pages = re.findall(r"\]\(((?:chapters|book)/[^)]*)\)", README)
    assert pages
    assert [page for page in pages if not (ROOT / page).is_file()] == []
