"""The cone programs: right by themselves, and met by our layer."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from companion import conformance
from companion.conformance import report
from companion.conformance.checks import Outcome, Verdict
from companion.conformance.conic import adapters, generate, mutants, suite
from companion.conformance.conic.__main__ import main
from companion.conformance.conic.cases import DRAWN, cone_cases, numbers
from companion.conformance.conic.checks import IRREGULAR, examine
from companion.conformance.conic.report import CONES
from companion.conformance.layers import Answer, Layer
from companion.problems import ConeSolution, Status
from companion.reference import cone_program as reference
from companion.reference import cones

FOLDER = Path(conformance.__file__).parent
CASES = [pytest.param(case, id=case.name) for case in cone_cases().values()]
SOLVED = [p for p in CASES if p.values[0].status == "solved"]
REGULAR = [p for p in SOLVED if p.values[0].family not in IRREGULAR]
IRREGULARS = [p for p in SOLVED if p.values[0].family in IRREGULAR]
REST = [p for p in CASES if p.values[0].status != "solved"]
SIDED = [p for p in CASES if p.values[0].one_sided]


def solution(case) -> ConeSolution:
    return ConeSolution(**case.solution, status=Status.SOLVED)


def test_files_are_what_the_generator_writes(tmp_path):
    generate.main([str(tmp_path)])
    for file in generate.FILES:
        assert (tmp_path / file).read_text() == (FOLDER / "cones" / file).read_text()


def test_files_follow_the_schema():
    schema = json.loads((FOLDER / "cone-schema.json").read_text("utf8"))
    judge = jsonschema.Draft202012Validator(schema)
    for file in generate.FILES:
        entries = json.loads((FOLDER / "cones" / file).read_text("utf8"))
        judge.validate(entries)
        assert not judge.is_valid([{**entries[0], "cones": {"circle": 1}}])
        assert not judge.is_valid([{**entries[0], "data": {"P": [[0.5]]}}])


@pytest.mark.parametrize("case", SOLVED)
def test_solution_satisfies_the_conditions(case):
    x, y, s, value = (case.solution[name] for name in ("x", "y", "s", "value"))
    found = reference.violations(case.problem, solution(case))
    size = max(1.0, *(np.abs(v).max(initial=0.0) for v in (x, y, s)))
    assert max(found.values()) <= 1e-14 * size**2
    P, q = case.problem.P, case.problem.q
    assert abs(0.5 * x @ P @ x + q @ x - value) <= 1e-14 * size**2
    moved = ConeSolution(x, y + 1, s, value, Status.SOLVED)
    assert max(reference.violations(case.problem, moved).values()) > 1e-3


@pytest.mark.parametrize("case", REGULAR)
def test_gradient_solves_the_adjoint_system_of_the_reference(case):
    """Mᵀ(g1, g2) = −(seed, 0) with the reference's dense DΠ."""
    P, _, A, _ = case.problem.fields
    x, y, s = (case.solution[name] for name in ("x", "y", "s"))
    D = cones.derivative_dual(y - s, case.problem.K)
    assert len(case.vjps) == 2
    for vjp in case.vjps:
        g1, g2 = vjp["q"], vjp["b"]
        size = 1e-13 * max(1, np.abs(vjp["A"]).max(), np.abs(g2).max())
        np.testing.assert_allclose(P @ g1 - A.T @ g2, -vjp["seed"], atol=size)
        np.testing.assert_allclose(D @ (A @ g1 - g2) + g2, 0 * g2, atol=size)
        sides = np.outer(g1, x) / 2
        np.testing.assert_allclose(vjp["P"], sides + sides.T, atol=size)
        want = np.outer(y, g1) - np.outer(g2, x)
        np.testing.assert_allclose(vjp["A"], want, atol=size)


