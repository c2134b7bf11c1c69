"""A chapter as a notebook that reads well anywhere: no directive is left in it.

Theorems become Markdown with a bold head, included code becomes a code block,
derivations become their formulas, references become their words.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import nbformat
from answers import known
from derivations import displays

OPEN = re.compile(r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<key>[\w-]+):\s*(?P<value>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]*)`")
TARGET = re.compile(r"^(?P<words>.*?)\s*<[^>]*>$", re.DOTALL)
ANCHOR = re.compile(r"^\([\w-]+\)=\s*$")


def convert(source: Path) -> str:
    """The notebook's JSON; cells keep their code, text loses its directives."""
    notebook = jupytext.read(source, fmt="md:myst")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, source.parent)
    notebook.metadata.pop("companion", None)
    nbformat.validate(notebook)
    return nbformat.writes(notebook)


def plain(text: str, folder: Path) -> str:
    """Markdown without directives, roles and anchors; blocks are read recursively."""
    out: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        opened = OPEN.match(line)
        if opened:
            inner: list[str] = []
            for inside in lines:
                if inside.strip() == opened["fence"]:
                    break
                inner.append(inside)
            out += _block(opened["name"], opened["argument"], inner, folder)
        elif not ANCHOR.match(line):
            out.append(ROLE.sub(_role, line))
    return "\n".join(out)


def _role(match: re.Match[str]) -> str:
    target = TARGET.match(match["text"])
    if target and target["words"]:
        return target["words"]
    if match["name"] == "math":
        return f"${match['text']}$"
    if match["name"].startswith("cite"):
        return f"[{match['text']}]"
    return match["text"]


def _split(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    for k, line in enumerate(lines):
        option = OPTION.match(line)
        if not option:
            return options, lines[k:]
        options[option["key"]] = option["value"]
    return options, []


def _block(name: str, argument: str, lines: list[str], folder: Path) -> list[str]:
    options, body = _split(lines)
    if name == "literalinclude":
        return ["```python", _included(folder / argument, options), "```"]
    if name == "derivation":
        return _derivation(argument)
    if name == "answer":
        return _answer(argument.strip(), body, folder)
    if name == "math":
        return ["$$", *(line for line in body if line.strip()), "$$"]
    inner = plain("\n".join(body), folder).splitlines()
    if name in ("bibliography", "raw", "evidence-ledger"):
        return []
    kind = name.removeprefix("prf:").replace("-", " ").capitalize()
    title = f" ({ROLE.sub(_role, argument)})" if argument and name != "solution" else ""
    return ["", f"**{kind}{title}.**", "", *inner, ""]


def _included(path: Path, options: dict[str, str]) -> str:
    """The named object of a file, or all of it."""
    text = path.read_text("utf8")
    wanted = options.get("pyobject")
    if not wanted:
        return text.rstrip()
    node: ast.AST = ast.parse(text)
    for part in wanted.split("."):
        inside = getattr(node, "body", [])
        node = next(n for n in inside if getattr(n, "name", None) == part)
    return ast.get_source_segment(text, node) or ""


def _answer(label: str, body: list[str], folder: Path) -> list[str]:
    """Hints and solution, folded, as the page has them."""
    task, parts = known(label), []
    for k, hint in enumerate(task.hints if task else (), 1):
        parts.append((f"Hint {k}", [hint]))
    code = ["", "```python", task.solution.strip(), "```"] if task else []
    solution = plain("\n".join(body), folder).splitlines()
    parts.append(("Solution", [*solution, *code]))
    out: list[str] = []
    for title, lines in parts:
        head = f"<details><summary>{title}</summary>"
        out += ["", head, "", *lines, "", "</details>"]
    return out


def _derivation(label: str) -> list[str]:
    from companion.proofs import derivation  # noqa: PLC0415 - only chapters that need it

    out: list[str] = []
    steps = derivation(label)
    for k, (step, formula) in enumerate(zip(steps, displays(steps), strict=True), 1):
        out += [f"{k}. {step.rule}", "", f"   $${formula}$$", ""]
    return out
