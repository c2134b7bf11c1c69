"""The record behind every numbered statement: what is claimed, checked and refuted.

A theorem carries *checks*, which must pass, and *controls*, which run the assertion of
a check with one thing changed and must raise AssertionError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import Any

Act = Callable[[], None]
KEPT: ContextVar[tuple[str, ...]] = ContextVar("KEPT", default=())  # by this control


class Evidence(StrEnum):
    """How a claim was checked; printed in words, never as "proved"."""

    SYMBOLIC_ANY_SIZE = "symbolic, any size"
    SYMBOLIC = "symbolic, stated size"
    EXACT = "exact arithmetic"
    NUMERIC = "numeric"
    CITED = "cited"


FORMAL = (Evidence.SYMBOLIC_ANY_SIZE, Evidence.SYMBOLIC, Evidence.EXACT)


class HypothesisError(RuntimeError):
    """A control changed more than it says: a hypothesis it keeps does not hold."""


def require(holds: Any, hypothesis: str) -> None:
    """Raise HypothesisError unless a hypothesis that a control keeps does hold.

    An assertion would not do: a control that fails for the wrong reason would then
    count as refuted.  What held is noted in the record of the control.
    """
    if not holds:
        msg = f"this hypothesis was to be kept, and fails: {hypothesis}"
        raise HypothesisError(msg)
    if hypothesis not in KEPT.get():
        KEPT.set((*KEPT.get(), hypothesis))


@dataclass(frozen=True)
class Step:
    """One link of a derivation: LaTeX on both sides, and the rule that equates them."""

    lhs: str
    rhs: str
    rule: str


@dataclass(frozen=True)
class Check:
    """A function that returns when the claim holds and raises when it does not."""

    level: Evidence
    act: Act


@dataclass(frozen=True)
class Control:
    """A check with one thing changed: `kind` is "mutant" or "dropped"."""

    kind: str
    change: str
    act: Act


@dataclass(frozen=True, eq=False)
class Theorem:
    """A labelled statement with the functions that are its evidence.

    `check`, `control` and `derivation` are decorators; `evidence` fills as they run.
    """

    label: str
    claim: str
    source: str
    implements: tuple[Callable[..., Any], ...] = ()
    uses: tuple[str, ...] = ()
    cited: bool = False
    checks: list[Check] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    derivations: list[Callable[[], Iterator[Step]]] = field(default_factory=list)

    def check(self, level: Evidence) -> Callable[[Act], Act]:
        """Add the decorated function as a check at this level."""
        if level == Evidence.CITED:
            msg = f"{self.label}: a citation is not a check; use theorem(cited=True)"
            raise ValueError(msg)

        def add(act: Act) -> Act:
            self.checks.append(Check(level, act))
            return act

        return add

    def control(self, *, mutant: str = "", dropped: str = "") -> Callable[[Act], Act]:
        """Add the decorated function as a control; say in words what it changes."""
        if bool(mutant) == bool(dropped):
            msg = f"{self.label}: a control is either a mutant or a dropped hypothesis"
            raise ValueError(msg)
        kind = "mutant" if mutant else "dropped"

        def add(act: Act) -> Act:
            self.controls.append(Control(kind, mutant or dropped, act))
            return act

        return add

    def derivation(
        self, steps: Callable[[], Iterator[Step]]
    ) -> Callable[[], Iterator[Step]]:
        """Set the derivation; it is run, hence checked, as a check of any size."""
        if self.derivations:
            msg = f"{self.label}: a theorem has one derivation"
            raise ValueError(msg)
        self.derivations.append(steps)

        def run() -> None:
            assert list(steps()), f"the derivation of {self.label} has no step"

        run.__name__ = steps.__name__
        self.checks.append(Check(Evidence.SYMBOLIC_ANY_SIZE, run))
        return steps


@dataclass(frozen=True)
class Record:
    """The outcome of running a theorem's evidence.

    `checks` has name, level, passed, seconds and message; `controls` has name, kind,
    changed, kept (what its `require` found to hold), refuted, seconds and message.
    `passed` requires a check that is symbolic or exact, a numeric one, a control, and
    no failure; `shortfalls` says what is missing.
    """

    label: str
    claim: str
    source: str
    levels: tuple[str, ...]
    checks: tuple[dict[str, Any], ...]
    controls: tuple[dict[str, Any], ...]
    uses: tuple[str, ...]
    seconds: float
    passed: bool
    shortfalls: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The fields that `python -m companion.proofs --json` prints."""
        fields = asdict(self)
        keys = "label claim levels checks controls uses seconds passed"
        return {key: fields[key] for key in keys.split()}


