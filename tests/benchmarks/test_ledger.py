"""Runs go on where they stopped, and nowhere else in silence."""

import copy

import pytest

from tests.benchmarks import __main__ as run
from tests.benchmarks import ledger, machine


def facts() -> dict:
    about = {"cpu": "one", "cores": 2, "memory": 4.0, "system": "s", "python": "3",
             "commit": "abc", "code": "123", "versions": {"torch": "2"}}  # fmt: skip
    return {"machine": about, "load": [0.0], "peers": {"versions": {"qpth": "1"}},
            "effort": {"rounds": 5}, "rows": [], "costs": None, "seconds": {},
            "mixed": [], "quick": False}  # fmt: skip


def begun() -> dict:
    row = {"family": "qp", "case": "a"}
    return facts() | {"rows": [row], "seconds": {"a": 1.0}, "costs": {"n": 1}}


def test_a_run_that_stopped_goes_on_with_its_rows() -> None:
    found = ledger.resumed(begun(), facts(), mix=False)
    assert (found["rows"], found["costs"]) == (begun()["rows"], {"n": 1})
    assert found["mixed"] == []
    assert ledger.finished(found, "qp", "a")
    assert not ledger.finished(found, "cones", "a")


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("machine", "commit", "def"),
        ("machine", "code", "456"),
        ("machine", "cpu", "two"),
        ("machine", "versions", {"torch": "3"}),
        ("machine", "device", "GPU"),
        ("peers", "versions", {"qpth": "2"}),
        ("effort", "rounds", 2),
    ],
)
def test_rows_from_elsewhere_are_refused_or_said_to_be_mixed(
    place: str, name: str, value: object
) -> None:
    new = copy.deepcopy(facts())
    new[place][name] = value
    with pytest.raises(ledger.MixedError, match=name if place == "machine" else place):
        ledger.resumed(begun(), new, mix=False)
    mixed = ledger.resumed(begun(), new, mix=True)
    assert len(mixed["mixed"]) == 1
    assert mixed["rows"] == begun()["rows"]
    again = ledger.resumed(mixed, new, mix=False)  # stays said
    assert again["mixed"] == mixed["mixed"]


def test_the_date_does_not_part_a_run() -> None:
    old = begun()
    old["machine"]["date"] = "yesterday"
    assert ledger.differences(old, facts()) == []


def test_the_file_is_whole_after_each_write(tmp_path) -> None:
    file = tmp_path / "deep" / "results.json"
    ledger.write(facts(), file)
    assert ledger.read(file) == facts()
    assert [v.name for v in file.parent.iterdir()] == ["results.json"]


def test_a_gpu_gets_the_dense_rows_of_ours_and_qpth() -> None:
    choice = run.options(["--device", "cuda"])
    assert (choice.families, choice.peers, choice.costs) == (["qp"], ["qpth"], False)
    assert {case.group for _, case in run.chosen(choice)} == {"dense", "grid"}
    assert run.options(["--device", "cuda", "--peers", "dqp"]).peers == ["companion"]
    assert run.result("cuda") != run.result("cpu")


@pytest.mark.parametrize(
    "words", [["--device", "cuda", "--record"], ["--device", "tpu"]]
)
def test_what_makes_no_sense_is_refused(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        run.options(words)
    assert "--device" in capsys.readouterr().err


def test_without_a_gpu_the_run_says_that_it_skips(monkeypatch, capsys) -> None:
    monkeypatch.setattr(machine, "accelerator", lambda: "")
    run.main(["--device", "cuda"])
    assert "no CUDA device" in capsys.readouterr().out


def test_workloads_are_chosen_by_group_or_name() -> None:
    names = {case.name for _, case in run.chosen(run.options(["--only", "single"]))}
    assert names == {"B1 n500 m500 p250", "B1 n1000 m1000 p500"}
    one = run.chosen(run.options(["--only", "banded n504 tight"]))
    assert [case.name for _, case in one] == ["banded n504 tight"]
