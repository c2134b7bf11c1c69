"""The contest: rounds of calls, interleaved, each contestant in its own process.

A busy machine slows all alike, so ratios of medians hold; times are those of a process
on one thread.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.family import OURS, Case
from tests.benchmarks.process import LostError, Worker

TOLERANCE = 1e-3  # relative error of a gradient, median over the batch
ENOUGH = 0.3  # seconds of calls after which the rounds are enough
MOST = 40  # rounds
LONG = 4.0  # seconds of a first call that is the only one
SURE = ((50.0, 1), (10.0, 2))  # rounds that are enough of who is so far behind ours
NEAR = 1.5  # within this factor of its floor, a contestant gets every round


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds, seconds for each row, and for a single call."""

    rounds: int = 5
    seconds: float = 4.0
    patience: float = 60.0

    def asked(self, behind: float | None, floor: float | None) -> int:
        """Rounds for a contestant whose time over ours is `behind` so far."""
        if behind is None or (floor and 1 / NEAR < behind / floor < NEAR):
            return self.rounds
        enough = [rounds for far, rounds in SURE if behind >= far]
        return min([self.rounds, *enough])

    def rules(self) -> dict[str, Any]:
        """What a reader has to know of it."""
        return {**asdict(self), "sure": SURE, "near": NEAR, "long": LONG}


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
    samples: int = 0  # rounds that count
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


@dataclass
class Lane:
    """A contestant in one case."""

    name: str
    worker: Worker
    samples: list[tuple[float, float]] = field(default_factory=list)
    first: tuple[float, float] | None = None  # counts if it is too long to repeat
    failure: str = ""
    lost: bool = False
    floor: float | None = None

    def ask(self, patience: float, *message: Any) -> Any:
        """The answer, or None with the failure noted."""
        try:
            return self.worker.ask(patience, *message)
        except LostError as error:
            self.failure, self.lost = str(error), True
            self.worker.stop()  # one that hangs would slow the others
        except ValueError as error:
            self.failure = str(error)
        return None

    def wants_more(self, effort: Effort, ours: Lane) -> bool:
        """Whether another call is worth its time, beside what ours has taken."""
        if self.failure:
            return False
        if self.first and not self.samples:
            return self.first[1] / 1e3 < LONG
        spent = sum(both for _, both in self.samples) / 1e3
        if spent >= effort.seconds:
            return False
        done = len(self.samples)
        asked = effort.asked(self.behind(ours), self.floor)
        return done < asked or (spent < ENOUGH and done < MOST)

    def behind(self, ours: Lane) -> float | None:
        """Time over ours so far; None before both have a call that counts."""
        if not (self.samples and ours.samples):
            return None
        mine, their = (median(v for _, v in k.samples) for k in (self, ours))
        return mine / their

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

    def __init__(self, family: str, effort: Effort, device: str = "cpu") -> None:
        self.family, self.effort, self.device = family, effort, device
        self.workers: dict[str, Worker] = {}

    def lane(self, case: Case, name: str) -> Lane:
        """A contestant's lane, with a new process where there is none to go on with."""
        if case.alone:
            self.stop(name)
        if name not in self.workers:
            self.workers[name] = Worker(self.family, name, self.device)
        return Lane(name, self.workers[name], floor=case.floors.get(name))

    def stop(self, name: str) -> None:
        """End the process of a contestant, if it has one."""
        if name in self.workers:
            self.workers.pop(name).stop()

    def run(self, case: Case, names: list[str]) -> Iterator[Row]:
        """The rows of a case: an uncounted call of each, then interleaved rounds."""
        lanes = [self.lane(case, name) for name in names]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # nothing is timed here
            patience = 2 * self.effort.patience
            list(pool.map(lambda v: v.ask(patience, "prepare", case.name), lanes))
        ours = lanes[0]
        while todo := [v for v in lanes if v.wants_more(self.effort, ours)]:
            for lane in todo:
                lane.call(self.effort)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "reference.pt"
            known = ours.ask(10 * self.effort.patience, "refer", file)
            for lane in lanes:
                there = file if known is not None else None
                yield self.row(case, lane, there, summary(ours))
        for lane in lanes:
            if lane.lost or case.alone:
                self.stop(lane.name)

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
        for name in list(self.workers):
            self.stop(name)


def summary(lane: Lane) -> dict[str, Any]:
    """Medians of a lane's calls."""
    counted = lane.counted()
    if not counted:
        return {}
    forward, both = (median(v) for v in zip(*counted, strict=True))
    found = {"forward": forward, "both": both, "samples": len(counted)}
    if len(counted) > 2:
        low, _, high = quantiles([v for _, v in counted], n=4)
        found["spread"] = (high - low) / both
    return found