THEOREMS: dict[str, Theorem] = {}


def theorem(
    label: str,
    *,
    claim: str,
    source: str,
    implements: tuple[Callable[..., Any], ...] = (),
    uses: tuple[str, ...] = (),
    cited: bool = False,
) -> Theorem:
    """Register a theorem under its label, which is the label in the chapter.

    `uses` names earlier theorems only, so that no argument can be circular.  A cited
    theorem carries no evidence of its own, and whoever leans on it shows that.
    """
    if label in THEOREMS:
        msg = f"theorem {label!r}: the label is taken"
        raise ValueError(msg)
    unknown = [other for other in uses if other not in THEOREMS]
    if unknown:
        msg = f"theorem {label!r}: expected earlier theorems in uses, got {unknown}"
        raise ValueError(msg)
    THEOREMS[label] = Theorem(label, claim, source, implements, uses, cited)
    return THEOREMS[label]


def derivation(label: str) -> list[Step]:
    """The ordered steps of a theorem's derivation, each checked as it is produced."""
    found = THEOREMS[label].derivations
    if not found:
        msg = f"theorem {label!r} has no derivation"
        raise ValueError(msg)
    return list(found[0]())


def verify(label: str) -> Record:
    """Run every check and every control of a theorem."""
    t = THEOREMS[label]
    start = perf_counter()
    checks = tuple(_run_check(check) for check in t.checks)
    controls = tuple(_run_control(control) for control in t.controls)
    levels = [str(level) for level in Evidence if _reached(level, t, checks)]
    shortfalls = tuple(_shortfalls(t, checks, controls))
    return Record(
        t.label,
        t.claim,
        t.source,
        tuple(levels),
        checks,
        controls,
        t.uses,
        round(perf_counter() - start, 3),
        not shortfalls,
        shortfalls,
    )


def _reached(level: Evidence, t: Theorem, checks: tuple[dict[str, Any], ...]) -> bool:
    if level == Evidence.CITED:
        return t.cited
    return any(check["level"] == level and check["passed"] for check in checks)


def _run_check(check: Check) -> dict[str, Any]:
    start, message = perf_counter(), ""
    try:
        check.act()
    except Exception as error:  # noqa: BLE001 - whatever it raised, the check failed
        message = f"{type(error).__name__}: {error}"
    return {
        "name": check.act.__name__,
        "level": str(check.level),
        "passed": not message,
        "seconds": round(perf_counter() - start, 3),
        "message": message,
    }


def _run_control(control: Control) -> dict[str, Any]:
    start, refuted = perf_counter(), False
    message = "the changed statement passed its check"
    before = KEPT.set(())
    try:
        control.act()
    except AssertionError as error:
        refuted, message = True, str(error)
    except Exception as error:  # noqa: BLE001 - only an assertion refutes
        message = f"{type(error).__name__}: {error}"
    kept = KEPT.get()
    KEPT.reset(before)
    return {
        "name": control.act.__name__,
        "kind": control.kind,
        "changed": control.change,
        "kept": kept,
        "refuted": refuted,
        "seconds": round(perf_counter() - start, 3),
        "message": message,
    }


def _shortfalls(
    t: Theorem,
    checks: tuple[dict[str, Any], ...],
    controls: tuple[dict[str, Any], ...],
) -> Iterator[str]:
    """Everything that keeps a record from passing, in words."""
    if t.cited and not (checks or controls):
        return
    levels = {check["level"] for check in checks}
    if not levels & set(FORMAL):
        yield "no symbolic or exact check"
    if Evidence.NUMERIC not in levels:
        yield "no numeric check"
    if not controls:
        yield "no control"
    for check in (check for check in checks if not check["passed"]):
        yield f"check {check['name']} failed: {check['message']}"
    for control in (control for control in controls if not control["refuted"]):
        yield f"control {control['name']} was not refuted: {control['message']}"
