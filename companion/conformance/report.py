"""Outcomes as tables, and each failure as a few lines that can be pasted.

Chapter: conformance.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any, NamedTuple

from companion.conformance.cases import FIELDS, MATRICES, Case, cases
from companion.conformance.checks import Outcome, Verdict
from companion.conformance.layers import Layer
from companion.conformance.properties import PROPERTIES

GROUPS = (
    *("x", "multipliers", "dP", "dq", "dA", "db", "dG", "dh"),
    *("close to a kink", "between its sides at a kink"),
    *("tied: says so", "infeasible: says so", "unbounded: says so"),
    *("regularity's verdict", *PROPERTIES),
)
FINE = (Verdict.PASS, Verdict.OUT)
Tally = dict[str, Counter[str]]


class Kit(NamedTuple):
    """What a report has to know of a suite.

    groups: the rows of its table.  group: the one that an outcome counts in.
    reproduction: a program, from the name and text of an adapter and an outcome.  size:
    by which the smallest of some failures is chosen.  file: what was recorded.
    """

    groups: tuple[str, ...]
    group: Callable[[Outcome], str]
    reproduction: Callable[[str, str, Outcome], str]
    size: Callable[[Outcome], tuple[Any, ...]]
    file: str


def group(outcome: Outcome) -> str:
    """The row of the table that an outcome counts in."""
    if outcome.check in PROPERTIES:
        return outcome.check
    case = cases()[outcome.case]
    if case.status != "solved":
        return f"{case.status}: says so"
    if case.family == "near a kink":
        return "close to a kink"
    if outcome.check.startswith("between sides"):
        return "between its sides at a kink"
    words = {"not unique": "tied: says so", "verdict": "regularity's verdict"}
    return words.get(outcome.check, outcome.check)


def tally(outcomes: Iterable[Outcome], kit: Kit | None = None) -> Tally:
    """How often each verdict was given, by group."""
    kit, found = kit or QUADRATIC, {}
    for outcome in outcomes:
        found.setdefault(kit.group(outcome), Counter())[str(outcome.verdict)] += 1
    return {name: found[name] for name in kit.groups if name in found}


def failures(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """What falls short; what is out of a layer's scope does not."""
    return [outcome for outcome in outcomes if outcome.verdict not in FINE]


def cell(counts: Mapping[str, int]) -> str:
    """Passes out of all in scope, and the other verdicts in words."""
    scope = sum(counts.values()) - counts.get(Verdict.OUT, 0)
    if not scope:
        return "out of scope"
    bad = [f"{n} {v}" for v, n in sorted(counts.items()) if v not in FINE]
    return ", ".join([f"{counts.get(Verdict.PASS, 0)}/{scope}", *bad])


def table(tallies: Mapping[str, Tally], kit: Kit | None = None) -> list[list[str]]:
    """A row for each group with a cell for each layer, under a row of names."""
    rows = [["", *tallies]]
    for name in (kit or QUADRATIC).groups:
        if any(name in found for found in tallies.values()):
            row = [
                cell(found[name]) if name in found else "–"
                for found in tallies.values()
            ]
            rows.append([name, *row])
    return rows


def markdown(rows: list[list[str]]) -> str:
    """The rows as a table of Markdown, the first as its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def aligned(rows: list[list[str]]) -> str:
    """The rows as plain text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def line(outcome: Outcome) -> str:
    """One outcome on one line."""
    finite = 0.0 < outcome.error < float("inf")
    error = f", error {outcome.error:.1e}" if finite else ""
    note = f": {outcome.note}" if outcome.note else ""
    return f"{outcome.case}, {outcome.check}: {outcome.verdict}{error}{note}"


def reproduction(name: str, source: str, outcome: Outcome) -> str:
    """A program that shows the outcome, given the text of the layer's adapter."""
    if outcome.check in PROPERTIES:
        return (
            "from companion.conformance import adapters, cases, properties\n\n"
            f"holds = properties.PROPERTIES[{outcome.check!r}]\n"
            f"case = cases()[{outcome.case!r}]\n"
            f"print(holds(adapters.layer({name!r}), case))  # 0 if it holds"
        )
    case = cases()[outcome.case]
    lines = ["import torch", "", source.rstrip(), "", f"# {case.about}"]
    lines += [_tensor(field, case) for field in FIELDS]
    lines += [
        "leaves = [v.requires_grad_() for v in (P, q, A, b, G, h)]",
        f"found = {name}(*leaves)",
        f"print(found)  # {_expected(outcome, case)}",
    ]
    return "\n".join([*lines, *_backward(outcome, case)])


def _tensor(field: str, case: Case) -> str:
    value = case.fields[field]
    if not value.size:
        return f"{field} = torch.zeros({value.shape}, dtype=torch.float64)"
    return f"{field} = torch.tensor({value.tolist()}, dtype=torch.float64)"


