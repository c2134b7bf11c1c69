"""What the run left behind: the records of the evidence and the facts of the run."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


@cache
def _evidence(root: Path) -> dict[str, dict[str, Any]]:
    path = root / "_build" / "evidence.json"
    if path.is_file():
        text = path.read_text("utf8")
    else:
        command = [sys.executable, "-m", "companion.proofs", "--json"]
        text = subprocess.run(
            command, cwd=root, check=False, capture_output=True, text=True
        ).stdout
    return {record["label"]: record for record in json.loads(text or "[]")}


def evidence(app: Sphinx) -> dict[str, dict[str, Any]]:
    """Records by label, from the driver's run or else from a run of our own."""
    return _evidence(Path(app.srcdir))


def run(app: Sphinx) -> dict[str, Any]:
    """Date, commit, versions and seconds of the run; empty where there was none."""
    path = Path(app.srcdir) / "_build" / "run.json"
    return json.loads(path.read_text("utf8")) if path.is_file() else {}


def count(number: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
