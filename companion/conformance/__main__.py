"""Run the suite: `python -m companion.conformance --layer NAME [--case NAME] [--json]`.

Prints who passes what, and each failure with a program that shows it.  The exit status
is 1 when anything in the layer's scope falls short, and 2 for a layer, case or property
that does not exist, or a layer that is not installed.

Chapter: conformance.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
from pathlib import Path
from typing import Any

from companion.conformance import adapters, report, suite
from companion.conformance.checks import Outcome
from companion.conformance.layers import Layer


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion.conformance")
    parser.add_argument("--layer", required=True, help=", ".join(adapters.KNOWN))
    parser.add_argument("--case", help="one case or property")
    parser.add_argument("--json", action="store_true", help="print an object")
    parser.add_argument("--record", type=Path, help="file that keeps the results")
    options = parser.parse_args(arguments)
    try:
        layer = adapters.layer(options.layer)
        if options.case not in (None, *suite.names()):
            raise KeyError(options.case)
    except (KeyError, ModuleNotFoundError) as error:
        sys.stderr.write(f"not known, or not installed: {error}\n")
        return 2
    outcomes = list(suite.run(layer, options.case))
    if options.record:
        keep(options.record, layer, outcomes)
    write = as_object if options.json else as_text
    sys.stdout.write(write(layer, outcomes) + "\n")
    return 1 if report.failures(outcomes) else 0


def as_text(layer: Layer, outcomes: list[Outcome]) -> str:
    """The table, then each failure with its reproduction."""
    rows = report.table({f"{layer.name} {layer.version}": report.tally(outcomes)})
    parts = [report.aligned(rows)]
    failed = report.failures(outcomes)
    for outcome in failed:
        program = report.reproduction(layer.name, layer.source, outcome)
        parts.append(f"{report.line(outcome)}\n\n{program}")
    parts.append(f"{len(outcomes) - len(failed)} of {len(outcomes)} checks hold")
    return f"\n\n{'-' * 60}\n".join(parts)


def as_object(layer: Layer, outcomes: list[Outcome]) -> str:
    """The record, with the reproductions."""
    kept = {"layer": layer.name, **report.record(layer, outcomes)}
    for entry, outcome in zip(kept["failures"], report.failures(outcomes), strict=True):
        program = report.reproduction(layer.name, layer.source, outcome)
        entry["reproduction"] = program
    return json.dumps(kept, ensure_ascii=False, indent=1)


def keep(file: Path, layer: Layer, outcomes: list[Outcome]) -> None:
    """Put the layer's results into the file, beside those of others."""
    text = file.read_text("utf8") if file.exists() else '{"layers": {}}'
    known: dict[str, Any] = json.loads(text)
    known["date"] = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    known["python"] = platform.python_version()
    known["torch"] = adapters.torch_version()
    known["layers"][layer.name] = report.record(layer, outcomes)
    file.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    sys.exit(main())
