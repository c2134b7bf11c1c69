"""Execute the chapters in parallel into the cache that the site is built from.

Runs on the environment's Python: ``python -m book.driver.execute ROOT CACHE``. Prints
a line per chapter and leaves the seconds of each beside the cache as JSON.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors.utils import (
    ExecutionResult,
    create_cache_bundle,
    single_nb_execution,
)

from book.driver.salt import EXECUTION, digest, leave, unchanged
from book.driver.steps import say

READER = {"name": "myst_nb_md", "type": "plugin"}
CELL_SECONDS = 300  # a cell that takes longer is stopped
FORMATS = (".md", ".ipynb")


def pages(toc: Any) -> Iterator[str]:
    """Documents named in a table of contents, at whatever depth."""
    if isinstance(toc, dict):
        for key, value in toc.items():
            if key in ("file", "root"):
                yield value
            else:
                yield from pages(value)
    elif isinstance(toc, list):
        for entry in toc:
            yield from pages(entry)


def chapters(root: Path) -> list[Path]:
    """Files of the table of contents that have cells to execute."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    named = [root / name for name in pages(toc)]
    files = [path.with_name(path.name + end) for path in named for end in FORMATS]
    files += [path for path in named if path.suffix in FORMATS]
    return [f for f in files if f.is_file() and "{code-cell}" in f.read_text("utf8")]


@dataclass(frozen=True)
class Chapter:
    """A chapter as the cache knows it."""

    name: str
    staged: Any
    budget: float

    def execute(self) -> ExecutionResult:
        """Run the cells in the chapter's own folder, in a kernel of its own."""
        folder = str(Path(self.staged.uri).parent)
        return single_nb_execution(
            self.staged.nb, folder, timeout=CELL_SECONDS, allow_errors=False
        )

    def report(self, result: ExecutionResult) -> str:
        """Line that says how long the cells took, or that they failed."""
        if result.err:
            return f"  {self.name}: FAILED after {result.time:.1f} s"
        over = f" (budget: {self.budget:g} s)" if 0 < self.budget < result.time else ""
        return f"  {self.name}: {result.time:.1f} s{over}"


def stage(cache: Any, root: Path) -> list[Chapter]:
    """Chapters of the table of contents, the longest first so that cores stay busy."""
    for record in cache.list_project_records():
        cache.remove_nb_from_project(record.pk)
    staged = []
    for file in chapters(root):
        record = cache.add_nb_to_project(str(file), read_data=READER)
        notebook = cache.get_project_notebook(record.pk)
        seconds = notebook.nb.metadata.get("companion", {}).get("seconds", 0)
        staged.append(Chapter(file.relative_to(root).as_posix(), notebook, seconds))
    return sorted(staged, key=lambda chapter: -chapter.budget)


def known(cache: Any, chapter: Chapter) -> float | None:
    """Seconds that the chapter took when it was cached; None if it has to run."""
    try:
        return cache.match_cache_notebook(chapter.staged.nb).data["execution_seconds"]
    except KeyError:
        return None


def execute(cache: Any, todo: list[Chapter]) -> dict[str, Any]:
    """Execute and cache; seconds or traceback of each chapter."""
    outcome: dict[str, Any] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        running = {pool.submit(chapter.execute): chapter for chapter in todo}
        for future in as_completed(running):
            chapter, result = running[future], future.result()
            say(chapter.report(result))
            outcome[chapter.name] = result.exc_string if result.err else result.time
            if not result.err:
                bundle = create_cache_bundle(
                    chapter.staged, result.cwd, None, result.time, None
                )
                cache.cache_notebook_bundle(
                    bundle, check_validity=False, overwrite=True
                )
    return outcome


def main(root: Path, place: Path) -> int:
    """Bring the cache up to date; the number of chapters that failed."""
    salt, mark = digest(root, EXECUTION), place.with_suffix(".salt")
    if not unchanged(mark, salt):
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    leave(mark, salt)
    start, cache = time.perf_counter(), get_cache(place)
    staged = stage(cache, root)
    seconds: dict[str, Any] = {
        chapter.name: known(cache, chapter) for chapter in staged
    }
    todo = [chapter for chapter in staged if seconds[chapter.name] is None]
    seconds |= execute(cache, todo)
    failed = {name: trace for name, trace in seconds.items() if isinstance(trace, str)}
    for name, trace in failed.items():
        print(f"\n----- {name}\n{trace}", file=sys.stderr)
    place.with_suffix(".json").write_text(json.dumps(seconds, indent=1), "utf8")
    say(
        f"chapters: {len(todo) - len(failed)} executed, {len(failed)} failed,"
        f" {len(staged) - len(todo)} unchanged: {time.perf_counter() - start:.1f} s"
    )
    for name in failed:
        say(f"failed: {name}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]), Path(sys.argv[2]))))
