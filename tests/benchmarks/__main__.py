"""Measure the layers beside their peers: ``python -m tests.benchmarks``.

``make bench`` runs it in an environment that has the peers.  ``--only dense sparse``
chooses groups of workloads, ``--peers qpth`` contestants, ``--quick`` does with fewer
calls, ``--record`` keeps the results for the book, and ``--resume`` goes on with a run
that was stopped.  ``--device cuda`` runs the dense workloads of ours and of qpth on a
GPU.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.benchmarks.contest import Effort
    from tests.benchmarks.family import Case
    from tests.benchmarks.ledger import Facts

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("qp", "cones")
RECORD = ROOT / "book" / "benchmarks.json"
BUILD = ROOT / "_build"
HEAD = ("workload", "layer", "forward", "both, ms", "ratio", "wanted", "error", "worst")
GPU_GROUPS, GPU_PEERS = ("dense", "grid"), ("qpth",)


def known() -> list[str]:
    """Families whose layer there is."""
    needs = dict(zip(FAMILIES, ("qp", "cone_program"), strict=True))
    found = importlib.util.find_spec
    return [f for f in FAMILIES if found(f"companion.layers.{needs[f]}")]


def options(words: list[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="groups, or workloads")
    parser.add_argument("--peers", nargs="*", default=[], help="names; all if none")
    parser.add_argument("--families", nargs="*", default=known())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds, 1 s a row")
    parser.add_argument("--no-costs", dest="costs", action="store_false")
    parser.add_argument("--resume", action="store_true", help="keep measured rows")
    parser.add_argument("--mix", action="store_true", help="those of other runs too")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    choice = parser.parse_args(words)
    if choice.record and not choice.costs:
        parser.error("--record needs the costs, which --no-costs leaves out")
    if choice.device == "cuda":
        if choice.record:
            parser.error("--record is for the processor; the page has no GPU's rows")
        for_gpu(choice)
    return choice


def for_gpu(choice: argparse.Namespace) -> None:
    """Only what runs there: dense quadratic programs, by ours and by qpth."""
    choice.families, choice.costs = ["qp"], False
    asked = choice.peers or GPU_PEERS
    choice.peers = [name for name in GPU_PEERS if name in asked] or ["companion"]


def shown(row: Any) -> str:
    """A row of the table."""
    start = f"{row.case:27}{row.contestant:29}"
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


def chosen(choice: argparse.Namespace) -> Iterator[tuple[str, Case]]:
    """Families and their workloads, as far as they were asked for."""
    for family in choice.families:
        for case in importlib.import_module(f"tests.benchmarks.{family}").cases():
            if choice.device == "cuda" and case.group not in GPU_GROUPS:
                continue
            if not choice.only or {case.group, case.name} & set(choice.only):
                yield family, case


def contest(choice: argparse.Namespace, effort: Effort, facts: Facts) -> None:
    """Add the rows that are missing to the facts, and keep them as they come."""
    from tests.benchmarks import ledger  # noqa: PLC0415 - after THREADS
    from tests.benchmarks.contest import OURS, Contest  # noqa: PLC0415

    rings: dict[str, Contest] = {}
    for family, case in chosen(choice):
        if ledger.finished(facts, family, case.name):
            continue
        if family not in rings:
            close(rings)
            print(f"\n{importlib.import_module(f'tests.benchmarks.{family}').ABOUT}")
            print("{:27}{:29}{:>10}{:>10}{:>9}  {:7}{:>8}{:>8}".format(*HEAD))
            rings[family] = Contest(family, effort, choice.device)
        asked, start = choice.peers or case.contestants, time.monotonic()
        others = [n for n in case.contestants if n in asked and n != OURS]
        for row in rings[family].run(case, [OURS, *others]):
            kept = {**asdict(row), "met": row.met, "correct": row.correct}
            facts["rows"].append(kept)
            print(shown(row), flush=True)
        facts["seconds"][case.name] = round(time.monotonic() - start, 1)
        ledger.write(facts, result(choice.device))
    close(rings)


def close(rings: dict[str, Any]) -> None:
    """End the processes of families that are done."""
    while rings:
        rings.popitem()[1].close()


def result(device: str) -> Path:
    """The file of a run; what a GPU did stands apart."""
    return BUILD / (
        "benchmarks.json" if device == "cpu" else f"benchmarks-{device}.json"
    )


def start(choice: argparse.Namespace, effort: Effort) -> Facts:
    """An empty file of results, or the one to go on with."""
    from tests.benchmarks import ledger  # noqa: PLC0415 - after THREADS

    rules = effort.rules() | {"quick": choice.quick, "peers": choice.peers}
    facts, file = ledger.opened(rules, choice.device), result(choice.device)
    if choice.resume and file.is_file():
        return ledger.resumed(ledger.read(file), facts, mix=choice.mix)
    return facts


def main(words: list[str] | None = None) -> None:
    """Print the tables, and write what they are made of."""
    choice = options(words)
    os.environ |= dict.fromkeys(THREADS, "1") | {"RAYON_NUM_THREADS": "1"}
    from tests.benchmarks import costs, ledger, machine  # noqa: PLC0415 - after THREADS
    from tests.benchmarks.contest import Effort  # noqa: PLC0415

    if choice.device == "cuda" and not machine.accelerator():
        print("skipped: torch finds no CUDA device here, so nothing was measured")
        return
    effort = Effort(2, 1.0) if choice.quick else Effort(choice.rounds)
    try:
        facts = start(choice, effort)
    except ledger.MixedError as error:
        sys.exit(str(error))
    contest(choice, effort, facts)
    if choice.costs and not facts["costs"]:
        begun = time.monotonic()
        facts["costs"] = costs.measured()
        facts["seconds"]["costs"] = round(time.monotonic() - begun, 1)
    facts["load"] = [facts["load"][0], machine.load()]
    facts["missing"] = [
        case.name
        for family, case in chosen(options(["--device", choice.device]))
        if not ledger.finished(facts, family, case.name)
    ]
    verdicts = [row["met"] for row in facts["rows"] if row["met"] is not None]
    print(f"\n{sum(verdicts)} of {len(verdicts)} floors met")
    print(f"{sum(facts['seconds'].values()) / 60:.1f} minutes of measuring")
    here = result(choice.device)
    for file in (here, RECORD) if choice.record else (here,):
        ledger.write(facts, file)
        print(file)


if __name__ == "__main__":
    main()
