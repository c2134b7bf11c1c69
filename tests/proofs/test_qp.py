"""Every record of the book runs, and the command prints what it promises."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from companion.proofs import THEOREMS, __main__, derivation, verify
from companion.proofs.qp import instances
from companion.proofs.qp.gradients import printed

QP_LABELS = [
    *("qp-optimality", "qp-uniqueness", "qp-differential", "kkt-nonsingular"),
    *("qp-active-set", "qp-augmented", "qp-gradients", "qp-envelope"),
    *("qp-shared-parameters", "qp-invariances", "qp-parametrisation"),
]
KEYS = ["label", "claim", "levels", "checks", "controls", "uses", "seconds", "passed"]


def test_every_record_of_the_chapter_exists_in_this_order():
    assert [label for label in THEOREMS if label in QP_LABELS] == QP_LABELS


@pytest.mark.parametrize("label", THEOREMS)
def test_record_passes_and_every_control_is_refuted(label):
    record = verify(label)
    assert record.passed, record.shortfalls
    assert record.controls
    assert all(control["refuted"] for control in record.controls)


@pytest.mark.parametrize("label", QP_LABELS)
def test_record_has_an_implementation_and_evidence_of_any_size(label):
    t = THEOREMS[label]
    assert t.implements
    assert all(callable(target) for target in t.implements)
    assert "symbolic, any size" in {check.level for check in t.checks}


@pytest.mark.parametrize(
    "label", ["qp-optimality", "qp-differential", "qp-gradients", "qp-envelope"]
)
def test_derivation_is_a_connected_sequence_of_steps(label):
    steps = derivation(label)
    assert len(steps) >= 3
    assert all(step.lhs and step.rhs and step.rule for step in steps)
    joined = sum(a.rhs == b.lhs for a, b in pairwise(steps))
    assert joined >= 1


def test_printed_equation_differs_only_in_the_gradient_of_g():
    a = instances.adjoint(instances.MASTER, instances.LOSS)
    right, wrong = (
        instances.gradients(instances.MASTER, a),
        printed(instances.MASTER, a),
    )
    assert [name for name in right if right[name] != wrong[name]] == ["G"]
    assert (11 * right["G"]).tolist() == [[-1, -7, -10], [0, 0, 0]]
    assert (11 * wrong["G"]).tolist() == [[7, -23, -2], [0, 0, 0]]


def test_command_prints_json_with_the_promised_keys(capsys):
    assert __main__.main(["qp-augmented", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert list(record) == KEYS
    assert all(
        control["changed"] and control["refuted"] for control in record["controls"]
    )


def test_command_prints_the_derivation_of_one_label(capsys):
    assert __main__.main(["qp-optimality"]) == 0
    out = capsys.readouterr().out
    assert "[stationarity]" in out
    assert "dropped: P positive semidefinite" in out


def test_command_fails_when_a_record_falls_short(capsys, monkeypatch):
    without = replace(THEOREMS["qp-augmented"], controls=[])
    monkeypatch.setitem(THEOREMS, "qp-augmented", without)
    assert __main__.main(["qp-augmented"]) == 1
    assert "no control" in capsys.readouterr().out


def test_command_refuses_an_unknown_label(capsys):
    assert __main__.main(["qp-nonsense"]) == 2
    assert "qp-gradients" in capsys.readouterr().err