def _expected(outcome: Outcome, case: Case) -> str:
    if case.solution is None:
        return f"there is no solution: the problem is {case.status}"
    exact = ", ".join(map(str, case.solution["x"]))
    return f"x = ({exact})" + ("" if outcome.check != "not unique" else ", or another")


def _backward(outcome: Outcome, case: Case) -> list[str]:
    """Lines that differentiate, for an outcome that is about a gradient."""
    field = outcome.check[-1]
    if outcome.check == f"d{field}" and field in FIELDS:
        worst = case.vjps[_which(outcome, case)]
        values = worst[field]
        rows = values if field in MATRICES else [values]
        want = "; ".join(", ".join(map(str, row)) for row in rows)
        seed, want = worst["seed"], f"expected [{want}]"
    elif outcome.check.startswith("between sides"):
        way = next(w for w in case.one_sided if w["field"] == field)
        seed, want = way["seed"], outcome.note
    else:
        return []
    weights = f"torch.tensor({[float(v) for v in seed]}, dtype=torch.float64)"
    return [
        'x = found["x"]',
        f"x.backward({weights}.reshape(x.shape))",
        f"print({field}.grad)  # {want}",
    ]


def _which(outcome: Outcome, case: Case) -> int:
    """The seed whose expectation the note of an outcome ends with."""
    for k, vjp in enumerate(case.vjps):
        shown = case.array(outcome.check[-1], vjp[outcome.check[-1]])
        if outcome.note.endswith(_short(shown)):
            return k
    return 0


def _short(values: Any) -> str:
    flat = [f"{v:.6g}" for v in values.reshape(-1)[:6]]
    return "[" + ", ".join(flat) + "]"


ORDER = (Verdict.WRONG, Verdict.SILENT, Verdict.RAISED, Verdict.INACCURATE)


def shortfalls(
    layers: Mapping[str, Any],
    ours: Mapping[str, list[Outcome]] | None = None,
    kit: Kit | None = None,
) -> str:
    """MyST: for each layer its failures, worst first, with a reproduction, folded."""
    kit, parts = kit or QUADRATIC, []
    for name, found in (ours or {}).items():
        failed = "".join(f"- {line(o)}\n" for o in failures(found))
        parts.append(f"**{name}**: {failed or 'nothing.'}")
    for name, kept in layers.items():
        failed = sorted(
            map(outcome, kept["failures"]), key=lambda o: ORDER.index(o.verdict)
        )
        versions = ", ".join(f"{k} {v}" for k, v in kept["versions"].items())
        nothing = "" if failed else ": nothing"
        parts.append(f"**{name}**, run with {versions}{nothing}.")
        for verdict in ORDER:
            some = [o for o in failed if o.verdict == verdict]
            if some:
                least = min(some, key=kit.size)
                shown = kit.reproduction(name, kept["source"], least)
                parts.append(_folded(f"{name}, {verdict}: {len(some)}", some, shown))
    return "\n\n".join(parts)


def _folded(title: str, some: list[Outcome], program: str) -> str:
    items = "\n".join(f"- `{line(o)}`" for o in some)
    inside = f"{items}\n\n```python\n{program}\n```"
    return f"````{{dropdown}} {title}\n{inside}\n````"


def _size(found: Outcome) -> tuple[bool, bool, int]:
    """Least for a case, with a solution, of few variables."""
    case = cases()[found.case]
    return found.check in PROPERTIES, case.solution is None, case.n


def record(
    layer: Layer, outcomes: list[Outcome], kit: Kit | None = None
) -> dict[str, Any]:
    """What is kept of a run: versions, counts, and each failure."""
    counts = tally(outcomes, kit)
    return {
        "versions": dict(layer.facts),
        "lacks": dict(layer.lacks),
        "source": layer.source,
        "tally": {name: dict(found) for name, found in counts.items()},
        "failures": [
            {**asdict(o), "error": o.error if o.error < float("inf") else None}
            for o in failures(outcomes)
        ],
    }


def recorded(kit: Kit | None = None) -> dict[str, Any]:
    """The peers' results, as they were recorded: date, environment, and layers."""
    name = (kit or QUADRATIC).file
    file = files("companion.conformance") / "recorded" / name
    return json.loads(file.read_text("utf8"))


def outcome(entry: Mapping[str, Any]) -> Outcome:
    """An outcome from its record."""
    error = float("inf") if entry["error"] is None else entry["error"]
    verdict = Verdict(entry["verdict"])
    return Outcome(entry["case"], entry["check"], verdict, error, entry["note"])


QUADRATIC = Kit(GROUPS, group, reproduction, _size, "peers.json")
