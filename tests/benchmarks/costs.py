"""What our QP layer costs: exponents in n, m and batch, a floor, memory, a first call.

``python -m tests.benchmarks.costs WHAT …`` measures one thing in a process of its own
and prints an object.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PAGE = os.sysconf("SC_PAGE_SIZE")
ROUNDS, ENOUGH = 3, 0.2  # calls at least, and seconds of calls at least
SWEEPS: dict[
    str, tuple[tuple[int, ...], Callable[[int], tuple[int, int, int, int]]]
] = {
    # what varies: its values, and batch, n, m, p
    "n": ((50, 100, 200, 400), lambda n: (8, n, n, n // 2)),
    "m": ((100, 200, 400, 800), lambda m: (8, 100, m, 20)),
    "batch": ((16, 64, 256, 1024), lambda batch: (batch, 50, 50, 25)),
}
BATCHES = (64, 128, 256, 512)  # for the memory, at n = m = 100
Q1 = (128, 100, 100, 50)


def measured() -> dict[str, Any]:
    """Everything, each in a process of its own."""
    found: dict[str, Any] = {name: _alone("sweep", name) for name in SWEEPS}
    found["floor"] = _alone("floor")
    found["memory"] = memory([_alone("memory", str(size)) for size in BATCHES])
    _alone("first")  # leaves compiled code behind
    found["first"] = [_alone("first") for _ in range(3)]
    return found


def memory(points: list[dict[str, float]]) -> dict[str, Any]:
    """Straight lines through bytes over batch, and how far the points are from them."""
    found: dict[str, Any] = {"points": points, "n": Q1[1]}
    batch = np.array([point["batch"] for point in points])
    for name in ("peak", "kept"):
        size = np.array([point[name] for point in points])
        slope, start = np.polyfit(batch, size, 1)
        off = np.abs(start + slope * batch - size).max() / size.max()
        found[name] = {"each": slope, "start": start, "off": off}
    return found


def _alone(*words: str) -> Any:
    command = [sys.executable, "-m", "tests.benchmarks.costs", *words]
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, env=_quiet()
    )
    return json.loads(done.stdout.splitlines()[-1])


def _quiet() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


def calls(size: tuple[int, int, int, int]) -> dict[str, float]:
    """Milliseconds forward and backward of a batch, and rows that are active."""
    from companion.layers import qp  # noqa: PLC0415 - a first call times its import
    from companion.problems import QP  # noqa: PLC0415
    from tests.benchmarks import peers, problems  # noqa: PLC0415
    from tests.benchmarks.worker import timed  # noqa: PLC0415

    fields = problems.optnet(*size)
    task = peers.dense(peers.companion, fields)
    timed(task)
    pairs: list[tuple[float, float]] = []
    while len(pairs) < ROUNDS or sum(both for _, both in pairs) < 1e3 * ENOUGH:
        forward, both, _ = timed(task)
        pairs.append((forward, both))
    forward, both = (statistics.median(v) for v in zip(*pairs, strict=True))
    sol = qp.solve(QP(*fields))
    active = float((sol.lam > sol.slack).sum(-1).double().mean())
    return {"forward": forward, "backward": both - forward, "active": active}


def sweep(name: str) -> dict[str, Any]:
    """Costs along a sweep, and exponents fitted over its upper half and over all."""
    values, size = SWEEPS[name]
    points = [{"value": v, **calls(size(v))} for v in values]
    found: dict[str, Any] = {"points": points, "size": size(values[0])}
    for part in ("forward", "backward"):
        times = [point[part] for point in points]
        slope, _ = np.polyfit(np.log(values), np.log(times), 1)
        found[part] = {"exponent": slope, "last": _last(values, times)}
    return found


def _last(values: tuple[int, ...], times: list[float]) -> float:
    """The exponent between the last two points."""
    return float(np.log(times[-1] / times[-2]) / np.log(values[-1] / values[-2]))


def floor() -> dict[str, Any]:
    """Time of the factorisations and products that no elimination of x can avoid.

    With the active rows C known, an instance needs the factor of P, the rows behind
    it, their Gram matrix and its factor.  Each is timed at LAPACK's own speed on the
    mean size of the batch, in a loop over instances as a layer sees them.
    """
    from scipy.linalg import blas, lapack  # noqa: PLC0415

    batch, n, _, p = Q1
    ours = calls(Q1)
    k = p + round(ours["active"])
    rng = np.random.default_rng(0)
    L = rng.uniform(size=(batch, n, n))
    P = np.asfortranarray((L @ L.transpose(0, 2, 1) + np.eye(n)).transpose(1, 2, 0))
    C = np.asfortranarray(rng.normal(size=(n, k, batch)))
    parts = dict.fromkeys(("dpotrf", "dtrsm", "dsyrk"), 0.0)

    def clock(name: str, act: Callable[..., Any], *words: Any, **options: Any) -> Any:
        start = time.process_time()
        value = act(*words, **options)
        parts[name] += 1e3 * (time.process_time() - start)
        return value

    for _ in range(ROUNDS):
        for i in range(batch):
            Pi, Ci = P[:, :, i].copy(order="F"), C[:, :, i].copy(order="F")
            factor = clock("dpotrf", lapack.dpotrf, Pi, lower=1, overwrite_a=1)[0]
            rows = clock("dtrsm", blas.dtrsm, 1.0, factor, Ci, lower=1, overwrite_b=1)
            gram = clock("dsyrk", blas.dsyrk, 1.0, rows, trans=1, lower=1)
            clock("dpotrf", lapack.dpotrf, gram, lower=1, overwrite_a=1)
    parts = {name: value / ROUNDS for name, value in parts.items()}
    work = batch * (n**3 / 3 + n * n * k + n * k * k + k**3 / 3)
    total = sum(parts.values())
    both = ours["forward"] + ours["backward"]
    return {"parts": parts, "total": total, "gigaflops": work / total / 1e6,
            "active": k, "ours": both, "multiple": both / total}  # fmt: skip


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def peak() -> int:
    """Bytes of this process in memory, at most so far since `forget`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(s.split()[1]) * 1024 for s in lines if s.startswith("VmHWM"))


