"""What the page on benchmarks says, computed from the record beside it.

`make bench ARGS=--record` writes the record; nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from companion.plots import Emitted, show
from companion.plots import benchmarks as figures

RECORD = Path(__file__).with_suffix(".json")
OURS = "companion"
HEAD = ("layer", "forward", "both", "ratio", "wanted", "verdict")
ERRORS = ("median", "worst")
QUIET = 0.01  # worst error beside a right median that is worth a line

GROUPS = ("dense", "applied", "single", "sparse", "grid", "socp", "sdp", "exp")

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
    """The ratio of a row."""
    return f"{digits(row['ratio'])}×"


def verdict(row: Row) -> str:
    """Whether the floor is met, or why there is none."""
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
    return [
        row["contestant"], digits(row["forward"]), digits(row["both"]), times(row),
        wanted, verdict(row), f"{row['median']:.0e}", f"{row['worst']:.0e}",
    ]  # fmt: skip


def measured(rows: Iterable[Row], *groups: str) -> list[Row]:
    """Rows with an answer that compares, of some groups or of all."""
    kept = [row for row in rows if None not in (row["median"], row["ratio"])]
    return [row for row in kept if not groups or row["group"] in groups]


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    lines = [f"| {' | '.join(row)} |" for row in (list(head), *map(list, rows))]
    rule = "|" + " --- |" * len(list(head))
    return "\n".join([lines[0], rule, *lines[1:]])


def table(rows: Iterable[Row], *groups: str) -> Emitted:
    """The table of some groups, a block of rows for each workload."""
    head = "".join(f'<th scope="col">{name}</th>' for name in (*HEAD, *ERRORS))
    parts, last = [], None
    for row in measured(rows, *groups):
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
    """Whether the record is of everything, and with all its rounds."""
    there = {row["group"] for row in facts["rows"]}
    missing = [group for group in GROUPS if group not in there]
    parts = ["It took two rounds of each." if facts["quick"] else ""]
    if missing:
        parts.append(f"It lacks the workloads of these groups: {', '.join(missing)}.")
    return " ".join(filter(None, parts))


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
        share = f"{100 * shortfall(row):.0f} % of the {row['floor']:g}× wanted"
        who = f"{row['case']}, {row['contestant']}"
        lines.append(f"- {who}: {times(row)}, which is {share}")
    none = "Every floor was met." if measured(rows) else "Nothing was measured."
    return "\n".join(lines) or none


def wrong(rows: Iterable[Row]) -> list[Row]:
    """Rows whose gradient is wrong in the median, or off in one instance."""
    far = [
        row for row in measured(rows) if row["worst"] > QUIET or row["correct"] is False
    ]
    return sorted(far, key=lambda row: (row["contestant"], -row["median"]))


def wrong_table(rows: Iterable[Row]) -> str:
    """Wrong gradients, with their errors."""
    head = ("layer", "workload", *(f"{name} error" for name in ERRORS))
    return markdown(
        head,
        (
            [
                row["contestant"],
                row["case"],
                *(f"{row[k]:.0e}" for k in ("median", "worst")),
            ]
            for row in wrong(rows)
        ),
    )


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
