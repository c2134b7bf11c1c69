"""Write the cases anew: `python -m companion.conformance.generate [FOLDER]`.

Chapter: conformance.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from companion.conformance.cases import Case, written
from companion.conformance.degenerate import degenerate, without_solution
from companion.conformance.families import regular

FOLDER = Path(__file__).parent / "cases"
FILES = {
    "regular.json": regular,
    "degenerate.json": degenerate,
    "without-solution.json": without_solution,
}


def text(cases: list[Case]) -> str:
    """The cases as JSON, a line for each field."""
    return "[\n" + ",\n".join(_object(written(case), " ") for case in cases) + "\n]\n"


def _object(entry: dict[str, Any], indent: str) -> str:
    lines = [f"{indent} {json.dumps(k)}: {_value(k, v)}" for k, v in entry.items()]
    return indent + "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _value(key: str, value: Any) -> str:
    def line(part: Any) -> str:
        return json.dumps(part, ensure_ascii=False, separators=(",", ":"))

    if key in ("vjps", "one_sided"):
        return "[\n" + ",\n".join(f"   {line(part)}" for part in value) + "\n  ]"
    return line(value)


def main(arguments: list[str] | None = None) -> int:
    """Write every file into the folder, by default the package's own."""
    given = sys.argv[1:] if arguments is None else arguments
    folder = Path(given[0]) if given else FOLDER
    for name, make in FILES.items():
        (folder / name).write_text(text(make()), "utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
