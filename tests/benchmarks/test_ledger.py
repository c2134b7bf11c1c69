"""Runs go on where they stopped, and nowhere else in silence."""

import copy
import os

import pytest

from tests.benchmarks import __main__ as run
from tests.benchmarks import contest, costs, ledger, machine


def facts() -> dict:
    about = {"cpu": "one", "cores": 2, "memory": 4.0, "system": "s", "python": "3",
             "commit": "abc", "code": "123", "versions": {"torch": "2"}}  # fmt: skip
    return {"machine": about, "load": [0.0], "peers": {"versions": {"qpth": "1"}},
            "effort": {"rounds": 5}, "rows": [], "costs": None, "seconds": {},
            "mixed": [], "quick": False}  # fmt: skip


def begun() -> dict:
    row = {"family": "qp", "case": "a"}
    return facts() | {"rows": [row], "seconds": {"a": 1.0}, "costs": {"n": 1}}


def test_a_record_leaves_the_commit_as_it_was(tmp_path, monkeypatch) -> None:
    record, code = tmp_path / "book" / "benchmarks.json", tmp_path / "code.py"
    record.parent.mkdir()
    record.write_text("{}")
    code.write_text("")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (["init", "-q"], ["add", "."], [*name, "commit", "-qm", "Begin"]):
        assert machine.git(*words).returncode == 0
    clean = machine.commit()
    record.write_text("[]")
    assert machine.commit() == clean
    code.write_text("1")
    assert machine.commit() == f"{clean}-dirty"


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
    "words",
    [
        ["--device", "cuda", "--record"],
        ["--device", "tpu"],
        ["--record", "--no-costs"],
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        run.options(words)
    assert words[0] in capsys.readouterr().err


@pytest.fixture
def alone(monkeypatch, tmp_path) -> list[str]:
    """A run with files and an environment of its own; the workloads it measures."""
    measured: list[str] = []

    class Ring(contest.Contest):
        def run(self, case, names):
            measured.append(case.name)
            for name in names:
                yield contest.Row(
                    self.family, case.name, case.group, name, None, 1.0, 2.0,
                    samples=1, ratio=1.0, median=0.0, worst=0.0,
                )  # fmt: skip

    monkeypatch.setattr(contest, "Contest", Ring)
    monkeypatch.setattr(costs, "measured", lambda: {"n": 1})
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setattr(run, "RECORD", tmp_path / "record.json")
    return measured


def test_without_a_gpu_the_run_says_that_it_skips(alone, monkeypatch, capsys) -> None:
    monkeypatch.setattr(machine, "accelerator", lambda: "")
    run.main(["--device", "cuda"])
    assert "no CUDA device" in capsys.readouterr().out
    assert alone == []


def test_a_run_that_stopped_measures_what_is_missing(alone, tmp_path) -> None:
    words = ["--families", "trouble"]
    run.main([*words, "--only", "first"])
    run.main([*words, "--resume"])
    assert alone == ["first", "alone"]
    found = ledger.read(tmp_path / "benchmarks.json")
    assert [row["case"] for row in found["rows"]] == ["first"] * 4 + ["alone"] * 4
    assert list(found["seconds"]) == ["first", "costs", "alone"]
    assert "Sudoku B150" in found["missing"]
    with pytest.raises(SystemExit, match="--mix"):
        run.main([*words, "--resume", "--quick"])
    run.main([*words, "--resume", "--quick", "--mix"])
    assert "effort" in ledger.read(tmp_path / "benchmarks.json")["mixed"][0]
    assert not (tmp_path / "record.json").exists()
    run.main([*words, "--resume", "--quick", "--record"])
    assert ledger.read(tmp_path / "record.json")["quick"]
    assert len(alone) == 2


def test_workloads_are_chosen_by_group_or_name() -> None:
    names = {case.name for _, case in run.chosen(run.options(["--only", "single"]))}
    assert names == {"B1 n500 m500 p250", "B1 n1000 m1000 p500"}
    one = run.chosen(run.options(["--only", "banded n504 tight"]))
    assert [case.name for _, case in one] == ["banded n504 tight"]
