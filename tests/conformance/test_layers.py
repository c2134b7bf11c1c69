"""Our engines pass everything; each planted fault is told by what it breaks."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch

from companion.conformance import adapters, mutants, report, suite
from companion.conformance.__main__ import main
from companion.conformance.cases import FIELDS, cases
from companion.conformance.checks import Outcome, Verdict, distance, examine, judged
from companion.conformance.layers import Answer, Layer
from companion.conformance.properties import PROPERTIES, hold
from companion.layers import qp as layers
from companion.layers.qp.sparse import libraries
from companion.problems import QP
from companion.reference import qp as reference

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="active_set needs numba"
)
needs_library = pytest.mark.skipif(
    not libraries.installed(), reason="sparse needs clarabel or piqp"
)
ENGINES = [pytest.param("active_set", marks=needs_numba), "interior_point"]
KILLERS = {  # the fault: where it is tried, and the check that tells it
    "half dropped": ("seeded-4-1-5-2", "dP"),
    "P not symmetrised": ("symmetric in P", "symmetric in P"),
    "sign of q": ("seeded-4-1-5-2", "dq"),
    "sign of dnu in A": ("seeded-4-1-5-2", "dA"),
    "nu forgotten in A": ("seeded-4-1-5-2", "dA"),
    "sign of b": ("seeded-4-1-5-2", "db"),
    "lam twice in G": ("seeded-4-1-5-2", "dG"),
    "lam squared in G": ("seeded-4-1-5-2", "dG"),
    "lam forgotten in G": ("seeded-4-1-5-2", "dG"),
    "G transposed": ("seeded-4-1-5-2", "dG"),
    "sign of h": ("seeded-4-1-5-2", "dh"),
    "lam twice in h": ("seeded-4-1-5-2", "dh"),
    "mean for sum": ("shared fields sum, batch of 2",) * 2,
    "first for sum": ("shared fields sum, batch of 2",) * 2,
    "ridge": ("seeded-4-1-5-2", "x"),
    "silent failure": ("two-walls", "status"),
    "contagion": ("beside an infeasible one",) * 2,
    "squeezed": ("batch of one keeps its axis",) * 2,
    "seed's size ignored": ("linear in seed", "linear in seed"),
    "double out": ("single precision kept", "single precision kept"),
    "arguments changed": ("inputs untouched", "inputs untouched"),
    "never in doubt": ("tied-simplex", "not unique"),
}


def outcomes(layer: Layer, name: str, check: str) -> list[Outcome]:
    return [o for o in suite.run(layer, name) if o.check == check]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", cases().values(), ids=lambda c: c.name)
def test_our_engine_passes_the_case(engine, case):
    found = examine(adapters.layer(engine), case)
    assert found
    assert [report.line(o) for o in found if o.verdict != Verdict.PASS] == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROPERTIES)
def test_our_engine_has_the_property(engine, name):
    found = hold(adapters.layer(engine), name)
    assert [report.line(o) for o in report.failures(found)] == []
    out = {o.note for o in found if o.verdict == Verdict.OUT}
    assert out <= ({"not offered"} if name.startswith("smoothed") else set())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "case", [c for c in cases().values() if c.status != "solved"], ids=lambda c: c.name
)
def test_our_engine_names_what_is_wrong(engine, case):
    answer = adapters.layer(engine).call(case.fields, None)
    assert set(answer.status or ()) == {case.status}


def ended(case, engine: str) -> str:
    """What an engine of the package, or the reference, says of the case."""
    if engine == "reference":
        status = reference.solve(QP(*case.fields.values())).status
    else:
        problem = QP(*map(torch.from_numpy, case.fields.values()))
        status = layers.solve(problem, engine=engine).status
    return ("solved", "infeasible", "unbounded", "failed", "failed")[int(status)]


@pytest.mark.parametrize("engine", ["auto", pytest.param("sparse", marks=needs_library),
                                    "reference"])  # fmt: skip
def test_no_engine_proves_what_is_not_so(engine):
    for case in cases().values():
        found = ended(case, engine)
        if case.status == "solved":
            assert found in ("solved", "failed"), case.name
        else:
            assert found == case.status, case.name


def test_every_fault_has_its_check():
    assert KILLERS.keys() == mutants.FAULTS.keys()


@pytest.mark.parametrize("fault", KILLERS)
def test_planted_fault_is_told_from_the_right_layer(fault):
    place, check = KILLERS[fault]
    good = outcomes(mutants.right(), place, check)
    bad = outcomes(mutants.mutant(fault, mutants.FAULTS[fault]), place, check)
    # the textbook has no verdict of its own on a tie
    fine = {Verdict.PASS} if check != "not unique" else {Verdict.SILENT}
    assert {o.verdict for o in good} == fine
    assert not {o.verdict for o in bad} & {*fine, Verdict.RAISED, Verdict.OUT}


def test_differences_are_judged_by_size():
    assert distance([1.0, 2e6], [1.0, 1e6]) == 1.0
    assert distance([np.nan], [0.0]) == np.inf
    assert distance([1.0, 1.0], [1.0]) == np.inf
    assert [judged(e) for e in (1e-7, 2e-7, 1e-3, 2e-3, np.inf, np.nan)] == [
        *(Verdict.PASS, Verdict.INACCURATE, Verdict.INACCURATE),
        *(Verdict.WRONG, Verdict.WRONG, Verdict.WRONG),
    ]


def half_smoothed(*, forward: bool, factor: float) -> Layer:
    """Our layer with one of the two passes smoothed alone, or by another mu."""
    right = adapters.layer("interior_point")

    def smoothed(fields, seed, mu):
        good = right.smoothed(fields, seed, factor * mu)
        exact = right.call(fields, seed)
        first, second = (good, exact) if forward else (exact, good)
        return Answer(first.x, second.grads)

    def consistent(fields, seed, mu):
        return right.smoothed(fields, seed, factor * mu)

    call = consistent if factor != 1 else smoothed
    return Layer("half smoothed", right.call, smoothed=call)


@pytest.mark.parametrize(
    ("forward", "factor", "prop"),
    [
        (False, 1, "smoothed backward is of smoothed forward"),
        (True, 1, "smoothed backward is of smoothed forward"),
        (False, 2, "smoothed on the central path"),
        (False, 0, "smoothed towards the exact"),
    ],
)
def test_a_layer_smoothed_by_half_is_told(forward, factor, prop):
    found = hold(half_smoothed(forward=forward, factor=factor), prop)
    assert {o.verdict for o in found} == {Verdict.WRONG}


def test_a_layer_without_smoothing_is_not_asked():
    found = hold(mutants.right(), "smoothed on the central path")
    assert [(o.verdict, o.note) for o in found] == [(Verdict.OUT, "not offered")]


def replies(case_name: str, answer: Answer | Exception, lacks: dict | None = None):
    """Verdicts on a layer that always answers the same."""

    def call(*_):
        if isinstance(answer, Exception):
            raise answer
        return answer

    layer = Layer("fixed", call, lacks=lacks or {})
    return {o.check: o.verdict for o in examine(layer, cases()[case_name])}


def test_failures_count_by_what_the_layer_says():
    one = np.ones(1)
    silent = replies("two-walls", Answer(one))
    assert silent == {"status": Verdict.SILENT}
    for good in (
        Answer(one, status=["infeasible"]),
        Answer(one, status=["failed"]),
        Answer(one * np.nan),
        RuntimeError("infeasible"),
    ):
        assert replies("two-walls", good) == {"status": Verdict.PASS}
    wrong = replies("two-walls", Answer(one, status=["unbounded"]))
    assert wrong == {"status": Verdict.WRONG}
    # a layer that stumbles over a shape has not said that there is no solution
    assert replies("two-walls", ValueError("shape")) == {"status": Verdict.RAISED}
    assert replies("kink", ValueError("shape")) == {"x": Verdict.RAISED}


def test_a_near_infeasible_case_may_be_declined_but_not_answered_wrongly():
    declined = replies("steep-33", Answer(np.full(2, np.nan), status=["infeasible"]))
    assert declined == {"x": Verdict.PASS}
    grads = {k: np.zeros_like(v) for k, v in cases()["steep-33"].fields.items()}
    assert replies("steep-33", Answer(np.zeros(2), grads))["x"] == Verdict.WRONG


def test_what_a_layer_does_not_claim_is_out_of_scope():
    found = replies("klee-minty-2", Answer(np.ones(2)), {"semidefinite P": "definite"})
    assert set(found.values()) == {Verdict.OUT}


def test_command_prints_an_object_and_fails_on_what_is_unknown(capsys):
    arguments = ["--layer", "interior_point", "--case", "wall", "--json"]
    assert main(arguments) == 0
    kept = json.loads(capsys.readouterr().out)
    assert kept["tally"]["dG"] == {"pass": 1}
    assert main(["--layer", "interior_point", "--case", "nothing"]) == 2
    assert main(["--layer", "nothing"]) == 2
    assert main(["--layer", "qpth"]) == 2 or importlib.util.find_spec("qpth")


@pytest.mark.parametrize("check", ["x", "dG", "between sides, dq", "status"])
def test_reproduction_runs_and_shows_what_was_seen(check, capsys):
    name = {"between sides, dq": "kink", "status": "two-walls"}.get(check, "wall")
    layer = adapters.layer("interior_point")
    (seen,) = [o for o in examine(layer, cases()[name]) if o.check == check]
    program = report.reproduction(layer.name, layer.source, seen)
    exec(compile(program, "reproduction", "exec"), {})
    shown = capsys.readouterr().out
    assert "tensor(" in shown
    assert ("-2." in shown) == (check == "dG")  # the wall's multiplier in the gradient


def test_reproduction_of_a_property_runs(capsys):
    layer = adapters.layer("interior_point")
    seen = hold(layer, "symmetric in P")[0]
    program = report.reproduction(layer.name, layer.source, seen)
    exec(compile(program, "reproduction", "exec"), {})
    assert float(capsys.readouterr().out) < 1e-12


def test_recorded_results_are_of_this_suite():
    kept = report.recorded()
    assert set(kept["layers"]) == set(adapters.KNOWN) - set(adapters.OURS)
    for layer in kept["layers"].values():
        for entry in layer["failures"]:
            found = report.outcome(entry)
            assert found.case in cases()
            assert report.group(found) in report.GROUPS
    assert set(FIELDS) == set("PqAbGh")


def test_table_counts_passes_in_scope_and_names_the_rest():
    seen = [
        Outcome("wall", "x", Verdict.PASS),
        Outcome("kink", "x", Verdict.WRONG, 1.0),
        Outcome("klee-minty-2", "x", Verdict.OUT),
        Outcome("two-walls", "status", Verdict.SILENT),
    ]
    rows = report.table({"one": report.tally(seen), "none": {}})
    assert rows[1:] == [
        ["x", "1/2, 1 wrong", "–"],
        ["infeasible: says so", "0/1, 1 silent", "–"],
    ]
    assert report.markdown(rows).splitlines()[1] == "| --- | --- | --- |"


def test_shortfalls_list_every_failure_and_the_smallest_program():
    kept = report.recorded()["layers"]
    text = report.shortfalls({"qpth": kept["qpth"]})
    assert text.count("\n- ") == len(kept["qpth"]["failures"])
    assert text.count("```python") == len(
        {entry["verdict"] for entry in kept["qpth"]["failures"]}
    )


def test_a_package_that_is_missing_is_no_result_of_the_layer():
    def call(*_):
        raise ModuleNotFoundError

    layer = Layer("half installed", call)
    with pytest.raises(ModuleNotFoundError):
        examine(layer, cases()["wall"])
    with pytest.raises(ModuleNotFoundError):
        hold(layer, "repeatable")


def test_no_recorded_failure_is_of_an_installation():
    for entries in report.recorded()["layers"].values():
        assert not any("ModuleNotFound" in e["note"] for e in entries["failures"])
