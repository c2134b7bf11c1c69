"""The anatomy of a chapter, read off its source."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import pytest
import yaml

from companion.exercises import exercises

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").rglob("*.md"))
WIDEST = 80  # signs of a line of code that the page shows without scrolling
LONGEST_CELL = 10
UNSEEN = {"remove-input", "hide-input", "remove-cell", "hide-cell"}
LABELS = re.compile(r"\{exercise\}.*\n:label: (\S+)")
IMPORT = re.compile(r"(import|from) ")
ANSWERS = re.compile(r"\{answer\} (\S+)")

every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def front(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf8").split("---\n")[1])["companion"]


def misfits(path: Path) -> list[str]:
    """Cells that a page cannot show whole."""
    notebook = jupytext.read(path, fmt="md:myst")
    wrong = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or UNSEEN & set(cell.metadata.get("tags", [])):
            continue
        lines = [line for line in cell.source.splitlines() if line.strip()]
        wrong += [line for line in lines if len(line) > WIDEST]
        lines = [line for line in lines if not IMPORT.match(line)]
        if len(lines) > LONGEST_CELL:
            wrong.append(f"{len(lines)} lines from {lines[0]!r}")
    return wrong


def test_cells_that_do_not_fit_are_seen(tmp_path: Path) -> None:
    source = CHAPTERS[0].read_text("utf8")
    head = "---\n".join(source.split("---\n")[:2]) + "---\n"
    cell = "\n```{{code-cell}} ipython3\n{}\n```\n"
    body = cell.format("x = 1\n" * LONGEST_CELL + "x") + cell.format("y" * 81)
    (tmp_path / "chapter.md").write_text(head + body)
    assert len(misfits(tmp_path / "chapter.md")) == 2


@every_chapter
def test_cells_fit_the_page(path: Path) -> None:
    assert not misfits(path)


@every_chapter
def test_front_matter_says_what_a_reader_can_do_and_how_long_it_takes(
    path: Path,
) -> None:
    about, text = front(path), path.read_text("utf8")
    assert 3 <= len(about["objectives"]) <= 5
    assert {goal["exercise"] for goal in about["objectives"]} <= set(
        LABELS.findall(text)
    )
    assert 15 <= about["minutes"] <= 45
    assert about["seconds"] > 0


@every_chapter
def test_exercises_are_answered_and_mostly_checked(path: Path) -> None:
    text, known = path.read_text("utf8"), exercises()
    labels = LABELS.findall(text)
    assert 5 <= len(labels) <= 8
    assert ANSWERS.findall(text) == labels
    assert sum(label in known for label in labels) >= 5
    assert "## Further reading" in text
