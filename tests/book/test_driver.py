"""The build driver on scratch books: nothing stale, failures that name the step."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import companion
from book.driver import commands, environment, pdf, salt, site
from book.driver.steps import StepFailedError, run

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
title: Scratch
only_build_toc_files: true
exclude_patterns: [".*", companion, book]
execute: {execute_notebooks: cache, timeout: 60, run_in_temp: false}
"""
CHAPTER = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A chapter

```{code-cell} ipython3
import companion
print("the constant is", companion.CONSTANT)
```
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A book of one chapter, in a path with a space, with the project's driver."""
    place = tmp_path / "a book"
    for folder in ("companion/proofs", "chapters", "book"):
        (place / folder).mkdir(parents=True)
    for name in ("book/driver", "book/_ipython"):
        shutil.copytree(ROOT / name, place / name)
    for name in ("book/__init__.py", "book/__main__.py", "pyproject.toml"):
        shutil.copyfile(ROOT / name, place / name)
    shutil.copyfile(ROOT / "requirements.txt", place / "requirements.txt")
    (place / "_config.yml").write_text(CONFIG)
    (place / "_toc.yml").write_text("format: jb-book\nroot: chapters/only\n")
    (place / "chapters" / "only.md").write_text(CHAPTER)
    (place / "companion" / "__init__.py").write_text("CONSTANT = 41\n")
    (place / "companion" / "proofs" / "__init__.py").touch()
    (place / "companion" / "proofs" / "__main__.py").write_text("print('[]')\n")
    return place


def build(place: Path) -> subprocess.CompletedProcess[str]:
    """Run the scratch book's own driver in the environment that runs this test."""
    code = (
        "import sys; from book.driver import environment, site\n"
        "from book.driver.steps import StepFailedError\n"
        "environment.installed = lambda: None\n"
        "try: site.book()\n"
        "except StepFailedError as failure: sys.exit(str(failure))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env={**os.environ, "BOOK_VENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_changed_constant_changes_the_page(scratch: Path) -> None:
    page = scratch / "_build" / "html" / "chapters" / "only.html"
    first = build(scratch)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "the constant is 41" in page.read_text("utf8")
    assert "nothing changed" in build(scratch).stdout
    (scratch / "companion" / "__init__.py").write_text("CONSTANT = 1742\n")
    second = build(scratch)
    assert "1 executed" in second.stdout
    assert "the constant is 1742" in page.read_text("utf8")
    assert "the constant is 41" not in page.read_text("utf8")


@pytest.mark.slow
def test_a_failing_chapter_is_named(scratch: Path) -> None:
    (scratch / "companion" / "__init__.py").write_text("")
    done = build(scratch)
    assert done.returncode != 0
    assert "failed: chapters/only.md" in done.stdout
    assert "AttributeError" in done.stderr
    assert "FAILED: execute the chapters" in done.stderr
    assert "What to do:" in done.stderr
    assert not (scratch / "_build" / "html" / "index.html").exists()


@pytest.mark.slow
def test_failing_evidence_stops_the_build(scratch: Path) -> None:
    (scratch / "companion" / "proofs" / "__main__.py").write_text(
        "raise SystemExit(1)\n"
    )
    done = build(scratch)
    assert "FAILED: evidence" in done.stderr


@pytest.mark.parametrize(
    "name", ["companion/__init__.py", "requirements.txt", "_config.yml"]
)
def test_salt_depends_on_what_a_page_can_show(scratch: Path, name: str) -> None:
    before = salt.digest(scratch, salt.EXECUTION)
    assert salt.digest(scratch, salt.EXECUTION) == before
    path = scratch / name
    path.write_text(path.read_text("utf8").replace("1", "2") + "\n")
    assert salt.digest(scratch, salt.EXECUTION) != before


def test_salt_ignores_bytecode_and_sees_renames(scratch: Path) -> None:
    before = salt.digest(scratch, salt.CODE)
    (scratch / "companion" / "__pycache__").mkdir()
    (scratch / "companion" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert salt.digest(scratch, salt.CODE) == before
    (scratch / "companion" / "__init__.py").rename(scratch / "companion" / "other.py")
    assert salt.digest(scratch, salt.CODE) != before


def test_a_failing_step_is_named_with_advice() -> None:
    with pytest.raises(
        StepFailedError, match=r"FAILED: boil.*\n.*do: add water"
    ) as caught:
        run(
            sys.executable, "-c", "raise SystemExit(7)", step="boil", advice="add water"
        )
    assert caught.value.status == 7
    with pytest.raises(StepFailedError, match="no-such-program not found"):
        run("no-such-program", step="boil", advice="add water")


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["bake"]) == 2
    assert "no command 'bake'" in capsys.readouterr().out


def test_every_command_is_a_make_target(capsys: pytest.CaptureFixture[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf8")
    line = next(row for row in makefile.splitlines() if row.startswith("TARGETS"))
    assert set(line.split(":=")[1].split()) == set(commands.COMMANDS)
    assert commands.main(["help"]) == 0
    assert "  book " in capsys.readouterr().out


def test_free_port_is_another_when_the_first_is_taken() -> None:
    with commands.socket.socket() as taken:
        taken.bind(("127.0.0.1", commands.free_port()))
        assert commands.free_port() != taken.getsockname()[1]


def test_lock_pins_torch_for_every_platform_and_nothing_that_follows_it() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    followers = [line for line in lines if environment.FOLLOWS_TORCH.match(line)]
    assert followers == [environment.TORCH]
    assert all("==" in line and "file:" not in line for line in lines)


def test_edition_is_the_version_of_the_package() -> None:
    assert site.edition() == companion.__version__


def test_the_single_page_is_found_again_after_a_printing_that_failed(
    tmp_path: Path,
) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.html").write_text("the whole book")
    (tmp_path / "genindex.html").write_text("an index that happens to be longer")
    pages = [pdf.single_page(tmp_path) for _ in range(2)]
    assert {page.read_text() for page in pages} == {"the whole book"}
