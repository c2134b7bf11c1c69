"""The contest: rounds of calls, interleaved, each contestant in its own process.

A busy machine slows all alike, so ratios of medians hold; times are those of a process
on one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.family import OURS, Case
from tests.benchmarks.worker import serve

TOLERANCE = 1e-3  # relative error of a gradient, median over the batch
SHARE = 0.5  # of the machine's memory that a contestant may take
ENOUGH = 0.3  # seconds of calls after which the rounds are enough
MOST = 40  # rounds
LONG = 6.0  # seconds of a first call that is the only one
IDLE = 10  # a process that waits has this many times the patience


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds, seconds for each row, and for a single call."""

    rounds: int = 5
    seconds: float = 6.0
    patience: float = 90.0


@dataclass(frozen=True)
class Row:
    """A contestant on a workload: medians in milliseconds, and what they compare to."""

    family: str
    case: str
    group: str
    contestant: str
    floor: float | None
    forward: float | None = None
    both: float | None = None
    spread: float | None = None  # between the quartiles of both, over its median
    samples: int = 0
    ratio: float | None = None  # both, over ours
    median: float | None = None  # error of the gradients
    worst: float | None = None
    failure: str = ""
    accuracy: tuple[float, float | None] = (1e-9, 1e-6)  # wanted of ours

    @property
    def correct(self) -> bool | None:
        """Whether the gradients are right; None if there are none."""
        return None if self.median is None else self.median <= TOLERANCE

    @property
    def met(self) -> bool | None:
        """Whether the floor is met; None where there is none or the peer is wrong."""
        if self.contestant == OURS:
            if self.median is None or self.worst is None:
                return False
            median, worst = self.accuracy
            return self.median <= median and (worst is None or self.worst <= worst)
        if self.floor is None or self.ratio is None or not self.correct:
            return None
        return self.ratio >= self.floor


class LostError(Exception):
    """A contestant's process ended, or did not answer in time."""


class Worker:
    """The process of one contestant."""

    def __init__(self, family: str, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        words = (family, name, int(SHARE * size), there)
        self.process = context.Process(target=serve, args=words, daemon=True)
        self.process.start()
        there.close()

    def ask(self, patience: float, *message: Any) -> Any:
        """The answer; raises LostError, or ValueError with the contestant's error."""
        try:
            self.pipe.send(message)
            start, spent = time.monotonic(), self.seconds()
            while not self.pipe.poll(1.0):
                waited = (time.monotonic() - start) / IDLE
                if max(self.seconds() - spent, waited) > patience:
                    msg = f"no answer in {patience:g} s"
                    raise LostError(msg)
            fine, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            msg = f"its process ended with status {self.process.exitcode}"
            raise LostError(msg) from error
        if not fine:
            raise ValueError(value)
        return value

    def seconds(self) -> float:
        """Process time so far; 0 where the system does not tell."""
        file = Path(f"/proc/{self.process.pid}/stat")
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


@dataclass
class Lane:
    """A contestant in one case."""

    name: str
    worker: Worker
    samples: list[tuple[float, float]] = field(default_factory=list)
    first: tuple[float, float] | None = None  # counts if it is too long to repeat
    failure: str = ""
    lost: bool = False

    def ask(self, patience: float, *message: Any) -> Any:
        """The answer, or None with the failure noted."""
        try:
            return self.worker.ask(patience, *message)
        except LostError as error:
            self.failure, self.lost = str(error), True
        except ValueError as error:
            self.failure = str(error)
        return None

    def wants_more(self, effort: Effort) -> bool:
        """Whether another call is worth its time."""
        if self.failure:
            return False
        if self.first and not self.samples:
            return self.first[1] / 1e3 < LONG
        spent = sum(both for _, both in self.samples) / 1e3
        if spent >= effort.seconds:
            return False
        done = len(self.samples)
        return done < effort.rounds or (spent < ENOUGH and done < MOST)

    def counted(self) -> list[tuple[float, float]]:
        """The calls after the first; the first too where there is no other."""
        return self.samples or ([self.first] if self.first else [])

    def call(self, effort: Effort) -> None:
        """One more call."""
        found = self.ask(effort.patience, "call")
        if found is None:
            return
        if self.first is None:
            self.first = found
        else:
            self.samples.append(found)


class Contest:
    """The processes of a family's contestants, kept from case to case."""

    def __init__(self, family: str, effort: Effort) -> None:
        self.family, self.effort = family, effort
        self.workers: dict[str, Worker] = {}

    def lane(self, name: str) -> Lane:
        """A contestant's lane, with a new process where the last one was lost."""
        if name not in self.workers:
            self.workers[name] = Worker(self.family, name)
        return Lane(name, self.workers[name])

    def run(self, case: Case, names: list[str]) -> Iterator[Row]:
        """The rows of a case: an uncounted call of each, then interleaved rounds."""
        lanes = [self.lane(name) for name in names]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # nothing is timed here
            patience = 2 * self.effort.patience
            list(pool.map(lambda v: v.ask(patience, "prepare", case.name), lanes))
        while todo := [lane for lane in lanes if lane.wants_more(self.effort)]:
            for lane in todo:
                lane.call(self.effort)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "reference.pt"
            known = lanes[0].ask(10 * self.effort.patience, "refer", file)
            ours = summary(lanes[0])
            for lane in lanes:
                yield self.row(case, lane, file if known is not None else None, ours)
        for lane in lanes:
            if lane.lost:
                self.workers.pop(lane.name).stop()

    def row(
        self, case: Case, lane: Lane, file: Path | None, ours: dict[str, Any]
    ) -> Row:
        """What a lane gave."""
        about = (self.family, case.name, case.group, lane.name)
        floor, found = case.floors.get(lane.name), summary(lane)
        found["accuracy"] = case.accuracy
        if lane.failure or file is None:
            failure = lane.failure or "no reference"
            return Row(*about, floor, accuracy=case.accuracy, failure=failure)
        wrong = lane.ask(10 * self.effort.patience, "compare", file)
        if wrong is None:
            return Row(*about, floor, **found, failure=lane.failure)
        ratio = found["both"] / ours["both"] if ours else None  # ours failed
        return Row(*about, floor, **found, ratio=ratio, median=wrong[0], worst=wrong[1])

    def close(self) -> None:
        """End every process."""
        for worker in self.workers.values():
            worker.stop()


def summary(lane: Lane) -> dict[str, Any]:
    """Medians of a lane's calls."""
    counted = lane.counted()
    if not counted:
        return {}
    forward, both = (statistics.median(v) for v in zip(*counted, strict=True))
    found = {"forward": forward, "both": both, "samples": len(counted)}
    if len(counted) > 2:
        low, _, high = statistics.quantiles([v for _, v in counted], n=4)
        found["spread"] = (high - low) / both
    return found
