"""A layer on a case: what is compared, and how a difference is judged.

Chapter: conformance.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from companion.conformance.cases import FIELDS, MATRICES, Case
from companion.conformance.layers import Answer, Layer

TOLERANCE = 1e-7  # relative to the larger of one and the largest entry expected
ROUGH = 1e-3  # a formula that is wrong errs by more, one solved loosely by less
BLUNDERS = (  # a layer that stumbles has not said that there is no solution
    *("TypeError", "ValueError", "IndexError", "KeyError", "AttributeError"),
    "AssertionError",
)
VERDICT_FAMILIES = {"regular": True, "kink": False, "dependent rows": False}


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "pass"
    INACCURATE = "inaccurate"  # right to 1e-3, not to 1e-7
    WRONG = "wrong"
    RAISED = "raised"
    SILENT = "silent"  # no word of a failure, or of a solution that is not unique
    OUT = "out of scope"  # the layer does not claim to accept such a problem


@dataclass(frozen=True)
class Outcome:
    """One check of one case, or one property; `note` says what was seen."""

    case: str
    check: str
    verdict: Verdict
    error: float = 0.0
    note: str = ""


def judged(error: float) -> Verdict:
    """The verdict on a relative error; what is not a number is wrong."""
    if error <= TOLERANCE:
        return Verdict.PASS
    return Verdict.INACCURATE if error <= ROUGH else Verdict.WRONG


def distance(got: Any, want: Any, scale: float = 1.0) -> float:
    """max|got − want| / max(scale, max|want|); infinite where got is not finite."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.size != want.size or not np.isfinite(got).all():
        return float("inf")
    gap = np.abs(got.reshape(want.shape) - want).max(initial=0.0)
    return float(gap / max(scale, np.abs(want).max(initial=0.0)))


def examine(layer: Layer, case: Case) -> list[Outcome]:
    """Every check of the case that the layer has to answer."""
    for need in case.needs:
        if need in layer.lacks:
            return [Outcome(case.name, "x", Verdict.OUT, note=layer.lacks[need])]
    answer = attempt(layer, case.fields, None)
    if case.status != "solved":
        return [without_solution(case.name, case.status, answer)]
    if case.may_refuse and (refusal := refused(answer)):
        return [Outcome(case.name, "x", Verdict.PASS, note=f"declined: {refusal}")]
    if isinstance(answer, str):
        return [Outcome(case.name, "x", Verdict.RAISED, note=answer)]
    return [
        *_forward(case, answer),
        *_gradients(layer, case),
        *_sides(layer, case),
    ]


def attempt(layer: Layer, fields: Any, seed: Any) -> Answer | str:
    """The layer's answer, or the first line of what it raised."""
    weights = None if seed is None else np.array(seed, dtype=float)
    try:
        return layer.call(fields, weights)
    except ModuleNotFoundError:  # says something of the installation, not of the layer
        raise
    except Exception as error:  # noqa: BLE001 - whatever a layer raises is a result
        return message(error)


def message(error: Exception) -> str:
    """The kind and the first line of an exception."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:120]}"


def refused(answer: Answer | str) -> str:
    """How the layer declined to answer; nothing if it answered."""
    if isinstance(answer, str):
        return "" if answer.startswith(BLUNDERS) else answer
    if answer.status is not None:
        return "" if answer.status[0] == "solved" else answer.status[0]
    return "" if np.isfinite(answer.x).all() else "x is not finite"


def without_solution(name: str, status: str, answer: Answer | str) -> Outcome:
    """A problem without solution must not be answered with a point."""
    if isinstance(answer, str):
        stumbled = answer.startswith(BLUNDERS)
        verdict = Verdict.RAISED if stumbled else Verdict.PASS
        return Outcome(name, "status", verdict, note=answer)
    seen = refused(answer)
    if not seen:
        seen = "no word of it, x = " + shown(answer.x)
        return Outcome(name, "status", Verdict.SILENT, note=seen)
    confused = {status, seen} == {"infeasible", "unbounded"}
    verdict = Verdict.WRONG if confused else Verdict.PASS
    return Outcome(name, "status", verdict, note=seen)


def shown(values: Any) -> str:
    """A few numbers, short."""
    flat = [f"{v:.6g}" for v in np.asarray(values, float).reshape(-1)[:6]]
    return "[" + ", ".join(flat) + "]"


def _forward(case: Case, answer: Answer) -> Iterator[Outcome]:
    """The point, the multipliers if given, and the layer's own verdict if any."""
    assert case.solution is not None
    assert case.flags is not None
    x = answer.x.reshape(-1)
    want = np.array(case.solution["x"], dtype=float)
    error = distance(x, want) if case.flags["unique_x"] else _short(case, x)
    yield Outcome(case.name, "x", judged(error), error, f"x = {shown(x)}")
    if answer.nu is not None and answer.lam is not None:
        error = _dual(case, x, answer.nu.reshape(-1), answer.lam.reshape(-1))
        note = f"nu = {shown(answer.nu)}, lam = {shown(answer.lam)}"
        yield Outcome(case.name, "multipliers", judged(error), error, note)
    verdict = None if answer.differentiable is None else answer.differentiable[0]
    if case.family == "tied":
        kind = {None: Verdict.SILENT, False: Verdict.PASS, True: Verdict.WRONG}[verdict]
        yield Outcome(case.name, "not unique", kind, note=f"differentiable: {verdict}")
    elif verdict is not None and case.family in VERDICT_FAMILIES:
        right = verdict == VERDICT_FAMILIES[case.family]
        kind = Verdict.PASS if right else Verdict.WRONG
        yield Outcome(case.name, "verdict", kind, note=f"differentiable: {verdict}")


