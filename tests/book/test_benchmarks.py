"""What the page on benchmarks says is what its record says."""

import json

import pytest

from book import benchmarks as bench
from tests.benchmarks.contest import Row


def row(contestant: str, case: str = "a", **changes) -> dict:
    base = {"case": case, "group": "dense", "contestant": contestant, "floor": 10.0,
            "forward": 1.0, "both": 20.0, "ratio": 5.0, "median": 1e-9, "worst": 1e-8,
            "failure": "", "correct": True, "met": False, "samples": 5}  # fmt: skip
    return {**base, **changes}


OURS = row(bench.OURS, ratio=1.0, both=4.0, floor=None, met=True)
NEAR, FAR = row("near", ratio=9.0), row("far", ratio=2.5)
WRONG = row("wrong", median=0.5, worst=3.0, ratio=0.1, correct=False, met=None)
GONE = row("gone", both=None, ratio=None, median=None, worst=None, correct=None,
           forward=None, met=None, samples=0, failure="no answer in 9 s")  # fmt: skip
ROWS = [OURS, NEAR, FAR, WRONG, GONE]


def test_floors_that_are_not_met_come_with_their_shortfall() -> None:
    lines = bench.unmet_list(ROWS).splitlines()
    assert lines == [
        "- a, far: 2.5×, 75 % short of the 10× wanted",
        "- a, near: 9×, 10 % short of the 10× wanted",
    ]
    assert bench.unmet_list([OURS]) == "Every floor was met."
    loose = {**OURS, "met": False, "worst": 1e-3}
    assert "our own gradients" in bench.unmet_list([loose])


def test_a_wrong_peer_is_listed_and_compared_with_nobody() -> None:
    assert bench.wrong(ROWS) == [WRONG]
    assert "| wrong | a | 5e-01 | 3e+00 |" in bench.wrong_table(ROWS)
    worse = {**WRONG, "case": "b", "median": 0.4, "worst": 9.0}
    assert "| wrong | a; b | 5e-01 | 9e+00 |" in bench.wrong_table([worse, *ROWS])
    assert bench.by_case(ROWS, "ratio") == {"a": {"near": 9.0, "far": 2.5}}
    assert bench.nearest(ROWS) is FAR


def test_the_table_has_a_block_for_each_workload_and_says_who_is_gone() -> None:
    text = bench.table([*ROWS, row("near", case="b")], "dense").markup
    assert text.count('scope="rowgroup"') == 2
    assert text.count('scope="row"') == 6
    assert "<td>wrong</td>" in text
    assert "<td>9×</td><td>10×</td><td>not met</td><td>5</td>" in text
    assert "gone</th><td></td><td></td><td></td><td>10×</td><td>no answer</td>" in text
    timed = row("solver", median=None, worst=None, correct=None, met=None)
    cells = bench.table([timed], "dense").markup  # a solver without gradients
    assert "<td>5×</td><td>10×</td><td></td><td>5</td><td></td><td></td>" in cells
    assert 'scope="row"' not in bench.table(ROWS, "sparse").markup


def test_one_bad_instance_beside_a_right_median_is_listed() -> None:
    assert bench.wrong([row("once", worst=0.08)])
    assert not bench.wrong([row("once", worst=0.002)])


def test_who_gave_no_answer_is_listed_with_the_reason() -> None:
    facts = {"rows": ROWS, "peers": {"not installed": {"peer": "no wheel"}}}
    assert bench.failures(facts).splitlines() == [
        "- peer was not installed: no wheel",
        "- gone on a: no answer in 9 s",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1234"), (12.345, "12.3"), (0.5, "0.5"), (1e-4, "1.0e-04")],
)
def test_digits_are_three(value: float, text: str) -> None:
    assert bench.digits(value) == text


def test_what_a_record_lacks_is_said() -> None:
    assert bench.scope({"quick": False, "missing": [], "mixed": []}).startswith(
        "One run"
    )
    assert "measured: a, b." in bench.scope({"quick": False, "missing": ["a", "b"]})
    assert "two rounds" in bench.scope({"quick": True})
    assert "a part" in bench.scope({"quick": False, "whole": False})
    mixed = ["commit: '1', now '2'"]
    assert "one run: commit: '1', now '2'." in bench.scope(
        {"quick": False, "mixed": mixed}
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"met": True}, "met"),
        ({"met": False}, "not met"),
        ({"met": None}, ""),
        ({"met": None, "correct": False}, "wrong"),
        ({"met": None, "correct": None, "failure": "ended"}, "no answer"),
    ],
)
def test_a_verdict_is_what_the_row_says(changes: dict, word: str) -> None:
    assert bench.verdict(row("peer", **changes)) == word
    assert f"<td>{word}</td>" in bench.table([row("peer", **changes)], "dense").markup


def test_rounds_and_minutes_come_from_the_record() -> None:
    rules = {"rounds": 5, "seconds": 4.0, "sure": [[50.0, 1], [10.0, 2]],
             "near": 1.5, "long": 4.0}  # fmt: skip
    facts = {"rows": [OURS, row("once", samples=1)], "effort": rules,
             "seconds": {"a": 60.0, "b": 120.0}}  # fmt: skip
    text = bench.effort(facts)
    assert "1 round at 50 times our time and 2 rounds at 10 times" in text
    assert "Of 2 rows, 1 rest on a single call" in text
    assert bench.spent(facts) == "The whole took 3 minutes, 2 of them for b."
    assert bench.spent({}) == ""
    assert bench.effort({"rows": [OURS]}).startswith("Of 1 rows, 0 rest")


def test_groups_stand_in_the_order_of_the_record() -> None:
    rows = [{"group": name} for name in ("dense", "lp", "dense", "grid")]
    assert bench.groups(rows) == ["dense", "lp", "grid"]


def test_a_picture_says_who_is_closest() -> None:
    markup = bench.picture(ROWS, "label", "A caption.", "dense").markup
    assert "the leftmost mark is far on a, at 2.5×" in markup
    assert bench.closest([OURS]) == "nobody, for nothing was measured"


def test_the_record_has_the_costs_and_the_verdicts_that_its_numbers_give() -> None:
    facts = json.loads(bench.RECORD.read_text("utf8"))
    words = bench.cost_words(facts["costs"])
    assert float(words["floor-multiple"]) > 1
    assert all(text for text in words.values())
    for row in facts["rows"]:
        accuracy = tuple(row.pop("accuracy", (1e-9, 1e-6)))
        known = {key: row[key] for key in row if key not in ("met", "correct")}
        again = Row(**known, accuracy=accuracy)
        assert (again.met, again.correct) == (row["met"], row["correct"]), row
