"""What a suite's command does: run a layer, print or keep what came of it.

Chapter: conformance.md.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from companion.conformance import report
from companion.conformance.checks import Outcome
from companion.conformance.layers import Layer


class Bench(NamedTuple):
    """A suite with the layers that it knows: a name gives a layer, or a KeyError."""

    program: str
    known: Iterable[str]
    layer: Callable[[str], Layer]
    names: Callable[[], list[str]]
    run: Callable[[Layer, str | None], Iterator[Outcome]]
    kit: report.Kit


def main(bench: Bench, arguments: list[str] | None) -> int:
    """Run, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog=bench.program)
    parser.add_argument("--layer", required=True, help=", ".join(bench.known))
    parser.add_argument("--case", help="one of the suite's names")
    parser.add_argument("--json", action="store_true", help="print an object")
    parser.add_argument("--record", type=Path, help="file that keeps the results")
    options = parser.parse_args(arguments)
    try:
        layer = bench.layer(options.layer)
        if options.case not in (None, *bench.names()):
            raise KeyError(options.case)
    except (KeyError, ModuleNotFoundError) as error:
        sys.stderr.write(f"not known, or not installed: {error}\n")
        return 2
    outcomes = list(bench.run(layer, options.case))
    if options.record:
        keep(options.record, layer, outcomes, bench.kit)
    write = as_object if options.json else as_text
    sys.stdout.write(write(layer, outcomes, bench.kit) + "\n")
    return 1 if report.failures(outcomes) else 0


def as_text(layer: Layer, outcomes: list[Outcome], kit: report.Kit) -> str:
    """The table, then each failure with its reproduction."""
    counts = {f"{layer.name} {layer.version}": report.tally(outcomes, kit)}
    parts = [report.aligned(report.table(counts, kit))]
    failed = report.failures(outcomes)
    for outcome in failed:
        program = kit.reproduction(layer.name, layer.source, outcome)
        parts.append(f"{report.line(outcome)}\n\n{program}")
    parts.append(f"{len(outcomes) - len(failed)} of {len(outcomes)} checks hold")
    return f"\n\n{'-' * 60}\n".join(parts)


def as_object(layer: Layer, outcomes: list[Outcome], kit: report.Kit) -> str:
    """The record, with the reproductions."""
    kept = {"layer": layer.name, **report.record(layer, outcomes, kit)}
    for entry, outcome in zip(kept["failures"], report.failures(outcomes), strict=True):
        program = kit.reproduction(layer.name, layer.source, outcome)
        entry["reproduction"] = program
    return json.dumps(kept, ensure_ascii=False, indent=1)


def keep(file: Path, layer: Layer, outcomes: list[Outcome], kit: report.Kit) -> None:
    """Put the layer's results into the file, beside those of others."""
    text = file.read_text("utf8") if file.exists() else '{"layers": {}}'
    known: dict[str, Any] = json.loads(text)
    known["date"] = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    known["python"] = platform.python_version()
    if found := list(importlib.metadata.distributions(name="torch")):
        known["torch"] = found[0].version
    known["layers"][layer.name] = report.record(layer, outcomes, kit)
    file.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", "utf8")