@pytest.mark.parametrize("case", SIDED)
def test_one_sided_derivatives_are_those_of_the_projection(case):
    # these cases are projections: x = Π(−q), and Π is positively homogeneous here
    for way in case.one_sided:
        for side, t in (("plus", 1e-7), ("minus", -1e-7)):
            moved = cones.project(
                -case.problem.q - t * way["direction"], case.problem.K
            )
            slope = way["seed"] @ (moved - case.solution["x"]) / t
            assert abs(slope - way[side]) < 1e-6  # the quotient's own error


@pytest.mark.parametrize("case", REST)
def test_a_ray_proves_that_there_is_no_solution(case):
    P, q, A, b = case.problem.fields
    K = case.problem.K
    if case.status == "infeasible":
        y = case.ray["y"]
        np.testing.assert_allclose(A.T @ y, 0, atol=1e-14)
        np.testing.assert_allclose(cones.project_dual(y, K), y, atol=1e-14)
        assert b @ y < -0.1
        return
    x, d = case.ray["x"], case.ray["d"]
    for s in (b - A @ x, -A @ d):
        np.testing.assert_allclose(cones.project(s, K), s, atol=1e-14)
    assert not (P @ d).any()
    assert q @ d < -0.1


@pytest.mark.parametrize("case", CASES)
def test_our_layer_meets_every_case(case):
    found = examine(adapters.layer("cone_program"), case)
    assert found
    assert [report.line(o) for o in found if o.verdict != Verdict.PASS] == []
    for o in found:  # far closer than is asked of any layer
        assert o.error <= (1e-9 if o.check.startswith("d") else 1e-10), report.line(o)


@pytest.mark.parametrize("case", REST)
def test_our_layer_names_what_is_wrong(case):
    answer = adapters.layer("cone_program").call(case.problem, None)
    assert answer.status == [case.status]


@pytest.mark.parametrize("case", IRREGULARS)
def test_our_layer_claims_no_derivative_where_there_is_none(case):
    checks = {o.check: o for o in examine(adapters.layer("cone_program"), case)}
    assert checks["verdict"].note == "differentiable: False"
    assert not case.vjps

    def sure(problem, _seed):
        return Answer(case.solution["x"], {"q": 0 * problem.q}, differentiable=[True])

    (verdict,) = [o for o in examine(Layer("sure", sure), case) if o.check == "verdict"]
    assert verdict.verdict == Verdict.WRONG


def test_every_cone_stands_in_many_regular_cases_and_every_field_moves():
    regular = [p.values[0] for p in REGULAR]
    for name in ("zero", "nonneg", "soc", "psd", "exp", "exp_dual", "power"):
        assert sum(bool(getattr(c.problem.K, name)) for c in regular) >= 4, name
    for field in "PqAb":
        moves = [any(v[field].any() for v in c.vjps) for c in regular]
        assert sum(moves) >= 0.8 * len(regular), field
    assert len([c for c in cone_cases() if c.startswith("drawn")]) >= 3 * len(DRAWN)


def test_numbers_are_read_with_their_root():
    np.testing.assert_allclose(numbers(["-3/8", "1/2*sqrt2", 2]), [-0.375, 0.5**0.5, 2])


def test_command_runs_a_case_and_fails_on_what_is_unknown(capsys):
    arguments = ["--layer", "cone_program", "--case", "soc-ball", "--json"]
    assert main(arguments) == 0
    kept = json.loads(capsys.readouterr().out)
    assert kept["tally"]["closed form: gradients"] == {"pass": 4}
    assert main(["--layer", "cone_program", "--case", "nothing"]) == 2
    assert main(["--layer", "nothing"]) == 2
    assert main(["--layer", "diffcp"]) == 2 or importlib.util.find_spec("diffcp")


@pytest.mark.parametrize(
    ("name", "check"),
    [("soc-ball", "dA"), ("soc-apex", "between sides, dq"), ("every-cone-linear", "x"),
     ("soc-falling", "status")],
)  # fmt: skip
def test_reproduction_runs_and_shows_what_was_seen(name, check, capsys):
    layer = adapters.layer("cone_program")
    (seen,) = [o for o in examine(layer, cone_cases()[name]) if o.check == check]
    program = CONES.reproduction(layer.name, layer.source, seen)
    exec(compile(program, "reproduction", "exec"), {})
    shown = capsys.readouterr().out
    assert "{'x': tensor(" in shown
    assert ("\ntensor(" in shown) == ("d" in check)