def _short(case: Case, x: np.ndarray) -> float:
    """How far x is from being feasible with the optimal value."""
    assert case.solution is not None
    P, q, A, b, G, h = case.fields.values()
    if x.size != q.size or not np.isfinite(x).all():
        return float("inf")
    value = 0.5 * x @ P @ x + q @ x
    excess = np.maximum(G @ x - h, 0).max(initial=0.0)
    gaps = excess, np.abs(A @ x - b).max(initial=0.0)
    return max(distance(value, float(case.solution["value"])), *map(float, gaps))


def _dual(case: Case, x: np.ndarray, nu: np.ndarray, lam: np.ndarray) -> float:
    """Distance to the multipliers or, where they are not unique, KKT residual."""
    assert case.solution is not None
    assert case.flags is not None
    P, q, A, _, G, h = case.fields.values()
    if nu.size != len(A) or lam.size != len(G):
        return float("inf")
    if case.flags["unique_dual"]:
        gaps = [distance(nu, np.array(case.solution["nu"], dtype=float))]
        return max(*gaps, distance(lam, np.array(case.solution["lam"], dtype=float)))
    residual = P @ x + q + A.T @ nu + G.T @ lam
    parts = residual, np.minimum(lam, 0), lam * (h - G @ x)
    return max(distance(part, np.zeros(len(part))) for part in parts)


def _gradients(layer: Layer, case: Case) -> list[Outcome]:
    """Each field's gradient, the worse of the seeds.

    Those in P, A and G are products with x, and are compared relative to its size.
    That of P is compared by its symmetric part: P moves among symmetric matrices, and
    an asymmetric part has no effect there.
    """
    assert case.solution is not None
    size = max(1.0, *(abs(float(v)) for v in case.solution["x"]))
    worst: dict[str, Outcome] = {}
    for expected in case.vjps:
        answer = attempt(layer, case.fields, expected["seed"])
        for field in (f for f in FIELDS if f in expected and case.fields[f].size):
            check = f"d{field}"
            if isinstance(answer, str):
                outcome = Outcome(case.name, check, Verdict.RAISED, np.inf, answer)
            else:
                want = case.array(field, expected[field])
                got = answer.grads[field].reshape(want.shape)
                got = 0.5 * (got + got.T) if field == "P" else got
                error = distance(got, want, size if field in MATRICES else 1.0)
                note = f"{shown(got)} for {shown(want)}"
                outcome = Outcome(case.name, check, judged(error), error, note)
            if field not in worst or outcome.error > worst[field].error:
                worst[field] = outcome
    return list(worst.values())


def _sides(layer: Layer, case: Case) -> Iterator[Outcome]:
    """Gradients along a direction lie between the derivatives of its two sides."""
    for way in case.one_sided:
        answer = attempt(layer, case.fields, way["seed"])
        yield between_sides(case.name, way, answer)


def between_sides(name: str, way: Mapping[str, Any], answer: Answer | str) -> Outcome:
    """Whether a gradient, times a direction, lies between two one-sided derivatives."""
    check = f"between sides, d{way['field']}"
    if isinstance(answer, str):
        return Outcome(name, check, Verdict.RAISED, np.inf, answer)
    low, high = sorted((float(way["minus"]), float(way["plus"])))
    direction = np.array(way["direction"], dtype=float)
    slope = float(answer.grads[way["field"]].reshape(-1) @ direction)
    error = max(low - slope, slope - high, 0.0) if np.isfinite(slope) else np.inf
    note = f"{slope:.6g} along {shown(direction)}, sides {low:g} and {high:g}"
    return Outcome(name, check, judged(error), error, note)
