"""The anatomy of a chapter, read off its source."""

from __future__ import annotations

import importlib
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import jupytext
import pytest
import yaml

from companion.exercises import exercises

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").rglob("*.md"))
PAGES = [*CHAPTERS, *sorted((ROOT / "book").glob("*.md"))]
WIDEST = 80  # signs of a line of code that the page shows without scrolling
LONGEST_CELL = 10
LEAST_MINUTES, MOST_MINUTES = 15, 40  # of reading: one sitting
UNSEEN = {"remove-input", "hide-input", "remove-cell", "hide-cell"}
LABELS = re.compile(r"\{exercise\}.*\n:label: (\S+)")
IMPORT = re.compile(r"(import|from) ")
ANSWERS = re.compile(r"\{answer\} (\S+)")
GLUED = re.compile(r"\bglue\(\s*(?:(f?)\"([^\"]+)\"|(\w+))")
FILLED = re.compile(r"\{[^}]*\}")
USED = re.compile(r"\{glue:\w*\}`([^`]+)`")

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
    assert about["seconds"] > 0


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The extension that counts, on the path as jupyter-book puts it."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    return importlib.import_module("reading")


@every_chapter
def test_a_chapter_can_be_read_in_one_sitting(reading: ModuleType, path: Path) -> None:
    assert LEAST_MINUTES <= reading.minutes(path) <= MOST_MINUTES
    assert "minutes" not in front(path)  # counted, never typed


def test_reading_counts_what_a_reader_sees(reading: ModuleType, tmp_path: Path) -> None:
    head = "---\n".join(CHAPTERS[0].read_text("utf8").split("---\n")[:2]) + "---\n"
    cell = "\n```{code-cell} ipython3\n"
    parts = (
        "\nthree words here, $x=1$\n",
        f"{cell}y = 1\n\nz = 2\n```\n",
        f'{cell}:tags: [remove-input]\nshow(\n    label="a",\n)\n```\n',
        "\n$$\na\\le\\mathrm dx\n$$\n",
        "\n## Exercises\n\nNot to be counted.\n\n## Further\n",
    )
    amounts = []
    for count in range(len(parts) + 1):
        (tmp_path / "chapter.md").write_text(head + "".join(parts[:count]), "utf8")
        found = reading.amount(tmp_path / "chapter.md")
        amounts.append((found.words, found.signs, found.lines, found.figures))
    steps = [
        tuple(b - a for a, b in zip(*two, strict=True)) for two in pairwise(amounts)
    ]
    assert steps == [
        (3, 3, 0, 0),
        (0, 0, 2, 0),
        (0, 0, 0, 1),
        (0, 3, 0, 0),
        (1, 0, 0, 0),
    ]


def strays(text: str) -> set[str]:
    """Keys glued and not used, or used and not glued.

    A key with a part filled in, or a variable for a key, is held against what is used.
    """
    used, glued = set(USED.findall(text)), set()
    for filled, key, variable in GLUED.findall(text):
        if variable:
            glued |= {name for name in used if f'"{name}"' in text}
        elif filled:
            parts = map(re.escape, FILLED.split(key))
            matches = re.compile(".+".join(parts)).fullmatch
            glued |= {name for name in used if matches(name)} or {key}
        else:
            glued.add(key)
    return used ^ glued


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ('glue("a-b", 1)', set()),
        ('glue(f"a-{k}", 1)', set()),
        ('keys = ("a-b",)\nglue(key, 1)', set()),
        ('glue("a-b", 1)\nglue(\n    "left", 1)', {"left"}),
        ('glue("a-b", 1)\nglue(f"c-{k}", 1)', {"c-{k}"}),
        ('glue("c-d", 1)', {"a-b", "c-d"}),
        ("glue(key, 1)", {"a-b"}),
    ],
)
def test_a_stray_key_is_seen(cell: str, wrong: set[str]) -> None:
    assert strays(f"{cell}\n{{glue:text}}`a-b`\n") == wrong


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_every_glued_key_is_used_and_every_used_key_is_glued(path: Path) -> None:
    assert not strays(path.read_text("utf8"))


@every_chapter
def test_exercises_are_answered_and_mostly_checked(path: Path) -> None:
    text, known = path.read_text("utf8"), exercises()
    labels = LABELS.findall(text)
    assert 5 <= len(labels) <= 8
    assert ANSWERS.findall(text) == labels
    assert sum(label in known for label in labels) >= 5
    assert "## Further reading" in text
