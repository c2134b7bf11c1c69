"""Measure the layers beside their peers: ``python -m tests.benchmarks``.

``make bench`` runs it in an environment that has the peers.  ``--only dense sparse``
chooses groups of workloads, ``--peers qpth`` contestants, ``--quick`` does with fewer
calls, ``--record`` keeps the results for the book, and ``--resume`` goes on with a run
that was stopped.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("qp", "cones")
RECORD = ROOT / "book" / "benchmarks.json"
RESULT = ROOT / "_build" / "benchmarks.json"
HEAD = ("workload", "layer", "forward", "both, ms", "ratio", "wanted", "error", "worst")


def known() -> list[str]:
    """Families whose layer there is."""
    needs = dict(zip(FAMILIES, ("qp", "cone_program"), strict=True))
    found = importlib.util.find_spec
    return [f for f in FAMILIES if found(f"companion.layers.{needs[f]}")]


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="groups of workloads")
    parser.add_argument("--peers", nargs="*", default=[], help="names; all if none")
    parser.add_argument("--families", nargs="*", default=known())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds, 1 s a row")
    parser.add_argument("--no-costs", dest="costs", action="store_false")
    parser.add_argument("--resume", action="store_true", help="keep measured rows")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    return parser.parse_args()


def shown(row: Any) -> str:
    """A row of the table."""
    start = f"{row.case:24}{row.contestant:21}"
    if row.failure:
        return f"{start}  failed: {row.failure}"
    verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
    if row.correct is False:
        verdict = "WRONG GRADIENT"
    floor = "" if row.floor is None else f"≥ {row.floor:g}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    times = f"{row.forward:10.2f}{row.both:10.2f}{ratio:>9}"
    pair = ("" if v is None else f"{v:.0e}" for v in (row.median, row.worst))
    return f"{start}{times}  {floor:7}{''.join(f'{v:>8}' for v in pair)}  {verdict}"


def contest(choice: argparse.Namespace, facts: dict[str, Any]) -> None:
    """Add the rows of the chosen families to the facts, and keep them as they come."""
    from tests.benchmarks import contest as field  # noqa: PLC0415 - after THREADS

    effort = field.Effort(2, 1.0) if choice.quick else field.Effort(choice.rounds)
    known = {(row["family"], row["case"]) for row in facts["rows"]}
    for family in choice.families:
        module = importlib.import_module(f"tests.benchmarks.{family}")
        print(f"\n{module.ABOUT}")
        print("{:24}{:21}{:>10}{:>10}{:>9}  {:7}{:>8}{:>8}".format(*HEAD))
        floor = field.Contest(family, effort)
        for case in module.cases():
            skipped = choice.only and case.group not in choice.only
            if skipped or (family, case.name) in known:
                continue
            asked = choice.peers or case.contestants
            others = [n for n in case.contestants if n in asked and n != field.OURS]
            for row in floor.run(case, [field.OURS, *others]):
                kept = {**asdict(row), "met": row.met, "correct": row.correct}
                facts["rows"].append(kept)
                print(shown(row), flush=True)
            write(facts, RESULT)
        floor.close()


def write(facts: dict[str, Any], file: Path) -> None:
    """Keep what was measured."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf8")


def main() -> None:
    """Print the tables, and write what they are made of."""
    choice = options()
    os.environ |= dict.fromkeys(THREADS, "1") | {"RAYON_NUM_THREADS": "1"}
    from tests.benchmarks import costs, machine  # noqa: PLC0415 - after THREADS

    facts: dict[str, Any] = {
        "machine": machine.facts(),
        "load": [machine.load()],
        "peers": machine.peers(),
        "whole": not (choice.only or choice.peers),
        "quick": choice.quick,
        "costs": None,
        "rows": [],
    }
    if choice.resume and RESULT.is_file():
        facts |= json.loads(RESULT.read_text("utf8"))
    contest(choice, facts)
    if choice.costs and not facts["costs"]:
        facts["costs"] = costs.measured()
    facts["load"] = [facts["load"][0], machine.load()]
    verdicts = [row["met"] for row in facts["rows"] if row["met"] is not None]
    print(f"\n{sum(verdicts)} of {len(verdicts)} floors met")
    for file in (RESULT, RECORD) if choice.record else (RESULT,):
        write(facts, file)
        print(file)


if __name__ == "__main__":
    main()
