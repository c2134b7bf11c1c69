"""The records of differentiating an argmin: of every size, and derived in steps."""

import pytest

from companion.proofs import THEOREMS, derivation
from companion.proofs.argmin import __doc__ as listed

LABELS = [
    label.strip(" .\n")
    for label in str(listed).split("Theorems:")[1].replace("\n", " ").split(",")
]


def test_every_record_of_the_chapter_exists():
    assert len(LABELS) == 10
    assert set(LABELS) <= set(THEOREMS)


@pytest.mark.parametrize("label", LABELS)
def test_record_has_evidence_of_any_size_and_a_function(label):
    t = THEOREMS[label]
    assert t.implements
    assert "symbolic, any size" in {check.level for check in t.checks}
    assert {control.kind for control in t.controls} == {"mutant", "dropped"}


@pytest.mark.parametrize("label", LABELS)
def test_derivation_has_steps_with_reasons(label):
    steps = derivation(label)
    assert len(steps) >= 2
    assert all(step.lhs and step.rhs and step.rule for step in steps)
