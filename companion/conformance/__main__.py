"""Run the suite: `python -m companion.conformance --layer NAME [--case NAME] [--json]`.

Prints who passes what, and each failure with a program that shows it.  The exit status
is 1 when anything in the layer's scope falls short, and 2 for a layer, case or property
that does not exist, or a layer that is not installed.  The suite for cone programs is
`python -m companion.conformance.conic`.

Chapter: conformance.md.
"""

from __future__ import annotations

import sys

from companion.conformance import adapters, command, report, suite

BENCH = command.Bench(
    "python -m companion.conformance",
    adapters.KNOWN,
    adapters.layer,
    suite.names,
    suite.run,
    report.QUADRATIC,
)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return the exit status."""
    return command.main(BENCH, arguments)


if __name__ == "__main__":
    sys.exit(main())
