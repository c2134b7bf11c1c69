"""Seconds of the QP layer beside the reference and the peers that are installed.

``make bench ARGS="--rounds 9 --json FILE"``. Rounds are interleaved, one
call of every contestant in turn, so that a busy machine slows all of them alike; the
time is that of the process, and the table gives medians and their ratio to the layer's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from companion import sampling
from companion.layers import qp
from companion.problems import QP
from companion.reference import qp as reference

SIZES = ((1, 10, 2, 8), (64, 10, 2, 8), (64, 30, 5, 20))  # batch, n, p, m
SEED = 7
REFERENCE_INSTANCES = 8  # the loop is timed on these and scaled to the batch
Run = Callable[[bool], Any]  # argument: whether to differentiate as well


@dataclass(frozen=True)
class Row:
    """One contestant on one size."""

    contestant: str
    batch: int
    n: int
    p: int
    m: int
    forward: float  # median, seconds of process time
    both: float  # forward and backward
    forward_ratio: float = 1.0  # to the layer's median
    both_ratio: float = 1.0


def instances(batch: int, n: int, p: int, m: int) -> list[QP]:
    """Strictly complementary problems, seeded."""
    rng = np.random.default_rng(SEED)
    return [sampling.qp(rng, n, p, m)[0] for _ in range(batch)]


def stacked(problems: list[QP]) -> tuple[torch.Tensor, ...]:
    """The six fields with a batch axis, as leaves that want gradients."""
    rows = zip(*(problem.fields for problem in problems), strict=True)
    return tuple(torch.as_tensor(np.stack(row)).requires_grad_() for row in rows)


def differentiable(solve: Callable[..., torch.Tensor], leaves: Any) -> Run:
    """Contestant in torch: x of the six fields, and the gradient of its sum."""

    def run(backward: bool) -> None:  # noqa: FBT001 (one signature for all)
        if not backward:
            with torch.no_grad():
                solve(*leaves)
            return
        torch.autograd.grad(solve(*leaves).sum(), leaves, allow_unused=True)

    return run


def looped(problems: list[QP]) -> Run:
    """The reference, one instance after another."""

    def run(backward: bool) -> None:  # noqa: FBT001
        for problem in problems:
            sol = reference.solve(problem)
            if backward:
                reference.vjp(problem, sol, np.ones(problem.n))

    return run


def layer(P: Any, q: Any, A: Any, b: Any, G: Any, h: Any) -> torch.Tensor:
    """Ours."""
    return qp.layer(QP(P, q, A, b, G, h))


def qpth(P: Any, q: Any, A: Any, b: Any, G: Any, h: Any) -> torch.Tensor:
    """OptNet's own package."""
    function = importlib.import_module("qpth.qp").QPFunction(verbose=-1)
    return function(P, q, G, h, A, b)


def proxsuite(P: Any, q: Any, A: Any, b: Any, G: Any, h: Any) -> torch.Tensor:
    """QPLayer of proxsuite; it wants lower bounds too."""
    function = importlib.import_module("proxsuite.torch.qplayer").QPFunction()
    return function(P, q, A, b, G, torch.full_like(h, -1e20), h)[0]


def cvxpylayers(P: Any, q: Any, A: Any, b: Any, G: Any, h: Any) -> torch.Tensor:
    """cvxpylayers: P enters through a square root, which its grammar asks for."""
    cp = importlib.import_module("cvxpy")
    build = importlib.import_module("cvxpylayers.torch").CvxpyLayer
    root = torch.linalg.cholesky(P).mT
    x = cp.Variable(q.shape[-1])
    fields = [cp.Parameter(tuple(v.shape[1:])) for v in (root, q, A, b, G, h)]
    R, c, E, e, F, f = fields
    objective = cp.Minimize(0.5 * cp.sum_squares(R @ x) + c @ x)
    problem = cp.Problem(objective, [E @ x == e, F @ x <= f])
    return build(problem, fields, [x])(root, q, A, b, G, h)[0]


PEERS = {"qpth": qpth, "proxsuite": proxsuite, "cvxpylayers": cvxpylayers}


def contestants(problems: list[QP]) -> dict[str, tuple[Run, float]]:
    """Each contestant with the factor that scales its time to the whole batch."""
    leaves = stacked(problems)
    few = problems[:REFERENCE_INSTANCES]
    found: dict[str, tuple[Run, float]] = {
        "companion.layers.qp": (differentiable(layer, leaves), 1.0),
        "companion.reference.qp": (looped(few), len(problems) / len(few)),
    }
    for name, solve in PEERS.items():
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        found[name] = (differentiable(solve, leaves), 1.0)
    return found


def clock(run: Run, *, backward: bool) -> float:
    """Seconds of process time of one call."""
    start = time.process_time()
    run(backward)
    return time.process_time() - start


def measure(size: tuple[int, int, int, int], rounds: int) -> list[Row]:
    """Rows of one size: an unmeasured call of each, then interleaved rounds."""
    field = contestants(instances(*size))
    samples: dict[tuple[str, bool], list[float]] = {}
    for turn in range(rounds + 1):
        for name, (run, factor) in field.items():
            for backward in (False, True):
                seconds = clock(run, backward=backward) * factor
                if turn:
                    samples.setdefault((name, backward), []).append(seconds)
    medians = {key: statistics.median(values) for key, values in samples.items()}
    ours = [medians["companion.layers.qp", backward] for backward in (False, True)]
    rows = []
    for name in field:
        forward, both = medians[name, False], medians[name, True]
        ratios = forward / ours[0], both / ours[1]
        rows.append(Row(name, *size, forward, both, *ratios))
    return rows


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, default=Path("_build/bench/qp.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    head = ("contestant", "batch", "n", "p", "m", "forward", "×", "both", "×")
    print("{:24}{:>6}{:>5}{:>4}{:>4}{:>12}{:>8}{:>12}{:>8}".format(*head))
    for size in SIZES:
        for r in measure(size, options.rounds):
            rows.append(r)
            print(
                f"{r.contestant:24}{r.batch:6}{r.n:5}{r.p:4}{r.m:4}"
                f"{r.forward * 1e3:9.2f} ms{r.forward_ratio:8.2f}"
                f"{r.both * 1e3:9.2f} ms{r.both_ratio:8.2f}",
                flush=True,
            )
    facts = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rounds": options.rounds,
        "threads": 1,
        "clock": "process time, medians of interleaved rounds",
        "rows": [asdict(row) for row in rows],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(facts, indent=1), "utf8")
    print(f"\n{options.json}")


if __name__ == "__main__":
    main()
