"""Run one step of a build; when it fails, say which one and what to do next."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from book.driver.places import ROOT, child_environment


@dataclass
class StepFailedError(Exception):
    """A step that failed, the advice that belongs to it, and the exit status."""

    step: str
    advice: str
    status: int = 1

    def __str__(self) -> str:
        return f"[book] FAILED: {self.step}.\n[book] What to do: {self.advice}"


def say(message: str) -> None:
    """One line of progress."""
    print(f"[book] {message}", flush=True)


def run(*command: str | Path, step: str, advice: str) -> None:
    """Run a command at the root of the repository, its output shown as it comes."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=ROOT, env=child_environment(), check=False)
    except FileNotFoundError:
        raise StepFailedError(f"{step} ({words[0]} not found)", advice) from None
    if done.returncode:
        raise StepFailedError(step, advice, done.returncode)


@contextmanager
def timed(message: str) -> Iterator[None]:
    """Say how long the block took, once it has succeeded."""
    start = time.perf_counter()
    yield
    say(f"{message}: {time.perf_counter() - start:.1f} s")
