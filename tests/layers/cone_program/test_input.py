"""Wrong calls name the argument, what was expected, and what was given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from companion.layers import cone_program
from companion.problems import ConeProgram
from tests.layers.cone_program.cases import batch_of, disc, sample


def test_indefinite_and_crooked_matrices_are_refused():
    problem = disc()
    for P, message in (
        (-torch.eye(2), r"ConeProgram.P: expected a positive semidefinite .* -1"),
        (torch.tensor([[1.0, 1], [0, 1]]), r"ConeProgram.P: expected a symmetric .* 1"),
    ):
        wrong = ConeProgram(P.double(), *problem.fields[1:], problem.K)
        with pytest.raises(ValueError, match=message):
            cone_program.solve(wrong)
        with pytest.raises(ValueError, match=rf"{message}.*in instance \(1,\)"):
            cone_program.solve(batch_of(problem, wrong))


def test_arrays_of_numpy_are_refused():
    problem = disc().map(lambda v: v.numpy())
    with pytest.raises(
        TypeError, match=r"ConeProgram.P: expected a torch tensor, got ndarray"
    ):
        cone_program.solve(problem)


def test_choices_are_checked():
    with pytest.raises(ValueError, match='on_failure: expected "raise" or "nan", got'):
        cone_program.layer(disc(), on_failure="ignore")
    with pytest.raises(ValueError, match="tau: expected a positive number, got 0"):
        cone_program.lpgd(disc(), 0.0)
    batch = batch_of(disc(), disc())
    with pytest.raises(
        ValueError, match=r"problem: expected a single problem, got batch \(2,\)"
    ):
        cone_program.linear_operator(batch, cone_program.solve(batch))


def test_the_problem_is_not_changed():
    problem, _ = sample(0)
    before = [v.clone() for v in problem.fields]
    cone_program.solve(problem)
    assert all(
        np.array_equal(v, w) for v, w in zip(problem.fields, before, strict=True)
    )
