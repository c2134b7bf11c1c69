"""The binding of the book: badges, ledger, derivations, boxes and notebooks."""

from __future__ import annotations

import importlib
import io
import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
EXT = ROOT / "book" / "_ext"
CONFIG = """
extensions = [
    "sphinx_proof", "myst_parser", "statements", "ledger", "derivations", "answers",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
"""
PAGE = """# A page

```{prf:theorem} Gradients
:label: qp-gradients

A claim.
```

```{derivation} qp-optimality
```
"""
RECORD = {
    "label": "qp-gradients",
    "claim": "a < b",
    "levels": ["symbolic, any size", "numeric"],
    "checks": [{"name": "read_off", "level": "numeric", "passed": True}],
    "controls": [{"kind": "mutant", "changed": "a sign", "refuted": True}],
    "seconds": 0.5,
    "passed": True,
}


@pytest.fixture(autouse=True)
def extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of extensions on the path, as jupyter-book puts it."""
    monkeypatch.syspath_prepend(str(EXT))
    for name in (
        "records",
        "statements",
        "ledger",
        "derivations",
        "answers",
        "notebooks",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)


def build(folder: Path, page: str, *records: dict) -> tuple[str, str, str]:
    """Page, ledger and warnings of a small book."""
    source = folder / "source"
    (source / "book").mkdir(parents=True)
    (source / "_build").mkdir()
    (source / "conf.py").write_text(CONFIG)
    (source / "index.md").write_text(f"{page}\n```{{toctree}}\nbook/evidence\n```\n")
    ledger = "# Ledger\n\n```{evidence-ledger}\n```\n"
    (source / "book" / "evidence.md").write_text(ledger)
    (source / "_build" / "evidence.json").write_text(json.dumps(records))
    warnings = io.StringIO()
    app = Sphinx(
        str(source), str(source), str(folder / "out"), str(folder / "trees"), "html",
        status=None, warning=warnings,
    )  # fmt: skip
    app.build()
    pages = [folder / "out" / name for name in ("index.html", "book/evidence.html")]
    lines = warnings.getvalue().splitlines()
    own = [line for line in lines if "already registered" not in line]  # of one process
    return pages[0].read_text(), pages[1].read_text(), "\n".join(own)


def test_statement_carries_its_badge_and_the_ledger_its_row(tmp_path: Path) -> None:
    page, ledger, warnings = build(tmp_path, PAGE, RECORD)
    words = re.sub("<[^>]*>", "", page)
    assert "symbolic, any size · numeric; 1 check, 1 refuted control; evidence" in words
    assert 'href="book/evidence.html#record-qp-gradients"' in page
    assert 'id="record-qp-gradients"' in ledger
    assert "a &lt; b" in ledger
    assert "mutant: a sign — refuted" in ledger
    assert 'href="../index.html#qp-gradients"' in ledger
    assert warnings == ""


def test_derivation_shows_every_step_with_its_rule(tmp_path: Path) -> None:
    page, _, _ = build(tmp_path, PAGE, RECORD)
    from companion.proofs import derivation  # noqa: PLC0415 - imports sympy

    steps = derivation("qp-optimality")
    assert page.count('<div class="math') == len(steps)
    assert all(step.rule.split(",")[0] in page for step in steps)


def test_unknown_derivation_is_an_error(tmp_path: Path) -> None:
    page = PAGE.replace("qp-optimality", "no-such-proof")
    assert "no-such-proof" in build(tmp_path, page, RECORD)[2]


@pytest.mark.parametrize(
    ("page", "records", "warning"),
    [
        (PAGE, [], "statement 'qp-gradients' has no record"),
        ("# Nothing\n", [RECORD], "record 'qp-gradients' has no statement"),
        (PAGE, [{**RECORD, "passed": False}], "record 'qp-gradients' falls short"),
    ],
)
def test_mismatch_is_a_warning(
    tmp_path: Path, page: str, records: list[dict], warning: str
) -> None:
    assert warning in build(tmp_path, page, *records)[2]


def test_an_inequality_has_both_sides_and_one_relation() -> None:
    derivations = importlib.import_module("derivations")
    from companion.proofs import Step  # noqa: PLC0415 - imports sympy

    steps = [Step("a", "b", "identity"), Step("b", r"{}\ge 0", "a square")]
    shown = derivations.displays(steps)[1]
    assert shown == r"\begin{aligned} b &{}\ge 0 \end{aligned}"


def test_long_displays_break_outside_brackets_and_omit_what_repeats() -> None:
    derivations = importlib.import_module("derivations")
    from companion.proofs import Step  # noqa: PLC0415 - imports sympy

    long = r" + ".join([r"a^{\mathsf T}\,b"] * 20)
    steps = [Step("f", long, "first"), Step(long, rf"\left({long}\right)", "second")]
    first, second = derivations.displays(steps)
    assert first.count(r"\\") >= 3
    assert second.startswith(r"\begin{aligned}  &= \left(")
    assert r"\\" not in second


CHAPTER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {name: python3, display_name: Python 3}
---

# A chapter

(anchor)=
See {prf:ref}`the rule <qp-gradients>` and {cite:t}`amos2017optnet`.

````{prf:theorem} Sum
:label: a-sum

Let {math}`x` be

```{math}
:label: eq-x

x = 1
```
````

```{literalinclude} code.py
:pyobject: double
```

```{derivation} qp-optimality
```

```{code-cell} ipython3
1 + 1
```
"""


def test_notebook_has_no_directive_left_and_keeps_its_cells(tmp_path: Path) -> None:
    notebooks = importlib.import_module("notebooks")
    (tmp_path / "code.py").write_text("X = 1\n\n\ndef double(x):\n    return 2 * x\n")
    source = tmp_path / "chapter.md"
    source.write_text(CHAPTER)
    notebook = nbformat.reads(notebooks.convert(source), as_version=4)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert [c.source for c in notebook.cells if c.cell_type == "code"] == ["1 + 1"]
    assert "See the rule and [amos2017optnet]." in text
    assert "**Theorem (Sum).**" in text
    assert "$$\nx = 1\n$$" in text
    assert "def double(x):\n    return 2 * x" in text
    assert "X = 1" not in text
    assert r"\begin{aligned}" in text
    assert not any(mark in text for mark in ("{prf", "{cite", "{math", "(anchor)="))


@pytest.mark.parametrize("chapter", sorted((ROOT / "chapters").rglob("*.md")))
def test_every_chapter_converts(chapter: Path, tmp_path: Path) -> None:
    notebooks = importlib.import_module("notebooks")
    shutil.copy(chapter, tmp_path)
    notebook = nbformat.reads(notebooks.convert(chapter), as_version=4)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert "```{" not in text
    assert "}`" not in text


def test_answer_folds_hints_and_tested_code(tmp_path: Path) -> None:
    from companion.exercises import exercises  # noqa: PLC0415 - imports torch

    task = exercises()["optnet-ex-shared"]
    answer = "\n```{answer} optnet-ex-shared\nEach use adds a term.\n```\n"
    page, _, warnings = build(tmp_path, PAGE + answer, RECORD)
    assert page.count('class="dropdown hint') == len(task.hints)
    assert all(hint in page for hint in task.hints)
    assert "Each use adds a term." in page
    assert "rows.sum" in re.sub("<[^>]*>", "", page)
    assert warnings == ""


def test_answer_without_text_and_without_checker_is_an_error(tmp_path: Path) -> None:
    page = PAGE + "\n```{answer} no-such-exercise\n```\n"
    assert "no-such-exercise" in build(tmp_path, page, RECORD)[2]
