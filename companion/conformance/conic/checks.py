"""A layer on a cone program: what is compared.

Chapter: conformance.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from companion.conformance.checks import (
    Outcome,
    Verdict,
    attempt,
    between_sides,
    distance,
    judged,
    shown,
    without_solution,
)
from companion.conformance.conic.cases import FIELDS, ConeCase
from companion.conformance.layers import Answer, Layer

IRREGULAR = ("kink", "dependent rows")  # families whose derivative does not exist


def examine(layer: Layer, case: ConeCase) -> list[Outcome]:
    """Every check of the case that the layer has to answer."""
    for need in case.needs:
        if need in layer.lacks:
            return [Outcome(case.name, "x", Verdict.OUT, note=layer.lacks[need])]
    answer = attempt(layer, case.problem, None)
    if case.status != "solved":
        return [without_solution(case.name, case.status, answer)]
    if isinstance(answer, str):
        return [Outcome(case.name, "x", Verdict.RAISED, note=answer)]
    return [*_forward(case, answer), *_gradients(layer, case), *_sides(layer, case)]


def _forward(case: ConeCase, answer: Answer) -> Iterator[Outcome]:
    """The point, multiplier and slack if given, and the layer's own verdict if any."""
    assert case.solution is not None
    error = distance(answer.x, case.solution["x"])
    yield Outcome(case.name, "x", judged(error), error, f"x = {shown(answer.x)}")
    for name, got in (("y", answer.y), ("s", answer.s)):
        unique = name == "s" or case.family != "dependent rows"
        if got is not None and unique:
            error = distance(got, case.solution[name])
            note = f"{shown(got)} for {shown(case.solution[name])}"
            yield Outcome(case.name, name, judged(error), error, note)
    if answer.differentiable is not None:
        said = answer.differentiable[0]
        right = said == (case.family not in IRREGULAR)
        kind = Verdict.PASS if right else Verdict.WRONG
        yield Outcome(case.name, "verdict", kind, note=f"differentiable: {said}")


def _gradients(layer: Layer, case: ConeCase) -> list[Outcome]:
    """Each field's gradient, the worse of the seeds; that of P by its symmetric part.

    Those in P and A are products with x and y, and are compared relative to their size.
    """
    assert case.solution is not None
    sizes = [np.abs(case.solution[k]).max() for k in ("x", "y")]
    size, worst = max(1.0, *sizes), {}
    for expected in case.vjps:
        answer = attempt(layer, case.problem, expected["seed"])
        given = FIELDS[1:] if isinstance(answer, str) else answer.grads
        for field in given:
            found = _gradient(case.name, field, expected, answer, size)
            if field not in worst or found.error > worst[field].error:
                worst[field] = found
    return list(worst.values())


def _gradient(
    name: str,
    field: str,
    expected: dict[str, np.ndarray],
    answer: Answer | str,
    size: float,
) -> Outcome:
    if isinstance(answer, str):
        return Outcome(name, f"d{field}", Verdict.RAISED, np.inf, answer)
    want = expected[field]
    got = answer.grads[field].reshape(want.shape)
    got = 0.5 * (got + got.T) if field == "P" else got
    error = distance(got, want, size if field in "PA" else 1.0)
    place = int(np.argmax(np.abs(got - want))) if np.isfinite(got).all() else 0
    at = f"entry {place}: " if want.size > 1 else ""
    note = f"{at}{got.flat[place]:.6g} for {want.flat[place]:.6g}"
    return Outcome(name, f"d{field}", judged(error), error, note)


def _sides(layer: Layer, case: ConeCase) -> Iterator[Outcome]:
    """Gradients along a direction lie between the derivatives of its two sides."""
    for way in case.one_sided:
        answer = attempt(layer, case.problem, way["seed"])
        yield between_sides(case.name, way, answer)
