"""Outcomes on cone programs: the rows of the table, and programs that show a failure.

Chapter: conformance.md.
"""

from __future__ import annotations

from companion.conformance.checks import Outcome
from companion.conformance.conic.cases import FIELDS, ConeCase, cone_cases
from companion.conformance.report import Kit

KINDS = ("closed form", "triangle", "product", "drawn")
GROUPS = (
    *(f"{kind}: solution" for kind in KINDS),
    *(f"{kind}: gradients" for kind in KINDS),
    *("kink: solution", "between its sides at a kink"),
    "dependent rows: solution",
    *("infeasible: says so", "unbounded: says so"),
    "regularity's verdict",
)


def group(outcome: Outcome) -> str:
    """The row of the table that an outcome counts in."""
    case = cone_cases()[outcome.case]
    if case.status != "solved":
        return f"{case.status}: says so"
    if outcome.check.startswith("between sides"):
        return "between its sides at a kink"
    if outcome.check == "verdict":
        return "regularity's verdict"
    what = "gradients" if outcome.check.startswith("d") else "solution"
    return f"{case.family}: {what}"


def reproduction(name: str, source: str, outcome: Outcome) -> str:
    """A program that shows the outcome, given the text of the layer's adapter."""
    case = cone_cases()[outcome.case]
    sizes = {k: v for k, v in vars(case.problem.K).items() if v}
    shown = ", ".join(f"{k}={v!r}" for k, v in sizes.items())
    lines = ["import numpy as np", "", "from companion.problems import Cones"]
    lines += ["", source.rstrip(), "", f"# {case.about}", *_data(outcome, case)]
    lines += [f"K = Cones({shown})", f"found = {name}(P, q, A, b, K)"]
    lines += [f"print(found)  # {_expected(case)}"]
    return "\n".join([*lines, *_backward(outcome, case)])


def _data(outcome: Outcome, case: ConeCase) -> list[str]:
    """The four fields as text, or for a large one where they are to be had."""
    if case.problem.n > 6 or case.problem.m > 12:
        line = "from companion.conformance.conic.cases import cone_cases"
        return [line, f"P, q, A, b = cone_cases()[{outcome.case!r}].problem.fields"]
    values = zip(FIELDS, case.problem.fields, strict=True)
    return [f"{field} = np.array({value.tolist()})" for field, value in values]


def _expected(case: ConeCase) -> str:
    if case.solution is None:
        return f"there is no solution: the problem is {case.status}"
    return f"x = {_short(case.solution['x'])}"


def _backward(outcome: Outcome, case: ConeCase) -> list[str]:
    """Lines that differentiate, for an outcome that is about a gradient."""
    field = outcome.check[-1]
    if outcome.check == f"d{field}" and field in FIELDS:
        worst = next(
            (v for v in case.vjps if _holds(outcome.note, v[field])), case.vjps[0]
        )
        seed, want = worst["seed"], outcome.note
    elif outcome.check.startswith("between sides"):
        way = next(w for w in case.one_sided if w["field"] == field)
        seed, want = way["seed"], outcome.note
    else:
        return []
    place = FIELDS.index(field)
    return [
        f"g = np.array({seed.tolist()})",
        f'print(found["pullback"](g)[{place}])  # {want}',
    ]


def _holds(note: str, values: object) -> bool:
    """Whether these are the expectations that the note of an outcome ends with."""
    flat = [f"{v:.6g}" for v in getattr(values, "flat", ())]
    return note.rpartition(" ")[2] in flat


def _short(values: object) -> str:
    flat = [f"{v:.6g}" for v in list(getattr(values, "flat", ()))[:6]]
    return "(" + ", ".join(flat) + ")"


def size(outcome: Outcome) -> tuple[bool, int]:
    """Least for a case with a solution and few rows."""
    case = cone_cases()[outcome.case]
    return case.solution is None, case.problem.m


CONES = Kit(GROUPS, group, reproduction, size, "cones.json")
