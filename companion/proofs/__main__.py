"""Run the evidence: `python -m companion.proofs [label] [--json]`.

Without a label every record is run; with one its derivation is printed too.  The exit
status is 1 when any record falls short and 2 for a label that does not exist.
"""

from __future__ import annotations

import argparse
import json
import sys

from companion.proofs import THEOREMS, Record, derivation, verify

HEADER = ("theorem", "levels", "checks", "controls", "seconds", "verdict")


def main(arguments: list[str] | None = None) -> int:
    """Verify, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion.proofs")
    parser.add_argument("label", nargs="?", help="one record, with its derivation")
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    options = parser.parse_args(arguments)
    if options.label and options.label not in THEOREMS:
        _write(
            f"no theorem {options.label!r}; there are: {', '.join(THEOREMS)}",
            sys.stderr,
        )
        return 2
    records = _run([options.label] if options.label else list(THEOREMS))
    if options.json:
        objects = [record.as_json() for record in records]
        _write(json.dumps(objects, ensure_ascii=False, indent=1))
    elif options.label:
        _write(_detail(records[0]))
    else:
        _write(_table(records))
    return 0 if all(record.passed for record in records) else 1


def _run(labels: list[str]) -> list[Record]:
    """Verify each label, with a line of progress on standard error."""
    records = []
    for k, label in enumerate(labels, 1):
        record = verify(label)
        verdict = "passed" if record.passed else "FALLS SHORT"
        _write(
            f"[{k}/{len(labels)}] {label}: {verdict}, {record.seconds:.1f} s",
            sys.stderr,
        )
        records.append(record)
    return records


def _table(records: list[Record]) -> str:
    rows = [HEADER]
    for record in records:
        refuted = sum(control["refuted"] for control in record.controls)
        held = sum(check["passed"] for check in record.checks)
        rows.append(
            (
                record.label,
                "; ".join(record.levels),
                f"{held}/{len(record.checks)}",
                f"{refuted}/{len(record.controls)}",
                f"{record.seconds:.2f}",
                "passed" if record.passed else "FALLS SHORT",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    seconds = sum(record.seconds for record in records)
    good = sum(record.passed for record in records)
    lines.append(f"{good} of {len(records)} records pass, {seconds:.1f} s")
    lines += [
        f"{record.label}: {shortfall}"
        for record in records
        for shortfall in record.shortfalls
    ]
    return "\n".join(lines)


def _detail(record: Record) -> str:
    """One record in full, with its derivation if it has one."""
    lines = [f"{record.label}: {record.claim}", f"source: {record.source}"]
    for check in record.checks:
        verdict = "holds" if check["passed"] else f"FAILS ({check['message']})"
        lines.append(f"check    {check['name']} ({check['level']}): {verdict}")
    for control in record.controls:
        verdict = "refuted" if control["refuted"] else "NOT REFUTED"
        detail = f"{verdict} ({control['message']})"
        lines.append(f"control  {control['kind']}: {control['changed']}: {detail}")
    if THEOREMS[record.label].derivations:
        for step in derivation(record.label):
            lines += [f"  {step.lhs}", f"    = {step.rhs}", f"      [{step.rule}]"]
    verdict = "; ".join(record.shortfalls) or "passed"
    return "\n".join([*lines, f"{verdict}, {record.seconds:.2f} s"])


def _write(text: str, stream: object = None) -> None:
    out = stream or sys.stdout
    out.write(text + "\n")  # type: ignore[attr-defined]
    out.flush()  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
