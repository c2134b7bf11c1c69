"""Every exercise: the stub fails, the solution passes, wrong answers are diagnosed."""

import pytest

from companion.exercises import FAILURES, check, exercises
from companion.exercises.__main__ import main

ALL = exercises()


@pytest.mark.parametrize("label", ALL)
def test_stub_fails(label):
    task = ALL[label]
    assert task.diagnose(task.define(task.stub)) is not None


@pytest.mark.parametrize("label", ALL)
def test_solution_passes(label):
    task = ALL[label]
    assert task.diagnose(task.define(task.solution)) is None


@pytest.mark.parametrize("label", ALL)
def test_each_wrong_answer_gets_its_own_diagnosis(label):
    task = ALL[label]
    found = [task.diagnose(task.define(source)) for source, _ in task.wrong]
    assert len(set(found)) == len(task.wrong) == 3
    for diagnosis, (_, phrase) in zip(found, task.wrong, strict=True):
        assert diagnosis is not None
        assert phrase in diagnosis


def test_hints_unlock_one_failure_at_a_time():
    FAILURES.clear()
    verdicts = [check("optnet-ex-shared", lambda _: None) for _ in range(2)]
    assert [len(v.hints) for v in verdicts] == [1, 2]
    assert not check("optnet-ex-shared", lambda rows: rows.sum(0)).hints


def test_command_checks_a_file(tmp_path, capsys):
    task = ALL["optnet-ex-gap"]
    for source, code in ((task.stub, 1), (task.solution, 0)):
        (tmp_path / "answer.py").write_text(source, encoding="utf-8")
        assert main(["check", task.label, str(tmp_path / "answer.py")]) == code
    assert "passed" in capsys.readouterr().out