def test_a_layer_is_not_asked_what_it_does_not_claim():
    def none(*_):
        raise AssertionError

    layer = Layer("linear", none, lacks={"quadratic cost": "linear", "psd": "none"})
    found = list(suite.run(layer, "psd-side-3-linear"))
    assert found == [Outcome("psd-side-3-linear", "x", Verdict.OUT, note="none")]


KILLERS = {  # the fault: where it is tried, and the check that tells it
    "P not symmetrised": ("soc-ball", "dP"),
    "half dropped": ("soc-ball", "dP"),
    "sign of g2 in A": ("soc-ball", "dA"),
    "y forgotten in A": ("soc-ball", "dA"),
    "sign of b": ("soc-ball", "db"),
    "D forgotten beside A": ("soc-projection", "dq"),
    "sign of tau's row": ("every-cone-linear", "dq"),
    "cone for dual": ("linear-and-soc-linear", "dq"),
    "polar for cone": ("soc-projection", "dq"),
    "soc without its rank-one term": ("soc-ball", "dq"),
    "psd across signs": ("psd-side-3-linear", "dq"),
    "exp dual for exp": ("exp-projection", "dq"),
    "exp for exp dual": ("exp-dual-projection", "dq"),
    "power dual for power": ("power-dual-blocks-linear", "dq"),
    "root forgotten": ("psd-projection-2", "x"),
    "root twice": ("psd-off-diagonal", "status"),
    "upper triangle": ("psd-order", "status"),
    "silent failure": ("soc-too-short", "status"),
    "never in doubt": ("soc-apex", "verdict"),
}
TRAPS = ("psd-projection-3", "psd-side-3-linear", "psd-side-3-quadratic",
         "psd-blocks-2-3-linear", "psd-blocks-2-3-quadratic")  # fmt: skip


def test_every_fault_has_its_check():
    assert KILLERS.keys() == mutants.FAULTS.keys()


@pytest.mark.parametrize("fault", KILLERS)
def test_planted_fault_is_told_from_the_right_layer(fault):
    place, check = KILLERS[fault]
    good = [o for o in suite.run(mutants.right(), place) if o.check == check]
    layer = mutants.mutant(fault, mutants.FAULTS[fault])
    bad = [o for o in suite.run(layer, place) if o.check == check]
    assert {o.verdict for o in good} == {Verdict.PASS}
    assert {o.verdict for o in bad} <= {Verdict.WRONG, Verdict.SILENT}
    assert bad


@pytest.mark.parametrize("place", TRAPS)
@pytest.mark.parametrize("fault", ["root forgotten", "root twice", "upper triangle"])
def test_every_trap_tells_every_way_to_store_half_a_matrix(fault, place):
    layer = mutants.mutant(fault, mutants.FAULTS[fault])
    found = {o.check: o.verdict for o in suite.run(layer, place)}
    assert found["x"] == Verdict.WRONG


def test_the_textbook_meets_every_case_of_the_files():
    layer = mutants.right()
    found = [o for name in cone_cases() if not name.startswith("drawn")
             for o in suite.run(layer, name)]  # fmt: skip
    assert [report.line(o) for o in found if o.verdict != Verdict.PASS] == []


def test_recorded_results_are_of_this_suite():
    kept = report.recorded(CONES)["layers"]
    assert {"diffcp", "diffcp_clarabel", "moreau", "cvxpylayers"} <= set(kept)
    assert set(kept) < set(adapters.KNOWN)
    for layer in kept.values():
        assert set(layer["tally"]) <= set(CONES.groups)
        for failed in layer["failures"]:
            found = report.outcome(failed)
            assert CONES.group(found) in layer["tally"]
    shown = report.shortfalls({"moreau": kept["moreau"]}, kit=CONES)
    assert shown.count("\n- ") == len(kept["moreau"]["failures"])
