"""The theorem graph: edges read off pages, no circle, citations that shine through."""

from __future__ import annotations

import importlib
import io
import json
import sys
from pathlib import Path

import pytest
from sphinx.application import Sphinx

EXT = Path(__file__).resolve().parents[2] / "book" / "_ext"
CONFIG = """
extensions = [
    "sphinx_proof", "sphinxcontrib.bibtex", "myst_parser", "statements", "uses",
    "theorem_graph",
]
bibtex_bibfiles = ["refs.bib"]
"""
PARTS = ("records", "statements", "uses", "theorem_graph")
STATEMENT = "```{{prf:theorem}} {title}\n:label: {label}\n\n{text}\n```\n\n"
PROOF = "```{{prf:proof}}\n{text}\n```\n\n"


@pytest.fixture(autouse=True)
def extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of extensions on the path, as jupyter-book puts it."""
    monkeypatch.syspath_prepend(str(EXT))
    for name in PARTS:
        monkeypatch.delitem(sys.modules, name, raising=False)


def record(label: str, *levels: str, uses: tuple[str, ...] = ()) -> dict:
    checks = [] if levels == ("cited",) else [{"name": "x", "level": levels[0]}]
    return {
        "label": label,
        "claim": "",
        "levels": list(levels),
        "checks": checks,
        "controls": [],
        "uses": list(uses),
        "seconds": 0.0,
        "passed": True,
    }


def build(folder: Path, page: str, *records: dict) -> tuple[str, str]:
    """The page of a small book, and its warnings."""
    source = folder / "source"
    (source / "_build").mkdir(parents=True)
    (source / "book").mkdir()
    (source / "conf.py").write_text(CONFIG)
    (source / "refs.bib").write_text(
        "@book{someone, title={T}, author={A. B}, year={2000}, publisher={P}}"
    )
    toc = "```{toctree}\nbook/evidence\n```\n"
    end = "```{bibliography}\n```\n"
    (source / "index.md").write_text(f"# Page\n\n{page}\n{toc}{end}")
    (source / "book" / "evidence.md").write_text("# Ledger\n")
    (source / "_build" / "evidence.json").write_text(json.dumps(records))
    warnings = io.StringIO()
    app = Sphinx(
        str(source), str(source), str(folder / "out"), str(folder / "trees"), "html",
        status=None, warning=warnings,
    )  # fmt: skip
    app.build()
    return (folder / "out" / "index.html").read_text(), warnings.getvalue()


def three(*, last: str = "") -> str:
    """A cited fact, a theorem whose proof refers to it, and one that names that."""
    return (
        STATEMENT.format(title="Fact", label="fact", text=last or "A fact.")
        + STATEMENT.format(title="Middle", label="middle", text="A claim.")
        + PROOF.format(text="By {prf:ref}`fact`.")
        + STATEMENT.format(title="End", label="end", text="As {prf:ref}`middle`.")
        + "```{theorem-graph}\n```\n\n```{theorem-list}\n```\n\n"
        + "```{reading-paths}\n```\n"
    )


RECORDS = (
    record("fact", "cited"),
    record("middle", "symbolic, any size"),
    record("end", "numeric", uses=("fact",)),
)


def test_edges_come_from_statement_proof_and_record(tmp_path: Path) -> None:
    page, warnings = build(tmp_path, three(), *RECORDS)
    for used, user in (("fact", "middle"), ("middle", "end"), ("fact", "end")):
        assert f'data-used="{used}" data-user="{user}"' in page
    assert page.count("data-used=") == 3
    assert "circle" not in warnings


def test_what_rests_on_a_cited_fact_says_so(tmp_path: Path) -> None:
    page, _ = build(tmp_path, three(), *RECORDS)
    badges = page.split('<p class="evidence-badge"')[1:]
    assert ['class="leans"' in badge.split("</p>")[0] for badge in badges] == [
        False,
        True,
        True,
    ]
    assert 'class="node any-size leans"' in page


def test_a_proof_that_cites_counts_as_resting_on_the_literature(tmp_path: Path) -> None:
    alone = STATEMENT.format(title="One", label="one", text="A claim.")
    page, _ = build(
        tmp_path,
        alone + PROOF.format(text="See {cite:t}`someone`."),
        record("one", "numeric"),
    )
    assert "works cited in its proof" in page


def test_a_circle_is_a_warning(tmp_path: Path) -> None:
    page = three(last="See {prf:ref}`end`.")
    _, warnings = build(tmp_path, page, *RECORDS)
    assert "in a circle: ['end', 'fact', 'middle']" in warnings


def test_path_lists_what_is_needed_in_order(tmp_path: Path) -> None:
    page, _ = build(tmp_path, three(), *RECORDS)
    path = page.split('class="reading-path"')[1].split("</details>")[0]
    assert "To End: 3 statements of 3" in path
    assert path.index("Fact") < path.index("Middle") < path.rindex("End")
    assert page.count('class="reading-path"') == 1


def test_order_leaves_out_what_stands_in_a_circle() -> None:
    uses = importlib.import_module("uses")
    graph = {"a": set(), "b": {"a", "c"}, "c": {"b"}, "d": {"a"}}
    assert uses.order(graph, list("dcba")) == ["a", "d"]
