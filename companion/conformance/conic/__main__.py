"""Run the suite for cones: `python -m companion.conformance.conic --layer NAME`.

Options and exit status are those of `python -m companion.conformance`.

Chapter: conformance.md.
"""

from __future__ import annotations

import sys

from companion.conformance import command
from companion.conformance.conic import adapters, report, suite

BENCH = command.Bench(
    "python -m companion.conformance.conic",
    adapters.KNOWN,
    adapters.layer,
    suite.names,
    suite.run,
    report.CONES,
)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return the exit status."""
    return command.main(BENCH, arguments)


if __name__ == "__main__":
    sys.exit(main())
