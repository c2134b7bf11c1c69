"""Seconds of the QP layer beside its peers, forward and backward, with their errors.

``make bench ARGS="--rounds 9 --only grid"``.  Rounds are interleaved, one call of every
contestant in turn, so that a busy machine slows all alike; the time is that of the
process on one thread, and ratios are of medians.  The gradient of a peer is correct if
it agrees with ours, whose own error the tests bound, to TOLERANCE in the median.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks import peers, problems

TOLERANCE = 1e-3  # relative error of a gradient, median over the batch
SIZES, BATCHES = (10, 50, 100), (1, 32, 128, 512)
OURS = "companion"


@dataclass(frozen=True)
class Case:
    """A workload, and by how much each correct peer is to be behind at least."""

    name: str
    group: str
    make: Callable[[], problems.Fields]
    floors: dict[str, float]
    only_q: bool = False  # whether only q asks for its gradient


def _cases() -> list[Case]:
    first = {"qpth": 20, "proxsuite": 10, "dqp": 10, "moreau": 8}
    second = {"qpth": 15, "proxsuite": 5, "dqp": 8, "moreau": 6}
    cases = [
        Case("B128 n100 m100 p50", "dense", lambda: problems.optnet(128, 100, 100, 50),
             first),
        Case("B128 n100 m100 p0", "dense", lambda: problems.optnet(128, 100, 100, 0),
             second),
        Case("Sudoku B150", "applied", problems.sudoku,
             {"qpth": 90, "proxsuite": 30, "moreau": 25}),
        Case("denoising B32", "applied", problems.denoising,
             dict.fromkeys(peers.PEERS, 8.0)),
        Case("simplex n1000 B128", "applied", problems.simplex,
             {"moreau": 80, "sorting": 1}, only_q=True),
    ]  # fmt: skip
    cases += [
        Case(f"B1 n{n} m{n} p{n // 2}", "single",
             lambda n=n: problems.optnet(1, n, n, n // 2),
             dict.fromkeys(peers.PEERS, 3.0))
        for n in (500, 1000)
    ]  # fmt: skip
    for batch in BATCHES:
        for n in SIZES:
            floor = 1.5 if batch == 1 else 2.5
            cases.append(
                Case(f"B{batch} n{n} m{n} p{n // 2}", "grid",
                     lambda batch=batch, n=n: problems.optnet(batch, n, n, n // 2),
                     dict.fromkeys(peers.PEERS, floor))
            )  # fmt: skip
    return cases


@dataclass(frozen=True)
class Row:
    """A contestant on a workload: medians in milliseconds, and what they compare to."""

    case: str
    group: str
    contestant: str
    forward: float
    both: float
    ratio: float  # both, over ours
    floor: float | None
    error: float | None  # of the gradients, median; None if it failed
    failure: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the floor is met; None where there is none or the peer is wrong."""
        wrong = self.error is None or self.error > TOLERANCE
        return None if self.floor is None or wrong else self.ratio >= self.floor


def sorting(P: Tensor, q: Tensor, A: Tensor, b: Tensor, G: Tensor, h: Tensor) -> Tensor:
    """The simplex by its closed form."""
    del P, A, b, G, h
    falling = torch.sort(-q, descending=True).values
    levels = (falling.cumsum(-1) - 1) / torch.arange(1, q.shape[-1] + 1)
    last = (falling > levels).sum(-1, keepdim=True)
    return (-q - levels.gather(-1, last - 1)).clamp(min=0)


def contestants(case: Case, wanted: list[str]) -> dict[str, peers.Layer]:
    """Ours, the peers that are installed, and a closed form where there is one."""
    found: dict[str, peers.Layer] = {OURS: peers.companion}
    for name, (module, layer) in peers.PEERS.items():
        there = importlib.util.find_spec(module) is not None
        if there and (not wanted or name in wanted):
            found[name] = layer
    if "sorting" in case.floors:
        found["sorting"] = sorting
    return found