def forget() -> None:
    """Start the peak anew."""
    Path("/proc/self/clear_refs").write_text("5")


def held(batch: int) -> dict[str, float]:
    """Bytes beyond the data: kept between forward and backward, and at the peak."""
    import torch  # noqa: PLC0415

    from tests.benchmarks import peers, problems  # noqa: PLC0415
    from tests.benchmarks.worker import timed  # noqa: PLC0415

    timed(peers.dense(peers.companion, problems.optnet(2, 10, 10, 5)))
    leaves = [v.requires_grad_() for v in problems.optnet(batch, *Q1[1:])]
    gc.collect()
    before = resident()
    forget()
    x = peers.companion(*leaves)
    gc.collect()
    kept = resident() - before
    grads = torch.autograd.grad(x.sum(), leaves)
    top = peak() - before
    returned = sum(8 * v.numel() for v in grads)
    return {"batch": batch, "kept": kept, "peak": top, "gradients": returned}


def first() -> dict[str, dict[str, float]]:
    """Seconds of a new process until the layer is imported, and of its first call."""
    marks = [(time.perf_counter(), time.process_time())]
    import torch  # noqa: PLC0415

    marks.append((time.perf_counter(), time.process_time()))
    from tests.benchmarks import peers, problems  # noqa: PLC0415

    leaves = [v.requires_grad_() for v in problems.optnet(4, 20, 20, 5)]
    marks.append((time.perf_counter(), time.process_time()))
    torch.autograd.grad(peers.companion(*leaves).sum(), leaves)
    marks.append((time.perf_counter(), time.process_time()))
    parts = zip(("torch", "layer", "call"), pairwise(marks), strict=True)
    return {
        name: {"wall": end[0] - start[0], "process": end[1] - start[1]}
        for name, (start, end) in parts
    }


ACTS: dict[str, Callable[..., Any]] = {
    "sweep": sweep,
    "floor": floor,
    "memory": lambda batch: held(int(batch)),
    "first": first,
}

if __name__ == "__main__":
    act, *words = sys.argv[1:]
    print(json.dumps(ACTS[act](*words)))
