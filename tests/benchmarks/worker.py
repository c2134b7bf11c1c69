"""A contestant in a process of its own, which the contest asks for calls.

One that crashes, hangs or fills the memory takes nobody with it, and no two libraries
share a process.  Answers are pairs: whether it went well, and a value or an error.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import statistics
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.family import Case, Task, errors, seed_like

LONGEST = 160  # signs of an error that are shown
SHORT = 20.0  # milliseconds: shorter calls are repeated in a turn
REPEATS = 10


class Bench:
    """A contestant at work: its case, its problem, and its last gradients."""

    def __init__(self, family: str, name: str, device: str = "cpu") -> None:
        module = importlib.import_module(f"tests.benchmarks.{family}")
        self.cases: dict[str, Case] = {case.name: case for case in module.cases()}
        self.name = name
        self.repeat, self.device = 1, device

    def prepare(self, case: str) -> None:
        """Make the data, after a small problem of its kind that loads and compiles.

        What lives then is left out of the collections between calls, which would take
        a hundred times as long as a small problem.
        """
        gc.unfreeze()
        self.case = self.cases[case]
        layer, self.grads = self.case.contestants[self.name], None
        importlib.import_module(layer.module)
        if self.case.warm:
            timed(layer.prepare(self.there(self.case.warm())), self.device)
        self.data, self.repeat = self.case.make(), 1
        self.task = layer.prepare(self.there(self.data))
        gc.collect()
        gc.freeze()

    def there(self, data: Any) -> Any:
        """The data on the device; only tuples of tensors leave the processor."""
        if self.device == "cpu":
            return data
        return tuple(v.to(self.device) for v in data)

    def call(self) -> tuple[float, float]:
        """Milliseconds forward and in all, medians of a turn's calls."""
        pairs = []
        for _ in range(self.repeat):
            forward, both, self.grads = timed(self.task, self.device)
            pairs.append((forward, both))
        self.repeat = max(1, min(REPEATS, int(SHORT / max(pairs[-1][1], 0.01))))
        first, second = (statistics.median(v) for v in zip(*pairs, strict=True))
        return first, second

    def refer(self, file: Path) -> list[int]:
        """Save the reference's gradients; the instances where there are none."""
        x = self.task.forward(*self.task.leaves).detach().cpu()
        found = self.case.reference(self.data, seed_like(x))
        torch.save(found, file)
        return list(found.irregular)

    def compare(self, file: Path) -> tuple[float | None, float | None]:
        """Errors of the last call's gradients: median, and worst; None without any."""
        if all(grad is None for grad in self.grads or []):
            return None, None
        wanted = torch.load(file, weights_only=False)
        return errors(self.task.gradients(self.grads or []), wanted)


def clock(device: str) -> float:
    """Seconds of process time; of the wall where a GPU works, once it is done."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def timed(
    task: Task, device: str = "cpu"
) -> tuple[float, float, tuple[Tensor | None, ...]]:
    """Milliseconds on the clock forward and in all, and a loss's gradients."""
    asked = [k for k in range(len(task.leaves)) if k not in task.untouched]
    leaves = [v.detach().clone() for v in task.leaves]
    for k in asked:
        leaves[k].requires_grad_()
    gc.collect()
    start = clock(device)
    x = task.forward(*leaves)
    middle = clock(device)
    seed = seed_like(x.detach())
    resumed = clock(device)
    loss = (x * seed).sum()
    found = torch.autograd.grad(loss, [leaves[k] for k in asked], allow_unused=True)
    end = clock(device)
    grads: list[Tensor | None] = [None] * len(leaves)
    for k, grad in zip(asked, found, strict=True):
        grads[k] = grad
    forward = 1e3 * (middle - start)
    return forward, forward + 1e3 * (end - resumed), tuple(grads)


def serve(family: str, name: str, device: str, memory: int, pipe: Connection) -> None:
    """Answer until the pipe closes."""
    if device == "cpu":  # a GPU's driver maps more than it uses
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    bench = None
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        while True:
            try:
                act, *words = pipe.recv()
            except EOFError:
                return
            try:
                bench = bench or Bench(family, name, device)
                answer: tuple[bool, Any] = True, getattr(bench, act)(*words)
            except Exception as error:  # noqa: BLE001 - a peer may fail in any way
                text = " ".join(str(error).split())
                answer = False, f"{type(error).__name__}: {text}"[:LONGEST]
            pipe.send(answer)
