"""Processes of contestants, one each: who crashes, hangs or grows harms nobody."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.worker import serve

SHARE = 0.5  # of the machine's memory that a contestant may take
IDLE = 3  # a process that waits has this many times the patience
LEAVE = 10.0  # seconds that a process with a closed pipe has to end


class LostError(Exception):
    """A contestant's process ended, or did not answer in time."""


class Worker:
    """The process of one contestant."""

    def __init__(self, family: str, name: str, device: str = "cpu") -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        words = (family, name, device, int(SHARE * size), there)
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
            self.process.join(LEAVE)
            raise LostError(f"ended without an answer{self.end()}") from error
        if not fine:
            raise ValueError(value)
        return value

    def end(self) -> str:
        """How the process ended, after a comma; empty if it has not."""
        code = self.process.exitcode
        if code is None:
            return ""
        if code >= 0:
            return f", status {code}"
        return f", by {signal.Signals(-code).name}"

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
