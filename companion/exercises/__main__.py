"""Commands: `list`, and `check LABEL FILE`.

Chapter: optnet.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from companion.exercises import check, exercises


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the answer passes."""
    parser = argparse.ArgumentParser(prog="python -m companion.exercises")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every exercise")
    one = commands.add_parser("check", help="check an answer")
    one.add_argument("label", choices=sorted(exercises()))
    one.add_argument("answer", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "list":
        rows = (f"{label}  {e.prompt}\n" for label, e in exercises().items())
        sys.stdout.writelines(rows)
        return 0
    task = exercises()[options.label]
    verdict = check(options.label, task.define(options.answer.read_text("utf-8")))
    sys.stdout.write(f"{verdict}\n")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
