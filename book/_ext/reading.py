"""How long a chapter takes to read: counted, so that no chapter grows unseen.

The rates are a convention and no measurement; what they are good for is to compare
chapters. Read are the words and the formulas, the code that is shown, the figures. Not
counted are the exercises, and cells whose code the page does not show.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import notebooks

WORDS = 200.0  # a minute; each sign of a formula counts as a word
LINES = 20.0  # lines of code a minute
FIGURES = 2.0  # a minute
STEP = 5  # minutes; a finer answer would claim more than the rates can hold

UNSEEN = {"remove-input", "hide-input", "remove-cell", "hide-cell"}
FIGURE = re.compile(r"^(?:plots\.)?(?:show|html|draggable)\(", re.MULTILINE)
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)
LAYOUT = re.compile(
    r"\\(?:begin|end)\{\w+\}|\\(?:mathsf|mathrm|operatorname) ?T?|[&\\]"
)
SIGN = re.compile(r"\\?[A-Za-z]+|\d+|[=<>+∥|]")
WORD = re.compile(r"\w[\w’'-]*")
EXERCISES = re.compile(r"^## Exercises$.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Amount:
    """What there is to read."""

    words: int = 0
    signs: int = 0
    lines: int = 0
    figures: int = 0

    @property
    def minutes(self) -> float:
        """At the rates above."""
        text = (self.words + self.signs) / WORDS
        return text + self.lines / LINES + self.figures / FIGURES


def amount(source: Path) -> Amount:
    """Count a chapter as its reader sees it, included code and derivations with it."""
    notebook = jupytext.read(source, fmt="md:myst")
    text, figures = [], 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text.append(notebooks.plain(cell.source, source.parent))
            continue
        figures += len(FIGURE.findall(cell.source))
        if not UNSEEN & set(cell.metadata.get("tags", [])):
            text.append(f"```python\n{cell.source}\n```")
    return _count(EXERCISES.sub("", "\n\n".join(text)), figures)


def minutes(source: Path) -> int:
    """Minutes of reading, to the next multiple of five."""
    return STEP * math.ceil(amount(source).minutes / STEP)


def _count(text: str, figures: int) -> Amount:
    code = "\n".join(CODE.findall(text))
    prose = CODE.sub("", text)
    formulas = LAYOUT.sub(" ", " ".join(FORMULA.findall(prose)))
    return Amount(
        words=len(WORD.findall(FORMULA.sub(" ", prose))),
        signs=len(SIGN.findall(formulas)),
        lines=sum(bool(line.strip()) for line in code.splitlines()),
        figures=figures,
    )
