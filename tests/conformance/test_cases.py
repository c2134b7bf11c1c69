"""The expectations, each held against exact arithmetic of another kind."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest

from companion import conformance
from companion.conformance import exact, generate
from companion.conformance.build import found
from companion.conformance.cases import FIELDS, MATRICES, Case, cases
from companion.conformance.rational import add, dot, scale

FOLDER = Path(conformance.__file__).parent
SOLVED = [c for c in cases().values() if c.status == "solved"]
REST = [c for c in cases().values() if c.status != "solved"]
REGULAR = [c for c in SOLVED if c.regular]
ONE_SIDED = [c for c in SOLVED if c.one_sided]

over = pytest.mark.parametrize


def name(case: Case) -> str:
    return case.name


def dual(case: Case) -> tuple:
    assert case.solution is not None
    return case.solution["x"], case.solution["nu"], case.solution["lam"]


def entries(case: Case, field: str):
    """Unit perturbations of a field, and the entry of its gradient that each meets."""
    rows = case.data[field] if field in MATRICES else [case.data[field]]
    for i, row in enumerate(rows):
        for j in range(len(row)):
            moved = {
                f: [[Fraction(0)] * case.n for _ in case.data[f]]
                if f in MATRICES
                else [Fraction(0)] * len(case.data[f])
                for f in FIELDS
            }
            target = moved[field] if field in MATRICES else [moved[field]]
            target[i][j] += Fraction(1, 2) if field == "P" else 1
            if field == "P":
                target[j][i] += Fraction(1, 2)
            yield (i, j), moved


def wrong_entries(case: Case, vjp: dict) -> list:
    """Entries of a case's gradients that the differentiated KKT conditions deny."""
    wrong = []
    for field in FIELDS:
        for (i, j), moved in entries(case, field):
            slope = dot(vjp["seed"], exact.tangent(case.data, *dual(case), moved))
            claimed = vjp[field] if field in MATRICES else [vjp[field]]
            if claimed[i][j] != slope:
                wrong.append((field, i, j))
    return wrong


def test_files_are_what_the_generator_writes(tmp_path):
    generate.main([str(tmp_path)])
    for file in generate.FILES:
        assert (tmp_path / file).read_text() == (FOLDER / "cases" / file).read_text()


def test_files_follow_the_schema_and_stay_small():
    schema = json.loads((FOLDER / "schema.json").read_text("utf8"))
    judge = jsonschema.Draft202012Validator(schema)
    for file in generate.FILES:
        entries = json.loads((FOLDER / "cases" / file).read_text("utf8"))
        judge.validate(entries)
        assert not judge.is_valid([{**entries[0], "data": {"P": [[0.5]]}}])
    size = sum(f.stat().st_size for f in FOLDER.rglob("*.json"))
    assert size < 600_000


@over("case", cases().values(), ids=name)
def test_double_precision_holds_the_data_exactly(case):
    for field, array in case.fields.items():
        values = case.data[field]
        flat = [v for row in values for v in row] if field in MATRICES else values
        assert [Fraction(v) for v in array.ravel().tolist()] == flat


@over("case", SOLVED, ids=name)
def test_solution_satisfies_the_conditions_and_flags_are_true(case):
    x, nu, lam = dual(case)
    assert exact.optimal(case.data, x, nu, lam)
    assert case.solution["value"] == exact.value(case.data, x)
    assert case.flags == exact.flags(case.data, x, lam)
    moved = [v + 1 for v in x]
    assert not exact.optimal(case.data, moved, nu, lam) or not case.flags["unique_x"]


@over("case", SOLVED, ids=name)
def test_what_is_not_unique_has_a_second_solution(case):
    x, nu, lam = dual(case)
    other = case.other or {}
    assert ("x" in other) != case.flags["unique_x"]
    assert ("lam" in other) != case.flags["unique_dual"]
    if case.other:
        second = other.get("x", x), other.get("nu", nu), other.get("lam", lam)
        assert second != (x, nu, lam)
        assert exact.optimal(case.data, *second)


@over("case", REGULAR, ids=name)
def test_gradients_agree_with_the_differentiated_conditions(case):
    assert len(case.vjps) == 2
    for vjp in case.vjps:
        assert not wrong_entries(case, vjp)


def test_a_wrong_gradient_is_denied():
    case = cases()["seeded-3-1-2-1"]
    vjp = case.vjps[0]
    wrong = {**vjp, "G": [scale(2, row) for row in vjp["G"]]}
    assert {entry[0] for entry in wrong_entries(case, wrong)} == {"G"}


@over("case", SOLVED, ids=name)
def test_gradients_are_asserted_only_where_the_flags_allow(case):
    assert case.flags is not None
    regular = all(case.flags[k] for k in ("licq", "strict", "sosc"))
    assert case.regular == regular
    if case.vjps and not regular:
        assert set(case.vjps[0]) == {"seed", "P", "q"}
        assert case.flags["sosc"]


@over("case", [c for c in SOLVED if c.vjps and not c.regular], ids=name)
def test_gradients_in_the_cost_alone_are_difference_quotients(case):
    # x is affine in q while the active rows stay, so the quotient is exact
    x, _, _ = dual(case)
    for vjp in case.vjps:
        for j in range(case.n):
            way = [Fraction(int(i == j)) for i in range(case.n)]
            for t in (Fraction(1, 2**20), Fraction(-1, 2**20)):
                q = add(case.data["q"], scale(t, way))
                step = add(found({**case.data, "q": q})[0], scale(-1, x))
                assert dot(vjp["seed"], step) / t == vjp["q"][j]


@over("case", ONE_SIDED, ids=name)
def test_one_sided_derivatives_are_quotients_at_another_step_too(case):
    x, _, _ = dual(case)
    for way in case.one_sided:
        for side, t in (("plus", Fraction(1, 2**12)), ("minus", -Fraction(1, 2**12))):
            field = add(case.data[way["field"]], scale(t, way["direction"]))
            step = add(found({**case.data, way["field"]: field})[0], scale(-1, x))
            assert dot(way["seed"], step) / t == way[side]


@over("case", REST, ids=name)
def test_a_direction_proves_that_there_is_no_solution(case):
    bad = case.status == "infeasible"
    proves = exact.proves_infeasible if bad else exact.proves_unbounded
    first, last = case.ray.values()
    assert proves(case.data, first, last)
    # the opposite of it proves nothing
    back = scale(-1, last)
    assert not proves(case.data, scale(-1, first) if bad else first, back)


def test_every_field_has_a_gradient_that_is_not_zero_in_many_cases():
    for field in FIELDS:
        filled = [
            c.name
            for c in SOLVED
            if any(c.array(field, vjp[field]).any() for vjp in c.vjps if field in vjp)
        ]
        assert len(filled) >= 8, field


def test_every_flag_fails_somewhere_and_every_need_is_felt():
    for flag in ("licq", "strict", "sosc", "unique_x", "unique_dual"):
        assert any(not c.flags[flag] for c in SOLVED)
    needs = {need for c in cases().values() for need in c.needs}
    assert needs == {
        *("semidefinite P", "no inequalities", "no constraints"),
        "dependent equalities",
    }
