"""The file of results: what was measured, where, and what may be added to it.

A run that was stopped goes on only where it began: with the same code, machine,
versions and effort.  Rows from elsewhere are let in on request, and the file says so.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.benchmarks import machine

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("companion", "tests/benchmarks", "tests/real.py")
SAME = ("cpu", "cores", "memory", "system", "python", "commit", "code", "versions")

Facts = dict[str, Any]


class MixedError(ValueError):
    """Results that cannot stand beside those of this run."""


def code() -> str:
    """A digest of what is measured, and of what measures it."""
    found = hashlib.sha256()
    for place in SOURCES:
        files = (
            [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py")
        )
        for file in sorted(files):
            found.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return found.hexdigest()[:12]


def opened(effort: Facts, device: str) -> Facts:
    """A file without rows."""
    about = machine.facts() | {"code": code()}
    if device != "cpu":
        about["device"] = machine.accelerator()
    return {
        "machine": about,
        "load": [machine.load()],
        "peers": machine.peers(),
        "effort": effort,
        "quick": effort["quick"],
        "missing": [],
        "mixed": [],
        "seconds": {},
        "costs": None,
        "rows": [],
    }


def differences(old: Facts, new: Facts) -> list[str]:
    """What two runs do not share, by name, as it was and as it is."""
    pairs = [
        (k, old["machine"].get(k), new["machine"].get(k)) for k in (*SAME, "device")
    ]
    pairs += [("peers", old["peers"]["versions"], new["peers"]["versions"])]
    pairs += [("effort", old.get("effort"), new["effort"])]
    plain = json.loads(json.dumps(pairs))
    return [f"{name}: {was!r}, now {now!r}" for name, was, now in plain if was != now]


def resumed(old: Facts, new: Facts, *, mix: bool) -> Facts:
    """The old rows, to go on with; MixedError unless they fit or `mix` is set."""
    apart = differences(old, new)
    if apart and not mix:
        msg = (
            "cannot go on with rows that were measured elsewhere: "
            + "; ".join(apart)
            + ". Start anew without --resume, or add --mix, and the page will say it."
        )
        raise MixedError(msg)
    kept = {
        key: old[key] for key in ("rows", "costs", "seconds", "mixed") if key in old
    }
    facts = {**new, **kept}
    if apart:
        facts["mixed"] = [*facts["mixed"], *apart]
    return facts


def read(file: Path) -> Facts:
    """What a file holds."""
    return json.loads(file.read_text("utf8"))


def write(facts: Facts, file: Path) -> None:
    """Keep what was measured, the old file whole until the new one is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
    part = file.with_suffix(".part")
    part.write_text(text, "utf8")
    part.replace(file)


def finished(facts: Facts, family: str, case: str) -> bool:
    """Whether a workload has its rows."""
    return any((row["family"], row["case"]) == (family, case) for row in facts["rows"])
