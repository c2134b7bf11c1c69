"""The registry: what a record needs to pass, and what keeps it from passing."""

import pytest

from companion.proofs import registry
from companion.proofs.registry import Evidence, Step, require, theorem, verify


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "THEOREMS", {})


def complete(label="whole"):
    """A theorem with one check of each needed kind and one control."""
    t = theorem(label, claim="1 = 1", source="nobody2000nothing")
    t.check(Evidence.EXACT)(lambda: None)
    t.check(Evidence.NUMERIC)(lambda: None)
    t.control(mutant="2 for 1")(fail)
    return t


def fail():
    raise AssertionError("no")


def test_a_complete_record_passes_and_has_the_documented_keys():
    complete()
    record = verify("whole")
    assert record.passed
    assert record.levels == ("exact arithmetic", "numeric")
    keys = "label claim levels checks controls uses seconds passed"
    assert list(record.as_json()) == keys.split()


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        ({"checks": [1]}, "no symbolic or exact check"),
        ({"checks": [0]}, "no numeric check"),
        ({"controls": []}, "no control"),
    ],
)
def test_an_incomplete_record_falls_short(kept, missing):
    t = complete()
    for name, places in kept.items():
        items = getattr(t, name)
        items[:] = [items[i] for i in places]
    record = verify("whole")
    assert not record.passed
    assert record.shortfalls == (missing,)


def test_a_failing_check_is_reported_and_its_level_not_reached():
    complete().check(Evidence.SYMBOLIC)(fail)
    record = verify("whole")
    assert not record.passed
    assert "symbolic, stated size" not in record.levels
    assert "fail failed: AssertionError: no" in record.shortfalls[0]


def test_an_error_in_a_check_is_a_failure_not_a_crash():
    complete().check(Evidence.EXACT)(lambda: 1 / 0)
    assert "ZeroDivisionError" in verify("whole").shortfalls[0]


@pytest.mark.parametrize(
    "act", [lambda: None, lambda: 1 / 0, lambda: require(1 == 2, "P ≻ 0")]
)
def test_only_an_assertion_refutes_a_control(act):
    complete().control(dropped="everything")(act)
    record = verify("whole")
    assert not record.passed
    assert [control["refuted"] for control in record.controls] == [True, False]


def test_a_control_is_a_mutant_or_a_dropped_hypothesis():
    t = complete()
    for arguments in ({}, {"mutant": "a", "dropped": "b"}):
        with pytest.raises(ValueError, match="either a mutant or a dropped"):
            t.control(**arguments)


def test_labels_are_unique_and_uses_are_earlier():
    complete()
    with pytest.raises(ValueError, match="taken"):
        complete()
    with pytest.raises(ValueError, match=r"earlier theorems.*later"):
        theorem("next", claim="", source="", uses=("whole", "later"))


def test_a_cited_theorem_needs_no_run_and_says_so():
    t = theorem("slater", claim="strong duality", source="boyd2004convex", cited=True)
    record = verify("slater")
    assert record.passed
    assert record.levels == ("cited",)
    with pytest.raises(ValueError, match="not a check"):
        t.check(Evidence.CITED)


def test_a_derivation_is_a_check_of_any_size():
    t = complete()

    @t.derivation
    def steps():
        yield Step("a", "b", "given")
        fail()

    record = verify("whole")
    assert "steps failed" in record.shortfalls[0]
    with pytest.raises(AssertionError):
        registry.derivation("whole")
    with pytest.raises(ValueError, match="one derivation"):
        t.derivation(steps)


def test_a_theorem_without_derivation_says_so():
    complete()
    with pytest.raises(ValueError, match="no derivation"):
        registry.derivation("whole")
