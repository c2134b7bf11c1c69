"""Write the cone programs anew: `python -m companion.conformance.conic.generate`.

An argument is a folder to write into, in place of the package's own.

Chapter: conformance.md.
"""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any

from companion.conformance.conic import families

FOLDER = Path(__file__).parents[1] / "cones"
FILES = {
    "closed-form.json": (families.closed_forms,),
    "triangles.json": (families.triangles,),
    "products.json": (families.products,),
    "irregular.json": (families.irregular,),
    "without-solution.json": (families.infeasible, families.unbounded),
}


def text(entries: list[dict[str, Any]]) -> str:
    """The cases as JSON, a line for each field."""
    return "[\n" + ",\n".join(map(_object, entries)) + "\n]\n"


def _object(entry: dict[str, Any]) -> str:
    lines = [
        f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}"
        for k, v in entry.items()
    ]
    return " {\n" + ",\n".join(lines) + "\n }"


def main(arguments: list[str] | None = None) -> int:
    """Write every file into the folder, by default the package's own."""
    given = sys.argv[1:] if arguments is None else arguments
    folder = Path(given[0]) if given else FOLDER
    for name, makers in FILES.items():
        entries = list(chain.from_iterable(make() for make in makers))
        (folder / name).write_text(text(entries), "utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
