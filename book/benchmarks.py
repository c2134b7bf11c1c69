"""What the page on benchmarks says, computed from the record beside it.

`make bench ARGS=--record` writes the record; nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from companion.plots import Emitted, show
from companion.plots import benchmarks as figures

RECORD = Path(__file__).with_suffix(".json")
OURS = "companion"
HEAD = ("layer", "forward", "both", "ratio", "wanted", "verdict", "rounds")
ERRORS = ("median", "worst")
QUIET = 0.01  # worst error beside a right median that is worth a line

Row = dict[str, Any]


def record() -> dict[str, Any]:
    """The recorded run."""
    return json.loads(RECORD.read_text("utf8"))


def digits(value: float) -> str:
    """Three significant digits, without an exponent where it can be helped."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.01 else f"{value:.1e}"


def times(row: Row) -> str:
    """The ratio of a row; empty where ours has no time either."""
    return "" if row["ratio"] is None else f"{digits(row['ratio'])}×"


def verdict(row: Row) -> str:
    """Whether the floor is met, or why there is none."""
    if row["failure"]:
        return "no answer"
    if row["correct"] is False:
        return "wrong"
    if row["met"] is None:
        return ""
    return "met" if row["met"] else "not met"


def cells(row: Row) -> list[str]:
    """A row of the table, without its workload."""
    wanted = "" if row["floor"] is None else f"{row['floor']:g}×"
    if row["contestant"] == OURS:
        wanted = ""
    spent = ["" if row[k] is None else digits(row[k]) for k in ("forward", "both")]
    errors = ["" if row[k] is None else f"{row[k]:.0e}" for k in ERRORS]
    rounds = str(row["samples"] or "")
    return [
        row["contestant"], *spent, times(row), wanted, verdict(row), rounds, *errors,
    ]  # fmt: skip


def measured(rows: Iterable[Row], *groups: str) -> list[Row]:
    """Rows with an answer that compares, of some groups or of all."""
    kept = [row for row in rows if None not in (row["median"], row["ratio"])]
    return [row for row in kept if not groups or row["group"] in groups]


def groups(rows: Iterable[Row]) -> list[str]:
    """Groups of workloads, in the order in which they were measured."""
    return list(dict.fromkeys(row["group"] for row in rows))


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    lines = [f"| {' | '.join(row)} |" for row in (list(head), *map(list, rows))]
    rule = "|" + " --- |" * len(list(head))
    return "\n".join([lines[0], rule, *lines[1:]])


def table(rows: Iterable[Row], *groups: str) -> Emitted:
    """The table of some groups, a block of rows for each workload."""
    head = "".join(f'<th scope="col">{name}</th>' for name in (*HEAD, *ERRORS))
    parts, last = [], None
    for row in [row for row in rows if row["group"] in groups]:
        if row["case"] != last:
            last = row["case"]
            span = f'colspan="{len(HEAD) + len(ERRORS)}"'
            parts.append(f'<tr><th scope="rowgroup" {span}>{escape(last)}</th></tr>')
        name, *rest = (escape(cell) for cell in cells(row))
        values = "".join(f"<td>{cell}</td>" for cell in rest)
        parts.append(f'<tr><th scope="row">{name}</th>{values}</tr>')
    label = f"Measured rows: {', '.join(groups)}"
    return Emitted(
        '<div class="pst-scrollable-table-container" tabindex="0" role="region"'
        f' aria-label="{label}"><table class="table benchmark-rows"><thead><tr>{head}'
        f"</tr></thead><tbody>{''.join(parts)}</tbody></table></div>"
    )


def scope(facts: dict[str, Any]) -> str:
    """What the record lacks, and whether it is of one run."""
    missing, mixed = facts.get("missing") or [], facts.get("mixed") or []
    parts = ["It took at most two rounds of each." if facts["quick"] else ""]
    if facts.get("whole") is False:  # of records that do not name what is missing
        parts.append("It is of a part of the workloads.")
    if missing:
        parts.append(f"These workloads were not measured: {', '.join(missing)}.")
    if mixed:
        parts.append(f"Its rows do not all come from one run: {'; '.join(mixed)}.")
    return " ".join(filter(None, parts)) or "One run measured every workload."


def effort(facts: dict[str, Any]) -> str:
    """How often the layers were called, as far as the record knows."""
    alone = [row for row in measured(facts["rows"]) if row["samples"] == 1]
    parts = []
    if rules := facts.get("effort"):
        fewer = " and ".join(
            f"{least} {'round' if least == 1 else 'rounds'} at {far:g} times our time"
            for far, least in rules["sure"]
        )
        parts = [
            f"A layer gets {rules['rounds']} rounds, or more where they are short, and"
            f" no more after {rules['seconds']:g} s.",
            f"One that is far behind gets fewer: {fewer}, unless that is within a"
            f" factor of {rules['near']:g} of what was wanted.",
            f"Where the first call takes {rules['long']:g} s, it is the only one.",
        ]
    parts.append(
        f"Of {len(measured(facts['rows']))} rows, {len(alone)} rest on a single call;"
        " the tables have the number of rounds."
    )
    return " ".join(parts)


def spent(facts: dict[str, Any]) -> str:
    """How long the run took, and where; empty if the record does not say."""
    seconds = facts.get("seconds")
    if not seconds:
        return ""
    name = max(seconds, key=seconds.__getitem__)
    total = f"The whole took {digits(sum(seconds.values()) / 60)} minutes"
    return f"{total}, {digits(seconds[name] / 60)} of them for {name}."


def kind(rows: Iterable[Row], *families: str) -> list[Row]:
    """Rows of some families."""
    return [row for row in rows if row["family"] in families]


