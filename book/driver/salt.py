"""Hashes that decide what has to run again.

jupyter-cache keys a chapter by its cells alone, so a change in the package that the
cells import would leave stale output on the page. The salt covers everything else.
"""

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path

CODE = ("companion", "requirements.txt")
RECORD = ("book/benchmarks.json", "book/benchmarks.py")
EXECUTION = (*CODE, "_config.yml", "book/_ext", "book/_ipython", *RECORD)
SITE = (*EXECUTION, "_toc.yml", "book", "chapters", "pyproject.toml", "CITATION.cff")
IGNORED = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


def files_under(path: Path) -> list[Path]:
    """Files at or under a path, sorted, without the caches that Python leaves."""
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not IGNORED.intersection(file.parts)
    )


def digest(root: Path, names: Iterable[str], *extra: str) -> str:
    """Hash of names and contents of the files, of the Python, and of extra words."""
    total = hashlib.sha256()
    for word in (platform.python_version(), platform.platform(), *extra):
        total.update(word.encode() + b"\0")
    for file in sorted({f for name in names for f in files_under(root / name)}):
        total.update(file.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def unchanged(mark: Path, salt: str) -> bool:
    """Whether the mark left by the last success carries this salt."""
    return mark.is_file() and mark.read_text("utf8") == salt


def leave(mark: Path, salt: str) -> None:
    """Leave a mark of success."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(salt, "utf8")
