"""The nouns refuse what they cannot mean, and say what they expected."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.problems import (
    QP,
    ConeProgram,
    Cones,
    Regularity,
    SolveError,
    Status,
)

EYE, ONE = np.eye(3), np.ones(3)


@pytest.mark.parametrize("library", [np, torch])
def test_absent_constraints_become_zero_row_arrays(library):
    P, q = library.eye(3), library.ones(3)
    P, q = (P, q) if library is np else (P.double(), q.double())
    problem = QP(P, q)
    assert (problem.n, problem.p, problem.m) == (3, 0, 0)
    assert tuple(problem.A.shape) == tuple(problem.G.shape) == (0, 3)
    assert type(problem.h) is type(q)


def test_batch_is_what_the_fields_broadcast_to():
    problem = QP(EYE, np.ones((5, 1, 3)), G=np.ones((2, 4, 3)), h=np.ones(4))
    assert problem.batch == (5, 2)
    assert problem.map(np.negative).q.max() == -1


WRONG = {
    "matrix": (
        {"P": np.eye(2)},
        ValueError,
        r"QP\.P: expected shape .*n = 3, got \(2, 2\)",
    ),
    "vector": ({"P": ONE}, ValueError, r"QP\.P: expected shape .*got \(3,\)"),
    "rows": (
        {"G": EYE, "h": np.ones(2)},
        ValueError,
        r"QP\.h: expected .*m = 3, got \(2,\)",
    ),
    "columns": (
        {"A": np.eye(2), "b": np.ones(2)},
        ValueError,
        r"QP\.A: expected .*got \(2, 2\)",
    ),
    "half": (
        {"G": EYE},
        TypeError,
        r"QP\.h: expected an array because QP\.G is given",
    ),
    "dtype": ({"G": EYE.astype(np.float32), "h": ONE}, TypeError, r"QP\.G: .*float32"),
    "integer": (
        {"A": EYE.astype(int), "b": ONE},
        TypeError,
        r"QP\.A: .*floating.*int64",
    ),
    "library": (
        {"G": torch.eye(3).double(), "h": ONE},
        TypeError,
        r"QP\.G: .*numpy.*torch",
    ),
    "batch": (
        {"q": np.ones((2, 3)), "A": np.ones((5, 1, 3)), "b": np.ones(1)},
        ValueError,
        r"QP\.A: expected batch axes .*\(2,\).*got \(5,\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_field_is_named_with_expected_and_got(name):
    fields, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        QP(**{"P": EYE, "q": ONE, **fields})


def test_construction_never_reads_the_numbers():
    QP(np.full((3, 3), np.nan), ONE)
    with torch.device("meta"):
        assert QP(torch.eye(3), torch.ones(3)).n == 3


def test_cones_count_their_rows():
    assert (
        Cones(zero=1, nonneg=2, soc=(3,), psd=(2, 3), exp=1, power=(0.5, -0.2)).rows
        == 24
    )


@pytest.mark.parametrize(
    "fields", [{"zero": -1}, {"soc": (0,)}, {"psd": (1.5,)}, {"power": (1.0,)}]
)
def test_impossible_cones_are_refused(fields):
    (name,) = fields
    with pytest.raises(ValueError, match=rf"Cones\.{name}: expected .*got"):
        Cones(**fields)


def test_cone_program_rows_must_match_the_cones():
    K = Cones(nonneg=2)
    assert ConeProgram(EYE, ONE, np.ones((4, 2, 3)), np.ones(2), K).batch == (4,)
    with pytest.raises(
        ValueError, match=r"ConeProgram\.A: expected .*m = 2.*got \(3, 3\)"
    ):
        ConeProgram(EYE, ONE, EYE, np.ones(2), K)


def test_solve_error_counts_and_names_at_most_five_failures():
    status = np.zeros((2, 4), int)
    status[1] = Status.PRIMAL_INFEASIBLE
    status[0, :2] = Status.MAX_ITERATIONS
    error = SolveError(status)
    text = str(error)
    assert "6 of 8 instances" in text
    assert "4 PRIMAL_INFEASIBLE" in text
    assert "2 MAX_ITERATIONS" in text
    assert "(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), …" in text
    assert error.status is status


def test_differentiable_needs_all_three_margins():
    good = np.ones(4)
    margins = np.tile(good, (3, 1))
    margins[[0, 1, 2], [1, 2, 3]] = 0.0
    reg = Regularity(*margins, condition=good)
    assert reg.differentiable.tolist() == [True, False, False, False]