def unmet(rows: Iterable[Row]) -> list[Row]:
    """Floors that are not met, the farthest from it first; ours is of accuracy."""
    found = [row for row in measured(rows) if row["met"] is False]
    return sorted(found, key=shortfall)


def shortfall(row: Row) -> float:
    """The ratio over the one that was wanted."""
    return row["ratio"] / row["floor"] if row["contestant"] != OURS else 0.0


def unmet_list(rows: list[Row]) -> str:
    """Floors that are not met, and by how much, as a list."""
    lines = []
    for row in unmet(rows):
        if row["contestant"] == OURS:
            error = f"error {row['median']:.0e}, at worst {row['worst']:.0e}"
            lines.append(f"- {row['case']}: our own gradients, {error}")
            continue
        short = f"{100 * (1 - shortfall(row)):.2g} % short of the {row['floor']:g}×"
        who = f"{row['case']}, {row['contestant']}"
        lines.append(f"- {who}: {row['ratio']:.4g}×, {short} wanted")
    none = "Every floor was met." if measured(rows) else "Nothing was measured."
    return "\n".join(lines) or none


def wrong(rows: Iterable[Row]) -> list[Row]:
    """Rows whose gradient is wrong in the median, or off in one instance."""
    far = [
        row for row in measured(rows) if row["worst"] > QUIET or row["correct"] is False
    ]
    return sorted(far, key=lambda row: (row["contestant"], -row["median"]))


def wrong_table(rows: Iterable[Row]) -> str:
    """Wrong gradients: a line for each layer, with the largest of its errors."""
    head = ("layer", "workloads", *(f"{name} error, up to" for name in ERRORS))
    lines = []
    for name, some in groupby(wrong(rows), key=itemgetter("contestant")):
        own = list(some)
        errors = (f"{max(row[k] for row in own):.0e}" for k in ERRORS)
        lines.append([name, "; ".join(row["case"] for row in own), *errors])
    return markdown(head, lines)


def failures(facts: dict[str, Any]) -> str:
    """Peers that did not install, and rows without an answer, as a list."""
    lines = [
        f"- {name} was not installed: {error}"
        for name, error in facts["peers"]["not installed"].items()
    ]
    lines += [
        f"- {row['contestant']} on {row['case']}: {row['failure']}"
        for row in facts["rows"]
        if row["failure"]
    ]
    return "\n".join(lines) or "Every peer was installed, and answered everywhere."


def by_case(rows: Iterable[Row], key: str, *groups: str) -> dict[str, dict[str, float]]:
    """A number of each correct peer, by workload."""
    found: dict[str, dict[str, float]] = {}
    for row in measured(rows, *groups):
        if row["contestant"] != OURS and row["correct"] and row[key] is not None:
            found.setdefault(row["case"], {})[row["contestant"]] = row[key]
    return found


def nearest(rows: Iterable[Row], *groups: str) -> Row | None:
    """The correct peer that comes closest to ours; None if nothing was measured."""
    others = [row for row in measured(rows, *groups) if row["contestant"] != OURS]
    right = [row for row in others if row["correct"]]
    return min(right, key=lambda row: row["ratio"], default=None)


def closest(rows: Iterable[Row], *groups: str) -> str:
    """Who comes closest to ours, and where."""
    row = nearest(rows, *groups)
    if row is None:
        return "nobody, for nothing was measured"
    return f"{row['contestant']} on {row['case']}, at {times(row)}"


def picture(rows: list[Row], label: str, caption: str, *groups: str) -> Emitted:
    """The ratios of some groups, with the text for who does not see them."""
    found = by_case(rows, "ratio", *groups)
    if not found:
        return Emitted("<p>Nothing of this kind was measured.</p>")
    alt = (
        f"A row for each of {len(found)} workloads, a mark for each layer, placed by"
        " its time over ours on a logarithmic axis; the leftmost mark is"
        f" {closest(rows, *groups)}."
    )
    figure = figures.ratios(found, by_case(rows, "floor", *groups))
    return show(figure, alt=alt, caption=caption, label=label)


def sweep(points: list[dict[str, float]]) -> dict[str, list[float]]:
    """Points as columns."""
    return {key: [point[key] for point in points] for key in points[0]}


def cost_words(costs: dict[str, Any]) -> dict[str, str]:
    """What the text says of costs, by the names that it uses."""
    words = {}
    for name in ("n", "m", "batch"):
        for part in ("forward", "backward"):
            fitted = costs[name][part]
            words[f"{name}-{part}"] = f"{fitted['exponent']:.2f}"
            words[f"{name}-{part}-last"] = f"{fitted['last']:.2f}"
    floor, memory = costs["floor"], costs["memory"]
    words |= {
        "floor": f"{floor['total']:.1f}",
        "floor-rate": f"{floor['gigaflops']:.1f}",
        "floor-ours": f"{floor['ours']:.1f}",
        "floor-multiple": f"{floor['multiple']:.1f}",
        "floor-active": str(floor["active"]),
    }
    for part in ("kept", "peak"):
        line = memory[part]
        words[part] = f"{line['each'] / (8 * memory['n'] ** 2):.2f}"
        words[f"{part}-off"] = f"{100 * line['off']:.1f} %"
    for part in ("torch", "layer", "call"):
        for clock in ("wall", "process"):
            best = min(run[part][clock] for run in costs["first"])
            words[f"{part}-{clock}"] = f"{best:.2f}"
    return words


def versions(facts: dict[str, Any]) -> str:
    """Names and versions, as a list in a sentence."""
    found = {**facts["machine"]["versions"], **facts["peers"]["versions"]}
    return ", ".join(f"{name} {version}" for name, version in found.items())
