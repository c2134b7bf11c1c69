"""Exercises of the book, with checks that diagnose.

`check(label, function)` tests properties of an answer, says which one failed and what
that usually means, and unlocks one more hint with each failure.  A chapter's exercises
are the tuple EXERCISES of the module that bears its name.

Chapter: optnet.md.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDING = 1e-9  # between an answer and a solution by other arithmetic, relative
CLOSE = 1e-7  # and where both of them solve ill-conditioned systems
NOTHING = "Nothing came back: the stub returns None."
Answer = Callable[..., Any]
FAILURES: Counter[str] = Counter()  # of this session, for the hints


@dataclass(frozen=True)
class Exercise:
    """A task with its stub (fails), solution (passes) and typical wrong answers.

    `function` is the name that the sources define; a check returns None or the
    diagnosis; `wrong` pairs a source with a phrase of its own diagnosis.
    """

    label: str
    function: str
    prompt: str
    stub: str
    solution: str
    wrong: tuple[tuple[str, str], ...]
    checks: tuple[Callable[[Answer], str | None], ...]
    hints: tuple[str, ...]

    def define(self, source: str) -> Answer:
        """The function that a source defines."""
        names: dict[str, Any] = {}
        exec(compile(source, f"<{self.label}>", "exec"), names)
        if self.function not in names:
            msg = f"{self.label}: expected a function named {self.function}"
            raise ValueError(msg)
        return names[self.function]

    def diagnose(self, answer: Answer) -> str | None:
        """The first diagnosis, or None if every check passes."""
        for test in self.checks:
            try:
                found = test(answer)
            except Exception as error:  # noqa: BLE001 - an answer may raise anything
                return f"Your function raised {type(error).__name__}: {error}"
            if found:
                return found
        return None


@dataclass(frozen=True)
class Verdict:
    """Whether an answer passed, what is wrong with it, and the hints it unlocked."""

    label: str
    diagnosis: str | None
    hints: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.diagnosis is None

    def __str__(self) -> str:
        if self.diagnosis is None:
            return f"{self.label}: passed."
        hints = [f"Hint {i}: {hint}" for i, hint in enumerate(self.hints, 1)]
        return "\n".join([f"{self.label}: not yet. {self.diagnosis}", *hints])

    __repr__ = __str__


def far(got: object, want: object, within: float = ROUNDING) -> bool:
    """Whether an answer is no number, of another shape, or not close; NaN is far."""
    try:
        got, want = np.asarray(got, float), np.asarray(want, float)
    except (TypeError, ValueError):
        return True
    if got.shape != want.shape:
        return True
    size = 1 + np.abs(want).max(initial=0)
    return not np.abs(got - want).max(initial=0) <= within * size


def first(
    got: object,
    want: object,
    slips: Mapping[str, object],
    last: str,
    within: float = ROUNDING,
) -> str | None:
    """None if right, else the diagnosis of the slip that the answer equals, or last."""
    if got is None:
        return NOTHING
    if not far(got, want, within):
        return None
    for diagnosis, value in slips.items():
        if not far(got, value, within):
            return diagnosis
    return last


def source(head: str, *lines: str) -> str:
    """A function with this head and these lines."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"import numpy as np\ndef {head}:\n{body}"


def built(label, prompt, call, solution, wrong, test, hints) -> Exercise:  # noqa: PLR0913
    """An exercise whose answers differ in the body; call is (name, arguments)."""
    function, arguments = call

    def spelled(body: str) -> str:
        lines = "\n    ".join(body.splitlines())
        return f"import numpy as np\n\n\ndef {function}({arguments}):\n    {lines}\n"

    return Exercise(
        label=label,
        function=function,
        prompt=prompt,
        stub=spelled("return None"),
        solution=spelled(solution),
        wrong=tuple((spelled(body), phrase) for body, phrase in wrong),
        checks=(test,),
        hints=hints,
    )


def returning(label, prompt, call, solution, wrong, test, hints) -> Exercise:  # noqa: PLR0913
    """An exercise whose answers are one expression each."""
    slips = [(f"return {expression}", phrase) for expression, phrase in wrong]
    return built(label, prompt, call, f"return {solution}", slips, test, hints)


def exercises() -> dict[str, Exercise]:
    """Every exercise of the book by label."""
    modules = (m.name for m in pkgutil.iter_modules(__path__) if m.name != "__main__")
    found = (importlib.import_module(f"{__name__}.{m}").EXERCISES for m in modules)
    return {e.label: e for chapter in found for e in chapter}


def check(label: str, function: Answer) -> Verdict:
    """Test an answer; each failure in a session unlocks one more hint.

    Raises ValueError for an unknown label.
    """
    known = exercises()
    if label not in known:
        msg = f"label: expected one of {', '.join(known)}, got {label!r}"
        raise ValueError(msg)
    diagnosis = known[label].diagnose(function)
    FAILURES[label] = 0 if diagnosis is None else FAILURES[label] + 1
    return Verdict(label, diagnosis, known[label].hints[: FAILURES[label]])