def call(layer: peers.Layer, case: Case, data: problems.Fields) -> tuple:
    """Milliseconds forward and in all, and the gradients of a fixed linear loss."""
    leaves = [v.clone() for v in data]
    for k, v in enumerate(leaves):
        v.requires_grad_(not case.only_q or k == 1)
    generator = torch.Generator().manual_seed(1)
    seed = torch.randn(data[1].shape, generator=generator, dtype=data[1].dtype)
    start = time.process_time()
    x = layer(*leaves)
    middle = time.process_time()
    (x * seed).sum().backward()
    end = time.process_time()
    return 1e3 * (middle - start), 1e3 * (end - start), [v.grad for v in leaves]


def gradient_error(found: list[Tensor | None], wanted: list[Tensor | None]) -> float:
    """Largest over the fields of the median over the batch of relative errors."""
    errors = [0.0]
    for a, b in zip(found, wanted, strict=True):
        if a is None or b is None or not b.numel():
            continue
        a, b = (v.reshape(len(v), -1) if v.dim() > 1 else v[None] for v in (a, b))
        size = b.norm(dim=1)
        scale = size.clamp(min=1e-3 * float(size.median()) + 1e-300)
        errors.append(float(((a - b).norm(dim=1) / scale).median()))
    return max(errors)


def measure(case: Case, rounds: int, wanted: list[str]) -> list[Row]:
    """Rows of a workload: an unmeasured call of each, then interleaved rounds."""
    data, field = case.make(), contestants(case, wanted)
    samples: dict[str, list[tuple[float, float]]] = {}
    grads: dict[str, list[Tensor | None]] = {}
    failures: dict[str, str] = {}
    for turn in range(rounds + 1):
        for name, layer in field.items():
            if name in failures:
                continue
            try:
                forward, both, grads[name] = call(layer, case, data)
            except Exception as error:  # noqa: BLE001 - a peer may fail in any way
                failures[name] = f"{type(error).__name__}: {error}"[:120]
                continue
            if turn:
                samples.setdefault(name, []).append((forward, both))
    medians = {
        name: [statistics.median(column) for column in zip(*pairs, strict=True)]
        for name, pairs in samples.items()
    }
    rows = []
    for name in field:
        floor = case.floors.get(name)
        if name in failures:
            nan = float("nan")
            rows.append(
                Row(
                    case.name,
                    case.group,
                    name,
                    nan,
                    nan,
                    nan,
                    floor,
                    None,
                    failures[name],
                )
            )
            continue
        forward, both = medians[name]
        ratio, error = both / medians[OURS][1], gradient_error(grads[name], grads[OURS])
        rows.append(
            Row(case.name, case.group, name, forward, both, ratio, floor, error)
        )
    return rows


def _printed(row: Row) -> str:
    if row.failure:
        return f"{row.case:22}{row.contestant:11}  failed: {row.failure}"
    verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
    floor = "" if row.floor is None else f"≥ {row.floor:g}"
    return (
        f"{row.case:22}{row.contestant:11}{row.forward:10.2f}{row.both:10.2f}"
        f"{row.ratio:9.2f}  {floor:7}{row.error:9.0e}  {verdict}"
    )


def machine() -> dict[str, str | int | None]:
    """What the figures depend on."""
    names = (
        "torch",
        "numpy",
        "scipy",
        "numba",
        "qpth",
        "proxsuite",
        "libdqp",
        "moreau",
    )
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [s for s in info.read_text().splitlines() if s.startswith("model name")]
        cpu = lines[0].split(":")[1].strip() if lines else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), **versions}


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="groups of workloads")
    parser.add_argument("--peers", nargs="*", default=[], help="names; all if none")
    parser.add_argument("--json", type=Path, default=Path("_build/bench/qp.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    head = ("workload", "layer", "forward", "both, ms", "ratio", "floor", "error")
    print("{:22}{:11}{:>10}{:>10}{:>9}  {:7}{:>9}".format(*head))
    rows: list[Row] = []
    for case in _cases():
        if options.only and case.group not in options.only:
            continue
        for row in measure(case, options.rounds, options.peers):
            rows.append(row)
            print(_printed(row), flush=True)
    verdicts = [row.met for row in rows if row.met is not None]
    print(f"\n{sum(verdicts)} of {len(verdicts)} floors met")
    facts = {
        "machine": machine(),
        "rounds": options.rounds,
        "clock": "process time on one thread, medians of interleaved rounds",
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(facts, indent=1), "utf8")
    print(options.json)


if __name__ == "__main__":
    main()
